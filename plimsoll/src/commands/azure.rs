//! What the commands that mirror `az ml` share: they read files and flags as `az` does, find the local
//! host, ask it, print what it answers, and end with a code.

use std::io::{self, BufRead, IsTerminal};
use std::path::Path;
use std::pin::Pin;

use anyhow::{Context, Result};
use clap::Args;
use plimsoll_deploy::arm::{self, ArmDriver, Until};
use plimsoll_deploy::files::FileKind;
use plimsoll_deploy::naming;
use plimsoll_document::{Document, Problems};
use serde_json::Value;

use super::given::Given;
use super::place::Place;
use crate::exit::Exit;
use crate::files;
use crate::rendered::{Format, render};
use crate::standing;
use crate::view::{self, View};

/// Lines of its log that tell why a deployment failed.
const LAST_LINES: usize = 20;

/// How the answer is printed.
#[derive(Debug, Args)]
pub struct Printed {
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
    /// Print only what this query finds in the answer, such as `provisioning_state` (jmespath.org)
    #[arg(long, value_name = "JMESPATH", value_parser = query)]
    pub query: Option<String>,
}

impl Printed {
    /// Prints an answer to standard output.
    pub(super) fn print(&self, view: &View, answer: Value) -> Result<(), Failure> {
        let answer = match &self.query {
            Some(query) => find(query, answer)?,
            None => answer,
        };
        view.clear();
        let text = render(&answer, self.output);
        if !text.is_empty() {
            view::output(&text);
        }
        Ok(())
    }

    /// The same, but of a dry run there is no answer: its requests are printed instead.
    pub(super) fn print_at(
        &self,
        place: &Place,
        view: &View,
        answer: Value,
    ) -> Result<(), Failure> {
        if place.is_dry() { Ok(()) } else { self.print(view, answer) }
    }
}

/// Whether the end of an operation is waited for.
#[derive(Debug, Args)]
pub struct Waiting {
    /// Return when the operation has begun
    #[arg(long)]
    pub no_wait: bool,
}

impl Waiting {
    pub(super) fn until(&self) -> Until {
        if self.no_wait { Until::Begun } else { Until::Done }
    }
}

/// Whether it is meant.
#[derive(Debug, Args)]
pub struct Confirmed {
    /// Do not ask whether it is meant
    #[arg(short, long)]
    pub yes: bool,
}

impl Confirmed {
    /// Asks on the terminal, if there is one; without one, `--yes` must be given.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            let wrong = "unable to prompt for confirmation as no tty available; use --yes";
            return Err(Failure::Usage(wrong.to_owned()));
        }
        view::note(&"Are you sure you want to perform this operation? (y/n)");
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).context("the answer cannot be read")?;
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(anyhow::anyhow!("nothing was deleted").into()),
        }
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Flags that do not go together, or a name that is missing.
    #[error("{0}")]
    Usage(String),
    /// Problems of a file, or of what flags put into it.
    #[error("{0}")]
    Problems(Problems),
    /// The host said no.
    #[error(transparent)]
    Refused(#[from] arm::Error),
    /// A deployment did not come up, or not with its change.
    #[error("{error:#}")]
    Deployment {
        /// Why.
        error: anyhow::Error,
        /// The end of its log.
        log: String,
    },
    /// There is no host to ask.
    #[error(transparent)]
    Host(#[from] standing::Error),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl Failure {
    /// Tells it, with what to do, and how the command ends.
    fn tell(self) -> Exit {
        match self {
            Self::Usage(wrong) => {
                view::note(&format!("error: {wrong}"));
                Exit::Usage
            }
            Self::Problems(problems) => {
                view::problems(&problems);
                Exit::Usage
            }
            Self::Deployment { error, log } => {
                view::error(&error);
                if !log.trim().is_empty() {
                    view::note(&format!("the end of its log:\n{}", log.trim_end()));
                }
                Exit::Deployment
            }
            Self::Refused(arm::Error::Exists { what }) if asset(&what).is_some() => {
                view::note(&format!(
                    "error: {what} has this version already, and a version never changes; give another one, or leave it out for the next"
                ));
                Exit::Internal
            }
            Self::Refused(error) => {
                let hint = hint(&error);
                let failed = matches!(error, arm::Error::Failed { .. });
                view::error(&error.into());
                if let Some(hint) = hint {
                    view::note(&format!("note: {hint}"));
                }
                if failed { Exit::Deployment } else { Exit::Internal }
            }
            Self::Host(error) => {
                let usage = Some(Exit::Usage.code().into());
                let is_usage =
                    matches!(&error, standing::Error::Start { code, .. } if *code == usage);
                view::error(&error.into());
                if is_usage { Exit::Usage } else { Exit::Internal }
            }
            Self::Other(error) => {
                view::error(&error);
                Exit::Internal
            }
        }
    }
}

/// The kind of asset that an error is about, if it is about one.
fn asset(what: &str) -> Option<&'static str> {
    ["model", "environment"].into_iter().find(|kind| what.starts_with(&format!("{kind} `")))
}

/// Where what is missing can be looked up.
fn hint(error: &arm::Error) -> Option<String> {
    let text = error.to_string();
    // A path is named where the host does not know the request itself.
    if !error.is_not_found() || text.contains(": `/") {
        return None;
    }
    Some(match asset(&text) {
        Some(kind) => format!(
            "`plimsoll {kind} list` shows all names, `plimsoll {kind} list -n NAME` the versions of one"
        ),
        None => "`plimsoll endpoint list` shows the endpoints, `plimsoll deployment list -e NAME` the deployments of one"
            .to_owned(),
    })
}

/// Does the work of a command, and tells how it ended.
pub(super) fn drive(work: impl AsyncFnOnce(&mut View) -> Result<(), Failure>) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the command's runtime")?;
    let mut view = View::new(false);
    // Boxed, so that the runtime is compiled once, and not again for each command.
    let work: Pin<Box<dyn Future<Output = _> + '_>> = Box::pin(work(&mut view));
    let done = runtime.block_on(work);
    view.clear();
    Ok(match done {
        Ok(()) => Exit::Success,
        Err(failure) => failure.tell(),
    })
}

/// The same at a place; of a dry run, what would have been sent is told, also if it did not get far.
pub(super) fn drive_at(
    place: &Place,
    work: impl AsyncFnOnce(&mut View) -> Result<(), Failure>,
) -> Result<Exit> {
    drive(async |view| {
        let done = work(view).await;
        view.clear();
        place.tell_dry_run();
        done
    })
}

/// A deployment that failed, with the end of its log where the message does not have it already.
pub(super) async fn deployment_failed(
    driver: &ArmDriver,
    endpoint: &str,
    name: &str,
    error: arm::Error,
) -> Failure {
    let refused = matches!(error, arm::Error::Refused { status: 400, .. });
    if !refused && !matches!(error, arm::Error::Failed { .. }) {
        return error.into();
    }
    let log = driver.logs(endpoint, name, LAST_LINES).await.unwrap_or_default();
    let error = anyhow::Error::from(error);
    let last = log.trim_end().lines().next_back().unwrap_or_default();
    let is_told = format!("{error:#}").contains(last);
    Failure::Deployment { error, log: if is_told { String::new() } else { log } }
}

/// The document of a file of this kind, or an empty one, with what the flags say.
pub(super) fn document(
    file: Option<&Path>,
    kind: FileKind,
    given: &Given,
) -> Result<Document, Failure> {
    let mut document = match file {
        Some(file) => Document::open(file),
        None => Document::parse("the command line", "{}"),
    }
    .map_err(Failure::Problems)?;
    if let Some(wrong) = files::other_kind(&document, kind).filter(|_| file.is_some()) {
        return Err(Failure::Usage(wrong));
    }
    put(&mut document, kind, given)?;
    Ok(document)
}

/// A resource as it is, in the shape of its file, with what the flags say.
pub(super) fn as_it_is(
    what: &str,
    shape: &Value,
    kind: FileKind,
    given: &Given,
) -> Result<Document, Failure> {
    let text = serde_json::to_string_pretty(shape).context("it has string keys")?;
    let mut document =
        Document::parse(&format!("{what} as it is"), &text).map_err(Failure::Problems)?;
    put(&mut document, kind, given)?;
    Ok(document)
}

fn put(document: &mut Document, kind: FileKind, given: &Given) -> Result<(), Failure> {
    if let Some(wrong) = given.set.iter().find(|text| !text.contains('=')) {
        return Err(Failure::Usage(format!("--set takes KEY=VALUE, and `{wrong}` is none")));
    }
    given.put(document, kind).map_err(Failure::Problems)
}

/// What was read of a document, with its notes told; or its problems.
pub(super) fn read<T>(read: impl FnOnce(&mut Problems) -> Option<T>) -> Result<T, Failure> {
    let mut problems = Problems::new();
    match (read(&mut problems), problems.is_empty()) {
        (Some(value), true) => {
            if !problems.is_silent() {
                view::problems(&problems);
            }
            Ok(value)
        }
        _ => Err(Failure::Problems(problems)),
    }
}

/// A name that an endpoint or a deployment can have.
pub(super) fn name(text: &str) -> Result<String, String> {
    naming::fault(text).map_or_else(|| Ok(text.to_owned()), Err)
}

fn query(text: &str) -> Result<String, String> {
    jmespath::compile(text)
        .map(|_| text.to_owned())
        .map_err(|error| format!("{error}; see jmespath.org for what a query can say"))
}

fn find(query: &str, answer: Value) -> Result<Value, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::Usage(format!("--query: {error}"));
    let compiled = jmespath::compile(query).map_err(|error| wrong(&error))?;
    let found = compiled.search(answer).map_err(|error| wrong(&error))?;
    serde_json::to_value(&*found).map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn queries_find_and_wrong_ones_are_refused() {
        let answer = json!({"name": "e", "items": [{"n": 1, "ok": true}, {"n": 2, "ok": false}]});
        let found = |text| find(text, answer.clone()).ok();
        assert_eq!(found("name"), Some(json!("e")));
        assert_eq!(found("items[?ok].n"), Some(json!([1])));
        assert_eq!(found("items[].{id: n}"), Some(json!([{"id": 1}, {"id": 2}])));
        assert_eq!(found("nothing.here"), Some(Value::Null));
        assert_eq!(found("length(items)"), Some(json!(2)));
        assert!(query("items[").is_err() && query("name").is_ok());
    }

    #[test]
    fn what_is_set_must_be_an_assignment() {
        let given = Given { set: vec!["instance_count".to_owned()], ..Given::default() };
        let wrong = document(None, FileKind::Deployment, &given).unwrap_err();
        assert!(matches!(wrong, Failure::Usage(text) if text.contains("`instance_count`")));
    }
}
