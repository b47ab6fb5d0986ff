//! Texts as people have them, right and wrong.

use super::*;

/// The value, as JSON would show it, and what is wrong with it.
fn read(text: &str) -> (Node, Vec<String>) {
    let (root, flaws) = parse(text).expect("it can be parsed");
    (root, flaws.into_iter().map(|flaw| flaw.message).collect())
}

fn refused(text: &str) -> (usize, String) {
    let flaw = parse(text).expect_err("it cannot be parsed");
    (text[..flaw.span.start].matches('\n').count() + 1, flaw.message)
}

#[test]
fn the_second_of_two_equal_keys_is_told() {
    let (root, flaws) = read("a: 1\nb: {c: 1, c: 2}\na: 3\n");
    assert_eq!(flaws.len(), 2);
    assert!(flaws[0].contains("`c` is here a second time"), "{flaws:?}");
    assert!(flaws[1].contains("the first is in line 1"), "{flaws:?}");
    assert_eq!(root.child("a").unwrap().value, Value::Int(1));
}

#[test]
fn tags_of_yaml_itself_are_followed_and_others_told() {
    let (root, flaws) = read("a: !!str 5\nb: !!int '5'\nc: !ENV ${X}\nd: !!set {x}\ne: ! 5\n");
    assert_eq!(root.child("a").unwrap().value, Value::Text("5".to_owned()));
    assert_eq!(root.child("b").unwrap().value, Value::Int(5));
    assert_eq!(root.child("c").unwrap().value, Value::Unreadable);
    assert_eq!(root.child("e").unwrap().text(), Some("5"));
    let wanted = ["the tag `!ENV` is not known", "the tag `!!set` is not known"];
    assert_eq!(flaws, wanted);
}

#[test]
fn only_the_first_document_is_read() {
    let (root, flaws) = read("---\na: 1\n---\nb: 2\n");
    assert_eq!(root.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(flaws, ["a second document begins here"]);
    let (_, flaws) = read("---\na: 1\n...\n");
    assert_eq!(flaws.len(), 0, "one document, begun and ended");
}

#[test]
fn merged_keys_give_way_to_those_that_are_written() {
    let (root, flaws) = read("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\nz: {<<: 5}\n");
    let merged = root.child("y").unwrap();
    assert_eq!(merged.child("a").unwrap().value, Value::Int(1));
    assert_eq!(merged.child("b").unwrap().value, Value::Int(3));
    assert_eq!(flaws, ["`<<` takes in the keys of a map, and this is none"]);
}

#[test]
fn what_aliases_repeat_is_bounded() {
    let lines = (1..12).map(|n| {
        let before = vec![format!("*a{}", n - 1); 10].join(", ");
        format!("a{n}: &a{n} [{before}]\n")
    });
    let laughs = format!("a0: &a0 [lol]\n{}", lines.collect::<String>());
    assert!(refused(&laughs).1.contains("more than 100000 values"));
    let chain = (1..200).map(|n| format!("a{n}: &a{n} [*a{}]\n", n - 1));
    let chain = format!("a0: &a0 [lol]\n{}", chain.collect::<String>());
    assert!(refused(&chain).1.contains("64 levels"));
    let (_, flaws) = read("a: &a [*a]\n");
    assert_eq!(flaws, ["`*a` stands within what it stands for"]);
}

#[test]
fn nesting_is_bounded() {
    for deep in ["[".repeat(1000), "a: ".to_owned() + &"{b: ".repeat(1000), "- ".repeat(1000)] {
        assert!(refused(&deep).1.contains("64 levels"), "{}", &deep[..20]);
    }
    assert!(parse(&format!("{}{}", "[".repeat(60), "]".repeat(60))).is_ok());
}

#[test]
fn a_template_that_looks_like_a_map_stays_text() {
    let (root, flaws) = read("a: {{ NAME }}\nb: 1\n");
    assert_eq!(root.child("a").unwrap().text(), Some("{{ NAME }}"));
    assert_eq!(flaws.len(), 0);
    let (_, flaws) = read("a: {[x]: 1}\n");
    assert_eq!(flaws, ["a key has to be text"]);
}

/// Each mistake has its line, and words that the library does not have.
#[test]
fn mistakes_are_told_in_words_of_our_own() {
    for (text, line, words) in [
        ("", 1, "the file is empty"),
        ("# nothing\n", 1, "the file is empty"),
        ("a: 1\n\tb: 2\n", 2, "a tab"),
        ("a:\n\tb: 2\n", 2, "a tab"),
        ("a:\n  b: 1\n\tc: 2\n", 3, "a tab"),
        ("a: 1\nb: [1, 2\n", 2, "`[` is never closed"),
        ("a: 1\nb: 'x\n", 2, "quote"),
        ("a: 1\nb: 'x' y\n", 2, "after the closing quote"),
        ("a: \"\\d\"\n", 1, "escape"),
        ("a: b: c\n", 1, "`:`"),
        ("a: 1\n b: 2\n", 2, "`:`"),
        ("a:\n  b: 1\n c: 2\n", 3, "indentation"),
        ("a: 1\nhello\n", 2, "no `:`"),
        ("a: @x\n", 1, "`@`"),
        ("a: `x`\n", 1, "``` ` ```"),
        ("a: %x\n", 1, "`%`"),
        ("a: *b\n", 1, "`*b`"),
        ("a: * *\n", 1, "name"),
        ("a: {b: 1]\n", 1, "closed by `]`"),
        ("a: 1}\nb: ]\n", 2, "bracket"),
        ("a: !x!y z\n", 1, "tag"),
        ("a: |x\n  b\n", 1, "`|`"),
    ] {
        let (at, message) = refused(text);
        assert!(message.contains(words), "{text:?}: {message}");
        assert_eq!(at, line, "{text:?}: {message}");
    }
}
