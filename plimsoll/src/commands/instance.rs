//! `plimsoll instance`: hidden; one instance of the builtin runtime.

use anyhow::Result;
use plimsoll_host::runtime::instance;

use crate::exit::Exit;

/// `plimsoll instance OPTIONS`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to serve, as the local host writes it
    pub options: String,
}

pub(crate) fn run(args: &Args) -> Result<Exit> {
    instance::run(&args.options)?;
    Ok(Exit::Success)
}
