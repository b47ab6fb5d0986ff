//! `plimsoll load`: the same as a scenario, described by flags, on an endpoint that exists.

mod scenario;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use plimsoll_domain::units::parse_duration;
use plimsoll_monitor::Objective;

use super::outputs::OutputArgs;
use crate::exit::Exit;
use crate::scenario::{Address, DEFAULT_MAX_CONNECTIONS};
use crate::{session, view};

/// `plimsoll load`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scoring URL
    pub url: Address,
    /// Requests per second
    #[arg(short, long, value_name = "RPS", value_parser = rate)]
    pub rate: f64,
    /// How long, for example 30s
    #[arg(short, long, value_parser = parse_duration, required_unless_present = "until_decided")]
    pub duration: Option<Duration>,
    /// Go on until the verdict is decided, and at most for so long, for example 10m
    #[arg(long, value_name = "MAX", value_parser = parse_duration)]
    pub until_decided: Option<Duration>,
    /// Load for this long at the same rate before anything is judged
    #[arg(long, value_parser = parse_duration, value_name = "DURATION")]
    pub warmup: Option<Duration>,
    /// How arrivals are spread
    #[arg(long, value_enum, default_value_t = Arrivals::Poisson)]
    pub arrivals: Arrivals,
    /// Request body: a JSON file, a .jsonl file with one body per line, a folder of JSON files, or -
    /// for standard input
    #[arg(short, long, value_name = "FILE")]
    pub body: Option<PathBuf>,
    /// Request body, given here: for example '{"data": [[1, 2, 3]]}'
    #[arg(long, value_name = "TEXT", conflicts_with = "body")]
    pub data: Option<String>,
    /// HTTP method [default: POST with a body, else GET]
    #[arg(long)]
    pub method: Option<String>,
    /// A further header, as `name: value`
    #[arg(short = 'H', long = "header", value_name = "HEADER", value_parser = header)]
    pub headers: Vec<Header>,
    /// Environment variable that holds the endpoint's key or token
    #[arg(long, value_name = "VARIABLE")]
    pub key_env: Option<String>,
    /// Certificates to trust besides the system's (PEM)
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Do not verify the server's certificate: whoever answers is loaded, and gets the key
    #[arg(long)]
    pub insecure: bool,
    /// What must hold, for example "p99 < 200ms"; can be given several times
    #[arg(long = "objective", value_name = "OBJECTIVE", value_parser = objective)]
    pub objectives: Vec<Objective>,
    /// Time from the sending to the end of the answer
    #[arg(long, value_parser = parse_duration, default_value = "10s")]
    pub timeout: Duration,
    /// Connections at most
    #[arg(long, default_value_t = DEFAULT_MAX_CONNECTIONS, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: u32,
    /// Threads that send [default: by the number of cores]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub workers: Option<u32>,
    /// Where every random number comes from
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Outputs.
    #[command(flatten)]
    pub outputs: OutputArgs,
}

/// How arrivals are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Arrivals {
    /// Independent users: exponential gaps
    Poisson,
    /// Equal gaps
    Constant,
}

pub(crate) fn run(args: Args) -> Result<Exit> {
    match scenario::scenario(args) {
        Ok((scenario, printing)) => session::run(&scenario, session::How::Live, printing),
        Err(message) => {
            view::note(&format!("error: {message}"));
            Ok(Exit::Usage)
        }
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 1e6 => Ok(rate),
        _ => Err(
            "a rate is a number of requests per second above 0 and up to 1000000, for example 500"
                .to_owned(),
        ),
    }
}

/// A header, of which `Debug` tells the name only.
#[derive(Clone)]
pub struct Header {
    name: String,
    value: String,
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").field("name", &self.name).finish_non_exhaustive()
    }
}

fn header(text: &str) -> Result<Header, String> {
    let (name, value) = text.split_once(':').ok_or("write a header as `name: value`")?;
    Ok(Header { name: name.trim().to_owned(), value: value.trim().to_owned() })
}

fn objective(text: &str) -> Result<Objective, String> {
    Objective::parse(text).map_err(|error| format!("{}; {}", error.message, error.hint))
}
