//! Steps: what was loaded, and what was seen of it.

use plimsoll_monitor::Verdict;
use serde::Serialize;

use super::{Load, Used};

/// What a step is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To narrow the interval.
    Search,
    /// To see whether an overload has left something behind.
    Recheck,
    /// To confirm the low end.
    Confirm,
}

/// A rate that was loaded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// What it was for.
    pub purpose: Purpose,
    /// Requests per second.
    pub rate_rps: f64,
    /// What was seen at the newest look.
    #[serde(flatten)]
    pub seen: Seen,
}

/// What was seen of a step at a look, since it began to be measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {
    /// Measured seconds.
    pub measured_s: u64,
    /// Seconds of load, with what settled.
    pub load_s: f64,
    /// The confidence of the look.
    pub confidence: f64,
    /// What can be said of it.
    pub state: State,
    /// Every objective, always in the same order.
    pub objectives: Vec<Asked>,
    /// Its place on the curve.
    pub point: Point,
    /// What it used of the endpoint, where the host tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<Used>,
}

/// What can be said of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "why")]
pub enum State {
    /// Its verdicts.
    Judged,
    /// The backlog only grew: it is breached.
    Overloaded,
    /// Nothing, as the generator could not do what was asked: why.
    Limited(String),
    /// Nothing, as the user or the end of the endpoint cut it.
    Cut,
}

/// How one objective stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Asked {
    /// Its verdict.
    pub verdict: Verdict,
    /// The share of bad requests that it allows, 0 to 1.
    pub allowed: f64,
    /// The share of bad requests.
    pub bad: f64,
    /// How many independent requests the step's are worth.
    pub effective: f64,
    /// How many seconds more would decide; `None` if it is decided, or if none would.
    pub more_s: Option<f64>,
}

/// A step's place on the curve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Point {
    /// Percentiles of response time; `None` where infinite, or without a request.
    pub p50_ms: Option<f64>,
    /// See above.
    pub p99_ms: Option<f64>,
    /// Right answers within the objectives' limits, per second.
    pub goodput_rps: f64,
    /// The share refused as more were pending than are admitted, 0 to 1.
    pub refused_admission: f64,
    /// The share refused for a limit on the rate, 0 to 1.
    pub refused_rate: f64,
    /// The share without a connection, or whose connection was closed before the answer, 0 to 1.
    pub disconnected: f64,
    /// The share that was not answered in time, 0 to 1.
    pub timed_out: f64,
    /// The share that failed in another way, 0 to 1.
    pub failed: f64,
    /// The median of the model's own time, where it is told.
    pub model_p50_ms: Option<f64>,
    /// Its mean.
    pub model_mean_ms: Option<f64>,
}

impl Point {
    /// The share refused with 429, 0 to 1.
    pub fn refused(&self) -> f64 {
        self.refused_admission + self.refused_rate
    }
}

impl Step {
    pub(super) fn new(load: &Load, seen: Seen) -> Self {
        Self { purpose: load.purpose, rate_rps: load.rate_rps, seen }
    }

    /// The verdict of all objectives.
    pub fn verdict(&self) -> Verdict {
        match self.seen.state {
            State::Limited(_) | State::Cut => Verdict::Inconclusive,
            State::Overloaded => Verdict::Breached,
            State::Judged => {
                let all = self.seen.objectives.iter().map(|asked| asked.verdict);
                Verdict::overall(all).unwrap_or(Verdict::Inconclusive)
            }
        }
    }

    /// Whether the generator could not do what was asked.
    pub fn is_limited(&self) -> bool {
        matches!(self.seen.state, State::Limited(_))
    }

    /// Whether it says something of the rate: a confirmation says it apart.
    pub(super) fn counts(&self) -> bool {
        self.purpose != Purpose::Confirm && self.is_measured()
    }

    /// Whether something was measured that the generator did not decide.
    pub fn is_measured(&self) -> bool {
        matches!(self.seen.state, State::Judged | State::Overloaded)
    }
}

/// The rates of the steps with this verdict.
pub(super) fn rates(steps: &[Step], verdict: Verdict) -> impl Iterator<Item = f64> {
    let wanted = move |step: &&Step| step.counts() && step.verdict() == verdict;
    steps.iter().filter(wanted).map(|step| step.rate_rps)
}

pub(super) fn highest_met(steps: &[Step]) -> Option<f64> {
    rates(steps, Verdict::Met).reduce(f64::max)
}

pub(super) fn lowest_breached(steps: &[Step]) -> Option<f64> {
    rates(steps, Verdict::Breached).reduce(f64::min)
}
