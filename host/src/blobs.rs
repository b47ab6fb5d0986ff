//! Where uploaded files are: containers of blobs, each blob a file of its own.
//!
//! A blob appears when it is whole: what is being sent is written beside it and gets its name at the end. A model or a code
//! folder that was uploaded is then used where it lies. Containers are folders of the host's:
//!
//! | Folder | What |
//! |---|---|
//! | `CONTAINER/data/…` | the blobs, under their own paths |
//! | `CONTAINER/meta/HASH` | what was said of a blob (`x-ms-meta-…`), by the hash of its path |
//! | `CONTAINER/parts/…` | what is being sent |

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

/// All names of containers begin with it, so that no path of the control plane is taken for one.
pub(super) const PREFIX: &str = "azureml-";

/// All names of containers that are made for one upload.
pub(super) const UPLOAD: &str = "azureml-upload-";

/// The container of the workspace's default datastore, and the datastore's name.
pub(super) const DEFAULT: &str = "azureml-blobstore-local";
pub(super) const DATASTORE: &str = "workspaceblobstore";

/// What is said of a blob.
pub(super) type Metadata = BTreeMap<String, String>;

/// The containers.
#[derive(Debug, Clone)]
pub(super) struct Blobs {
    root: PathBuf,
}

/// The place of a blob. Its path was checked: it names nothing outside its container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blob {
    container: PathBuf,
    path: String,
}

impl Blobs {
    /// In that folder, which is created when something is put into it.
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// A container, new and empty if its name was not used before.
    pub(super) fn create(&self, container: &str) -> io::Result<()> {
        let folder = self.root.join(container);
        for part in ["data", "meta", "parts"] {
            std::fs::create_dir_all(folder.join(part))?;
        }
        Ok(())
    }

    /// Removes what is half sent, and the containers of uploads that `is_used` does not know.
    pub(super) fn sweep(&self, is_used: impl Fn(&str) -> bool) {
        let Ok(entries) = self.root.read_dir() else { return };
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let parts = entry.path().join("parts");
            if name.starts_with(UPLOAD) && !is_used(&name) {
                let _ = std::fs::remove_dir_all(entry.path());
            } else if parts.is_dir() {
                let _ = std::fs::remove_dir_all(&parts);
                let _ = std::fs::create_dir(&parts);
            }
        }
    }

    /// The blob or the container at an address's path, `CONTAINER/PATH`, in which special characters are encoded.
    /// Nothing if it could be another place than one below the container, or if there is no such container.
    pub(super) fn find(&self, path: &str) -> Option<Blob> {
        let decoded = percent_decode_str(path.trim_start_matches('/')).decode_utf8().ok()?;
        let (container, path) = decoded.split_once('/').unwrap_or((&*decoded, ""));
        let named = container.strip_prefix(PREFIX)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let folder = self.root.join(container);
        let safe = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
        let path = path.trim_end_matches('/');
        let fits = !named.is_empty()
            && named.chars().all(plain)
            && (path.is_empty() || path.split('/').all(safe));
        if fits && folder.is_dir() {
            Some(Blob { container: folder, path: path.to_owned() })
        } else {
            None
        }
    }

    /// The file or folder that an asset's address means: one of this store's, by datastore or by address.
    ///
    /// The port of an address is not compared: it may have been another one before the host was started again.
    pub(super) fn of_address(&self, uri: &str) -> Option<PathBuf> {
        if let Some(rest) = uri.strip_prefix("azureml://") {
            let (_, rest) = format!("/{rest}").split_once("/datastores/").map(owned)?;
            let (datastore, path) = rest.split_once("/paths/")?;
            let blob = self.find(&format!("{DEFAULT}/{path}"))?;
            return (datastore == DATASTORE).then(|| blob.file());
        }
        let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"))?;
        let (authority, path) = rest.split_once('/')?;
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        let here = host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.is_loopback());
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        if here { self.find(path).map(|blob| blob.file()) } else { None }
    }
}

fn owned((a, b): (&str, &str)) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

impl Blob {
    /// The container's name.
    pub(super) fn container(&self) -> &str {
        self.container.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Whether the container itself is meant.
    pub(super) fn is_container(&self) -> bool {
        self.path.is_empty()
    }

    /// Where it is, or will be.
    pub(super) fn file(&self) -> PathBuf {
        let data = self.container.join("data");
        if self.path.is_empty() { data } else { data.join(&self.path) }
    }

    /// Its size; nothing if it is not there.
    pub(super) async fn size(&self) -> Option<u64> {
        let found = fs::metadata(self.file()).await.ok()?;
        if found.is_file() { Some(found.len()) } else { None }
    }

    /// What is being sent, under a name that nobody else has.
    pub(super) async fn part(&self) -> io::Result<Part> {
        let path = self.container.join("parts").join(Uuid::new_v4().simple().to_string());
        Ok(Part { file: File::create_new(&path).await?, path, kept: false })
    }

    /// Gives a whole part the blob's name.
    pub(super) async fn keep(&self, part: Part) -> io::Result<()> {
        let file = self.file();
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).await?;
        }
        part.become_file(&file).await
    }

    /// Keeps a part as a block of the blob.
    pub(super) async fn keep_block(&self, id: &str, part: Part) -> io::Result<()> {
        let folder = self.blocks();
        fs::create_dir_all(&folder).await?;
        part.become_file(&folder.join(hash(id))).await
    }

    /// Makes the blob of its blocks, and forgets them. `NotFound` if one was never sent.
    pub(super) async fn join_blocks(&self, ids: &[String]) -> io::Result<()> {
        let mut whole = self.part().await?;
        for id in ids {
            let mut block = File::open(self.blocks().join(hash(id))).await?;
            tokio::io::copy(&mut block, &mut whole.file).await?;
        }
        self.keep(whole).await?;
        let _ = fs::remove_dir_all(self.blocks()).await;
        Ok(())
    }

    pub(super) async fn metadata(&self) -> Metadata {
        let text = fs::read(self.said()).await.unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    pub(super) async fn set_metadata(&self, metadata: &Metadata) -> io::Result<()> {
        let text = serde_json::to_vec(metadata).map_err(io::Error::other)?;
        let mut part = self.part().await?;
        part.write(&text).await?;
        part.become_file(&self.said()).await
    }

    /// The blobs of the container whose paths begin with `prefix`, in order.
    pub(super) async fn list(&self, prefix: &str) -> io::Result<Vec<Self>> {
        let data = self.container.join("data");
        let container = self.container.clone();
        let walk = tokio::task::spawn_blocking(move || {
            let mut paths = Vec::new();
            walk(&data, "", &mut paths).map(|()| paths)
        });
        let mut paths = walk.await.map_err(io::Error::other)??;
        paths.retain(|path| path.starts_with(prefix));
        paths.sort();
        let blob = |path| Self { container: container.clone(), path };
        Ok(paths.into_iter().map(blob).collect())
    }

    /// Its path in the container.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    fn said(&self) -> PathBuf {
        self.container.join("meta").join(hash(&self.path))
    }

    fn blocks(&self) -> PathBuf {
        self.container.join("parts").join(hash(&self.path))
    }
}

/// Something that is being sent. What does not become a file is removed.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    path: PathBuf,
    kept: bool,
}

impl Part {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await
    }

    async fn become_file(mut self, path: &Path) -> io::Result<()> {
        self.file.flush().await?;
        fs::rename(&self.path, path).await?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn walk(folder: &Path, before: &str, paths: &mut Vec<String>) -> io::Result<()> {
    for entry in folder.read_dir()? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = if before.is_empty() { name } else { format!("{before}/{name}") };
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &path, paths)?;
        } else {
            paths.push(path);
        }
    }
    Ok(())
}

fn hash(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs() -> (tempfile::TempDir, Blobs) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::new(folder.path().join("blobs"));
        blobs.create(DEFAULT).unwrap();
        (folder, blobs)
    }

    #[test]
    fn a_path_cannot_leave_its_container() {
        let (_folder, blobs) = blobs();
        let find = |path: &str| blobs.find(&format!("/{DEFAULT}{path}"));
        assert!(find("").unwrap().is_container() && find("/").unwrap().is_container());
        assert!(find("/a/b%20c").unwrap().file().ends_with("data/a/b c"));
        for wrong in ["/../x", "/a/../../x", "/a/%2e%2e/x", "/a/..%2f..%2fx", "/a//b", "/%00"] {
            assert_eq!(find(wrong), None, "{wrong}");
        }
        for wrong in ["/azureml-", "/azureml-none/a", "/azureml-../a", "/subscriptions", "/.."] {
            assert_eq!(blobs.find(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn addresses_of_this_store_are_files_and_others_are_not() {
        let (_folder, blobs) = blobs();
        let datastore =
            "subscriptions/s/resourcegroups/g/workspaces/w/datastores/workspaceblobstore";
        for address in [
            format!("azureml://{datastore}/paths/LocalUpload/1/model"),
            "azureml://datastores/workspaceblobstore/paths/LocalUpload/1/model".to_owned(),
            format!("https://127.0.0.1:4711/{DEFAULT}/LocalUpload/1/model/"),
            format!("http://localhost:1/{DEFAULT}/LocalUpload/1/model?sig=x"),
        ] {
            let path = blobs.of_address(&address).unwrap_or_else(|| panic!("{address}"));
            assert!(path.ends_with(format!("{DEFAULT}/data/LocalUpload/1/model")), "{address}");
        }
        for address in [
            "azureml://datastores/other/paths/a".to_owned(),
            "azureml://datastores/workspaceblobstore/paths/../a".to_owned(),
            format!("https://example.org/{DEFAULT}/a"),
            "file:///a".to_owned(),
        ] {
            assert_eq!(blobs.of_address(&address), None, "{address}");
        }
    }

    #[tokio::test]
    async fn a_blob_is_there_when_it_is_whole_and_blocks_come_in_the_order_of_the_list() {
        let (folder, blobs) = blobs();
        let blob = blobs.find(&format!("{DEFAULT}/a/b")).unwrap();
        for (id, text) in [("two", "world"), ("one", "hello ")] {
            let mut part = blob.part().await.unwrap();
            part.write(text.as_bytes()).await.unwrap();
            blob.keep_block(id, part).await.unwrap();
        }
        assert_eq!(blob.size().await, None);
        let missing = blob.join_blocks(&["one".into(), "three".into()]).await.unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        blob.join_blocks(&["one".into(), "two".into()]).await.unwrap();
        assert_eq!(std::fs::read_to_string(blob.file()).unwrap(), "hello world");
        drop(blob.part().await.unwrap());
        let parts = folder.path().join("blobs").join(DEFAULT).join("parts");
        assert_eq!(std::fs::read_dir(parts).unwrap().count(), 0, "nothing half is left");
        let said = Metadata::from([("name".to_owned(), "m".to_owned())]);
        blob.set_metadata(&said).await.unwrap();
        assert_eq!(blob.metadata().await, said);
        let listed = blob.list("a/").await.unwrap();
        assert_eq!(listed, [blob]);
    }
}
