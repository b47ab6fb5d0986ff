//! What a search found, and why it found no more.

use plimsoll_monitor::Verdict;
use serde::Serialize;

use super::{Bound, Fit, Purpose, Search, State, Step};

/// What is known of the highest rate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// How the search ended.
    pub ending: Ending,
    /// The highest rate that was met.
    pub low_rps: Option<f64>,
    /// The lowest rate that was breached.
    pub high_rps: Option<f64>,
    /// With which the two hold the true rate.
    pub confidence: f64,
    /// Where the fitted share of bad requests crosses what is allowed.
    pub knee: Option<Knee>,
    /// The index of the objective that ceases to hold first.
    pub binding: Option<usize>,
    /// What keeps the rate from being higher, as far as the steps tell.
    pub bound: Option<Bound>,
    /// What the last run at a lower rate said.
    pub confirmation: Option<Confirmation>,
    /// Every step, in their order.
    pub steps: Vec<Step>,
    /// Seconds of load, with what settled.
    pub load_s: f64,
}

/// How a search ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Ending {
    /// Both ends are known, as close as it could be had.
    Found,
    /// Nothing was breached up to the ceiling.
    Ceiling {
        /// Whether the ceiling itself was met.
        met: bool,
    },
    /// Nothing was met down to the floor.
    NeverHolds,
    /// Time or steps were spent before both ends were known.
    Spent,
    /// The load generator is the bound, and nothing is known of the endpoint.
    Generator {
        /// The rate that it could not do.
        rate_rps: f64,
        /// Why.
        why: String,
    },
    /// A rate that was met before was breached after an overload.
    Degraded {
        /// That rate.
        rate_rps: f64,
    },
    /// The confirmation was breached, below a rate that was met before.
    NotConfirmed {
        /// Its rate.
        rate_rps: f64,
    },
    /// The user, or the end of the endpoint, ended it.
    Interrupted,
}

/// The fitted rate at which the objectives cease to hold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Knee {
    /// The fit.
    pub rps: f64,
    /// In which it lies, as far as the fit is to be believed.
    pub low_rps: f64,
    /// See above.
    pub high_rps: f64,
}

/// The last run, at a rate below the low end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Confirmation {
    /// Its rate.
    pub rate_rps: f64,
    /// What came of it.
    pub verdict: Verdict,
    /// Measured seconds.
    pub measured_s: u64,
}

impl Confirmation {
    pub(super) fn of(step: &Step) -> Self {
        Self { rate_rps: step.rate_rps, verdict: step.verdict(), measured_s: step.seen.measured_s }
    }
}

impl Answer {
    pub(super) fn new(search: &Search) -> Self {
        let (low_rps, high_rps) = (search.highest_met(), search.lowest_breached());
        let confidence = search.settings.confidence;
        let unfinished = if search.next.is_some() { Ending::Interrupted } else { Ending::Found };
        let ending = search.ending.clone().unwrap_or(unfinished);
        let fit = Fit::new(&search.steps).filter(|fit| fit.is_between);
        let knee = fit.and_then(|fit| {
            let (low_rps, high_rps) = fit.interval(&search.steps, confidence)?;
            Some(Knee { rps: fit.rate_rps, low_rps, high_rps })
        });
        Self {
            ending,
            low_rps,
            high_rps,
            confidence,
            knee,
            binding: fit.map(|fit| fit.objective),
            bound: Bound::of(&search.steps),
            confirmation: search.confirmation,
            steps: search.steps.clone(),
            load_s: search.load_s(),
        }
    }

    /// The interval, if both ends are known and nothing has taken them back.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let is_taken_back = matches!(
            self.ending,
            Ending::Generator { .. } | Ending::Degraded { .. } | Ending::NotConfirmed { .. }
        );
        self.low_rps.zip(self.high_rps).filter(|_| !is_taken_back)
    }

    /// Every measured step by its rate: the curve.
    pub fn curve(&self) -> Vec<&Step> {
        let mut steps: Vec<_> = self.steps.iter().filter(|step| step.is_measured()).collect();
        steps.sort_by(|a, b| a.rate_rps.total_cmp(&b.rate_rps));
        steps
    }

    /// The step that is the high end.
    pub fn breached(&self) -> Option<&Step> {
        let high = self.high_rps?;
        let is_it = |step: &&Step| {
            step.purpose != Purpose::Confirm
                && (step.rate_rps - high).abs() < f64::EPSILON
                && matches!(step.seen.state, State::Judged | State::Overloaded)
                && step.verdict() == Verdict::Breached
        };
        self.steps.iter().find(is_it)
    }
}
