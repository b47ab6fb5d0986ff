//! `plimsoll deployment delete`

use anyhow::Result;

use super::Which;
use crate::commands::azure::{self, Confirmed, Waiting};
use crate::exit::Exit;

/// `plimsoll deployment delete`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which.
    #[command(flatten)]
    pub which: Which,
    /// Whether it is meant.
    #[command(flatten)]
    pub confirmed: Confirmed,
    /// Whether its end is waited for.
    #[command(flatten)]
    pub waiting: Waiting,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    azure::drive_at(&args.which.place, async |view| {
        args.confirmed.check()?;
        let Which { name, endpoint_name, .. } = &args.which;
        let driver = args.which.place.driver().await?;
        view.step(&format!("deleting deployment {name}"), "");
        Ok(driver.remove_deployment(endpoint_name, name, args.waiting.until()).await?)
    })
}
