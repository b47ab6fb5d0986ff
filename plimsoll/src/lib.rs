//! plimsoll: how deep may an endpoint be loaded and still be safe?
//!
//! This crate composes the parts: it reads scenarios, has the endpoint brought up, has it loaded,
//! has the result judged, and writes and prints what came of it. Only here is anything printed.

pub mod cli;
mod commands;
pub mod exit;
mod files;
mod rendered;
pub mod report;
pub mod results;
pub mod scenario;
mod session;
mod shape;
mod standing;
mod view;

use exit::Exit;

/// What must be done once, before anything else: TLS has one provider for the whole process, and
/// warnings of our own go to standard error.
pub fn prepare_process() {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    // An error means that there is one already, which is what we want.
    drop(provider.install_default());
    let filter = tracing_subscriber::EnvFilter::try_from_env("PLIMSOLL_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    log.with_writer(|| Log).init();
}

/// Where the log goes: standard error, as plain text.
struct Log;

impl std::io::Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        // Whole events come in one piece. One that cannot be written is nobody's loss.
        let _ = std::io::stderr().write_all(view::log(line).as_bytes());
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Carries out one command.
pub fn run(cli: cli::Cli) -> Exit {
    cli.command.run().unwrap_or_else(|error| {
        view::error(&error);
        Exit::Internal
    })
}
