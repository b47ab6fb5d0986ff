//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use plimsoll_domain::units::parse_duration;
use plimsoll_monitor::Objective;

use crate::commands::{check::CheckArgs, host::HostArgs, quota::QuotaArgs};

/// Finds how much load a real-time scoring endpoint carries before it breaks its SLA.
#[derive(Debug, Parser)]
#[command(name = "plimsoll", version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a scenario: bring the endpoint up, load it, judge it, remove it
    Run(RunArgs),
    /// Load an endpoint that exists already, without a scenario file
    Load(LoadArgs),
    /// Check scenario, endpoint and deployment files, and report every problem
    Check(CheckArgs),
    /// Size the quota of deployments, with the 20 % reserve
    Quota(QuotaArgs),
    /// Print the JSON Schema of a kind of file, for editors
    Schema(SchemaArgs),
    /// Write the report again from a results folder, also after a run that was killed
    Report(ReportArgs),
    /// Serve the local host: Azure ML's control plane and gateway on this machine
    Host(HostArgs),
    /// One instance of the builtin runtime; the local host starts these
    #[command(hide = true)]
    Instance(crate::commands::instance::InstanceArgs),
    /// Replace this process by a program that ends when its parent does
    #[command(hide = true)]
    Guard(crate::commands::host::GuardArgs),
}

/// `plimsoll run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// A scenario file, or a folder with a `scenario.yml`
    pub scenario: PathBuf,
    /// Take this seed instead of the scenario's
    #[arg(long)]
    pub seed: Option<u64>,
    /// Outputs.
    #[command(flatten)]
    pub outputs: OutputArgs,
}

/// Where results go.
#[derive(Debug, Clone, Default, Args)]
pub struct OutputArgs {
    /// Folder for the results [default: results/<name>-<time>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Export metrics and alerts to this OpenTelemetry Collector, for example `http://localhost:4317`
    #[arg(long, value_name = "URL")]
    pub otlp: Option<String>,
}

/// `plimsoll load`
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// The scoring URL
    pub url: String,
    /// Requests per second
    #[arg(long, value_name = "RPS", value_parser = rate)]
    pub rate: f64,
    /// How long, for example 30s
    #[arg(long, value_parser = parse_duration)]
    pub duration: Duration,
    /// Load for this long at the same rate before anything is judged
    #[arg(long, value_parser = parse_duration, value_name = "DURATION")]
    pub warmup: Option<Duration>,
    /// How arrivals are spread
    #[arg(long, value_enum, default_value_t = Arrivals::Poisson)]
    pub arrivals: Arrivals,
    /// Request body: a JSON file, a .jsonl file with one body per line, or a folder of JSON files
    #[arg(long, value_name = "FILE")]
    pub body: Option<PathBuf>,
    /// HTTP method [default: POST with --body, else GET]
    #[arg(long)]
    pub method: Option<String>,
    /// A further header, as `name: value`
    #[arg(long = "header", value_name = "HEADER", value_parser = header)]
    pub headers: Vec<(String, String)>,
    /// Environment variable that holds the endpoint's key or token
    #[arg(long, value_name = "VARIABLE")]
    pub key_env: Option<String>,
    /// Certificates to trust besides the system's (PEM)
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// What must hold, for example "p99 < 200ms"; can be given several times
    #[arg(long = "objective", value_name = "OBJECTIVE", value_parser = objective)]
    pub objectives: Vec<Objective>,
    /// Time from the sending to the end of the answer
    #[arg(long, value_parser = parse_duration, default_value = "10s")]
    pub timeout: Duration,
    /// Connections at most
    #[arg(long, default_value_t = crate::scenario::DEFAULT_MAX_CONNECTIONS, value_parser = clap::value_parser!(u32).range(1..))]
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

/// `plimsoll schema`
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// The kind of file
    #[arg(value_enum, default_value_t = SchemaKind::Scenario)]
    pub kind: SchemaKind,
}

/// Kinds of files with a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaKind {
    /// A scenario
    Scenario,
    /// An endpoint of `az ml online-endpoint`
    Endpoint,
    /// A deployment of `az ml online-deployment`
    Deployment,
    /// The summary.json of a run
    Summary,
}

/// `plimsoll report`
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The results folder of a run
    pub folder: PathBuf,
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

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write a header as `name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn objective(text: &str) -> Result<Objective, String> {
    Objective::parse(text).map_err(|error| format!("{}; {}", error.message, error.hint))
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
