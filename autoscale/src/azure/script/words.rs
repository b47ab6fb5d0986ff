//! A shell script cut into commands and words, each word with its place. Nothing is expanded.

use std::ops::Range;

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Range<usize>,
}

/// The commands of a script.
pub(super) fn commands(text: &str) -> Vec<Vec<Word>> {
    let mut commands = Vec::new();
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if let Some(length) = continuation(rest) {
            at += length;
        } else if matches!(c, '\n' | ';' | '|' | '&' | '(' | ')') {
            if !words.is_empty() {
                commands.push(std::mem::take(&mut words));
            }
            at += 1;
        } else if c.is_whitespace() {
            at += c.len_utf8();
        } else if c == '#' {
            at += rest.find('\n').unwrap_or(rest.len());
        } else {
            let word = word(text, at);
            at = word.span.end;
            words.push(word);
        }
    }
    if !words.is_empty() {
        commands.push(words);
    }
    commands
}

/// The length of a line's end that does not end the command: of a shell, or of PowerShell.
fn continuation(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix(['\\', '`'])?;
    let blank = after.len() - after.trim_start_matches([' ', '\t', '\r']).len();
    after[blank..].starts_with('\n').then_some(blank + 2)
}

/// The word that starts at `start`: quoted parts and substitutions hold blanks.
fn word(text: &str, start: usize) -> Word {
    let mut out = String::new();
    let (mut quote, mut depth) = (None, 0usize);
    let mut chars = text[start..].char_indices();
    while let Some((offset, c)) = chars.next() {
        let end = start + offset;
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"') | None, '\\') if continuation(&text[end..]).is_none() => {
                out.extend(chars.next().map(|(_, escaped)| escaped));
            }
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') if depth > 0 || out.ends_with('$') => {
                depth += 1;
                out.push(c);
            }
            (None, ')') if depth > 0 => {
                depth -= 1;
                out.push(c);
            }
            (None, c) if depth > 0 => out.push(c),
            (None, c) if c.is_whitespace() || matches!(c, ';' | '|' | '&' | '(' | ')' | '\\') => {
                return Word { text: out, span: start..end };
            }
            (_, c) => out.push(c),
        }
    }
    Word { text: out, span: start..text.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_cut_into_words() {
        let text = "# a comment\naz x --condition \"Cpu > 70 avg 5m\" \\\n  --id $(az y -q \"a b\") # end\nA=1; b 'c d'\n";
        let all = commands(text);
        let texts: Vec<Vec<&str>> =
            all.iter().map(|words| words.iter().map(|w| w.text.as_str()).collect()).collect();
        assert_eq!(texts.len(), 3, "{texts:?}");
        assert_eq!(texts[0][..4], ["az", "x", "--condition", "Cpu > 70 avg 5m"]);
        assert_eq!(texts[0][4], "--id");
        assert!(texts[0][5].starts_with("$(az y"), "{texts:?}");
        assert_eq!(texts[2], ["b", "c d"]);
        let condition = &all[0][3];
        assert_eq!(&text[condition.span.clone()], "\"Cpu > 70 avg 5m\"");
    }
}
