//! `plimsoll host start`

use anyhow::{Context, Result};

use super::Serving;
use crate::commands::azure;
use crate::exit::Exit;
use crate::standing::{self, Started};
use crate::view;

/// `plimsoll host start`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How it serves.
    #[command(flatten)]
    serving: Serving,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    azure::drive(async |view| {
        view.step("starting the local host", "");
        let flags = args.serving.flags().context("the cache folder cannot be used")?;
        let started = standing::start(&flags).await?;
        view.clear();
        let (standing, words) = match &started {
            Started::New(standing) => (standing, "runs now"),
            Started::Already(standing) => (standing, "runs already"),
        };
        let (pid, url) = (standing.pid, &standing.url);
        view::print(&format!("the local host {words}: process {pid}, control plane {url}"));
        Ok(())
    })
}
