//! Request bodies, read from files before the run.
//!
//! A file is one body; a `.jsonl` file is one body per line; a folder is its files in the order of
//! their names. They are used round robin, by the arrival's number. Bodies that will be sent as
//! JSON are checked here, so that a broken file is a message and not a run full of errors.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::de::IgnoredAny;

use crate::Error;

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
        let read = fs::read(path);
        let text = read.map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
        if text.trim_ascii().is_empty() {
            let hint = "the file is empty; write one JSON body, or one per line in a `.jsonl` file";
            return Err(Error::NoBody { path: path.to_owned(), hint });
        }
        if !path.extension().is_some_and(|end| end.eq_ignore_ascii_case("jsonl")) {
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
        let checked = match self {
            Self::Json => serde_json::from_slice::<IgnoredAny>(text),
            Self::Raw => return Ok(()),
        };
        checked.map(drop).map_err(|error| {
            let reason = error.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default().to_owned();
            let (line, column) = (first_line + error.line().saturating_sub(1), error.column());
            Error::NotJson { path: path.to_owned(), line, column, reason }
        })
    }
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
        assert!(message("empty.json").contains("the file is empty"));
        assert!(message("none.json").contains("none.json"), "{}", message("none.json"));
        assert!(message("bad.json").contains("bad.json:2:14: "), "{}", message("bad.json"));
        assert!(message("bad.jsonl").contains("bad.jsonl:2:2: "), "{}", message("bad.jsonl"));
        assert!(Payloads::Raw.read(&folder.path().join("bad.json")).is_ok());
    }

    #[test]
    fn the_content_type_decides() {
        assert_eq!(Payloads::of("application/json; charset=utf-8"), Payloads::Json);
        assert_eq!(Payloads::of("application/cloudevents+JSON"), Payloads::Json);
        assert_eq!(Payloads::of("text/csv"), Payloads::Raw);
    }
}
