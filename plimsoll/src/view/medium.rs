//! What standard output and standard error are: whether they take colours, how wide they are, and
//! the text that is fit for them.
//!
//! Text becomes safe here and nowhere else on its way to a person (see
//! [`plain`](plimsoll_domain::plain)), and colours are put in after that: whoever chose a name can
//! at most have its line coloured.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::fd::AsFd;

use plimsoll_domain::plain;
use terminal_size::terminal_size_of;

/// Narrower terminals get lines of this length, which they break themselves.
const NARROWEST: usize = 40;
/// Longer lines are hard to read, except of tables.
const WIDEST: usize = 200;

const RED: &str = "\u{1b}[1;31m";
const GREEN: &str = "\u{1b}[32m";
const YELLOW: &str = "\u{1b}[33m";
const BLUE: &str = "\u{1b}[34m";
const OFF: &str = "\u{1b}[0m";

/// Words at the start of a line that say how it is meant, and their colours.
const FIRST_WORDS: [(&str, &str); 8] = [
    ("error:", RED),
    ("BREACHED", RED),
    ("warning:", YELLOW),
    ("inconclusive", YELLOW),
    ("undecided", YELLOW),
    ("note:", BLUE),
    ("met", GREEN),
    ("breached", RED),
];
/// Words within a line that do.
const WORDS: [(&str, &str); 9] = [
    (": breached (", RED),
    (": met (", GREEN),
    (": inconclusive (", YELLOW),
    (": interrupted;", YELLOW),
    (": cut off;", RED),
    (": given up;", RED),
    (" → firing", RED),
    (" → resolved", GREEN),
    (" failed", RED),
];

/// Where something is printed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Medium {
    /// Whether it takes colours.
    pub(super) colours: bool,
    /// The characters of a line; `None` where lines may be as long as they are.
    pub(super) width: Option<usize>,
}

impl Medium {
    /// Standard output.
    pub(super) fn output() -> Self {
        Self::of(&std::io::stdout())
    }

    /// Standard error.
    pub(super) fn error() -> Self {
        Self::of(&std::io::stderr())
    }

    fn of(stream: &(impl IsTerminal + AsFd)) -> Self {
        let is_terminal = stream.is_terminal();
        let size = if is_terminal { terminal_size_of(stream) } else { None };
        Self {
            colours: colours(is_terminal, |name| std::env::var_os(name)),
            width: size.map(|(width, _)| usize::from(width.0).clamp(NARROWEST, WIDEST)),
        }
    }

    /// Lines of text, safe and fit.
    pub(super) fn fit(self, text: &str) -> String {
        let safe = plain::text(text);
        let lines = safe.lines().flat_map(|line| match self.width {
            Some(width) => wrap(line, width),
            None => vec![line.to_owned()],
        });
        let lines = lines.map(|line| if self.colours { paint(&line) } else { line });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Whether a stream takes colours: `NO_COLOR` (<https://no-color.org>) goes before
/// `CLICOLOR_FORCE`, and that before what the stream is.
fn colours(is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let is = |name: &str, wanted: &str| variable(name).is_some_and(|value| value == wanted);
    if is_set("NO_COLOR") {
        return false;
    }
    if is_set("CLICOLOR_FORCE") && !is("CLICOLOR_FORCE", "0") {
        return true;
    }
    is_terminal && !is("CLICOLOR", "0") && !is("TERM", "dumb")
}

/// A line in pieces that fit, broken between words; the further ones begin below its own beginning.
fn wrap(line: &str, width: usize) -> Vec<String> {
    if line.chars().count() <= width {
        return vec![line.to_owned()];
    }
    let start = line.len() - line.trim_start().len();
    let indent = " ".repeat((start + 4).min(width / 2));
    let mut pieces = Vec::new();
    let (mut piece, mut length) = (String::new(), 0);
    for word in line.split_inclusive(' ') {
        let needed = word.trim_end().chars().count();
        if length + needed > width && length > start.max(indent.len()) {
            pieces.push(piece.trim_end().to_owned());
            piece.clone_from(&indent);
            length = indent.len();
            if word == " " {
                continue;
            }
        }
        piece += word;
        length += word.chars().count();
    }
    pieces.push(piece.trim_end().to_owned());
    pieces
}

/// A line with the colours of what it says.
fn paint(line: &str) -> String {
    let (space, rest) = line.split_at(line.len() - line.trim_start().len());
    for (word, colour) in FIRST_WORDS {
        if let Some(more) = rest.strip_prefix(word)
            && !more.starts_with(|c: char| c.is_alphanumeric())
        {
            return format!("{space}{colour}{word}{OFF}{more}");
        }
    }
    if let Some((before, mark)) = line.split_once('^')
        && before.trim_start().starts_with('|')
        && before.trim_start()[1..].trim().is_empty()
    {
        return format!("{before}{RED}^{mark}{OFF}");
    }
    for (words, colour) in WORDS {
        if let Some((before, after)) = line.split_once(words) {
            let shown = words.trim_start_matches([':', ' ']).trim_end_matches(['(', ' ', ';']);
            let (left, right) = words.split_once(shown).unwrap_or_default();
            return format!("{before}{left}{colour}{shown}{OFF}{right}{after}");
        }
    }
    line.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_where_the_conventions_want_them() {
        type Variables = &'static [(&'static str, &'static str)];
        let cases: [(bool, Variables, bool); 8] = [
            (true, &[], true),
            (false, &[], false),
            (true, &[("NO_COLOR", "1")], false),
            (true, &[("NO_COLOR", "")], true),
            (false, &[("CLICOLOR_FORCE", "1")], true),
            (false, &[("CLICOLOR_FORCE", "0")], false),
            (true, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
            (true, &[("TERM", "dumb")], false),
        ];
        for (is_terminal, variables, wanted) in cases {
            let variable = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
            };
            assert_eq!(colours(is_terminal, variable), wanted, "{is_terminal} {variables:?}");
        }
    }

    #[test]
    fn what_others_chose_does_nothing_to_a_terminal() {
        let medium = Medium { colours: true, width: None };
        assert_eq!(medium.fit("stage \u{1b}[2J\u{7}"), "stage \\u{1b}[2J\\u{7}");
        let painted = medium.fit("  BREACHED      p99 < 1s\nerror: no");
        assert_eq!(painted, format!("  {RED}BREACHED{OFF}      p99 < 1s\n{RED}error:{OFF} no"));
        assert_eq!(medium.fit("x: met (valid)"), format!("x: {GREEN}met{OFF} (valid)"));
        assert_eq!(medium.fit("metric"), "metric");
        let plain = Medium { colours: false, width: None };
        assert_eq!(plain.fit("error: no"), "error: no");
    }

    #[test]
    fn lines_are_broken_between_words_and_indented() {
        let wrapped = wrap("  met  p99 < 200ms  of the whole run", 16);
        assert_eq!(wrapped, ["  met  p99 <", "      200ms  of", "      the whole", "      run"]);
        let long = "a".repeat(100);
        assert_eq!(wrap(&long, 40), std::slice::from_ref(&long), "a path stays one word");
        assert_eq!(wrap("short", 40), ["short"]);
        let path = format!("report: {long}");
        assert_eq!(wrap(&path, 40).concat().matches('a').count(), 100);
    }
}
