//! `plimsoll deployment list`

use anyhow::Result;

use crate::commands::azure::{self, Printed};
use crate::commands::place::Place;
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
    pub place: Place,
    /// How they are printed.
    #[command(flatten)]
    pub printed: Printed,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    azure::drive_at(&args.place, async |view| {
        let all = args.place.driver().await?.deployments(&args.endpoint_name).await?;
        let all = all.iter().map(|each| shape::deployment(&args.endpoint_name, each));
        args.printed.print_at(&args.place, view, all.collect())
    })
}
