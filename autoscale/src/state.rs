//! What an engine is asked with: one moment of a scaled target.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One moment of a scaled target: all that an engine may look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// When the engine is asked.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub now: Timestamp,
    /// How many instances are wanted at present: `sku.capacity` of a deployment, `spec.replicas` of a workload.
    pub replicas: u32,
    /// The instances that there are. Left out, there are `replicas` ready ones that report nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<Instance>,
    /// Whether the last change of the count is still under way.
    #[serde(default, skip_serializing_if = "is_false")]
    pub in_progress: bool,
    /// Metrics of the target as a whole, and histories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    /// What the engine said to remember when it was asked last.
    #[serde(default)]
    pub memory: Memory,
}

/// One instance (replica, pod).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// Its name, one of its kind in a state.
    pub name: String,
    /// How far it is.
    #[serde(default)]
    pub phase: Phase,
    /// When it was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub started: Option<Timestamp>,
    /// When it last became ready or unready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub ready_since: Option<Timestamp>,
    /// What it asked for, by resource: cores of `cpu`, bytes of `memory`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, f64>,
    /// What it reports at this moment, by metric; a metric that is not here is missing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, Reading>,
}

/// How far an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Asked for, not yet placed.
    Pending,
    /// Runs, takes no requests (yet).
    Unready,
    /// Takes requests.
    #[default]
    Ready,
    /// Asked to end, still there.
    Deleted,
    /// Ended with an error.
    Failed,
}

/// What one instance reports of one metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// The value, in the metric's unit.
    pub value: f64,
    /// The end of the window that it was measured over; the state's `now` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub time: Option<Timestamp>,
    /// The window's length in seconds; unknown if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<f64>,
}

/// A metric of the target (or of another resource) as a whole: its value now, or its history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// The metric's name.
    pub name: String,
    /// The resource that emits it (an ARM id, a Kubernetes object); the target itself if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The dimensions (labels) of this series, apart from the instance.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dimensions: BTreeMap<String, String>,
    /// The value now. Left out together with `points`, the metric cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The history, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<Point>,
}

impl Metric {
    /// The value at a moment: the one that is given, or that of the last point before it. Points
    /// of instances are none of the target as a whole.
    pub fn value_at(&self, now: Timestamp) -> Option<f64> {
        let whole = |point: &&Point| point.instance.is_none() && point.time <= now;
        self.value.or_else(|| Some(self.points.iter().rfind(whole)?.value))
    }
}

/// One point of a metric's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The start of the grain that it stands for.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// The value, in the metric's unit.
    pub value: f64,
    /// The instance that reported it, where the metric is one of instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

/// What an engine carries on from one decision to the next. Each engine uses its own part.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// That of a `HorizontalPodAutoscaler`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hpa: Option<crate::hpa::Memory>,
    /// That of KEDA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keda: Option<crate::keda::Memory>,
    /// That of Knative's autoscaler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knative: Option<crate::knative::Memory>,
    /// That of Azure ML's autoscaler on Kubernetes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utilization: Option<crate::utilization::Memory>,
    /// Of Azure Monitor autoscale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<crate::azure::Memory>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
