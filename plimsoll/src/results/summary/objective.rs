//! An objective's verdict and its evidence.

use plimsoll_monitor::{
    Amount, Comparison, InWindows, Indicator, Judgement, Latency, Unit, Verdict, WindowCounts,
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
    /// Why an inconclusive one is not decided, and what would help.
    #[serde(default)]
    pub undecided: Option<String>,
    /// How many arrivals the value rests on.
    pub samples: u64,
    /// How many of the arrivals that it is about missed the limit that it sets on a latency, over
    /// everything measured; `null` for an error rate, and without a sample.
    #[serde(default)]
    pub missed: Option<u64>,
    /// The same in percent.
    #[serde(default)]
    pub missed_percent: Option<f64>,
    /// How sure a value over the run is; `null` in windows, where nothing is inferred, and without
    /// a sample.
    #[serde(default)]
    pub evidence: Option<Evidence>,
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

/// How sure a value over the run is. Requests that wait in one queue are slow together, so they are
/// worth fewer independent ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The interval in which the value lies, in the objective's unit.
    pub interval: Interval,
    /// With which confidence, 0 to 1.
    pub confidence: f64,
    /// How many independent requests the samples are worth.
    pub effective_samples: f64,
    /// How many samples tell as much as one independent request; at least 1.
    pub design_effect: f64,
    /// Stretches of the run that were compared with each other.
    pub batches: usize,
    /// The correlation of neighbouring ones, 0 to 0.9.
    pub correlation: f64,
    /// The run has too few of them to see a level that drifts slowly.
    pub weak: bool,
    /// `met` would still stand if failures came in clumps of up to so many; `null` unless met.
    #[serde(default)]
    pub clumps: Option<f64>,
    /// How many more seconds would decide, if all stayed as it is; `null` if it is decided, or
    /// never would be.
    #[serde(default)]
    pub more_time_s: Option<f64>,
}

/// The windows of an objective that holds in windows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Windows {
    /// Their length in seconds.
    pub length_s: f64,
    /// The share of them, 0 to 1, in which it must hold.
    pub share: f64,
    /// Those that the measured time should have had.
    pub planned: u64,
    /// Those that were judged.
    pub judged: u64,
    /// Of these, those in which it did not hold.
    pub wrong: u64,
    /// Of these, those that are wrong beyond chance, if their requests were independent.
    pub breached: u64,
    /// How many wrong ones the objective allows.
    pub allowed: u64,
    /// Not judged: too few requests.
    pub few: u64,
    /// Not judged: wrong, and it may be the load generator's own fault.
    pub late: u64,
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
        let windows = objective.windows().zip(judgement.windows);
        Self {
            name: objective.to_string(),
            verdict: judgement.verdict,
            value: judgement.value.and_then(number),
            comparison: objective.comparison(),
            threshold: number(threshold).expect("a threshold is finite"),
            unit: threshold.unit,
            undecided: judgement.undecided.clone(),
            samples: judgement.samples,
            missed: judgement.missed.map(|(missed, _)| missed),
            missed_percent: judgement.missed.map(|(missed, of)| missed as f64 / of as f64 * 100.0),
            evidence: judgement.evidence.as_ref().map(Evidence::new),
            windows: windows.map(|(of, counts)| Windows::new(of, counts, judgement.value)),
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

impl Evidence {
    fn new(evidence: &plimsoll_monitor::Evidence) -> Self {
        let (low, high) = evidence.interval;
        Self {
            interval: Interval(number(low), number(high)),
            confidence: evidence.confidence,
            effective_samples: evidence.effective_samples,
            design_effect: evidence.design_effect,
            batches: evidence.batches,
            correlation: evidence.correlation,
            weak: evidence.weak,
            clumps: evidence.clumps,
            more_time_s: evidence.more_time.map(|more| more.as_secs_f64()),
        }
    }
}

impl Windows {
    fn new(of: InWindows, counts: WindowCounts, worst: Option<Amount>) -> Self {
        Self {
            length_s: of.length.as_secs_f64(),
            share: of.share,
            planned: counts.planned,
            judged: counts.judged,
            wrong: counts.wrong,
            breached: counts.breached,
            allowed: counts.allowed,
            few: counts.few,
            late: counts.late,
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
