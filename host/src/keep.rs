//! What outlives the process: a folder of the user's, in which a host that is started again finds what there was.
//!
//! | File | What |
//! |---|---|
//! | `lock` | held while a host lives: one at a time |
//! | `token` | of the control plane, the same after a restart |
//! | `workspace.json` | endpoints with their keys and ports, deployments, assets, autoscale settings, quotas |
//! | `tls/`, `blobs/` | the certificate, and what was uploaded |
//!
//! The folder has mode 0700, the files with secrets 0600. `workspace.json` is written whole before a change is answered
//! or its operation ends, so that a host that is killed has all that it said it has. Instances and their logs are not
//! kept: deployments are brought up again.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use plimsoll_deploy::arm::wire::{
    AssetProperties, DeploymentProperties, EndpointProperties, Resource,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::registry::Key;
use super::{Error, secrets};

/// Of the file's form.
const VERSION: u32 = 1;

/// The folder, which is this process's alone while this lives.
#[derive(Debug)]
pub struct Keep {
    path: PathBuf,
    /// One write at a time, each of what is there then.
    writing: Mutex<()>,
    _lock: File,
}

/// All of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Saved {
    pub(super) version: u32,
    pub(super) assets: Vec<SavedAsset>,
    pub(super) endpoints: Vec<SavedEndpoint>,
    #[serde(default)]
    pub(super) autoscale: BTreeMap<String, Map<String, Value>>,
    #[serde(default)]
    pub(super) quotas: BTreeMap<String, u64>,
}

/// A version of an asset; they are in the order of their coming.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedAsset {
    pub(super) key: Key,
    pub(super) resource: Resource<AssetProperties>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SavedEndpoint {
    pub(super) resource: Resource<EndpointProperties>,
    pub(super) keys: [String; 2],
    /// Of its data plane.
    pub(super) port: u16,
    pub(super) deployments: Vec<SavedDeployment>,
}

impl std::fmt::Debug for SavedEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SavedEndpoint").field("resource", &self.resource).finish_non_exhaustive()
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedDeployment {
    pub(super) resource: Resource<DeploymentProperties>,
    pub(super) came_up: bool,
}

impl Keep {
    /// Opens the folder, and creates it if it is not there.
    ///
    /// # Errors
    /// It is somebody else's, another host has it, or it cannot be read or written.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let at = |source| Error::StateDir { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at)?;
        let found = path.metadata().map_err(at)?;
        if found.uid() != fs::metadata("/proc/self").map_err(at)?.uid() {
            return Err(at(io::Error::other("it belongs to another user")));
        }
        let lock = path.join("lock");
        let is_empty = path.read_dir().map_err(at)?.next().is_none();
        if !is_empty && !lock.exists() {
            let reason = "it has other files in it: name an empty folder, or one that is not there";
            return Err(at(io::Error::other(reason)));
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(at)?;
        let lock =
            File::options().create(true).truncate(false).write(true).open(lock).map_err(at)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), writing: Mutex::default(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::StateTaken { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(at(source)),
        }
    }

    /// A folder in it, created if it is not there.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let folder = self.path.join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// The token of the control plane, and where it is; made up and kept at the first start.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn token(&self, new: impl FnOnce() -> SecretString) -> io::Result<(SecretString, PathBuf)> {
        let path = self.path.join("token");
        let kept = match fs::read_to_string(&path) {
            Ok(text) => text.trim().to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        if !kept.is_empty() {
            return Ok((kept.into(), path));
        }
        let token = new();
        secrets::write(&path, &format!("{}\n", token.expose_secret()))?;
        Ok((token, path))
    }

    /// What was saved last; nothing at the first start.
    pub(super) fn load(&self) -> Result<Saved, Error> {
        let path = self.path.join("workspace.json");
        let at = |source| Error::StateDir { path: path.clone(), source };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Saved::default()),
            Err(error) => return Err(at(error)),
        };
        let saved: Saved = serde_json::from_str(&text).map_err(|error| at(error.into()))?;
        if saved.version != VERSION {
            let reason = format!("it has version {}, and this host reads {VERSION}", saved.version);
            return Err(at(io::Error::other(reason)));
        }
        Ok(saved)
    }

    /// Saves what `saved` says once it is this write's turn.
    pub(super) fn save(&self, saved: impl FnOnce() -> Saved) -> io::Result<()> {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let saved = Saved { version: VERSION, ..saved() };
        let text = serde_json::to_string(&saved).map_err(io::Error::other)?;
        secrets::write(&self.path.join("workspace.json"), &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_hosts_and_nobody_elses() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state/mine");
        let keep = Keep::open(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        assert!(matches!(Keep::open(&path), Err(Error::StateTaken { .. })));
        let (token, file) = keep.token(|| "one".into()).unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
        keep.save(Saved::default).unwrap();
        let saved = path.join("workspace.json");
        assert_eq!(saved.metadata().unwrap().mode() & 0o777, 0o600);
        drop(keep);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let keep = Keep::open(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700, "closed again");
        let (again, _) = keep.token(|| "two".into()).unwrap();
        assert_eq!(again.expose_secret(), token.expose_secret());
        assert!(keep.load().unwrap().endpoints.is_empty());
        fs::write(saved, r#"{"version": 99, "assets": [], "endpoints": []}"#).unwrap();
        let error = keep.load().unwrap_err();
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("version 99"));
    }

    #[test]
    fn a_folder_with_other_files_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.tex"), "").unwrap();
        assert!(Keep::open(folder.path()).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
