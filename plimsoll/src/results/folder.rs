//! The folder of a run: claimed once, held while the run goes on, written file by file.
//!
//! A folder is taken if it is new, empty, or holds an earlier result of ours and nothing else, which
//! is then replaced. Anything else is refused, because it is somebody's: also one that another run
//! writes to at the moment. What tells is a lock on the folder itself, which the system gives back
//! when the process ends, however it does.
//!
//! Every file is made anew, so that a link in the folder is never written through.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::{Error, summary};

/// The summary's file name.
pub const SUMMARY: &str = "summary.json";
/// The report's file name.
pub const REPORT: &str = "report.html";
/// The timeline's file name.
pub const TIMELINE: &str = "timeline.csv";
/// The file name of the timeline by stage, request and deployment.
pub const BY_KEY: &str = "timeline-by-key.csv";
/// The interval log's file name.
pub const HLOG: &str = "latency.hlog";
/// `junit.xml`, for continuous-integration servers.
pub const JUNIT: &str = "junit.xml";
/// The record of autoscale rules: `plimsoll autoscale explain --replay` decides it again.
pub const AUTOSCALE: &str = "autoscale.jsonl";
/// The events' file name.
pub const EVENTS: &str = "events.jsonl";

/// Keeps room on the disk for the last summary and `junit.xml` while the run goes on, since the
/// interval log is what will have filled it.
const RESERVE: &str = ".reserve";
/// Room for both, and for the old summary beside the new.
const RESERVE_BYTES: usize = 256 * 1024;

/// Keeps the room; a disk that has not even that is told by the files themselves.
pub(super) fn reserve(dir: &Path) {
    let _ =
        begin(&dir.join(RESERVE)).and_then(|mut file| file.write_all(&vec![b'.'; RESERVE_BYTES]));
}

/// Gives the room back.
pub(crate) fn release(dir: &Path) {
    let _ = fs::remove_file(dir.join(RESERVE));
}

/// A folder that no other run takes, for as long as this is there.
#[derive(Debug)]
pub(super) struct Claim {
    /// Holds the lock; nothing where the file system knows none.
    _lock: Option<File>,
}

/// Takes `dir` for a new run, and removes what an earlier run left.
pub(super) fn claim(dir: &Path) -> Result<Claim, Error> {
    let failed = |source| Error::Create { path: dir.into(), source };
    fs::create_dir_all(dir).map_err(failed)?;
    let folder = File::open(dir).map_err(failed)?;
    let lock = match folder.try_lock() {
        Ok(()) => Some(folder),
        Err(TryLockError::WouldBlock) => return Err(Error::InUse { path: dir.into() }),
        Err(TryLockError::Error(_)) => None,
    };
    let mut ours = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !(is_file && is_ours(&entry.file_name().to_string_lossy())) {
            let name = entry.file_name().to_string_lossy().into_owned();
            return Err(Error::NotOurs { path: dir.into(), name });
        }
        ours.push(entry.path());
    }
    if let Some(first) = ours.first()
        && !holds_a_result(dir)
    {
        let name = first.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Err(Error::NotOurs { path: dir.into(), name });
    }
    // The summary is replaced by the new one: it tells whose folder this is.
    for path in ours.into_iter().filter(|path| !path.ends_with(SUMMARY)) {
        fs::remove_file(&path).map_err(|source| Error::Write { path, source })?;
    }
    Ok(Claim { _lock: lock })
}

/// Whether a run writes to `dir` now.
pub(crate) fn is_in_use(dir: &Path) -> bool {
    let locked = File::open(dir).map(|folder| folder.try_lock());
    matches!(locked, Ok(Err(TryLockError::WouldBlock)))
}

/// Whether a run of ours writes a file of this name.
fn is_ours(name: &str) -> bool {
    let all = [SUMMARY, REPORT, TIMELINE, BY_KEY, HLOG, JUNIT, EVENTS, AUTOSCALE, RESERVE];
    all.contains(&name) || all.iter().any(|of| temporary(of) == name)
}

/// The name of a whole file while it is written.
fn temporary(name: &str) -> String {
    format!(".{name}.tmp")
}

/// Whether `dir` holds a summary of ours.
fn holds_a_result(dir: &Path) -> bool {
    let family = |of: &'static str| of.rsplit_once('/').map_or(of, |(family, _)| family);
    let ours = [summary::SCHEMA, summary::SIMULATED_SCHEMA].map(family);
    read(&dir.join(SUMMARY))
        .and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok())
        .and_then(|json| {
            json.get("schema")?.as_str().map(|schema| ours.iter().any(|of| schema.starts_with(of)))
        })
        .unwrap_or(false)
}

/// The bytes of a regular file; nothing if it is absent or something else (reading a device might
/// never end).
pub(crate) fn read(path: &Path) -> Option<Vec<u8>> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    fs::read(path).ok()
}

/// A new file, in the place of one that was there.
fn begin(path: &Path) -> std::io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => File::create_new(path),
    }
}

/// Writes a whole file so that a reader sees the old or the new content, never a part.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(temporary(&name));
    let written = begin(&temporary).and_then(|mut file| file.write_all(content));
    written.and_then(|()| fs::rename(&temporary, path)).map_err(|source| {
        // Half a file is of no use to anyone; that it cannot be removed changes nothing.
        let _ = fs::remove_file(&temporary);
        Error::Write { path: path.into(), source }
    })
}

/// A file that grows while the run goes on. After its first error nothing more is written to it.
#[derive(Debug)]
pub(super) struct Appender {
    path: PathBuf,
    pub(super) file: Option<File>,
}

impl Appender {
    /// Begins the file anew.
    pub(super) fn create(path: PathBuf) -> Result<Self, Error> {
        match begin(&path) {
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
