//! `plimsoll run`: one scenario, from its file to a verdict.

use std::path::PathBuf;

use anyhow::Result;

use super::outputs::OutputArgs;
use crate::exit::Exit;
use crate::{scenario, session, view};

/// `plimsoll run`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A scenario file, or a folder with a `scenario.yml`
    pub scenario: PathBuf,
    /// Take this seed instead of the scenario's
    #[arg(long)]
    pub seed: Option<u64>,
    /// Outputs.
    #[command(flatten)]
    pub outputs: OutputArgs,
}

pub(crate) fn run(args: Args) -> Result<Exit> {
    let mut scenario = match scenario::read(&args.scenario) {
        Ok(scenario) => scenario,
        Err(problems) => {
            view::problems(&problems);
            return Ok(Exit::Usage);
        }
    };
    if let Some(seed) = args.seed {
        scenario.seed = seed;
    }
    args.outputs.override_in(&mut scenario);
    session::run(&scenario)
}
