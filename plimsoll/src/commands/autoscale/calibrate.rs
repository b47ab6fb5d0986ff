//! `plimsoll autoscale calibrate`: a model fitted to measured runs, and how well it predicts others.

use std::path::PathBuf;

use anyhow::Result;

use crate::calibration::calibrate;
use crate::exit::Exit;
use crate::fit::Measured;
use crate::{scenario, view};

/// `plimsoll autoscale calibrate RUN… --scenario SCENARIO…`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Results folders of measured runs that the model is fitted to
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// The scenario of a run, found by its name; give it again for each load or instance count: a folder
    /// holds neither slots nor limits
    #[arg(long, value_name = "SCENARIO", required = true)]
    pub scenario: Vec<PathBuf>,
    /// A measured run that the model predicts; give it again for further ones. Without any, each run is
    /// predicted by what is fitted to the others
    #[arg(long, value_name = "RUN")]
    pub predict: Vec<PathBuf>,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let mut scenarios = Vec::new();
    for path in &args.scenario {
        match scenario::read(path) {
            Ok(scenario) => scenarios.push(scenario),
            Err(problems) => {
                view::problems(&problems);
                return Ok(Exit::Usage);
            }
        }
    }
    let read = |paths: &[PathBuf]| -> Result<Vec<Measured>> {
        paths.iter().map(|path| Measured::read(path, &scenarios, false)).collect()
    };
    let answer = read(&args.runs)
        .and_then(|runs| Ok((runs, read(&args.predict)?)))
        .and_then(|(runs, others)| calibrate(&runs, &others));
    match answer {
        Ok(answer) => {
            if args.json {
                view::json(&answer)?;
            } else {
                view::print(&answer.text());
            }
            Ok(answer.exit())
        }
        Err(wrong) => {
            view::note(&format!("error: {wrong:#}"));
            Ok(Exit::Usage)
        }
    }
}
