//! The commands, one module each.

pub(crate) mod check;
mod given;
pub(crate) mod host;
pub(crate) mod instance;
mod load;
pub(crate) mod quota;
mod report;
mod run;
mod schema;

use anyhow::Result;

use crate::cli::Command;
use crate::exit::Exit;

/// Carries out a command.
pub(crate) fn run(command: Command) -> Result<Exit> {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Load(args) => load::run(args),
        Command::Check(args) => Ok(check::run(args)),
        Command::Quota(args) => quota::run(args),
        Command::Schema(args) => schema::run(&args),
        Command::Report(args) => Ok(report::run(&args)),
        Command::Host(args) => host::run(args),
        Command::Instance(args) => instance::run(&args),
        Command::Guard(args) => host::guard(args),
    }
}
