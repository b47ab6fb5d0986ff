//! The command line: the table of commands, and nothing else.
//!
//! Each command is a file of [`commands`](crate::commands) with its own `Args` and `run`; what is
//! said here of one is the sentence that `plimsoll --help` shows.

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::commands::{
    check, compare, guard, help, host, instance, load, quota, report, run, schema,
};
use crate::exit::Exit;
use crate::view;

/// Finds how much load a real-time scoring endpoint carries before it breaks its SLA.
#[derive(Debug, Parser)]
#[command(name = "plimsoll", version, about, max_term_width = 100)]
#[command(after_help = help::EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a scenario: bring the endpoint up, load it, judge it, remove it
    #[command(after_help = help::RUN)]
    Run(run::Args),
    /// Load an endpoint that exists already, without a scenario file
    #[command(after_help = help::LOAD)]
    Load(load::Args),
    /// Check scenario, endpoint and deployment files, and report every problem
    #[command(after_help = help::CHECK)]
    Check(check::Args),
    /// Size the quota of deployments, with the 20 % reserve
    #[command(after_help = help::QUOTA)]
    Quota(quota::Args),
    /// Print the JSON Schema of a kind of file, for editors
    Schema(schema::Args),
    /// Write the report again from a results folder, also after a run that was killed
    Report(report::Args),
    /// Say whether runs got slower, with statistics and an exit code
    #[command(after_help = help::COMPARE)]
    Compare(compare::Args),
    /// Serve the local host: Azure ML's control plane and gateway on this machine
    Host(host::Args),
    /// What an objective can say
    #[command(after_help = help::OBJECTIVES)]
    Objectives,
    /// One instance of the builtin runtime; the local host starts these
    #[command(hide = true)]
    Instance(instance::Args),
    /// Replace this process by a program that ends when its parent does
    #[command(hide = true)]
    Guard(guard::Args),
}

impl Command {
    /// Carries out the command.
    pub(crate) fn run(self) -> Result<Exit> {
        match self {
            Self::Run(args) => run::run(args),
            Self::Load(args) => load::run(args),
            Self::Check(args) => Ok(check::run(args)),
            Self::Quota(args) => quota::run(args),
            Self::Schema(args) => schema::run(&args),
            Self::Report(args) => Ok(report::run(&args)),
            Self::Compare(args) => compare::run(args),
            Self::Host(args) => host::run(args),
            Self::Objectives => {
                view::print(&help::OBJECTIVES);
                Ok(Exit::Success)
            }
            Self::Instance(args) => instance::run(&args),
            Self::Guard(args) => guard::run(args),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
