//! The folder of a run: claimed once, written file by file.
//!
//! A folder is taken if it is new, empty, or holds an earlier result (a `summary.json` of ours),
//! which is then replaced. Anything else is refused, because it is somebody's.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Error, summary};

/// The summary's file name.
pub const SUMMARY: &str = "summary.json";
/// The report's file name.
pub const REPORT: &str = "report.html";
/// The timeline's file name.
pub const TIMELINE: &str = "timeline.csv";
/// The interval log's file name.
pub const HLOG: &str = "latency.hlog";
/// `junit.xml`, for continuous-integration servers.
pub const JUNIT: &str = "junit.xml";
/// The events' file name.
pub const EVENTS: &str = "events.jsonl";

/// Keeps room on the disk for the last summary and `junit.xml` while the run goes on, since the
/// interval log is what will have filled it.
const RESERVE: &str = ".reserve";
/// Room for both, and for the old summary beside the new.
const RESERVE_BYTES: usize = 96 * 1024;

/// Keeps the room; a disk that has not even that is told by the files themselves.
pub(super) fn reserve(dir: &Path) {
    let _ = fs::write(dir.join(RESERVE), vec![0x2e; RESERVE_BYTES]);
}

/// Gives the room back.
pub(crate) fn release(dir: &Path) {
    let _ = fs::remove_file(dir.join(RESERVE));
}

/// Takes `dir` for a new run, and removes what an earlier run left and this one writes only at its
/// end.
pub(super) fn claim(dir: &Path) -> Result<(), Error> {
    fs::create_dir_all(dir).map_err(|source| Error::Create { path: dir.into(), source })?;
    let mut entries =
        fs::read_dir(dir).map_err(|source| Error::Create { path: dir.into(), source })?;
    if entries.next().is_none() {
        return Ok(());
    }
    if !holds_a_result(dir) {
        return Err(Error::NotOurs { path: dir.into() });
    }
    for name in [REPORT, JUNIT] {
        let path = dir.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::Write { path, source });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether `dir` holds a summary of ours.
fn holds_a_result(dir: &Path) -> bool {
    let family = summary::SCHEMA.rsplit_once('/').map_or(summary::SCHEMA, |(family, _)| family);
    read(&dir.join(SUMMARY))
        .and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok())
        .and_then(|json| json.get("schema")?.as_str().map(|schema| schema.starts_with(family)))
        .unwrap_or(false)
}

/// The bytes of a regular file; nothing if it is absent or something else (reading a device might
/// never end).
pub(crate) fn read(path: &Path) -> Option<Vec<u8>> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    fs::read(path).ok()
}

/// Writes a whole file so that a reader sees the old or the new content, never a part.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.tmp"));
    fs::write(&temporary, content).and_then(|()| fs::rename(&temporary, path)).map_err(|source| {
        // Half a file is of no use to anyone; that it cannot be removed changes nothing.
        let _ = fs::remove_file(&temporary);
        Error::Write { path: path.into(), source }
    })
}

/// A file that grows while the run goes on. After its first error nothing more is written to it.
#[derive(Debug)]
pub(super) struct Appender {
    path: PathBuf,
    file: Option<File>,
}

impl Appender {
    /// Begins the file anew.
    pub(super) fn create(path: PathBuf) -> Result<Self, Error> {
        match File::create(&path) {
            Ok(file) => Ok(Self { path, file: Some(file) }),
            Err(source) => Err(Error::Write { path, source }),
        }
    }

    /// Appends whole lines in one piece.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<(), Error> {
        let Some(file) = self.file.as_mut() else {
            return Ok(());
        };
        file.write_all(lines).map_err(|source| {
            self.file = None;
            Error::Write { path: self.path.clone(), source }
        })
    }
}
