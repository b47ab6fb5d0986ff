//! `plimsoll environment`: what `az ml environment` does, on this machine.

mod create;

use anyhow::Result;
use clap::Subcommand;
use plimsoll_deploy::arm::AssetKind;

use super::help;
use super::registered::{self, ListArgs, ShowArgs};
use crate::exit::Exit;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Register an environment under its name, as a new version
    #[command(after_help = help::ENVIRONMENT)]
    Create(create::Args),
    /// Show a version of an environment
    Show(ShowArgs),
    /// Show all environments, or all versions of one
    List(ListArgs),
}

pub(crate) fn run(command: Command) -> Result<Exit> {
    match command {
        Command::Create(args) => create::run(&args),
        Command::Show(args) => registered::show(AssetKind::Environment, &args),
        Command::List(args) => registered::list(AssetKind::Environment, &args),
    }
}
