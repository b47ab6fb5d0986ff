//! `plimsoll host`: this machine in the place of an Azure ML workspace, for a run or by hand; with a
//! command of its own, one that outlives the command.

mod logs;
mod start;
mod status;
mod stop;

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use nix::sys::signal::{Signal, raise};
use plimsoll_host::runtime;
use plimsoll_host::{self as host, standalone};

use crate::exit::Exit;
use crate::standing::{self, Detached};
use crate::view;

/// Serve this machine as a workspace of endpoints and deployments
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    /// What to do with the host that outlives its command; without it, one serves until Ctrl-C.
    #[command(subcommand)]
    command: Option<Command>,
    /// How it serves.
    #[command(flatten)]
    serving: Serving,
    /// Read the token from standard input, and end with it
    #[arg(long, hide = true)]
    supervised: bool,
    /// Leave the terminal, and be the host that later commands find by this folder
    #[arg(long, hide = true, value_name = "FOLDER", conflicts_with = "supervised")]
    detached: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the local host, which goes on until it is stopped
    Start(start::Args),
    /// Say whether it runs, and where
    Status(status::Args),
    /// End it, with all endpoints that it serves
    Stop,
    /// Print the last lines of its own log
    Logs(logs::Args),
}

/// How a host serves.
#[derive(Debug, clap::Args)]
pub(crate) struct Serving {
    /// Loopback address of the control plane; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where environments are kept between runs [default: the user's cache folder]
    #[arg(long, value_name = "FOLDER")]
    cache_dir: Option<PathBuf>,
    /// Seed of the draws between deployments by traffic weight, and of synthetic service times
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl Serving {
    /// The flags that say the same to a host that another process is.
    fn flags(&self) -> io::Result<Vec<OsString>> {
        let mut flags: Vec<OsString> = vec!["--listen".into(), self.listen.to_string().into()];
        flags.extend(["--seed".into(), self.seed.to_string().into()]);
        if let Some(folder) = &self.cache_dir {
            flags.extend(["--cache-dir".into(), std::path::absolute(folder)?.into()]);
        }
        Ok(flags)
    }
}

/// Serves until the parent, Ctrl-C or SIGTERM ends it; or does what the command says.
///
/// # Errors
/// The host cannot start.
pub(crate) fn run(args: Args) -> anyhow::Result<Exit> {
    match args.command {
        Some(Command::Start(args)) => return start::run(&args),
        Some(Command::Status(args)) => return status::run(&args),
        Some(Command::Stop) => return stop::run(),
        Some(Command::Logs(args)) => return logs::run(&args),
        None => {}
    }
    let serving = args.serving;
    let options = standalone::Options {
        listen: serving.listen,
        cache_dir: serving.cache_dir.unwrap_or_else(runtime::cache_dir),
        seed: serving.seed,
        supervised: args.supervised,
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime =
        runtime.enable_all().build().context("the local host cannot start its threads")?;
    let detached = args.detached.as_deref();
    let detached = detached.map(|folder| runtime.block_on(standing::serve(folder))).transpose()?;
    let ready = |ready: &standalone::Ready| match &detached {
        None => announce(ready),
        Some(detached) => record(detached, ready),
    };
    match runtime.block_on(standalone::run(options, ready)) {
        Ok(()) => Ok(Exit::Success),
        Err(error @ (host::Error::NotLoopback { .. } | host::Error::Listen { .. })) => {
            view::error(&error.into());
            Ok(Exit::Usage)
        }
        Err(error) => Err(error.into()),
    }
}

/// Tells later commands. A host that nobody can find is of no use.
fn record(detached: &Detached, ready: &standalone::Ready) {
    if let Err(error) = detached.announce(ready) {
        view::error(&error.into());
        let _ = raise(Signal::SIGTERM);
    }
}

/// One line of JSON for a program that started the host; sentences for a person. Nobody may be
/// left to read either, which is not the host's concern.
fn announce(ready: &standalone::Ready) {
    let mut out = io::stdout().lock();
    let _ = match &ready.token_file {
        None => writeln!(out, "{}", serde_json::json!(ready.line)),
        Some(file) => writeln!(
            out,
            "The control plane is at {}\nIts bearer token is in {}\nPress Ctrl-C to stop it.",
            ready.line.url,
            file.display()
        ),
    };
    let _ = out.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_listened_on_is_wrong_usage() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        for listen in [taken.local_addr().unwrap(), ([0, 0, 0, 0], 0).into()] {
            let serving = Serving { listen, cache_dir: None, seed: 0 };
            let args = Args { command: None, serving, supervised: false, detached: None };
            assert_eq!(run(args).unwrap(), Exit::Usage, "{listen}");
        }
    }
}
