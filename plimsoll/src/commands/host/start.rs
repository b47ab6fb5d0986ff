//! `plimsoll host start`

use anyhow::{Context, Result};

use super::Serving;
use crate::commands::azure::{self, Failure};
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
        let ignored = standing::not_in_force(standing, &flags);
        if !ignored.is_empty() && matches!(started, Started::Already(_)) {
            let ignored: Vec<_> = ignored.iter().map(|flag| flag.to_string_lossy()).collect();
            return Err(Failure::Usage(format!(
                "the local host runs already: process {pid}, control plane {url}, without {}; end it with \
                 `plimsoll host stop`, and start it again so",
                ignored.join(" ")
            )));
        }
        view::print(&format!("the local host {words}: process {pid}, control plane {url}"));
        Ok(())
    })
}
