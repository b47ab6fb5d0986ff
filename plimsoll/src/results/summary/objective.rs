//! An objective's verdict and its evidence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Verdict;

/// An objective's verdict and its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectiveResult {
    /// The objective as it is written: `p99 < 200ms`.
    pub name: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// What was measured, in `unit`; `null` if infinite, and if `samples` is 0.
    pub value: Option<f64>,
    /// How value and threshold compare when it holds.
    pub comparison: Comparison,
    /// What it asks, in `unit`.
    pub threshold: f64,
    /// The unit of value, threshold and interval.
    pub unit: Unit,
    /// The confidence interval of the value; `null` if there are too few samples for one.
    pub interval: Option<Interval>,
    /// How many arrivals the value rests on.
    pub samples: u64,
    /// How many more an inconclusive one needs if things stay as they are; `null` if it is
    /// decided, or never would be.
    pub samples_needed: Option<u64>,
    /// Of an objective that holds in every window: how many there were.
    #[serde(default)]
    pub windows: Option<Windows>,
    /// What it is about.
    pub of: Series,
    /// The quantile, 0 to 1, if it is about one.
    #[serde(default)]
    pub quantile: Option<f64>,
}

/// What an objective is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Series {
    /// Response time.
    Response,
    /// Service time.
    Service,
    /// Send lag.
    SendLag,
    /// The share of arrivals without a right answer.
    ErrorRate,
    /// Right answers within a limit.
    Goodput,
}

/// How value and threshold compare when an objective holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Comparison {
    /// The value is below the threshold.
    #[serde(rename = "<")]
    Below,
    /// The value is at most the threshold.
    #[serde(rename = "<=")]
    AtMost,
    /// The value is above the threshold.
    #[serde(rename = ">")]
    Above,
    /// The value is at least the threshold.
    #[serde(rename = ">=")]
    AtLeast,
}

impl Comparison {
    /// Whether small values are good ones.
    pub fn wants_less(self) -> bool {
        matches!(self, Self::Below | Self::AtMost)
    }

    /// As it is read.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Below => "<",
            Self::AtMost => "≤",
            Self::Above => ">",
            Self::AtLeast => "≥",
        }
    }
}

/// The unit of an objective's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Milliseconds.
    Ms,
    /// Percent: 0 to 100.
    Percent,
    /// Per second.
    Rps,
}

/// A confidence interval `[low, high]`; an end that is `null` is infinite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval(pub Option<f64>, pub Option<f64>);

/// The windows of an objective that holds in every one of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Windows {
    /// Their length in seconds.
    pub length_s: f64,
    /// Whole ones with samples.
    pub total: u64,
    /// Those in which it did not hold.
    pub breached: u64,
    /// When the worst one ended, in seconds since the first due time.
    pub worst_at_s: Option<f64>,
    /// The value in the worst one; `null` if infinite, and if there is none.
    pub worst: Option<f64>,
}
