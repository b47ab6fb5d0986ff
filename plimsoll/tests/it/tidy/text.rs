//! Rules about every text file: nothing unfinished, nothing that holds only on one machine, no link to nowhere.

use super::repository::{self, has_extension};
use super::{Finding, assert_tidy};

/// A word that may stand nowhere, with the reason. Each is put together here, so that this file does not hold it.
fn banned_words() -> [(String, &'static str); 5] {
    let outside = "the repository brings everything it needs";
    let home = "a home folder exists on one machine only";
    [
        (["FIX", "ME"].concat(), "an open end is mended or becomes an issue"),
        (["../", "shared"].concat(), outside),
        (["/ho", "me/"].concat(), home),
        (["/ro", "ot/"].concat(), home),
        (["/Us", "ers/"].concat(), home),
    ]
}

fn check(path: &str, text: &str) -> Vec<Finding> {
    let words = banned_words();
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for (word, why) in words.iter().filter(|(word, _)| line.contains(word.as_str())) {
            findings.push(Finding::new(path, index + 1, format!("no `{word}`"), *why));
        }
    }
    findings
}

/// The relative links of a Markdown file, with their lines: `](path)`.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for rest in line.split("](").skip(1) {
            let Some((target, _)) = rest.split_once(')') else { continue };
            let target = target.split('#').next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                links.push((index + 1, target));
            }
        }
    }
    links
}

#[test]
fn the_texts_keep_the_rules() {
    let findings: Vec<Finding> =
        repository::text_files().iter().flat_map(|file| check(&file.path, &file.text)).collect();
    assert_tidy(&findings);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let root = repository::root();
    let mut findings = Vec::new();
    for file in repository::text_files().iter().filter(|file| has_extension(&file.path, "md")) {
        let folder = root.join(&file.path).parent().expect("a file lies in a folder").to_owned();
        for (line, target) in
            links(&file.text).into_iter().filter(|(_, target)| !folder.join(target).exists())
        {
            let rule = format!("no link to `{target}`");
            findings.push(Finding::new(&file.path, line, rule, "there is no such file"));
        }
    }
    assert_tidy(&findings);
}

#[test]
fn bad_texts_are_found() {
    for (word, why) in banned_words() {
        let found = check("a.md", &format!("first\nsee {word}x"));
        assert_eq!(found, [Finding::new("a.md", 2, format!("no `{word}`"), why)]);
    }
    assert_eq!(check("a.md", "see shared/ and home/"), []);
}

#[test]
fn links_are_read() {
    let text = "[a](b.md), [c](d/e.md#part)\n![p](q.png) [w](https://example.org/x.md) [h](#here) [m](mailto:a@b.c)";
    assert_eq!(links(text), [(1, "b.md"), (1, "d/e.md"), (2, "q.png")]);
}
