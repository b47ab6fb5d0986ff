//! `plimsoll host logs`

use anyhow::Result;

use crate::commands::azure;
use crate::exit::Exit;
use crate::{standing, view};

/// `plimsoll host logs`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Lines at most, the last ones
    #[arg(short, long, default_value_t = 5000, value_name = "COUNT")]
    lines: usize,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    azure::drive(async |view| {
        let log = standing::log(args.lines)?;
        view.clear();
        if !log.is_empty() {
            view::output(&log);
        }
        Ok(())
    })
}
