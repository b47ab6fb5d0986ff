//! What a run says about the load that it is a sample of: whether an objective over the run is met,
//! breached or undecided, how sure that is, and how much longer would do.
//!
//! Each objective allows a share p₀ of bad requests: 1 − q for a percentile q, the limit of an
//! error rate, one minus the least share of goodput. The requests of a run are worth fewer
//! independent ones, by the design effect d of its [batches](crate::batches): n* = n / d · (z / t)²
//! (Korn and Graubard, 1998; z and t are the quantiles of the normal distribution and of Student's
//! with B − 1 degrees of freedom, as d itself is an estimate from B batches). Clopper and Pearson's
//! interval of the bad share among n* then decides:
//!
//! - **breached** if its lower end is above p₀, with the effect at the objective's own limit alone.
//!   No length is asked for: an overload drifts, so that its batches correlate perfectly, and it
//!   must still breach;
//! - **met** if its upper end is below p₀, with the largest effect of the walk to lower levels, and
//!   if there are 8 batches and 8 effective ones at every level that was asked;
//! - **inconclusive** else, with the reason.
//!
//! An error rate has no lower levels to walk to, and failures come in clumps: it is met only if it
//! would be, too, if they came in clumps of four. [`Inference::clumps`] says for every objective up
//! to which size of clumps `met` stands; clumps of which none was seen are beyond any method.
//!
//! The interval that is shown is the verdict's, inverted: it runs from the largest threshold that
//! the run would have breached to the smallest that it would have met, so that an undecided
//! threshold is in it, and a decided one is not. A run too short to meet anything has no upper end.
//!
//! One confidence serves for met, breached and the interval, each end being left out with half of
//! the rest. 0.99 is right as a default: measured on queues at 80 to 95 % load, where batches are
//! only a few times longer than the queue's memory, 0.95 lets up to 7 % of runs at the limit pass
//! as met, 0.99 up to 3 %.
//!
//! Limits: a level that drifts slowly needs a run of some 50 of its time constants; arrivals at a constant rate may fall into step with
//! stalls of a fixed period, which no interval can see.

mod bounds;
mod inversion;
mod needed;
mod rate;

use std::time::Duration;

use plimsoll_domain::Quantile;

use self::bounds::Bounds;
use self::inversion::Pool;
use crate::batches::Batches;
use crate::effect::{LEAST_BATCHES, Walk, levels_below, totals};
use crate::objective::Comparison;
use crate::verdict::Verdict;

/// Clumps of failures that an error rate must withstand to be met.
const LEAST_CLUMPS: f64 = 4.0;
/// With fewer batches, or effective ones, a verdict is weak.
const FIRM: (usize, f64) = (32, 12.0);

/// What is asked of the batches, whose bad requests were counted at the objective's own limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Question {
    /// Whether this quantile (0 to 1) of latency is within the limit.
    Percentile {
        /// Such as 0.99.
        quantile: f64,
    },
    /// Whether the share of bad requests is below this one.
    ErrorRate {
        /// 0 to 1.
        limit: f64,
    },
    /// Whether at least this share of requests is not bad.
    Goodput {
        /// 0 to 1.
        least: f64,
    },
    /// Whether the requests that are not bad, per second, stand so to the threshold.
    PerSecond {
        /// `>` or `>=`.
        comparison: Comparison,
        /// Per second.
        threshold: f64,
    },
}

/// What the batches say.
#[derive(Debug, Clone, PartialEq)]
pub struct Inference {
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is not decided; `None` if it is.
    pub undecided: Option<Undecided>,
    /// In which the value lies, in the question's own terms.
    pub interval: Interval,
    /// Requests looked at.
    pub samples: u64,
    /// How many independent requests they are worth.
    pub effective_samples: f64,
    /// How many requests tell as much as one independent request; at least 1.
    pub design_effect: f64,
    /// How many batches there are.
    pub batches: usize,
    /// The correlation of neighbouring batches, 0 to 0.9.
    pub correlation: f64,
    /// How many independent batches they are worth.
    pub effective_batches: f64,
    /// Fewer than 32 batches, or than 12 effective ones: a level that drifts slowly is not seen.
    pub weak: bool,
    /// Up to which mean size of clumps of bad requests `met` would still stand; `None` if not met,
    /// and for rates.
    pub clumps: Option<f64>,
    /// How many times the run's length would decide if all stayed as it is. `None` if it is
    /// decided, or if ten thousand times would not do.
    pub needed: Option<f64>,
}

/// Why a verdict is not decided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Undecided {
    /// So few (effective) requests would not do without a single bad one either.
    TooFew,
    /// The run is too short against its own correlation to tell how much its requests are worth.
    TooShort {
        /// How many independent batches there are; 8 are needed.
        effective_batches: f64,
        /// How many times the run's length would have them.
        lengths: f64,
    },
    /// The value is too close to the threshold.
    TooClose,
}

/// Where the value lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Interval {
    /// Of a percentile.
    Latency(Quantile, Quantile),
    /// Of a share, 0 to 1: of bad requests for an error rate, of the others for goodput.
    Share(f64, f64),
    /// Of a rate; without an upper end below two batches.
    PerSecond(f64, f64),
}

/// Judges a question by the batches of a run, with a confidence such as 0.99.
pub fn infer(batches: &Batches, question: Question, confidence: f64) -> Inference {
    let counted = batches.counted();
    let (allowed, clumps, quantile) = match question {
        Question::Percentile { quantile } => (1.0 - quantile, 1.0, Some(quantile)),
        Question::Goodput { least } => (1.0 - least, 1.0, Some(least)),
        Question::ErrorRate { limit } => (limit, LEAST_CLUMPS, None),
        Question::PerSecond { comparison, threshold } => {
            return rate::infer(&counted, comparison, threshold, confidence);
        }
    };
    let pool = Pool::new(&counted);
    let own: Vec<_> = counted.iter().map(|batch| (batch.requests, batch.bad)).collect();
    let levels = quantile.into_iter().flat_map(levels_below);
    let walk = Walk::from(&own, levels.map(|level| pool.effect_at(level)));
    let batches = own.len();
    let trial = Trial { walk, allowed, clumps, batches, bounds: Bounds::new(batches, confidence) };
    let (samples, bad) = totals(&own);
    let verdict = trial.verdict(samples, bad);
    let interval = match question {
        Question::Percentile { quantile } => {
            let (low, high) = pool.invert(quantile, &trial.bounds);
            Interval::Latency(low, high)
        }
        Question::Goodput { .. } => {
            let (low, high) = trial.interval(samples, bad);
            Interval::Share(1.0 - high, 1.0 - low)
        }
        _ => {
            let (low, high) = trial.interval(samples, bad);
            Interval::Share(low, high)
        }
    };
    let decided = verdict != Verdict::Inconclusive;
    Inference {
        verdict,
        undecided: (!decided).then(|| trial.reason(samples)),
        interval,
        samples,
        effective_samples: trial.bounds.effective(samples as f64, walk.design_effect),
        design_effect: walk.design_effect,
        batches,
        correlation: walk.correlation,
        effective_batches: walk.effective_batches,
        weak: is_weak(batches, walk.effective_batches),
        clumps: (verdict == Verdict::Met).then(|| trial.largest_clumps(samples, bad)),
        needed: if decided { None } else { trial.needed(samples, bad) },
    }
}

/// The design effect of the requests above `limit`, the middle of the bucket in which two runs
/// together have this quantile, with the walk to the levels below it: what their comparison needs
/// of each.
pub fn walk_above(batches: &Batches, limit: Duration, quantile: f64) -> Walk {
    let counted = batches.counted();
    let pool = Pool::new(&counted);
    let lower = levels_below(quantile).map(|level| pool.effect_at(level));
    Walk::from_quantile(&pool.counts_above(limit), lower)
}

/// Whether a run of so many requests in so many batches would be met if not one of them were bad.
/// `None` where that is not a matter of counting requests.
pub(crate) fn could_be_met(
    question: Question,
    samples: f64,
    batches: f64,
    confidence: f64,
) -> Option<bool> {
    let (allowed, clumps) = match question {
        Question::Percentile { quantile } => (1.0 - quantile, 1.0),
        Question::Goodput { least } => (1.0 - least, 1.0),
        Question::ErrorRate { limit } => (limit, LEAST_CLUMPS),
        Question::PerSecond { .. } => return None,
    };
    let bounds = Bounds::with_batches(batches, confidence);
    Some(batches >= LEAST_BATCHES && bounds.high(samples, 0.0, clumps) < allowed)
}

/// Whether so many bad requests show a share above the `allowed` one, each independent request
/// being worth as many as the (known) design effect says.
pub(crate) fn share_is_above(
    allowed: f64,
    bad: u64,
    requests: u64,
    design_effect: f64,
    confidence: f64,
) -> bool {
    let bounds = Bounds::with_batches(f64::INFINITY, confidence);
    bounds.low(requests as f64, bad as f64, design_effect.max(1.0)) > allowed
}

fn is_weak(batches: usize, effective: f64) -> bool {
    batches < FIRM.0 || effective < FIRM.1
}

/// One limit with all that decides about it but the counts.
#[derive(Debug)]
struct Trial {
    walk: Walk,
    /// The allowed share of bad requests.
    allowed: f64,
    /// The least design effect with which it may be met.
    clumps: f64,
    batches: usize,
    bounds: Bounds,
}

impl Trial {
    fn verdict(&self, samples: u64, bad: u64) -> Verdict {
        let (low, high) = self.interval(samples, bad);
        if low > self.allowed {
            Verdict::Breached
        } else if high < self.allowed {
            Verdict::Met
        } else {
            Verdict::Inconclusive
        }
    }

    /// Of the bad share; without an upper end if the run is not sure.
    fn interval(&self, samples: u64, bad: u64) -> (f64, f64) {
        let (samples, bad) = (samples as f64, bad as f64);
        let low = self.bounds.low(samples, bad, self.walk.own);
        let high = if self.walk.sure {
            self.bounds.high(samples, bad, self.effect_to_meet())
        } else {
            1.0
        };
        (low, high)
    }

    fn effect_to_meet(&self) -> f64 {
        self.walk.design_effect.max(self.clumps)
    }

    fn reason(&self, samples: u64) -> Undecided {
        let (samples, batches) = (samples as f64, self.walk.effective_batches);
        if self.bounds.high(samples, 0.0, self.clumps) >= self.allowed {
            Undecided::TooFew
        } else if !self.walk.sure {
            Undecided::too_short(batches)
        } else if self.bounds.high(samples, 0.0, self.effect_to_meet()) >= self.allowed {
            Undecided::TooFew
        } else {
            Undecided::TooClose
        }
    }
}

impl Undecided {
    fn too_short(effective_batches: f64) -> Self {
        Self::TooShort { effective_batches, lengths: needed::lengths_to_be_sure(effective_batches) }
    }
}

#[cfg(test)]
mod tests;
