//! `plimsoll host`: this machine in the place of an Azure ML workspace, for a run or by hand; with a
//! command of its own, one that outlives the command.

mod logs;
mod start;
mod status;
mod stop;

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Subcommand;
use nix::sys::signal::{Signal, raise};
use plimsoll_deploy::quota::Usages;
use plimsoll_domain::units::parse_duration;
use plimsoll_host::runtime;
use plimsoll_host::{self as host, Rehearsal, standalone};

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
    /// End it; its endpoints are there again when it is started the next time
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
    /// Serve the control plane over HTTPS too, as Azure's SDK needs it, with a certificate authority of its own
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:0")]
    https: Option<SocketAddr>,
    /// Keep endpoints, deployments, assets and the token in this folder, and have them again at the next start
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
    /// Limits that deployments must fit in: the JSON that Azure's usages call answers [default: no limits]
    #[arg(long, value_name = "FILE")]
    quota: Option<PathBuf>,
    #[command(flatten)]
    rehearsal: Slowness,
    /// Where environments are kept between runs [default: the user's cache folder]
    #[arg(long, value_name = "FOLDER")]
    cache_dir: Option<PathBuf>,
    /// Seed of the draws between deployments by traffic weight, and of synthetic service times
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// What is slow, or fails, as on Azure
#[derive(Debug, Default, clap::Args)]
struct Slowness {
    /// Time that each instance waits for its machine
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0s")]
    provisioning_time: Duration,
    /// Time that each new deployment waits for its image
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0s")]
    image_build_time: Duration,
    /// How much older than now the newest metric is, in whole minutes
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0s")]
    metric_delay: Duration,
    /// The instance of each deployment, counted from 1 over all that it starts, that does not come up
    #[arg(long, value_name = "NUMBER")]
    failing_instance: Option<NonZeroU32>,
}

impl Serving {
    /// The flags that say the same to a host that another process is: one word each, none for what is so without it.
    fn flags(&self) -> io::Result<Vec<OsString>> {
        let without: SocketAddr = ([127, 0, 0, 1], 0).into();
        let listen = Some(self.listen).filter(|address| *address != without);
        let path = |path: &Option<PathBuf>| {
            path.as_ref().map(std::path::absolute).transpose().map(|path| path.map(OsString::from))
        };
        let time = |time: Duration| (!time.is_zero()).then(|| format!("{}ms", time.as_millis()));
        let slow = &self.rehearsal;
        let flags: [(&str, Option<OsString>); 10] = [
            ("--listen", listen.map(|address| address.to_string().into())),
            ("--seed", (self.seed != 0).then(|| self.seed.to_string().into())),
            ("--https", self.https.map(|address| address.to_string().into())),
            ("--cache-dir", path(&self.cache_dir)?),
            ("--state", path(&self.state)?),
            ("--quota", path(&self.quota)?),
            ("--provisioning-time", time(slow.provisioning_time).map(OsString::from)),
            ("--image-build-time", time(slow.image_build_time).map(OsString::from)),
            ("--metric-delay", time(slow.metric_delay).map(OsString::from)),
            ("--failing-instance", slow.failing_instance.map(|number| number.to_string().into())),
        ];
        let written = |(flag, value): (&str, Option<OsString>)| {
            let mut word = OsString::from(format!("{flag}="));
            word.push(value?);
            Some(word)
        };
        Ok(flags.into_iter().filter_map(written).collect())
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
    let limits = serving.quota.as_deref().map(read_limits).transpose();
    let limits = match limits {
        Ok(limits) => limits,
        Err(error) => {
            view::error(&error);
            return Ok(Exit::Usage);
        }
    };
    let options = standalone::Options {
        listen: serving.listen,
        https: serving.https,
        state: serving.state,
        limits,
        rehearsal: Rehearsal {
            provisioning: serving.rehearsal.provisioning_time,
            image_build: serving.rehearsal.image_build_time,
            metric_delay: serving.rehearsal.metric_delay,
            failing_instance: serving.rehearsal.failing_instance,
        },
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

fn read_limits(path: &Path) -> anyhow::Result<Usages> {
    let named = || format!("the limits `{}` cannot be used", path.display());
    let text = std::fs::read_to_string(path).with_context(named)?;
    Usages::read(&text).with_context(named)
}

/// One line of JSON for a program that started the host; sentences for a person. Nobody may be
/// left to read either, which is not the host's concern.
fn announce(ready: &standalone::Ready) {
    let mut out = io::stdout().lock();
    let _ = match &ready.token_file {
        None => writeln!(out, "{}", serde_json::json!(ready.line)),
        Some(file) => {
            let https = ready.line.https.as_ref().map_or_else(String::new, |https| {
                let (url, ca) = (&https.url, https.ca.display());
                format!("\nand over HTTPS at {url}, whose callers trust {ca}")
            });
            writeln!(
                out,
                "The control plane is at {}{https}\nIts bearer token is in {}\nPress Ctrl-C to stop it.",
                ready.line.url,
                file.display()
            )
        }
    };
    let _ = out.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(listen: SocketAddr, quota: Option<PathBuf>) -> Args {
        let serving = Serving {
            listen,
            https: None,
            state: None,
            quota,
            rehearsal: Slowness::default(),
            cache_dir: None,
            seed: 0,
        };
        Args { command: None, serving, supervised: false, detached: None }
    }

    #[test]
    fn limits_that_cannot_be_read_are_wrong_usage() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("usages.json");
        std::fs::write(&file, r#"{"value": []}"#).unwrap();
        for quota in [file, folder.path().join("none")] {
            let listen = ([127, 0, 0, 1], 0).into();
            assert_eq!(run(args(listen, Some(quota))).unwrap(), Exit::Usage);
        }
    }

    #[test]
    fn an_address_that_cannot_be_listened_on_is_wrong_usage() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        for listen in [taken.local_addr().unwrap(), ([0, 0, 0, 0], 0).into()] {
            assert_eq!(run(args(listen, None)).unwrap(), Exit::Usage, "{listen}");
        }
    }
}
