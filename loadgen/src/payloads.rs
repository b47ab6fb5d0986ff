//! Request bodies, read from files before the run.
//!
//! A file is one body; a `.jsonl` file is one body per line; a folder is its files in the order of
//! their names; `-` is standard input. They are used round robin, by the arrival's number. Bodies
//! that will be sent as JSON are checked here, so that a broken file is a message and not a run full
//! of errors; a byte order mark, which is no part of JSON, is left out.
//!
//! Each is opened and read once: it may be a pipe.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use plimsoll_domain::json_fault;
use serde::de::IgnoredAny;

use crate::Error;

/// The path that stands for standard input.
pub const STDIN: &str = "-";
/// All bodies are in memory while the load runs; a pipe without an end must not fill it.
const MOST_BYTES: u64 = 1 << 30;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads request bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payloads {
    /// Bodies that must be JSON.
    Json,
    /// Bodies that are sent as they are.
    Raw,
}

impl Payloads {
    /// How bodies of this content type are to be read.
    pub fn of(content_type: &str) -> Self {
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if kind == "application/json" || kind.ends_with("+json") { Self::Json } else { Self::Raw }
    }

    /// Reads a file or a folder: at least one body, in the order in which they will be sent.
    ///
    /// # Errors
    /// Nothing to read, nothing in it, or (as JSON) the line and column that is wrong.
    pub fn read(self, path: &Path) -> Result<Vec<Bytes>, Error> {
        if path == Path::new(STDIN) {
            return self.opened(Path::new("standard input"), io::stdin().lock());
        }
        let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
        if !fs::metadata(path).map_err(unreadable)?.is_dir() {
            return self.file(path);
        }
        let mut files: Vec<PathBuf> = fs::read_dir(path)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
            .map_err(unreadable)?;
        files.retain(|file| file.is_file() && !is_hidden(file));
        files.sort();
        if files.is_empty() {
            let hint = "the folder has no files";
            return Err(Error::NoBody { path: path.to_owned(), hint });
        }
        let bodies: Result<Vec<_>, _> = files.iter().map(|file| self.file(file)).collect();
        Ok(bodies?.concat())
    }

    fn file(self, path: &Path) -> Result<Vec<Bytes>, Error> {
        let opened = File::open(path);
        self.opened(path, opened.map_err(|source| Error::Unreadable { path: path.into(), source })?)
    }

    fn opened(self, path: &Path, file: impl Read) -> Result<Vec<Bytes>, Error> {
        let mut text = Vec::new();
        let read = file.take(MOST_BYTES + 1).read_to_end(&mut text);
        read.map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
        if text.len() as u64 > MOST_BYTES {
            return Err(Error::NoBody { path: path.to_owned(), hint: "it is larger than 1 GiB" });
        }
        self.text(path, text)
    }

    /// The bodies of a text that came from `path`, which messages name.
    ///
    /// # Errors
    /// As of [`Payloads::read`].
    pub fn text(self, path: &Path, mut text: Vec<u8>) -> Result<Vec<Bytes>, Error> {
        let is_lines = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("jsonl"));
        if self == Self::Json || is_lines {
            if is_utf_16(&text) {
                return Err(Error::Utf16 { path: path.to_owned() });
            }
            if text.starts_with(BYTE_ORDER_MARK) {
                text.drain(..BYTE_ORDER_MARK.len());
            }
        }
        if text.trim_ascii().is_empty() {
            let hint = "it is empty; write one JSON body, or one per line in a `.jsonl` file";
            return Err(Error::NoBody { path: path.to_owned(), hint });
        }
        if !is_lines {
            self.check(path, 1, &text)?;
            return Ok(vec![Bytes::from(text)]);
        }
        let whole = Bytes::from(text);
        let mut bodies = Vec::new();
        for (index, line) in whole.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if !line.is_empty() {
                Self::Json.check(path, index + 1, line)?;
                bodies.push(whole.slice_ref(line));
            }
        }
        Ok(bodies)
    }

    fn check(self, path: &Path, first_line: usize, text: &[u8]) -> Result<(), Error> {
        if self == Self::Raw {
            return Ok(());
        }
        if let Err(error) = std::str::from_utf8(text) {
            let before = String::from_utf8_lossy(&text[..error.valid_up_to()]);
            let line = first_line + before.matches('\n').count();
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            let reason = "this character is not UTF-8".to_owned();
            return Err(Error::NotJson { path: path.to_owned(), line, column, reason });
        }
        let checked = serde_json::from_slice::<IgnoredAny>(text);
        checked.map(drop).map_err(|error| {
            let reason = json_fault(&error);
            let (line, column) = (first_line + error.line().saturating_sub(1), error.column());
            Error::NotJson { path: path.to_owned(), line, column, reason }
        })
    }
}

/// By its byte order mark, or by the zeros that plain letters have there: JSON begins with one.
fn is_utf_16(text: &[u8]) -> bool {
    matches!(text, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, ..] | [_, 0, ..])
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn a_folder_is_its_files_in_order() {
        let folder = folder(&[
            ("b.jsonl", "{\"n\": 1}\n\n  {\"n\": 2}\n"),
            ("a.json", "{\n  \"data\": [[1, 2]]\n}\n"),
            (".hidden", "not JSON"),
        ]);
        let bodies = Payloads::Json.read(folder.path()).unwrap();
        let bodies: Vec<_> = bodies.iter().map(|b| std::str::from_utf8(b).unwrap()).collect();
        assert_eq!(bodies, ["{\n  \"data\": [[1, 2]]\n}\n", "{\"n\": 1}", "{\"n\": 2}"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let folder = folder(&[
            ("empty.json", " \n"),
            ("bad.json", "{\n  \"data\": [1,, 2]\n}\n"),
            ("bad.jsonl", "{}\n{]\n"),
        ]);
        let message =
            |name: &str| Payloads::Json.read(&folder.path().join(name)).unwrap_err().to_string();
        assert!(message("empty.json").contains("it is empty"));
        assert!(message("none.json").contains("none.json"), "{}", message("none.json"));
        assert!(message("bad.json").contains("bad.json:2:14: "), "{}", message("bad.json"));
        assert!(message("bad.jsonl").contains("bad.jsonl:2:2: "), "{}", message("bad.jsonl"));
        assert!(Payloads::Raw.read(&folder.path().join("bad.json")).is_ok());
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_body() {
        let folder = tempfile::tempdir().unwrap();
        let read = |payloads: Payloads, name: &str, text: &[u8]| {
            fs::write(folder.path().join(name), text).unwrap();
            payloads.read(&folder.path().join(name))
        };
        assert_eq!(read(Payloads::Json, "a.json", b"\xef\xbb\xbf{}").unwrap(), ["{}"]);
        let lines = read(Payloads::Json, "a.jsonl", b"\xef\xbb\xbf{}\r\n[]\r\n").unwrap();
        assert_eq!(lines, ["{}", "[]"]);
        let raw = read(Payloads::Raw, "a.txt", b"\xef\xbb\xbfa").unwrap();
        assert_eq!(raw[0].as_ref(), b"\xef\xbb\xbfa", "nobody says that this is text");
        assert!(read(Payloads::Json, "a.json", b"\xef\xbb\xbf").is_err(), "nothing but a mark");
    }

    #[test]
    fn other_encodings_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let message = |text: &[u8]| {
            let path = folder.path().join("a.json");
            fs::write(&path, text).unwrap();
            Payloads::Json.read(&path).unwrap_err().to_string()
        };
        let little: Vec<u8> = "{\"a\": 1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "{\"a\": 1}".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let marked = [&[0xff, 0xfe][..], &little].concat();
        for text in [little, big, marked] {
            assert!(message(&text).contains("UTF-16"), "{}", message(&text));
        }
        let latin = message(b"{\n\"\xc3\xa4\": \"\xe4\"}");
        assert!(latin.contains("a.json:2:7: ") && latin.contains("not UTF-8"), "{latin}");
    }

    #[test]
    fn a_pipe_is_read_once() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut writer, b"{\"n\": 1}").unwrap();
        drop(writer);
        let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        let bodies = Payloads::Json.read(Path::new(&path)).unwrap();
        assert_eq!(bodies, ["{\"n\": 1}"]);
    }

    #[test]
    fn the_content_type_decides() {
        assert_eq!(Payloads::of("application/json; charset=utf-8"), Payloads::Json);
        assert_eq!(Payloads::of("application/cloudevents+JSON"), Payloads::Json);
        assert_eq!(Payloads::of("text/csv"), Payloads::Raw);
    }
}
