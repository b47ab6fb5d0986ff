//! `plimsoll check`: every problem of scenario, endpoint and deployment files, and nothing run.
//!
//! A file that `az` would take is fine. What this machine cannot do with it is a note.

pub(super) mod script;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use plimsoll_deploy::files::{FileKind, kind_of};
use plimsoll_document::{Document, Problem, Problems};

use super::given::Given;
use crate::exit::Exit;
use crate::scenario::{self, Place};
use crate::{files, view};

/// `plimsoll check FILE…`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Scenario, endpoint and deployment files, or folders with a `scenario.yml`
    #[arg(required_unless_present = "set", value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Keys given beside the file.
    #[command(flatten)]
    pub given: Given,
}

pub(crate) fn run(args: Args) -> Exit {
    let Args { mut files, mut given } = args;
    given.files_after_set(&mut files);
    if let Some(wrong) = usage(&files, &given) {
        view::note(&format!("error: {wrong}"));
        return Exit::Usage;
    }
    let (mut all, mut told) = (Problems::new(), HashSet::new());
    let mut deployments = 0;
    for file in &files {
        let mut problems = Problems::new();
        let checked = check(file, &given, &mut problems);
        if let Some(Checked { kind, name, runs_here }) = &checked {
            deployments += usize::from(*kind == FileKind::Deployment);
            if problems.is_empty() {
                let fine =
                    if *runs_here { "is fine" } else { "is fine for az, and cannot run here" };
                view::print(&format!("{}: {} `{name}` {fine}", file.display(), word(*kind)));
            }
        }
        for problem in problems.sorted().iter().filter(|problem| told.insert(place(problem))) {
            all.push(problem.clone());
        }
    }
    if given.endpoint_name.is_some() && deployments == 0 && all.is_empty() {
        view::note(&"error: --endpoint-name is for deployment files, and none is given");
        return Exit::Usage;
    }
    if !all.is_silent() {
        view::problems(&all);
    }
    if all.is_empty() { Exit::Success } else { Exit::Usage }
}

fn usage(files: &[PathBuf], given: &Given) -> Option<String> {
    if files.is_empty() {
        return Some("no file is given".to_owned());
    }
    given.ambiguous(files.len())
}

/// Where a problem is and what it says: two files that name a third find the same ones in it.
fn place(problem: &Problem) -> (PathBuf, usize, usize, String) {
    let file = PathBuf::from(problem.file());
    let file = file.canonicalize().unwrap_or(file);
    (file, problem.line(), problem.column(), problem.message().to_owned())
}

/// A file that was read.
#[derive(Debug, PartialEq, Eq)]
struct Checked {
    kind: FileKind,
    name: String,
    /// Whether `plimsoll run` would take it.
    runs_here: bool,
}

fn word(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Endpoint => "endpoint",
        FileKind::Deployment => "deployment",
        FileKind::Scenario | FileKind::Other(_) | FileKind::Unknown => "scenario",
    }
}

/// What the file is, if it can be used.
fn check(path: &Path, given: &Given, problems: &mut Problems) -> Option<Checked> {
    if path.is_dir() {
        return scenario(path, problems);
    }
    let mut document = keep(Document::open(path), problems)?;
    let kind = kind_of(&document);
    keep(given.put(&mut document, kind), problems);
    let (name, runs_here) = match kind {
        FileKind::Scenario => return scenario(path, problems),
        FileKind::Endpoint => {
            let spec = files::endpoint(&document, problems)?;
            let runs_here = files::serves_here(&spec);
            (spec.name, runs_here)
        }
        FileKind::Deployment => {
            let spec = files::deployment(&document, folder(path), problems)?;
            script::check(&spec, problems);
            let runs_here = files::runs_here(&spec);
            (spec.name, runs_here)
        }
        FileKind::Other(_) | FileKind::Unknown => {
            problems.append(unknown(&document, kind));
            return None;
        }
    };
    Some(Checked { kind, name, runs_here })
}

fn scenario(path: &Path, problems: &mut Problems) -> Option<Checked> {
    let scenario = scenario::read_with_notes(path, problems)?;
    for note in scenario.notes() {
        view::note(&format!("{}: note: {note}", path.display()));
    }
    let runs_here = match &scenario.place {
        Place::Existing(_) | Place::Standing(_) => true,
        Place::Deployed(deployed) => {
            for deployment in &deployed.deployments {
                script::check(deployment, problems);
            }
            files::serves_here(&deployed.endpoint)
                && deployed.deployments.iter().all(files::runs_here)
        }
    };
    Some(Checked { kind: FileKind::Scenario, name: scenario.name, runs_here })
}

fn keep<T>(read: Result<T, Problems>, problems: &mut Problems) -> Option<T> {
    read.map_err(|found| problems.append(found)).ok()
}

/// A file of none of the known kinds.
pub(super) fn unknown(document: &Document, kind: FileKind) -> Problems {
    let message = match kind {
        FileKind::Other(words) => {
            format!("this is {words}, and no scenario, endpoint or deployment")
        }
        _ => "this is no scenario, endpoint or deployment".to_owned(),
    };
    let hint = "a scenario has `load`, a deployment `endpoint_name`, an endpoint `auth_mode`";
    let at = if document.has("/$schema") { "/$schema" } else { "" };
    let mut problems = Problems::new();
    problems.push(document.problem_at(at, message).hint(hint));
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

    fn checked(path: &Path) -> (Option<Checked>, Problems) {
        let mut problems = Problems::new();
        (check(path, &Given::default(), &mut problems), problems)
    }

    #[test]
    fn each_kind_of_file_is_told_and_checked() {
        let (_folder, path) = file("name: my-endpoint\nauth_mode: key\n");
        let name = "my-endpoint".to_owned();
        let endpoint = Checked { kind: FileKind::Endpoint, name, runs_here: true };
        assert_eq!(checked(&path), (Some(endpoint), Problems::new()));
        let (_folder, path) = file("name: blue\nendpoint_name: my-endpoint\n");
        let text = checked(&path).1.to_string();
        assert!(text.contains("`instance_type` is missing"), "{text}");
    }

    #[test]
    fn other_files_are_one_problem() {
        let (_folder, path) = file("hello: world\n");
        let text = checked(&path).1.to_string();
        assert!(text.contains("file.yml:1:1") && text.contains("no scenario"), "{text}");
        let (_folder, path) = file("$schema: x/commandJob.schema.json\ncommand: echo\n");
        let (_, problems) = checked(&path);
        assert_eq!(problems.len(), 1);
        assert!(problems.to_string().contains("a job of Azure ML"), "{problems}");
        let (folder, _) = file("");
        let text = checked(&folder.path().join("missing.yml")).1.to_string();
        assert!(text.contains("cannot read") && text.contains("missing.yml"), "{text}");
    }
}
