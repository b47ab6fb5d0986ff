//! `plimsoll check`: every problem of scenario, endpoint and deployment files, and nothing run.

use std::path::{Path, PathBuf};

use plimsoll_deploy::files::{self, FileKind, kind_of};
use plimsoll_document::{Document, Problems};

use crate::exit::Exit;
use crate::scenario::{self, open};
use crate::view;

/// `plimsoll check FILE…`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Scenario, endpoint and deployment files, or folders with a `scenario.yml`
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Exit {
    let mut problems = Problems::new();
    for file in &args.files {
        match check(file) {
            Ok(what) => view::print(&format!("{}: {what} is fine", file.display())),
            Err(found) => problems.append(found),
        }
    }
    if problems.is_empty() {
        return Exit::Success;
    }
    view::problems(&problems);
    Exit::Usage
}

/// What the file is, or what is wrong with it.
fn check(path: &Path) -> Result<String, Problems> {
    if path.is_dir() {
        return check_scenario(path);
    }
    let document = open(path)?;
    let mut problems = Problems::new();
    match kind_of(&document) {
        FileKind::Scenario => check_scenario(path),
        FileKind::Endpoint => {
            let spec = files::read_endpoint(&document, &mut problems);
            problems.or(spec.map(|spec| format!("endpoint `{}`", spec.name)))
        }
        FileKind::Deployment => {
            let spec = files::read_deployment(&document, folder(path), &mut problems);
            problems.or(spec.map(|spec| format!("deployment `{}`", spec.name)))
        }
        FileKind::Unknown => Err(unknown(&document)),
    }
}

fn check_scenario(path: &Path) -> Result<String, Problems> {
    let scenario = scenario::read(path)?;
    for note in scenario.notes() {
        view::note(&format!("{}: note: {note}", path.display()));
    }
    Ok(format!("scenario `{}`", scenario.name))
}

/// A file of none of the known kinds.
pub(super) fn unknown(document: &Document) -> Problems {
    let message = "this is no scenario, endpoint or deployment";
    let hint = "a scenario has `load`, a deployment `endpoint_name`, an endpoint `auth_mode`";
    let mut problems = Problems::new();
    problems.push(document.problem_at("", message).hint(hint));
    problems
}

/// The folder that a file's paths start from.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.yml");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn each_kind_of_file_is_told_and_checked() {
        let (_folder, path) = file("name: my-endpoint\nauth_mode: key\n");
        assert_eq!(check(&path).unwrap(), "endpoint `my-endpoint`");
        let (_folder, path) = file("name: blue\nendpoint_name: my-endpoint\n");
        let text = check(&path).unwrap_err().to_string();
        assert!(text.contains("`instance_type` is missing"), "{text}");
    }

    #[test]
    fn other_files_are_problems() {
        let (_folder, path) = file("hello: world\n");
        let text = check(&path).unwrap_err().to_string();
        assert!(text.contains("file.yml:1:1") && text.contains("no scenario"), "{text}");
        let (folder, _) = file("");
        let text = check(&folder.path().join("missing.yml")).unwrap_err().to_string();
        assert!(text.contains("cannot read") && text.contains("missing.yml"), "{text}");
    }
}
