//! What is written of a host that runs, and whether it still does.

use std::fs::{self, TryLockError};
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Error;
use super::folder::Folder;

/// What a later command needs to know. It holds the token: never printed, and nobody else's to read.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) url: String,
    pub(super) pid: u32,
    /// When the process began, in the kernel's ticks: with it the number is of one process only.
    pub(super) began: u64,
    pub(super) state_dir: PathBuf,
    pub(super) token: String,
}

/// The record of a host that lives. What a crash left is removed.
pub(super) fn living(folder: &Folder) -> Result<Option<Record>, Error> {
    let path = folder.record();
    let failed = |source| Error::Folder { path: path.clone(), source };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if !lives(folder)? {
        let removed = fs::remove_file(&path);
        return match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(None),
        };
    }
    serde_json::from_str(&text).map(Some).map_err(|_| Error::Record(path))
}

/// Whether a host holds its lock.
pub(super) fn lives(folder: &Folder) -> Result<bool, Error> {
    match folder.running_lock()?.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(source)) => {
            Err(Error::Folder { path: folder.path().to_owned(), source })
        }
    }
}

/// When a process began, if it is there.
pub(super) fn began(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the state is the third field, this the 22nd.
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(pid: u32) -> String {
        let record = Record {
            url: "http://127.0.0.1:1".to_owned(),
            pid,
            began: began(pid).unwrap(),
            state_dir: "/tmp/x".into(),
            token: "t".to_owned(),
        };
        serde_json::to_string(&record).unwrap()
    }

    #[test]
    fn a_record_counts_only_while_its_host_holds_the_lock() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::at(parent.path().join("host")).unwrap();
        // Of a process that lives, and is no host.
        let text = record(std::process::id());
        folder.write_record(&text).unwrap();
        assert!(living(&folder).unwrap().is_none());
        assert!(!folder.record().exists(), "what a crash left is removed");
        folder.write_record(&text).unwrap();
        let lock = folder.running_lock().unwrap();
        lock.lock().unwrap();
        assert_eq!(living(&folder).unwrap().unwrap().pid, std::process::id());
        folder.write_record("{}").unwrap();
        assert!(matches!(living(&folder), Err(Error::Record(_))));
    }
}
