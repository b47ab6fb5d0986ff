//! Text that somebody else chose, made safe for where it goes.
//!
//! Names in a scenario, answers of a server, words of a Collector and the output of a scoring script
//! end up on a terminal, in a log, in a table that a spreadsheet opens, on a page. What only shows
//! itself stays as it is, in every script. Characters that move the cursor, change colours, ring,
//! turn the direction of writing or cannot be seen are written as escapes (`\u{1b}`), so that they
//! are seen and do nothing. Joiners stay: they are part of words and of emoji.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character only shows itself. Not shown are control characters, line and paragraph
/// separators, marks of direction, what has no width, and tags.
pub fn is_shown(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Lines of text, such as a whole message: line ends and tabs stay.
///
/// ```
/// use plimsoll_domain::plain::text;
/// assert_eq!(text("a\n\tb"), "a\n\tb");
/// assert_eq!(text("\u{1b}[2Jgone\u{7}"), r"\u{1b}[2Jgone\u{7}");
/// ```
pub fn text(text: &str) -> Cow<'_, str> {
    escaped(text, |c| matches!(c, '\n' | '\t') || is_shown(c), |c| c.escape_unicode().to_string())
}

/// One line, such as a name: nothing ends it.
///
/// ```
/// assert_eq!(plimsoll_domain::plain::line("a\nb"), r"a\nb");
/// ```
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, is_shown, |c| match c {
        '\n' | '\r' | '\t' => c.escape_default().to_string(),
        c => c.escape_unicode().to_string(),
    })
}

/// A cell of a table: one line that no spreadsheet takes as a formula, since an apostrophe is
/// before what would be one.
///
/// ```
/// use plimsoll_domain::plain::{cell, cell_text};
/// assert_eq!(cell("=1+2"), "'=1+2");
/// assert_eq!(cell_text(&cell("=1+2")), "=1+2");
/// assert_eq!(cell("hold"), "hold");
/// ```
pub fn cell(text: &str) -> Cow<'_, str> {
    let line = line(text);
    if line.trim_start().starts_with(['=', '+', '-', '@', '\'', '＝', '＋', '－', '＠']) {
        Cow::Owned(format!("'{line}"))
    } else {
        line
    }
}

/// The line that was written as this cell.
pub fn cell_text(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

/// JSON, whose meaning stays what it was: what is not shown is in its strings, as JSON escapes it.
///
/// ```
/// assert_eq!(plimsoll_domain::plain::json("{\n  \"a\": \"\u{202e}\"\n}"), "{\n  \"a\": \"\\u202e\"\n}");
/// ```
pub fn json(text: &str) -> Cow<'_, str> {
    escaped(
        text,
        |c| c == '\n' || is_shown(c),
        |c| {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().fold(String::new(), |mut all, unit| {
                let _ = write!(all, "\\u{unit:04x}");
                all
            })
        },
    )
}

/// One line of at most so many characters, what is not shown left out, blanks run together: what
/// to keep of an answer of any length.
///
/// ```
/// use plimsoll_domain::plain::excerpt;
/// assert_eq!(excerpt("\u{1b}[31m<html>\r\n\r\n  <body>", 200), "[31m<html> <body>");
/// assert_eq!(excerpt("abcdef", 3), "abc…");
/// ```
pub fn excerpt(words: &str, most: usize) -> String {
    let mut text = String::new();
    let mut length = 0;
    let shown = words.chars().map(|c| if is_shown(c) { c } else { ' ' });
    for c in shown {
        // Also keeps blanks from using up the room.
        if c == ' ' && (text.is_empty() || text.ends_with(' ')) {
            continue;
        }
        if length == most {
            return format!("{}…", text.trim_end());
        }
        text.push(c);
        length += 1;
    }
    text.truncate(text.trim_end().len());
    text
}

fn escaped(
    text: &str,
    stays: impl Fn(char) -> bool,
    escape: impl Fn(char) -> String,
) -> Cow<'_, str> {
    if text.chars().all(&stays) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if stays(c) {
            safe.push(c);
        } else {
            safe += &escape(c);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "\u{1b}[31mno\u{7}\0\u{9b}2J\u{202e}x\u{2066}\u{200b}\u{feff}\r\u{e0041}";

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let all: [fn(&str) -> Cow<'_, str>; 4] = [text, line, cell, json];
        for safe in all {
            assert!(safe(HOSTILE).chars().all(is_shown), "{}", safe(HOSTILE));
        }
        assert!(excerpt(HOSTILE, 300).chars().all(is_shown));
    }

    #[test]
    fn other_scripts_and_emoji_stay_as_they_are() {
        for words in
            ["zu groß für 東京: 5 %", "שלום", "می\u{200c}خواهم", "👨\u{200d}👩\u{200d}👧 → ∞"]
        {
            assert_eq!(line(words), words);
            assert_eq!(excerpt(words, 300), words);
        }
    }

    #[test]
    fn json_says_the_same() {
        let value = serde_json::json!({"name": HOSTILE, "tag": "\u{e0041}"});
        let safe = json(&serde_json::to_string_pretty(&value).unwrap()).into_owned();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
    }

    #[test]
    fn no_cell_is_a_formula() {
        for words in ["=1", "+1", "-1", "@x", " =1", "\t=1", "'=1", "＝1"] {
            assert!(cell(words).starts_with('\'') || cell(words).starts_with('\\'), "{words}");
            assert_eq!(cell_text(&cell(words)), line(words));
        }
    }
}
