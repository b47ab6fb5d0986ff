//! `plimsoll deployment get-logs`

use anyhow::Result;
use clap::ValueEnum;
use plimsoll_deploy::arm;

use super::Which;
use crate::commands::azure;
use crate::exit::Exit;
use crate::view;

/// `plimsoll deployment get-logs`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which.
    #[command(flatten)]
    pub which: Which,
    /// Lines at most of each instance, the last ones
    #[arg(short, long, default_value_t = 5000, value_name = "COUNT")]
    pub lines: usize,
    /// Which of its logs
    #[arg(short, long, value_enum, default_value_t)]
    pub container: Container,
}

/// Whose log.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum Container {
    /// What serves requests
    #[default]
    InferenceServer,
    /// What fetches model and code before that
    StorageInitializer,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    azure::drive_at(&args.which.place, async |view| {
        let Which { name, endpoint_name, .. } = &args.which;
        let container = match args.container {
            Container::InferenceServer => arm::Container::InferenceServer,
            Container::StorageInitializer => arm::Container::StorageInitializer,
        };
        let log = args
            .which
            .place
            .driver()
            .await?
            .log_of(endpoint_name, name, container, args.lines)
            .await?;
        view.clear();
        if !log.is_empty() {
            view::output(log.trim_end_matches('\n'));
        }
        Ok(())
    })
}
