//! `plimsoll autoscale what-if`: a recorded run under other rules.

use std::path::PathBuf;

use anyhow::Result;
use plimsoll_autoscale::RulesFile;

use crate::exit::Exit;
use crate::what_if::{Recorded, text};
use crate::{scenario, view};

/// `plimsoll autoscale what-if RUN --scenario SCENARIO --rules NEW`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The results folder of a run with autoscale rules, of one deployment
    pub run: PathBuf,
    /// The scenario that it was a run of: the folder holds neither slots nor limits
    #[arg(long, value_name = "SCENARIO")]
    pub scenario: PathBuf,
    /// The other rules
    #[arg(long, value_name = "FILE")]
    pub rules: PathBuf,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let read = scenario::read(&args.scenario);
    let both = read.and_then(|scenario| Ok((scenario, RulesFile::open(&args.rules)?)));
    let (scenario, file) = match both {
        Ok(both) => both,
        Err(problems) => {
            view::problems(&problems);
            return Ok(Exit::Usage);
        }
    };
    let answer =
        Recorded::read(&args.run, scenario).and_then(|recorded| recorded.under(&file.rules));
    match answer {
        Ok(answer) if args.json => view::json(&answer)?,
        Ok(answer) => view::print(&text(&answer)),
        Err(wrong) => {
            view::note(&format!("error: {wrong:#}"));
            return Ok(Exit::Usage);
        }
    }
    Ok(Exit::Success)
}
