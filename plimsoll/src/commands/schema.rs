//! `plimsoll schema`: JSON Schemas, for editors that complete YAML.

use anyhow::Result;
use clap::ValueEnum;

use crate::exit::Exit;
use crate::results::Summary;
use crate::results::night::Night;
use crate::scenario::RawScenario;
use crate::tune::bounds::RawBounds;
use crate::view;

/// `plimsoll schema`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The kind of file
    #[arg(value_enum, default_value_t = Kind::Scenario)]
    pub kind: Kind,
}

/// Kinds of files with a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A scenario
    Scenario,
    /// An endpoint of `az ml online-endpoint`
    Endpoint,
    /// A deployment of `az ml online-deployment`
    Deployment,
    /// The summary.json of a run
    Summary,
    /// A night of a history
    Night,
    /// A state of `plimsoll autoscale decide`
    AutoscaleState,
    /// A decision of `plimsoll autoscale decide --json`
    AutoscaleDecision,
    /// What `plimsoll autoscale tune --within` takes
    TuneBounds,
}

pub(crate) fn run(args: &Args) -> Result<Exit> {
    let schema = match args.kind {
        Kind::Scenario => schemars::schema_for!(RawScenario).to_value(),
        Kind::Endpoint => plimsoll_deploy::files::endpoint_schema(),
        Kind::Deployment => plimsoll_deploy::files::deployment_schema(),
        Kind::Night => schemars::schema_for!(Night).to_value(),
        Kind::Summary => schemars::schema_for!(Summary).to_value(),
        Kind::AutoscaleState => schemars::schema_for!(plimsoll_autoscale::State).to_value(),
        Kind::AutoscaleDecision => schemars::schema_for!(plimsoll_autoscale::Decision).to_value(),
        Kind::TuneBounds => schemars::schema_for!(RawBounds).to_value(),
    };
    view::json(&schema)?;
    Ok(Exit::Success)
}
