//! The folder of a host: its own, locked while it lives, and swept up by a later host if it was
//! killed and could not remove it itself.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// How such folders are called, and the file in them that a living host has locked.
const PREFIX: &str = "plimsoll-host-";
const LOCK: &str = "lock";

/// A folder that belongs to this process.
#[derive(Debug)]
pub(super) struct StateDir {
    pub(super) path: PathBuf,
    /// Locked until this is dropped.
    _lock: File,
}

impl StateDir {
    /// Creates a folder in `parent` that only this user can enter, after sweeping up those that no
    /// host has locked.
    pub(super) fn create(parent: &Path) -> io::Result<Self> {
        sweep(parent);
        let name = format!("{PREFIX}{}", Uuid::new_v4().simple());
        // It gets its name when it is locked: a sweep never sees it without.
        let unnamed = parent.join(format!(".{name}"));
        DirBuilder::new().mode(0o700).create(&unnamed)?;
        let lock = File::create_new(unnamed.join(LOCK))?;
        lock.lock()?;
        let path = parent.join(name);
        fs::rename(&unnamed, &path)?;
        Ok(Self { path, _lock: lock })
    }
}

/// Removes what killed hosts left behind. What cannot be read or removed is somebody else's.
fn sweep(parent: &Path) {
    let Ok(entries) = parent.read_dir() else { return };
    for entry in entries.flatten() {
        if !entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        let is_dead = match File::open(entry.path().join(LOCK)) {
            Ok(lock) => lock.try_lock().is_ok(),
            // It had one when it got its name: somebody began to remove it.
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if is_dead {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_hosts_folder_is_swept_up_and_a_living_ones_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let dead = StateDir::create(parent.path()).unwrap();
        let dead_path = dead.path.clone();
        let living = StateDir::create(parent.path()).unwrap();
        assert!(dead_path.exists() && living.path.exists());
        drop(dead);
        let half_removed = parent.path().join(format!("{PREFIX}half"));
        fs::create_dir_all(half_removed.join("end/blue")).unwrap();
        let _another = StateDir::create(parent.path()).unwrap();
        assert!(!dead_path.exists() && !half_removed.exists() && living.path.exists());
    }
}
