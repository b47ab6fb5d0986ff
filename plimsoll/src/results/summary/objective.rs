//! An objective's verdict and its evidence.

use std::time::Duration;

use plimsoll_monitor::{
    Amount, Comparison, Indicator, Judgement, Latency, Unit, Verdict, WindowCounts,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

impl ObjectiveResult {
    /// What the monitor found of one objective.
    pub fn new(judgement: &Judgement) -> Self {
        let objective = &judgement.objective;
        let threshold = judgement.threshold;
        let (of, quantile) = Series::of(objective.indicator());
        let windows = objective.window().zip(judgement.windows);
        Self {
            name: objective.to_string(),
            verdict: judgement.verdict,
            value: judgement.value.and_then(number),
            comparison: objective.comparison(),
            threshold: number(threshold).expect("a threshold is finite"),
            unit: threshold.unit,
            interval: judgement.interval.map(|(low, high)| Interval(number(low), number(high))),
            samples: judgement.samples,
            samples_needed: judgement.samples_needed,
            windows: windows.map(|(length, counts)| Windows::new(length, counts, judgement.value)),
            of,
            quantile,
        }
    }
}

impl Series {
    /// What an indicator is about, and its quantile if it is about one.
    fn of(indicator: Indicator) -> (Self, Option<f64>) {
        match indicator {
            Indicator::Latency { percentile, of } => {
                let of = match of {
                    Latency::Response => Self::Response,
                    Latency::Service => Self::Service,
                    Latency::SendLag => Self::SendLag,
                };
                (of, Some(percentile / 100.0))
            }
            Indicator::ErrorRate => (Self::ErrorRate, None),
            Indicator::Goodput { .. } => (Self::Goodput, None),
        }
    }
}

impl Windows {
    fn new(length: Duration, counts: WindowCounts, worst: Option<Amount>) -> Self {
        Self {
            length_s: length.as_secs_f64(),
            total: counts.total,
            breached: counts.wrong,
            worst_at_s: counts.worst_at.map(|at| at.as_secs_f64()),
            worst: worst.and_then(number),
        }
    }
}

/// The number in the unit of results: shares in percent; `None` if it is infinite.
fn number(amount: Amount) -> Option<f64> {
    let number = amount.finite()?;
    Some(if amount.unit == Unit::Share { number * 100.0 } else { number })
}
