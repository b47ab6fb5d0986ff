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
    azure::drive(async |view| {
        let driver = azure::host()?;
        let endpoint = driver.endpoint(&args.which.name).await?;
        args.printed.print(view, shown(&driver, &endpoint).await?)
    })
}
