//! plimsoll: how deep may an endpoint be loaded and still be safe?
//!
//! This crate composes the parts: it reads scenarios, has the endpoint brought up, has it loaded,
//! has the result judged, and writes and prints what came of it. Only here is anything printed.

mod calibration;
pub mod cli;
mod commands;
pub mod exit;
mod files;
mod fit;
mod history;
mod rendered;
pub mod report;
pub mod results;
pub mod scenario;
mod session;
mod shape;
mod standing;
mod tune;
mod view;
mod what_if;

use exit::Exit;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// What must be done once, before anything else: TLS has one provider for the whole process, and
/// warnings of our own go to standard error.
pub fn prepare_process() {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    // An error means that there is one already, which is what we want.
    drop(provider.install_default());
    let (filter, wrong) = log_filter(std::env::var("PLIMSOLL_LOG").ok().as_deref());
    let lines = tracing_subscriber::fmt::layer().with_writer(|| Log);
    tracing_subscriber::registry().with(filter).with(lines).init();
    if let Some(wrong) = wrong {
        view::note(&format!("warning: {wrong}"));
    }
}

/// What is logged unless asked otherwise: warnings, and the few facts that a host that outlives its command says of itself.
const DEFAULT_LOG: &str = "warn,plimsoll_host::standing=info";

/// What is logged, and what of the wish for it is wrong.
fn log_filter(asked: Option<&str>) -> (Targets, Option<String>) {
    let default = || DEFAULT_LOG.parse().expect("a list of targets and levels");
    let Some(asked) = asked.filter(|asked| !asked.trim().is_empty()) else {
        return (default(), None);
    };
    match asked.parse() {
        Ok(filter) => (filter, None),
        Err(error) => {
            let wrong = format!(
                "PLIMSOLL_LOG: {error}; warnings alone are logged; write `debug`, or by part \
                 `warn,plimsoll_host=debug`"
            );
            (default(), Some(wrong))
        }
    }
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

#[cfg(test)]
mod tests {
    use super::{DEFAULT_LOG, log_filter};

    #[test]
    fn what_is_logged_is_as_asked_and_a_wrong_wish_is_told() {
        let of = |asked: Option<&str>| {
            let (filter, wrong) = log_filter(asked);
            (filter.to_string(), wrong.is_some())
        };
        let default = || log_filter(None).0.to_string();
        for part in DEFAULT_LOG.split(',') {
            assert!(default().contains(part), "{}", default());
        }
        assert_eq!(of(None), (default(), false));
        assert_eq!(of(Some(" ")), (default(), false));
        assert_eq!(of(Some("debug")), ("debug".to_owned(), false));
        assert_eq!(of(Some("plimsoll_host=loud")), (default(), true));
    }
}
