//! `plimsoll history add`: the runs of a night.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::commands::compare::alike;
use crate::exit::Exit;
use crate::history::History;
use crate::results::night::Night;
use crate::results::recording::Recording;
use crate::view;

/// `plimsoll history add`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of the history; made if it is not there
    pub dir: PathBuf,

    /// Results folders of this night's runs, all of one build
    #[arg(required = true, value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,

    /// What was built [default: what `git rev-parse HEAD` says here]
    #[arg(long, value_name = "COMMIT")]
    pub commit: Option<String>,

    /// Keep only so many nights of this scenario: the files of older ones are removed
    #[arg(long, value_name = "NIGHTS", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: Option<u32>,
}

pub(super) fn run(args: Args) -> Result<Exit> {
    let refused = |reason: &dyn std::fmt::Display| {
        view::note(&format!("error: {reason}"));
        Ok(Exit::Usage)
    };
    let runs: Result<Vec<_>, _> = args.folders.iter().map(|path| Recording::read(path)).collect();
    let runs = match runs {
        Ok(runs) => runs,
        Err(error) => return refused(&error),
    };
    if let Err(unlike) = alike::check(&runs, &[]) {
        return refused(&unlike);
    }
    let commit = args.commit.or_else(head);
    if commit.is_none() {
        view::note(&"note: git knows no commit here; --commit says what was built");
    }
    let mut history = match History::read(&args.dir) {
        Ok(history) => history,
        Err(error) => return refused(&format!("{error:#}")),
    };
    let night = Night::new(runs, commit);
    let scenario = night.scenario().to_owned();
    match history.add(night) {
        Ok(path) => view::print(&format!("added {}", path.display())),
        Err(error) => return refused(&format!("{error:#}")),
    }
    if let Some(most) = args.keep {
        for path in history.keep(most as usize, &scenario)? {
            view::print(&format!("removed {}", path.display()));
        }
    }
    Ok(Exit::Success)
}

/// The commit that is checked out here.
fn head() -> Option<String> {
    let mut git = Command::new("git");
    let output = git.args(["rev-parse", "--verify", "HEAD"]).stdin(Stdio::null()).output().ok()?;
    let commit = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !commit.is_empty()).then_some(commit)
}
