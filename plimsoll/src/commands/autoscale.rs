//! `plimsoll autoscale`: autoscale rules, asked, checked, replayed and tuned, without anything that runs.

mod calibrate;
mod decide;
mod explain;
mod lint;
mod rows;
mod sarif;
mod translate;
mod tune;
mod what_if;

use std::io::Read;
use std::path::Path;

use anyhow::Result;
use clap::Subcommand;
use plimsoll_autoscale::Kind;
use plimsoll_autoscale::azure::{PARAMETERS, Parameters};
use plimsoll_document::{Problem, Problems, decode, read_text};

use super::help;
use crate::exit::Exit;
use crate::view;

/// `plimsoll autoscale`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done with rules.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fit a model of a deployment to measured runs, and say how well it predicts others; exit code 3 if
    /// it does not
    #[command(after_help = help::AUTOSCALE_CALIBRATE)]
    Calibrate(calibrate::Args),
    /// Ask the rules once: a state in, the wanted count and every intermediate value out
    #[command(after_help = help::AUTOSCALE_DECIDE)]
    Decide(decide::Args),
    /// Find what is likely to be wrong with rules; exit code 3 if there are errors
    #[command(after_help = help::AUTOSCALE_LINT)]
    Lint(lint::Args),
    /// Replay a metric history through rules: every evaluation, and what held it back
    #[command(after_help = help::AUTOSCALE_EXPLAIN)]
    Explain(explain::Args),
    /// Write rules of Azure Monitor as a `HorizontalPodAutoscaler`, or that as rules of Azure Monitor, and
    /// say what is not the same
    #[command(after_help = help::AUTOSCALE_TRANSLATE)]
    Translate(translate::Args),
    /// Search in virtual time for the values of a scenario's rules that hold its objectives for the
    /// fewest instance-hours
    #[command(after_help = help::AUTOSCALE_TUNE)]
    Tune(tune::Args),
    /// Say what a recorded run would have been under other rules, in virtual time
    #[command(after_help = help::AUTOSCALE_WHAT_IF)]
    WhatIf(what_if::Args),
}

/// What is assumed of an engine.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Assumed {
    /// What is assumed where Microsoft documents nothing, such as `interval_s=30` or
    /// `percent_in=up`; `--assume help` lists all
    #[arg(long, value_name = "NAME=VALUE")]
    pub assume: Vec<String>,
}

pub(crate) fn run(args: Args) -> Result<Exit> {
    match args.command {
        Command::Calibrate(args) => calibrate::run(&args),
        Command::Decide(args) => decide::run(&args),
        Command::Lint(args) => lint::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Translate(args) => translate::run(&args),
        Command::Tune(args) => tune::run(&args),
        Command::WhatIf(args) => what_if::run(&args),
    }
}

impl Assumed {
    /// The parameters.
    ///
    /// # Errors
    /// What is wrong with one, or the list of all if that is asked for.
    fn parameters(&self) -> Result<Parameters, String> {
        if self.assume.iter().any(|text| text == "help") {
            let defaults =
                serde_json::to_value(Parameters::default()).map_err(|e| e.to_string())?;
            let line = |p: &plimsoll_autoscale::azure::Parameter| {
                let default = defaults[p.name].to_string();
                format!("  {:<16} {} [default: {}]", p.name, p.words, default.trim_matches('"'))
            };
            let lines: Vec<String> = PARAMETERS.iter().map(line).collect();
            return Err(format!("--assume takes:\n{}", lines.join("\n")));
        }
        self.assume.iter().try_fold(Parameters::default(), |all, text| all.with(text))
    }
}

/// Whether something that is asked means nothing to rules of this kind; says so.
fn means_nothing(is_asked: bool, what: &str, kind: Kind) -> bool {
    let is_wrong = is_asked && kind != Kind::Azure;
    if is_wrong {
        let of = kind.words();
        view::note(&format!("error: {what} is about Azure Monitor; these rules are {of}"));
    }
    is_wrong
}

/// The text of a file, or of standard input for `-`, with the name that problems give it.
fn text(path: &Path) -> Result<(String, String), Problems> {
    let one = |problem: Problem| {
        let mut problems = Problems::new();
        problems.push(problem);
        problems
    };
    if path != Path::new("-") {
        return Ok((path.display().to_string(), read_text(path).map_err(one)?));
    }
    let name = "standard input".to_owned();
    let mut bytes = Vec::new();
    if let Err(error) = std::io::stdin().lock().read_to_end(&mut bytes) {
        return Err(one(Problem::of_file(&name, format!("cannot be read: {error}"))));
    }
    let text = decode(&name, bytes).map_err(one)?;
    Ok((name, text))
}
