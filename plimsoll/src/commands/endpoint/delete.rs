//! `plimsoll endpoint delete`

use anyhow::Result;

use super::Which;
use crate::commands::azure::{self, Confirmed, Waiting};
use crate::exit::Exit;

/// `plimsoll endpoint delete`
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
        let (driver, name) = (args.which.place.driver().await?, &args.which.name);
        view.step(&format!("deleting endpoint {name}"), "");
        Ok(driver.remove_endpoint(name, args.waiting.until()).await?)
    })
}
