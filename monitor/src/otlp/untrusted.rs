//! What a receiver says, made fit for a terminal and a file.
//!
//! A receiver's words (the message of a partial success, the text of a refusal, the name in a
//! certificate) end up in the summary and on the terminal. They are made harmless where they come
//! in, so that nothing after that has to think of it: characters that move the cursor, change
//! colours, turn the direction of writing or cannot be seen become blanks, and the length has a
//! bound. What *we* send needs no such care, since OTLP carries any text.

use plimsoll_domain::plain::excerpt;

/// So many characters of a receiver's words are kept, the mark of what was cut off not counted.
const LONGEST: usize = 300;

/// The words in one line, without anything that a terminal would obey.
pub(super) fn readable(words: &str) -> String {
    excerpt(words, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(readable("\u{1b}[31mno\u{7}\0 \u{9b}2Jroom\r\n"), "[31mno 2Jroom");
        assert_eq!(readable("abc\u{202e}cba\u{2066}x\u{200b}"), "abc cba x");
        assert_eq!(readable("zu groß für 東京: 5 %"), "zu groß für 東京: 5 %");
    }

    #[test]
    fn the_length_has_a_bound_in_characters() {
        let exact = "ä".repeat(LONGEST);
        assert_eq!(readable(&exact), exact);
        assert_eq!(readable(&format!("{exact}ä")), format!("{exact}…"));
        assert_eq!(readable(&format!("{}a", "\0".repeat(1_000_000))), "a");
    }
}
