//! `plimsoll run`: one scenario, from its file to a verdict.

use anyhow::Result;

use crate::cli::RunArgs;
use crate::exit::Exit;
use crate::{scenario, session, view};

pub(super) fn run(args: &RunArgs) -> Result<Exit> {
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
    session::run(&scenario, &args.outputs)
}
