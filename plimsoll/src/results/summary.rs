//! `summary.json`, version 2: what a run found, in one stable file.
//!
//! The fields and their meaning only ever grow within `plimsoll.summary/v2`. Latencies are in
//! milliseconds, rates per second, times in seconds. JSON has no infinity, so an infinite number
//! is written as `null`; each field that can be infinite says how to tell that from "no value".
//!
//! The counts add up once a run is complete, and [`Summary::check_conservation`] proves it:
//! `offered = sent + dropped`, `sent` is the sum of the classes of what was sent, and all classes
//! sum to `offered`.
//!
//! Version 1 knew no classes, no keys and no effective samples; it was never released.

use std::collections::BTreeMap;

use plimsoll_monitor::{Validity, ValidityState, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use autoscale::{Autoscale, BackUnder, RuleObjective, ScaleIn, ScaleOut, Wait};
pub use deployed::{Deployment, Otlp, Quota, QuotaFamily};
pub use generator::GeneratorTotals;
pub use group::{GroupResult, Groups};
pub use instance::InstanceResult;
pub use interleaved::Interleaved;
pub use key::KeyResult;
pub use latency::{LatencyMs, LatencyStats};
pub use load::{Load, OutcomeCounts, WarmupCounts};
pub use machine::Machine;
pub use objective::{Evidence, Interval, ObjectiveResult, Series, Windows};

mod autoscale;
mod deployed;
mod generator;
mod group;
mod instance;
mod interleaved;
mod key;
mod latency;
mod load;
mod machine;
mod objective;

/// The value of `schema`.
pub const SCHEMA: &str = "plimsoll.summary/v2";

/// The value of `schema` of a simulated run. The shape is the same; the name is another, so that
/// nobody who looks for what was measured takes it for that.
pub const SIMULATED_SCHEMA: &str = "plimsoll.simulated-summary/v2";

/// Why a run that goes on, or was killed, is not valid.
const UNFINISHED: &str = "the run has not ended, or was killed before it did";

/// What a run found: the content of `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "plimsoll summary, version 2")]
pub struct Summary {
    /// `plimsoll.summary/v2`, or `plimsoll.simulated-summary/v2` of a run that was simulated.
    #[schemars(extend("enum" = [SCHEMA, SIMULATED_SCHEMA]))]
    pub schema: String,
    /// Which run this is.
    pub run: Run,
    /// What was run.
    pub scenario: ScenarioName,
    /// Whether the objectives held; `null` if the scenario has none, or before the end.
    pub verdict: Option<Verdict>,
    /// Whether the generator did what the schedule asked; `invalid` before the end.
    pub validity: Validity,
    /// The exit code of the command; `null` before the end.
    pub exit_code: Option<u8>,
    /// How much load there was, without warm-up.
    pub load: Load,
    /// Latencies in milliseconds, without warm-up.
    pub latency_ms: LatencyMs,
    /// How arrivals ended, without warm-up.
    pub outcomes: OutcomeCounts,
    /// The same by stage, request and deployment, with the warm-up. A request that nobody answered
    /// has no deployment.
    #[serde(default)]
    pub keys: Vec<KeyResult>,
    /// The same by stage, by deployment and by request alone.
    #[serde(default)]
    pub groups: Groups,
    /// Each objective with its evidence.
    pub objectives: Vec<ObjectiveResult>,
    /// What autoscale rules were worth; not there without any, and before the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscale: Option<Autoscale>,
    /// What the load was sent to; empty for an endpoint that existed before the run.
    pub deployments: Vec<Deployment>,
    /// Their instances at the end of the load; empty where the host does not tell.
    #[serde(default)]
    pub instances: Vec<InstanceResult>,
    /// The quota plan; `null` for an endpoint that existed before the run.
    pub quota: Option<Quota>,
    /// Arrivals of the warm-up, which is never judged; `null` without one.
    pub warmup: Option<WarmupCounts>,
    /// What was exported over OTLP; `null` without an export.
    pub otlp: Option<Otlp>,
    /// The state of the load generator itself.
    pub generator: GeneratorTotals,
    /// Its part in a job in which two deployments took turns; absent of a run by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interleaved: Option<Interleaved>,
}

/// Which run this is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own in a stable file")]
pub struct Run {
    /// Unique.
    pub id: String,
    /// When its first request was due, in UTC: `2026-11-23T03:40:00Z`; when it was begun, if none
    /// was due yet.
    pub started: String,
    /// `false` while it runs, and for ever if it was killed.
    pub complete: bool,
    /// Whether somebody stopped it early.
    #[serde(default)]
    pub interrupted: bool,
    /// Whether it ended early because not a single request had got a right answer.
    #[serde(default)]
    pub gave_up: bool,
    /// The version of plimsoll.
    pub version: String,
    /// The command that reproduces it.
    pub command: String,
    /// What was asked: the URL of the endpoint, without secrets.
    #[serde(default)]
    pub target: Option<String>,
    /// Whether its certificate was not verified, as asked.
    #[serde(default)]
    pub insecure: bool,
    /// The machine that the load came from.
    #[serde(default)]
    pub machine: Machine,
}

/// What was run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioName {
    /// Its name.
    pub name: String,
    /// The seed that every random number came from.
    pub seed: u64,
}

impl Summary {
    /// The summary of a run that has just begun.
    pub fn begun(run: Run, scenario: ScenarioName) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            run,
            scenario,
            verdict: None,
            // What nobody has judged is not valid: so a killed run leaves it.
            validity: Validity {
                state: ValidityState::Invalid,
                reasons: vec![UNFINISHED.to_owned()],
                notes: Vec::new(),
            },
            exit_code: None,
            load: Load::default(),
            latency_ms: LatencyMs::default(),
            outcomes: OutcomeCounts::default(),
            keys: Vec::new(),
            groups: Groups::default(),
            objectives: Vec::new(),
            autoscale: None,
            deployments: Vec::new(),
            instances: Vec::new(),
            quota: None,
            warmup: None,
            otlp: None,
            generator: GeneratorTotals::default(),
            interleaved: None,
        }
    }

    /// The same of a run in virtual time.
    #[must_use]
    pub fn simulated(mut self) -> Self {
        SIMULATED_SCHEMA.clone_into(&mut self.schema);
        self
    }

    /// Whether the run was simulated: nothing was measured.
    pub fn is_simulated(&self) -> bool {
        self.schema == SIMULATED_SCHEMA
    }

    /// Whether this version reads a file of this schema.
    pub fn is_known(schema: &str) -> bool {
        [SCHEMA, SIMULATED_SCHEMA].contains(&schema)
    }

    /// Fills in load, latencies and outcomes from everything measured so far.
    ///
    /// `duration` is the time that the load was measured for.
    pub fn measure(
        &mut self,
        measured: &plimsoll_domain::Tally,
        lags: &plimsoll_domain::Lags,
        duration: std::time::Duration,
    ) {
        self.load = Load::new(measured, duration);
        self.latency_ms = LatencyMs::new(measured, lags);
        self.outcomes = OutcomeCounts::new(&measured.outcomes);
    }

    /// The JSON Schema of the file.
    pub fn json_schema() -> schemars::Schema {
        schemars::schema_for!(Summary)
    }

    /// Checks that the counts add up, as they do once everything in flight has ended.
    ///
    /// # Errors
    /// A sentence that names the law which is broken, with its numbers.
    pub fn check_conservation(&self) -> Result<(), String> {
        let (load, ends) = (&self.load, &self.outcomes);
        let law = |name: &str, whole: u64, parts: u64| {
            if whole == parts { Ok(()) } else { Err(format!("{name}: {whole} is not {parts}")) }
        };
        let all: u64 = ends.classes.values().sum();
        law("offered = sent + dropped", load.offered, load.sent + load.dropped)?;
        law("offered = all classes", load.offered, all)?;
        law("sent = the classes of what was sent", load.sent, all - load.dropped)?;
        law("completed = all statuses", load.completed, ends.status.values().sum())?;
        let class = |name: &str| ends.classes.get(name).copied().unwrap_or_default();
        law("ok = ok + late", ends.ok, class("ok") + class("late"))?;
        let never_sent = class("dropped") + class("capped") + class("missed");
        law("dropped = dropped + capped + missed", load.dropped, never_sent)
    }
}

/// Counts by name, in a stable order.
pub type Counts = BTreeMap<String, u64>;

#[cfg(test)]
mod tests;
