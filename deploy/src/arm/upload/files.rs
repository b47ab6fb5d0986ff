//! The files of a code folder or a model, and the hash by which Azure knows what is in them.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::arm::error::Error;

/// All but what RFC 3986 never encodes, and the slash.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What says that files of a folder are not to be brought; nobody reads these here.
const IGNORES: [&str; 2] = [".amlignore", ".gitignore"];

/// Deeper folders are links in a circle.
const DEEPEST: usize = 64;

/// One file, with its path in the folder that they all are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    here: PathBuf,
    /// With slashes; nothing if the file itself was named.
    below: String,
    pub(super) size: u64,
}

/// Files to bring, of one folder, or one of its own.
#[derive(Debug)]
pub(super) struct Files {
    name: String,
    all: Vec<File>,
    hash: String,
}

impl Files {
    pub(super) async fn read(what: &str, path: &Path) -> Result<Self, Error> {
        let (owned, read) = (path.to_owned(), path.to_owned());
        let done = tokio::task::spawn_blocking(move || Self::read_now(&read)).await;
        let failed = |path, source| Error::File { what: what.to_owned(), path, source };
        match done {
            Ok(Ok(files)) => Ok(files),
            Ok(Err((path, source))) => Err(failed(path, source)),
            Err(error) => Err(failed(owned, io::Error::other(error))),
        }
    }

    fn read_now(path: &Path) -> Result<Self, (PathBuf, io::Error)> {
        let at = |source| (path.to_owned(), source);
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.ok_or_else(|| at(io::Error::other("it has no name of its own")))?;
        let mut all = Vec::new();
        let metadata = path.metadata().map_err(at)?;
        if metadata.is_dir() {
            let mut ignores = IGNORES.into_iter();
            if let Some(ignore) = ignores.find(|ignore| path.join(ignore).exists()) {
                let reason = "it is not read yet, and without it files would be brought that are not meant to; \
                              give a folder without it";
                return Err((path.join(ignore), io::Error::other(reason)));
            }
            add(path, "", 0, &mut all)?;
        } else {
            let (here, size) = (path.to_owned(), metadata.len());
            all.push(File { here, below: String::new(), size });
        }
        all.sort_by_key(|file| file.below.to_lowercase());
        let hash = hash(&name, &all)?;
        Ok(Self { name, all, hash })
    }

    /// Of the file or folder.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Of the contents.
    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    pub(super) fn all(&self) -> &[File] {
        &self.all
    }

    /// The blob of the first file.
    pub(super) fn first(&self, folder: &str) -> String {
        self.all.first().map_or_else(|| folder.to_owned(), |file| file.blob(folder))
    }
}

impl File {
    /// Its name in a storage account, as it stands in an address.
    pub(super) fn blob(&self, folder: &str) -> String {
        let joint = if self.below.is_empty() { "" } else { "/" };
        utf8_percent_encode(&format!("{folder}{joint}{}", self.below), ENCODED).to_string()
    }

    /// A part of what is in it.
    pub(super) async fn piece(&self, what: &str, from: u64, size: u64) -> Result<Bytes, Error> {
        let here = self.here.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut file = fs::File::open(here)?;
            file.seek(SeekFrom::Start(from))?;
            let mut piece = vec![0; usize::try_from(size).map_err(io::Error::other)?];
            file.read_exact(&mut piece)?;
            Ok(Bytes::from(piece))
        });
        let read = read.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        read.map_err(|source| Error::File {
            what: what.to_owned(),
            path: self.here.clone(),
            source,
        })
    }
}

fn add(
    folder: &Path,
    below: &str,
    depth: usize,
    all: &mut Vec<File>,
) -> Result<(), (PathBuf, io::Error)> {
    let at = |source| (folder.to_owned(), source);
    if depth > DEEPEST {
        return Err(at(io::Error::other("links lead in a circle")));
    }
    for entry in folder.read_dir().map_err(at)? {
        let here = entry.map_err(at)?.path();
        let name = here.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let below = if below.is_empty() { name } else { format!("{below}/{name}") };
        let metadata = here.metadata().map_err(|source| (here.clone(), source))?;
        if metadata.is_dir() {
            add(&here, &below, depth + 1, all)?;
        } else {
            all.push(File { here, below, size: metadata.len() });
        }
    }
    Ok(())
}

/// As Azure's clients hash (version 202208): the number of files, then each path between `#` and its size, then all contents,
/// in the order of the paths in small letters.
fn hash(name: &str, all: &[File]) -> Result<String, (PathBuf, io::Error)> {
    let mut hash = Sha256::new();
    hash.update(all.len().to_string());
    for file in all {
        let path = if file.below.is_empty() { name } else { &file.below };
        hash.update(format!("#{path}#{}", file.size));
    }
    for file in all {
        let at = |source| (file.here.clone(), source);
        io::copy(&mut fs::File::open(&file.here).map_err(at)?, &mut hash).map_err(at)?;
    }
    Ok(format!("{:x}", hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_hash_is_that_of_azures_clients_and_of_the_contents_alone() {
        let folder = tempfile::tempdir().unwrap();
        let code = folder.path().join("code");
        fs::create_dir_all(code.join("Sub")).unwrap();
        fs::write(code.join("b.py"), "two").unwrap();
        fs::write(code.join("Sub/a b.py"), "three").unwrap();
        fs::write(code.join("A.py"), "").unwrap();
        let files = Files::read("w", &code).await.unwrap();
        let expected = Sha256::digest("3#A.py#0#b.py#3#Sub/a b.py#5twothree");
        assert_eq!(files.hash(), format!("{expected:x}"));
        let blobs: Vec<_> = files.all().iter().map(|file| file.blob("code")).collect();
        assert_eq!(blobs, ["code/A.py", "code/b.py", "code/Sub/a%20b.py"]);
        let piece = files.all()[2].piece("w", 1, 3).await.unwrap();
        assert_eq!(piece.as_ref(), b"hre");

        let file = Files::read("w", &code.join("b.py")).await.unwrap();
        assert_eq!(file.hash(), format!("{:x}", Sha256::digest("1#b.py#3two")));
        assert_eq!(file.first("m/b.py"), "m/b.py");

        fs::write(code.join(".gitignore"), "*.pyc").unwrap();
        let refused = Files::read("w", &code).await.unwrap_err().to_string();
        assert!(refused.contains(".gitignore"), "{refused}");
    }
}
