//! Places in a text that a template language has yet to fill in: `{{X}}`, `${{ X }}`, `${X}`,
//! `$(X)`, `<X>`, `#{X}#`, `__X__` and `{% … %}`.

use std::ops::Range;

/// Opening and closing signs, and whether what is between them has to look like a name, because
/// the signs are also used for other things.
const SIGNS: &[(&str, &str, bool)] = &[
    ("${{", "}}", false),
    ("{{", "}}", false),
    ("{%", "%}", false),
    ("<%", "%>", false),
    ("#{", "}#", false),
    ("${", "}", false),
    ("$(", ")", false),
    ("__", "__", true),
    ("<", ">", true),
];

/// The first placeholder in a text that is meant to be read by a program.
pub fn find(text: &str) -> Option<Range<usize>> {
    let found = SIGNS.iter().filter_map(|signs| first(text, *signs));
    let found = found.min_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    found.or_else(|| whole_variable(text).then_some(0..text.len()))
}

/// The first one in a text for people, where only what no one writes by chance is taken for one.
pub fn find_in_prose(text: &str) -> Option<Range<usize>> {
    let sure = SIGNS.iter().filter(|(_, _, named)| !named);
    let found = sure.filter_map(|signs| first(text, *signs));
    found.min_by_key(|range| (range.start, std::cmp::Reverse(range.end)))
}

/// What is told about one, and what to do.
pub(super) fn words(placeholder: &str) -> (String, &'static str) {
    let message = format!("`{placeholder}` is a placeholder that nothing has filled in");
    (message, "write the value, or have the template filled in first")
}

/// All in the text of a file that cannot be parsed: only signs that YAML itself stumbles over.
pub(super) fn in_source(text: &str) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        let mut from = 0;
        let code = line.split(" #").next().unwrap_or(line);
        let code = if code.trim_start().starts_with('#') { "" } else { code };
        while let Some(rest) = code.get(from..)
            && let Some(found) = SIGNS[..4]
                .iter()
                .filter_map(|signs| first(rest, *signs))
                .min_by_key(|range| (range.start, std::cmp::Reverse(range.end)))
        {
            all.push(line_start + from + found.start..line_start + from + found.end);
            from += found.end;
        }
        line_start += line.len();
    }
    all
}

fn first(text: &str, (open, close, named): (&str, &str, bool)) -> Option<Range<usize>> {
    let mut from = 0;
    while let Some(start) = text[from..].find(open).map(|at| from + at) {
        let inside = start + open.len();
        let length = text[inside..].find(close)?;
        let content = &text[inside..inside + length];
        if !content.trim().is_empty() && (!named || name(content, open)) {
            return Some(start..inside + length + close.len());
        }
        from = inside;
    }
    None
}

/// What stands between `<` and `>`, or between `__` and `__`, where a name is to be filled in.
fn name(content: &str, open: &str) -> bool {
    let first = content.starts_with(|c: char| c.is_ascii_alphabetic());
    let spaced = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' ' | '.');
    let shouted = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let fits =
        if open == "__" { content.chars().all(shouted) } else { content.chars().all(spaced) };
    first && fits && content.len() <= 64 && !content.ends_with(' ')
}

/// `$NAME`, and nothing else.
fn whole_variable(text: &str) -> bool {
    let Some(name) = text.strip_prefix('$') else { return false };
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_writing_one_is_found() {
        for (text, found) in [
            ("{{ENDPOINT}}", "{{ENDPOINT}}"),
            ("a-{{ x.y | quote }}-b", "{{ x.y | quote }}"),
            ("${{ github.sha }}", "${{ github.sha }}"),
            ("azureml:m:${VERSION}", "${VERSION}"),
            ("$(Build.Id)", "$(Build.Id)"),
            ("<your endpoint>", "<your endpoint>"),
            ("azureml:<name>:<version>", "<name>"),
            ("#{Name}#", "#{Name}#"),
            ("__INSTANCE_TYPE__", "__INSTANCE_TYPE__"),
            ("{% if x %}", "{% if x %}"),
            ("$NAME", "$NAME"),
        ] {
            assert_eq!(find(text).map(|range| &text[range]), Some(found), "{text}");
        }
        for none in ["p99 < 200ms", "a < b > c", "{}", "{{}}", "$", "$5", "a__b__c", "<1>", "5 <"] {
            assert_eq!(find(none), None, "{none}");
        }
    }

    #[test]
    fn prose_may_hold_what_only_looks_like_one() {
        assert_eq!(find_in_prose("a <b>bold</b> claim"), None);
        assert_eq!(find_in_prose("built by $(Build.Id)"), Some(9..20));
    }

    #[test]
    fn comments_of_a_file_are_not_looked_at() {
        let text = "# {{A}}\nname: {{B}}-{{C}} # {{D}}\n{% if x %}\n";
        let found: Vec<&str> = in_source(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, ["{{B}}", "{{C}}", "{% if x %}"]);
    }
}
