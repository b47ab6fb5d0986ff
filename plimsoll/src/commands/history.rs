//! `plimsoll history`: what nightly runs measured, kept in a folder, and since when it is another.

mod add;
mod list;
mod trend;

use anyhow::Result;
use clap::Subcommand;

use super::help;
use crate::exit::Exit;
use crate::history::History;
use crate::results::night::Night;

/// What can be done with a history.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add the runs of a night, from their results folders
    #[command(after_help = help::HISTORY_ADD)]
    Add(add::Args),
    /// Show the nights
    List(list::Args),
    /// Tell when a metric changed, and draw it over the nights
    #[command(after_help = help::HISTORY_TREND)]
    Trend(trend::Args),
}

pub(crate) fn run(command: Command) -> Result<Exit> {
    match command {
        Command::Add(args) => add::run(args),
        Command::List(args) => list::run(&args),
        Command::Trend(args) => trend::run(&args),
    }
}

/// The last night of a scenario, or of the only one.
///
/// # Errors
/// If there is none, or it is not clear of which scenario.
fn last<'a>(history: &'a History, scenario: Option<&str>) -> Result<&'a Night, String> {
    let names: Vec<&str> = history.scenarios().into_iter().collect();
    let name = match (scenario, names.as_slice()) {
        (Some(name), _) => name,
        (None, [only]) => only,
        (None, []) => {
            return Err("the history has no night; `plimsoll history add` adds one".to_owned());
        }
        (None, several) => {
            return Err(format!(
                "the history is of several scenarios; say which with --scenario: {}",
                several.join(", ")
            ));
        }
    };
    let last = history.nights.iter().rfind(|night| night.scenario() == name);
    last.ok_or_else(|| {
        format!("the history has no night of `{name}`; there are nights of: {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests;
