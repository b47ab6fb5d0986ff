//! `plimsoll run`: one scenario, from its file to a verdict.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use plimsoll_domain::units::parse_duration;

use super::outputs::OutputArgs;
use crate::exit::Exit;
use crate::session::How;
use crate::{scenario, session, view};

/// `plimsoll run`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A scenario file, or a folder with a `scenario.yml`
    pub scenario: PathBuf,
    /// Take this seed instead of the scenario's
    #[arg(long)]
    pub seed: Option<u64>,
    /// Go on with the last stage until the verdict is decided, and at most until so much has been
    /// measured, for example 10m
    #[arg(long, value_name = "MAX", value_parser = parse_duration)]
    pub until_decided: Option<Duration>,
    /// Replay this recorded load instead of the scenario's: CSV with a column `offset_s`, or columns
    /// `start_s` and `rate_rps`; gzipped if it ends in .gz
    #[arg(long, value_name = "FILE", conflicts_with = "until_decided")]
    pub trace: Option<PathBuf>,
    /// Run in virtual time: nothing is brought up, no request is sent, and a day takes a second; the
    /// deployments need `synthetic:` settings
    #[arg(long, conflicts_with = "otlp")]
    pub simulate: bool,
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
    if let Some(file) = &args.trace
        && let Err(wrong) = scenario.replay(file)
    {
        view::note(&format!("error: --trace {wrong}"));
        return Ok(Exit::Usage);
    }
    if let Some(most) = args.until_decided
        && let Err(wrong) = scenario.until_decided(most)
    {
        view::note(&format!("error: --until-decided {wrong}"));
        return Ok(Exit::Usage);
    }
    let printing = args.outputs.override_in(&mut scenario);
    let how = if args.simulate {
        match session::simulation(&scenario) {
            Ok(run) => How::Simulated(Box::new(run)),
            Err(reasons) => {
                for reason in &reasons {
                    view::note(&format!("error: {reason}"));
                }
                return Ok(Exit::Usage);
            }
        }
    } else {
        How::Live
    };
    session::run(&scenario, how, printing)
}
