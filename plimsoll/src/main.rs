//! The plimsoll command.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    plimsoll::prepare_process();
    let cli = plimsoll::cli::Cli::parse();
    plimsoll::run(cli).into()
}
