//! `plimsoll host status`

use anyhow::Result;
use serde_json::json;

use crate::commands::azure::{self, Printed};
use crate::exit::Exit;
use crate::standing;

/// `plimsoll host status`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How it is printed.
    #[command(flatten)]
    printed: Printed,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    azure::drive(async |view| {
        let standing = standing::get()?;
        let endpoints = standing.driver()?.endpoints().await?.len();
        let status = json!({
            "endpoints": endpoints,
            "log": standing.log,
            "pid": standing.pid,
            "state_dir": standing.state_dir,
            "url": standing.url,
        });
        args.printed.print(view, status)
    })
}
