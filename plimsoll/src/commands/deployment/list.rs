//! `plimsoll deployment list`

use anyhow::Result;

use crate::commands::azure::{self, Local, Printed};
use crate::exit::Exit;
use crate::shape;

/// `plimsoll deployment list`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the endpoint
    #[arg(short, long, alias = "endpoint", value_name = "NAME", value_parser = azure::name)]
    pub endpoint_name: String,
    /// Where they are.
    #[command(flatten)]
    pub local: Local,
    /// How they are printed.
    #[command(flatten)]
    pub printed: Printed,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    azure::drive(async |view| {
        let all = azure::host()?.deployments(&args.endpoint_name).await?;
        let all = all.iter().map(|each| shape::deployment(&args.endpoint_name, each));
        args.printed.print(view, all.collect())
    })
}
