//! Where results go: the flags that every command with results takes.

use std::path::PathBuf;

use crate::scenario::Scenario;
use crate::session::Printing;

/// Where results go.
#[derive(Debug, clap::Args)]
pub struct OutputArgs {
    /// Folder for the results [default: results/<name>-<time>]
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Export metrics and alerts to this OpenTelemetry Collector, for example `http://localhost:4317`
    #[arg(long, value_name = "URL")]
    pub otlp: Option<String>,
    /// Print what summary.json says to standard output, instead of text
    #[arg(long)]
    pub json: bool,
    /// Print no progress and no plan, only how it ended
    #[arg(short, long)]
    pub quiet: bool,
}

impl OutputArgs {
    /// What the flags say goes before what the scenario says.
    pub(super) fn override_in(self, scenario: &mut Scenario) -> Printing {
        scenario.folder = self.out.or(scenario.folder.take());
        scenario.otlp = self.otlp.or(scenario.otlp.take());
        Printing { json: self.json, quiet: self.quiet }
    }
}
