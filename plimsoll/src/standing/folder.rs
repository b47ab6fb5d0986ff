//! The folder: whose it is, who may look into it, and the files in it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Error;

/// Where a longer log begins anew at the next start; the one before is kept.
const LOG_BYTES: u64 = 1024 * 1024;
/// What is read of a log to show its last lines.
const TAIL_BYTES: u64 = 256 * 1024;

/// The folder of the standing host.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// The user's, which is created if it is not there.
    pub(super) fn create() -> Result<Self, Error> {
        Self::at(place(|name| std::env::var_os(name)).ok_or(Error::Nowhere)?)
    }

    /// The user's, if it is there.
    pub(super) fn existing() -> Result<Option<Self>, Error> {
        let Some(path) = place(|name| std::env::var_os(name)) else { return Ok(None) };
        if path.exists() { Self::at(path).map(Some) } else { Ok(None) }
    }

    /// The folder at `path`, which nobody else may enter.
    pub(super) fn at(path: PathBuf) -> Result<Self, Error> {
        let failed = |source| Error::Folder { path: path.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(failed)?;
        let found = path.symlink_metadata().map_err(failed)?;
        let user = fs::metadata("/proc/self").map_err(failed)?.uid();
        if !found.is_dir() || found.uid() != user {
            return Err(Error::NotOurs(path));
        }
        if found.mode() & 0o077 != 0 {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        }
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Address, process and token.
    pub(super) fn record(&self) -> PathBuf {
        self.0.join("host.json")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.0.join("host.log")
    }

    /// What a host keeps of its endpoints, where it can.
    pub(super) fn workspace(&self) -> PathBuf {
        self.0.join("workspace")
    }

    /// A lock that the host holds while it lives.
    pub(super) fn running_lock(&self) -> Result<File, Error> {
        self.open_lock("running.lock")
    }

    /// A lock that a start holds until the host runs.
    pub(super) fn starting_lock(&self) -> Result<File, Error> {
        self.open_lock("starting.lock")
    }

    fn open_lock(&self, name: &str) -> Result<File, Error> {
        let path = self.0.join(name);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).read(true).mode(0o600);
        options.open(&path).map_err(|source| Error::Folder { path, source })
    }

    /// Writes the record, which only this user reads, whole or not at all.
    pub(super) fn write_record(&self, text: &str) -> Result<(), Error> {
        let path = &self.record();
        let new = path.with_extension("new");
        let written = (|| {
            if let Err(error) = fs::remove_file(&new)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error);
            }
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(text.as_bytes())?;
            fs::rename(&new, path)
        })();
        written.map_err(|source| Error::Folder { path: path.to_owned(), source })
    }

    /// The log for a host that starts. A long one is put aside first.
    pub(super) fn open_log(&self) -> Result<File, Error> {
        let path = self.log();
        let open = || {
            if path.metadata().is_ok_and(|log| log.len() > LOG_BYTES) {
                fs::rename(&path, path.with_extension("log.1"))?;
            }
            OpenOptions::new().append(true).create(true).mode(0o600).open(&path)
        };
        open().map_err(|source| Error::Folder { path: path.clone(), source })
    }

    /// The last lines of the log, but none of its first `before` bytes; nothing if there is none.
    pub(super) fn log_tail(&self, lines: usize, before: u64) -> Result<String, Error> {
        let path = self.log();
        let read = || {
            let mut file = match File::open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                opened => opened?,
            };
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES).max(before)))?;
            let mut bytes = Vec::new();
            file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(|source| Error::Folder { path: path.clone(), source })?;
        let text = String::from_utf8_lossy(&bytes);
        let all: Vec<&str> = text.lines().collect();
        Ok(all[all.len().saturating_sub(lines)..].join("\n"))
    }
}

/// `PLIMSOLL_STATE_DIR`, else `plimsoll` in the user's folder for state; in it, the host's own.
fn place(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Option<PathBuf> {
    let given = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let user = || {
        let home = || given("HOME").map(|home| home.join(".local/state"));
        let state = given("XDG_STATE_HOME").filter(|path| path.is_absolute());
        Some(state.or_else(home)?.join("plimsoll"))
    };
    let folder = given("PLIMSOLL_STATE_DIR").or_else(user)?.join("host");
    std::path::absolute(folder).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_state_folder_is_where_the_user_says() {
        let at = |pairs: &'static [(&str, &str)]| {
            place(move |name| {
                let found = pairs.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| value.into())
            })
        };
        let home = ("HOME", "/u");
        assert_eq!(at(&[]), None);
        assert_eq!(
            place(|name| (name == home.0).then(|| home.1.into())),
            Some("/u/.local/state/plimsoll/host".into())
        );
        assert_eq!(
            at(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h")]),
            Some("/s/plimsoll/host".into())
        );
        assert_eq!(at(&[("XDG_STATE_HOME", "relative")]), None);
        assert_eq!(
            at(&[("PLIMSOLL_STATE_DIR", "/p"), ("XDG_STATE_HOME", "/s")]),
            Some("/p/host".into())
        );
    }

    #[test]
    fn nobody_else_may_enter_it_or_read_what_is_in_it() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state/host");
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let folder = Folder::at(path.clone()).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        folder.write_record("secret").unwrap();
        folder.write_record("another").unwrap();
        drop((folder.open_log().unwrap(), folder.running_lock().unwrap()));
        for file in path.read_dir().unwrap().flatten() {
            assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600, "{file:?}");
        }
        let link = parent.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(matches!(Folder::at(link), Err(Error::NotOurs(_))));
    }

    #[test]
    fn a_long_log_is_put_aside_and_the_end_of_one_is_shown() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::at(parent.path().join("host")).unwrap();
        assert_eq!(folder.log_tail(3, 0).unwrap(), "");
        fs::write(folder.log(), "a\nb\nc\nd\n").unwrap();
        assert_eq!(folder.log_tail(2, 0).unwrap(), "c\nd");
        let all = folder.log().metadata().unwrap().len();
        assert_eq!(folder.log_tail(2, all).unwrap(), "", "nothing since then");
        fs::write(folder.log(), vec![b'x'; LOG_BYTES as usize + 1]).unwrap();
        drop(folder.open_log().unwrap());
        assert_eq!(folder.log_tail(2, 0).unwrap(), "");
    }
}
