//! `plimsoll instance`: hidden; one instance of the builtin runtime.

use anyhow::Result;
use clap::Args;
use plimsoll_host::runtime::instance;

use crate::exit::Exit;

/// `plimsoll instance OPTIONS`
#[derive(Debug, Args)]
pub struct InstanceArgs {
    /// What to serve, as the local host writes it
    pub options: String,
}

pub(super) fn run(args: &InstanceArgs) -> Result<Exit> {
    instance::run(&args.options)?;
    Ok(Exit::Success)
}
