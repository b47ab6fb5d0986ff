//! `plimsoll deployment show`

use anyhow::Result;

use super::Which;
use crate::commands::azure::{self, Printed};
use crate::exit::Exit;
use crate::shape;

/// `plimsoll deployment show`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which.
    #[command(flatten)]
    pub which: Which,
    /// How it is printed.
    #[command(flatten)]
    pub printed: Printed,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    azure::drive_at(&args.which.place, async |view| {
        let Which { name, endpoint_name, .. } = &args.which;
        let deployment = args.which.place.driver().await?.deployment(endpoint_name, name).await?;
        args.printed.print_at(
            &args.which.place,
            view,
            shape::deployment(endpoint_name, &deployment),
        )
    })
}
