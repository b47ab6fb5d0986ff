//! Files as they were in git: exported to a temporary folder, by git itself, so that what it does to
//! files (line ends, large files) is done. Neither the work tree nor the index is touched.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What was exported.
#[derive(Debug)]
pub(super) struct Exported {
    /// Removed when it is dropped.
    pub(super) folder: TempDir,
    /// What was asked for, in it.
    pub(super) path: PathBuf,
    /// The commit, short.
    pub(super) commit: String,
    /// What was exported, in words: the folder, or the one that the file is in.
    pub(super) what: String,
}

/// Exports `REV:PATH`: a folder, or the folder that a file is in. A path starts where the command was
/// called.
///
/// # Errors
/// What git says.
pub(super) fn export(place: &str) -> Result<Exported, String> {
    export_from(place, Path::new("."))
}

fn export_from(place: &str, here: &Path) -> Result<Exported, String> {
    let (revision, path) =
        place.split_once(':').filter(|(revision, _)| !revision.is_empty()).ok_or_else(|| {
            format!("`git:{place}` names no revision and path; write it as git:HEAD~1:models/score")
        })?;
    if Path::new(path).is_absolute() {
        return Err(format!(
            "`git:{place}`: a path in git is relative to where the command is called"
        ));
    }
    let git = |args: &[&str]| git(here, args);
    let commit = git(&[
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        &format!("{revision}^{{commit}}"),
    ])
    .map_err(|why| format!("`git:{place}`: there is no revision `{revision}` here{why}"))?;
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let path = path.trim_end_matches('/');
    let kind = |path: &str| git(&["cat-file", "-t", &format!("{commit}:./{path}")]);
    let found = kind(path)
        .map_err(|why| format!("`git:{place}`: there is no `{path}` in {revision}{why}"))?;
    let (tree, file) = match found.as_str() {
        "tree" => (path, None),
        _ => match path.rsplit_once('/') {
            Some((folder, file)) => (folder, Some(file)),
            None => (".", Some(path)),
        },
    };
    let tree = if tree == "." { "" } else { tree };
    let tree_id = git(&["rev-parse", &format!("{commit}:./{tree}")])?;
    let folder = tempfile::Builder::new().prefix("plimsoll-git-").tempdir();
    let folder = folder.map_err(|error| format!("no temporary folder: {error}"))?;
    let index = folder.path().join("index");
    let out = folder.path().join("files");
    std::fs::create_dir(&out).map_err(|error| format!("no temporary folder: {error}"))?;
    for args in [
        vec!["read-tree".to_owned(), tree_id],
        // The end of the prefix makes it a folder.
        vec![
            "checkout-index".to_owned(),
            "--all".to_owned(),
            format!("--prefix={}/", out.display()),
        ],
    ] {
        let mut command = Command::new("git");
        command.current_dir(&top).env("GIT_INDEX_FILE", &index).args(args);
        told(command).map_err(|why| format!("`git:{place}` cannot be exported{why}"))?;
    }
    let path = file.map_or(out.clone(), |file| out.join(file));
    let commit = commit.chars().take(12).collect();
    let shown = if tree.is_empty() { "the folder of this command" } else { tree };
    Ok(Exported { folder, path, commit, what: format!("`{shown}`") })
}

fn git(here: &Path, args: &[&str]) -> Result<String, String> {
    let mut command = Command::new("git");
    command.current_dir(here).args(args);
    told(command)
}

/// What git prints; an error begins with what separates it from the words before.
fn told(mut command: Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| {
        format!(": git cannot be started ({error}); install it, or give a folder instead")
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim();
        return Err(if said.is_empty() { String::new() } else { format!(" ({said})") });
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository with two versions of a file in a folder.
    fn repository() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        git(at, &["init", "--quiet"]).unwrap();
        std::fs::create_dir(at.join("code")).unwrap();
        for version in ["one", "two"] {
            std::fs::write(at.join("code/score.py"), version).unwrap();
            git(at, &["add", "."]).unwrap();
            let name = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"];
            git(at, &[&name[..], &["commit", "--quiet", "-m", version]].concat()).unwrap();
        }
        folder
    }

    #[test]
    fn a_folder_and_a_file_are_exported_as_they_were_and_removed() {
        let repository = repository();
        let text = |path: &Path| std::fs::read_to_string(path).unwrap();
        let old = export_from("HEAD~1:code", repository.path()).unwrap();
        assert_eq!(text(&old.path.join("score.py")), "one");
        let within = export_from("HEAD:score.py", &repository.path().join("code")).unwrap();
        assert_eq!(text(&within.path), "two");
        let root = export_from("HEAD~1:.", repository.path()).unwrap();
        assert_eq!(text(&root.path.join("code/score.py")), "one");
        assert_eq!(git(repository.path(), &["status", "--porcelain"]).unwrap(), "");
        let path = old.path.clone();
        drop(old);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_not_there_is_said() {
        let repository = repository();
        let why = |place: &str| export_from(place, repository.path()).unwrap_err();
        assert!(why("HEAD~7:code").contains("no revision `HEAD~7`"));
        assert!(why("HEAD:other").contains("no `other` in HEAD"));
        assert!(why("code").contains("write it as git:HEAD~1:"));
        assert!(why("--all:code").contains("no revision"));
        assert!(why("HEAD:/etc").contains("relative"));
    }
}
