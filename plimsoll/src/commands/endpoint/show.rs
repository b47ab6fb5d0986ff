//! `plimsoll endpoint show`

use anyhow::Result;

use super::{Which, shown};
use crate::commands::azure::{self, Printed};
use crate::exit::Exit;

/// `plimsoll endpoint show`
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
        let driver = args.which.place.driver().await?;
        let endpoint = driver.endpoint(&args.which.name).await?;
        args.printed.print_at(&args.which.place, view, shown(&driver, &endpoint).await?)
    })
}
