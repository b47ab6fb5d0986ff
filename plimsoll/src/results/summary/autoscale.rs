//! What autoscale rules were worth. Durations and hours are rule time: the run's, times the
//! compression.

use plimsoll_monitor::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What autoscale rules were worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Autoscale {
    /// The deployment that they scaled.
    pub deployment: String,
    /// How many times faster rules, metrics and provisioning went than the load.
    pub time_compression: u32,
    /// The objectives on them.
    pub objectives: Vec<RuleObjective>,
    /// Each scale-out, and each need that was never answered.
    pub scale_outs: Vec<ScaleOut>,
    /// Each scale-in, and each that was never made.
    #[serde(default)]
    pub scale_ins: Vec<ScaleIn>,
    /// What the scale-outs that were on their way during a violation waited for the most.
    pub culprit: Option<Wait>,
    /// Seconds in which an objective in windows was violated.
    pub violation_s: f64,
    /// The longest stretch of violation, by objective.
    pub back_under: Vec<BackUnder>,
    /// Requests that were refused (429).
    pub refused: u64,
    /// Requests that were answered, refusals among them.
    pub answered: u64,
    /// The most ready instances beyond demand.
    pub overshoot: u32,
    /// The most ready instances that demand lacked.
    pub undershoot: u32,
    /// Changes of direction of the count beyond those of the load.
    pub flaps: u32,
    /// Hours of instances that have a machine.
    pub instance_hours: f64,
    /// The most instances that one change added or removed.
    pub largest_step: u32,
    /// Changes of the count.
    pub changes: u64,
}

/// An objective on rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuleObjective {
    /// As it is written.
    pub name: String,
    /// What became of it.
    pub verdict: Verdict,
    /// The value: seconds, a share from 0 to 1, or a count; `null` if there is none, or if the
    /// objective is breached because what was waited for never came.
    pub value: Option<f64>,
    /// The value for people, or why there is none.
    pub shown: String,
}

/// A scale-out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScaleOut {
    /// When it was needed, in seconds of the run since the first due time.
    pub t_s: f64,
    /// When the rules acted; `null` if they never did.
    pub decided_t_s: Option<f64>,
    /// When the first extra instance was ready; `null` if none ever was.
    pub ready_t_s: Option<f64>,
    /// The count before.
    pub from: u32,
    /// The count that was wanted.
    pub to: u32,
    /// What it waited for, in its order.
    pub waits: Vec<Wait>,
}

/// A scale-in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScaleIn {
    /// From when on there was an instance too many, in seconds of the run since the first due time.
    pub t_s: f64,
    /// When the rules acted; `null` if they never did.
    pub decided_t_s: Option<f64>,
    /// When the first surplus instance took no more requests; `null` if none went.
    pub gone_t_s: Option<f64>,
    /// The count before.
    pub from: u32,
    /// The count that was wanted.
    pub to: u32,
    /// What it waited for, in its order.
    pub waits: Vec<Wait>,
}

/// Something that was waited for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Wait {
    /// For what.
    pub part: String,
    /// How long, in seconds of rule time.
    pub seconds: f64,
}

/// The longest stretch of violation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BackUnder {
    /// Of which objective.
    pub objective: String,
    /// How long it was, in seconds of rule time.
    pub seconds: f64,
    /// Whether it had ended.
    pub ended: bool,
}
