//! `plimsoll guard`: hidden; what the local host starts its instances through, so that they end
//! with it.

use std::ffi::OsString;

use anyhow::Result;
use plimsoll_host as host;

use crate::exit::Exit;

/// Become an instance that ends with its host
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The host's process id, the program and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// Becomes the instance; returns only what went wrong.
pub(crate) fn run(args: Args) -> Result<Exit> {
    Err(host::guard(args.command).into())
}
