//! From the bytes of a file to its text: UTF-8, with or without a byte order mark.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::Problem;

/// No file that people write is larger; what is, is no such file.
const MOST_BYTES: u64 = 16 << 20;

/// The text of a file, without its byte order mark.
///
/// # Errors
/// It cannot be read, is larger than 16 MiB, or is no text in UTF-8.
pub fn read_text(path: &Path) -> Result<String, Problem> {
    let file = path.display().to_string();
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path)
        .and_then(|opened| opened.take(MOST_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 > MOST_BYTES => {
            Err(Problem::of_file(&file, format!("{file} is larger than 16 MiB")))
        }
        Ok(_) => decode(&file, bytes),
        Err(error) => Err(Problem::of_file(&file, format!("cannot read {file}: {error}"))),
    }
}

/// The text that the bytes of a file are, without its byte order mark.
///
/// # Errors
/// They are no text in UTF-8, or hold characters that no text has.
pub fn decode(file: &str, bytes: Vec<u8>) -> Result<String, Problem> {
    if utf_16(&bytes) {
        let hint = "save it as UTF-8; PowerShell does with `Out-File -Encoding utf8`";
        return Err(Problem::of_file(file, "the file is in UTF-16, not in UTF-8").hint(hint));
    }
    let mut text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let start = error.utf8_error().valid_up_to();
            let shown = String::from_utf8_lossy(error.as_bytes());
            let (file, shown): (Arc<str>, Arc<str>) = (Arc::from(file), Arc::from(shown));
            let width = char::REPLACEMENT_CHARACTER.len_utf8();
            let message = "this character is not UTF-8";
            let problem = Problem::new(&file, &shown, start..start + width, message);
            return Err(problem.hint("save the file as UTF-8"));
        }
    };
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    let odd = |c: &char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    match text.char_indices().find(|(_, c)| odd(c)) {
        None => Ok(text),
        Some((at, odd)) => {
            let (file, source): (Arc<str>, Arc<str>) = (Arc::from(file), Arc::from(text.as_str()));
            let message = format!("the control character U+{:04X} is in the file", u32::from(odd));
            let problem = Problem::new(&file, &source, at..at + odd.len_utf8(), message);
            Err(problem.hint("remove it"))
        }
    }
}

/// By its byte order mark, or by the zeros that plain letters have there.
fn utf_16(bytes: &[u8]) -> bool {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [a, b, c, d, ..] => {
            let zeros = [a, b, c, d].map(|byte| if *byte == 0 { '0' } else { 'x' });
            let zeros: String = zeros.iter().collect();
            ["0x0x", "x0x0", "000x", "x000"].contains(&zeros.as_str())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> Problem {
        decode("f.yml", bytes.to_vec()).expect_err("no text")
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        assert_eq!(decode("f.yml", b"\xef\xbb\xbfa: 1\n".to_vec()).unwrap(), "a: 1\n");
        assert_eq!(decode("f.yml", b"a: \xc3\xa4\n".to_vec()).unwrap(), "a: ä\n");
    }

    #[test]
    fn other_encodings_are_named() {
        let little: Vec<u8> = "name: x\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked = [&[0xff, 0xfe][..], &little].concat();
        let big: Vec<u8> = "name: x\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [little, marked, big] {
            assert!(refused(&bytes).message().contains("UTF-16"));
        }
        let latin = refused(b"a: 1\nb: \xe4\n");
        assert_eq!((latin.line(), latin.column()), (2, 4));
        assert!(latin.message().contains("UTF-8"), "{}", latin.message());
    }

    #[test]
    fn characters_that_are_no_text_are_named() {
        let bell = refused(b"a: 1\nb: x\x07\n");
        assert_eq!((bell.line(), bell.column()), (2, 5));
        assert!(bell.message().contains("U+0007"), "{}", bell.message());
        assert!(refused(b"PK\x03\x04").message().contains("U+0003"));
    }
}
