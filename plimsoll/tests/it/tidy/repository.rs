//! Reads the repository's text files from the disk.
//!
//! The folder is walked, git is not asked: the tests must also pass in an unpacked source archive. What `.gitignore` names
//! is skipped here too.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold what was built, downloaded or measured, not what was written.
const SKIPPED: &[&str] = &[".git", "target", ".cache", "__pycache__", ".venv"];

/// A text file of the repository.
pub(super) struct TextFile {
    /// Path from the repository's root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

/// The repository's root.
pub(super) fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .expect("cargo names the package when it runs a test");
    Path::new(&package).parent().expect("every package lies in the repository's root").to_owned()
}

/// Every text file, in the order of the paths.
pub(super) fn text_files() -> Vec<TextFile> {
    let root = root();
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        // What is not UTF-8 is no text: models, pictures.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let path = path.strip_prefix(&root).expect("the walk began at the root");
        files.push(TextFile { path: path.to_string_lossy().replace('\\', "/"), text });
    }
    assert!(
        files.len() > 20,
        "{} holds only {} text files: not the repository",
        root.display(),
        files.len()
    );
    files
}

/// The Rust files among them.
pub(super) fn rust_files() -> Vec<TextFile> {
    text_files().into_iter().filter(|file| has_extension(&file.path, "rs")).collect()
}

/// Whether the path ends with this extension.
pub(super) fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|e| panic!("cannot list {}: {e}", folder.display()));
    for entry in entries {
        let entry = entry.expect("an entry of a folder that could be opened");
        let name = entry.file_name();
        let is_results = folder == root() && name == "results";
        // In a git worktree `.git` is a file.
        if is_results || SKIPPED.iter().any(|skipped| name == *skipped) {
            continue;
        }
        let kind = entry.file_type().expect("Linux gives the type with the entry");
        if kind.is_dir() {
            walk(&entry.path(), paths);
        } else if kind.is_file() {
            paths.push(entry.path());
        }
    }
}
