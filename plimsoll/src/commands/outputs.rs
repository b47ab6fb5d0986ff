//! Where results go, and what else every command takes that loads something.

use std::path::PathBuf;
use std::time::Duration;

use crate::report::annotations::Annotations;
use crate::scenario::{Address, Scenario, give_up_after};
use crate::session::Printing;

/// Where results go, and when a load that fails ends.
#[derive(Debug, clap::Args)]
pub struct OutputArgs {
    /// Folder for the results [default: results/<name>-<time>]
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Export metrics and alerts to this OpenTelemetry Collector, for example `http://localhost:4317`
    #[arg(long, value_name = "URL")]
    pub otlp: Option<Address>,
    /// End the load when not a single request got a right answer for so long from its beginning, or
    /// `never` [default: what the scenario says, else 30s]
    #[arg(long, value_name = "DURATION", value_parser = patience)]
    pub give_up_after: Option<Patience>,
    /// Print what summary.json says to standard output, instead of text
    #[arg(long)]
    pub json: bool,
    /// Also print what breached or is open as annotations of a CI server
    #[arg(long, value_enum, value_name = "SERVER", conflicts_with = "json")]
    pub format: Option<Annotations>,
    /// Print no progress and no plan, only how it ended
    #[arg(short, long)]
    pub quiet: bool,
}

impl OutputArgs {
    /// What the flags say goes before what the scenario says.
    pub(super) fn override_in(self, scenario: &mut Scenario) -> Printing {
        scenario.folder = self.out.or(scenario.folder.take());
        if let Some(Patience(after)) = self.give_up_after {
            scenario.load.give_up_after = after;
        }
        scenario.otlp = self.otlp.or(scenario.otlp.take());
        Printing { json: self.json, quiet: self.quiet, annotations: self.format }
    }
}

/// How long a load goes on without a right answer; `None` for ever.
#[derive(Debug, Clone, Copy)]
pub struct Patience(Option<Duration>);

fn patience(text: &str) -> Result<Patience, String> {
    give_up_after(text).map(Patience)
}

/// Where the results of a command go that loads more than once, and what of it is printed.
#[derive(Debug, Clone, clap::Args)]
pub struct StudyArgs {
    /// Folder for the results, with one of each run [default: results/<name>-<command>-<time>]
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
    /// Print no progress and no plan, only how it ended
    #[arg(short, long)]
    pub quiet: bool,
}

impl StudyArgs {
    /// What its runs print.
    pub(super) fn printing(&self) -> Printing {
        Printing { json: self.json, quiet: self.quiet, annotations: None }
    }
}
