//! Reads the repository's text files from the disk.
//!
//! The folder is walked, git is not asked: the tests must also pass in an unpacked source archive. What `.gitignore` names
//! is skipped here too.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What lies in the root but was built, downloaded or measured, not written. Deeper down these names are free: a module may be
/// called `target`. In a git worktree `.git` is a file.
const SKIPPED_IN_ROOT: &[&str] = &[".git", ".cache", "results", "target"];

/// What Python leaves anywhere.
const SKIPPED: &[&str] = &["__pycache__", ".venv"];

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
        let skipped =
            if folder == root() { [SKIPPED_IN_ROOT, SKIPPED].concat() } else { SKIPPED.to_vec() };
        if skipped.iter().any(|skipped| name == *skipped) {
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

#[test]
fn git_ignores_no_source() {
    // An ignored source file builds here and is missing in every clone.
    let listing = [
        "ls-files",
        "--others",
        "--ignored",
        "--exclude-standard",
        "--",
        "*.rs",
        ":!/target/",
        ":!/.cache/",
    ];
    let Ok(output) = Command::new("git").args(listing).current_dir(root()).output() else {
        println!("skipped: needs git");
        return;
    };
    if !output.status.success() {
        println!("skipped: needs a git checkout");
        return;
    }
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "git ignores these sources");
}
