//! `plimsoll init`: a first scenario, from the files of an endpoint and its deployments, or from a
//! URL.
//!
//! What it writes is a scenario that `check` takes, with a low rate and mild objectives to begin
//! with. It is checked before it is written, and nothing that is there is overwritten.

mod compose;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use plimsoll_deploy::files::{FileKind, kind_of};
use plimsoll_document::{Document, Problems};
use plimsoll_loadgen::Target;

use crate::exit::Exit;
use crate::scenario::{self, Address};
use crate::view;
use compose::Start;
pub(super) use compose::quoted;

/// `plimsoll init`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An endpoint file and its deployment files, a folder that holds them, or the URL of an
    /// endpoint that exists
    #[arg(required = true, value_name = "FILE|FOLDER|URL")]
    pub from: Vec<Address>,
    /// The scenario to write, which must not be there [default: scenario.yml beside the files, or
    /// here for a URL]
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Request body: a JSON file, a .jsonl file or a folder [default: sample-request.json beside
    /// the files, if it is there]
    #[arg(short, long, value_name = "FILE")]
    pub body: Option<PathBuf>,
    /// Environment variable that holds the key or token of an endpoint that exists
    #[arg(long, value_name = "VARIABLE")]
    pub key_env: Option<String>,
    /// Requests per second to begin with
    #[arg(short, long, value_name = "RPS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
}

pub(crate) fn run(args: &Args) -> Exit {
    match write(args) {
        Ok(path) => {
            let path = path.display();
            view::print(&format!("wrote {path}; `plimsoll run {path}` runs it"));
            Exit::Success
        }
        Err(refusal) => refusal.told(),
    }
}

/// Why nothing was written.
#[derive(Debug)]
pub(super) enum Refusal {
    Wrong(String),
    Problems(Problems),
}

impl Refusal {
    /// Says why.
    pub(super) fn told(&self) -> Exit {
        match self {
            Self::Wrong(message) => view::note(&format!("error: {message}")),
            Self::Problems(problems) => view::problems(problems),
        }
        Exit::Usage
    }
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self::Wrong(message)
    }
}

fn write(args: &Args) -> Result<PathBuf, Refusal> {
    let start = start(args)?;
    let path = args.out.clone().unwrap_or_else(|| start.folder().join("scenario.yml"));
    if path.symlink_metadata().is_ok() {
        let shown = path.display();
        let message = format!("{shown} is there already; give another name with --out");
        return Err(Refusal::Wrong(message));
    }
    let text = start.compose(folder(&path), args).map_err(Refusal::Wrong)?;
    check(&path, &text).map_err(Refusal::Problems)?;
    create(&path, &text).map_err(Refusal::Wrong)?;
    Ok(path)
}

/// Writes a file that is not there.
///
/// # Errors
/// It cannot be written, or is there already.
pub(super) fn create(path: &Path, text: &str) -> Result<(), String> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Whether `plimsoll check` would take it there.
pub(super) fn check(path: &Path, text: &str) -> Result<(), Problems> {
    let document = Document::parse(&path.to_string_lossy(), text)?;
    let mut problems = Problems::new();
    let scenario = scenario::from_document(&document, path, &mut problems);
    problems.or(scenario).map(drop)
}

/// What the scenario is about.
fn start(args: &Args) -> Result<Start, Refusal> {
    let is_url = |from: &Address| from.contains("://");
    match args.from.as_slice() {
        [url] if is_url(url) => {
            Target::check(url).map_err(|error| Refusal::Wrong(error.to_string()))?;
            return Ok(Start::Url(url.clone()));
        }
        several if several.iter().any(is_url) => {
            let message = "a URL stands alone: the endpoint behind it is there already";
            return Err(Refusal::Wrong(message.to_owned()));
        }
        _ => {}
    }
    if args.key_env.is_some() {
        let message = "--key-env is for the URL of an endpoint that exists: what a run brings up \
                       has its own key";
        return Err(Refusal::Wrong(message.to_owned()));
    }
    let (mut endpoint, mut deployments) = (None, Vec::new());
    for path in files(&args.from)? {
        let document = Document::open(&path).map_err(Refusal::Problems)?;
        match kind_of(&document) {
            FileKind::Endpoint if endpoint.is_none() => endpoint = Some(path),
            FileKind::Endpoint => {
                let message = format!(
                    "{} is a second endpoint, and a scenario has one; name the files one by one",
                    path.display()
                );
                return Err(Refusal::Wrong(message));
            }
            FileKind::Deployment => deployments.push(path),
            _ if is_folder(&args.from) => {}
            kind => {
                let message = format!(
                    "{} is {}; give an endpoint file and deployment files",
                    path.display(),
                    kind.words()
                );
                return Err(Refusal::Wrong(message));
            }
        }
    }
    match (endpoint, deployments.is_empty()) {
        (Some(endpoint), false) => Ok(Start::Files { endpoint, deployments }),
        (None, _) => Err(Refusal::Wrong(missing("endpoint", "`auth_mode`"))),
        (_, true) => Err(Refusal::Wrong(missing("deployment", "`instance_type`"))),
    }
}

fn missing(kind: &str, key: &str) -> String {
    format!(
        "there is no {kind} file among what is given: one has {key}, and `plimsoll check` tells \
             what each file is"
    )
}

fn is_folder(from: &[Address]) -> bool {
    matches!(from, [only] if Path::new(&**only).is_dir())
}

/// The files that are given, or those of a folder.
fn files(from: &[Address]) -> Result<Vec<PathBuf>, Refusal> {
    if !is_folder(from) {
        return Ok(from.iter().map(|path| PathBuf::from(&**path)).collect());
    }
    let folder = Path::new(&*from[0]);
    let entries = folder
        .read_dir()
        .map_err(|error| Refusal::Wrong(format!("cannot read {}: {error}", folder.display())))?;
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|of| of == "yml" || of == "yaml");
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(is_yaml).collect();
    files.sort();
    Ok(files)
}

/// The folder that a file lies in.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests;
