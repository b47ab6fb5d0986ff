//! What is said of one metric, and how much more would decide what is open.

use plimsoll_monitor::interval::normal_quantile;
use serde::Serialize;

use super::student::distance;
use super::test::{Effect, Test};
use super::{Direction, Metric, Scale, Units};

/// More than so many times what there is will not be run.
const MOST_TIMES: f64 = 10_000.0;
/// z of a chance of four in five.
const FOUR_IN_FIVE: f64 = 0.841_621;

/// What is said; the worst is the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Whatever changed is within the margin.
    NoChange,
    /// Better by more than the margin.
    Improved,
    /// The data do not decide.
    Inconclusive,
    /// Worse by more than the margin.
    Regressed,
}

impl Answer {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoChange => "no change",
            Self::Improved => "improved",
            Self::Inconclusive => "inconclusive",
            Self::Regressed => "regressed",
        }
    }
}

/// What is said of one metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Finding {
    /// Which.
    pub metric: Metric,
    /// What is said.
    pub answer: Answer,
    /// Of the base: milliseconds, or a share.
    pub base: f64,
    /// Of the new.
    pub new: f64,
    /// How the two are compared.
    pub scale: Scale,
    /// The change, with its interval at 1 − 2α.
    pub effect: Effect,
    /// The change that does not matter, as a share.
    pub margin: f64,
    /// The chance of so large a change if there is none.
    pub p: f64,
    /// The same with all metrics taken together; told if at most α.
    pub adjusted_p: f64,
    /// The smallest change that is seen four times in five with as much data, as a share; `null` if
    /// that cannot be told.
    pub smallest: Option<f64>,
    /// How many further blocks, runs or pairs of each side would decide; only if inconclusive, and
    /// `null` if that cannot be told or is out of reach.
    pub needed: Option<u64>,
}

pub(super) fn finding(
    metric: Metric,
    test: Test,
    adjusted_p: f64,
    margin: f64,
    alpha: f64,
    units: Units,
) -> Finding {
    let limit = match metric.scale() {
        Scale::Ratio => margin.ln_1p(),
        Scale::Difference => margin,
    };
    let Effect { estimate, low, high } = test.effect;
    let is_sure = adjusted_p <= alpha && test.check.is_none_or(|check| check <= alpha);
    let answer = if is_sure && estimate.abs() > limit {
        let worse = (estimate > 0.0) == (metric.worse() == Direction::Up);
        if worse { Answer::Regressed } else { Answer::Improved }
    } else if low > -limit && high < limit {
        Answer::NoChange
    } else {
        Answer::Inconclusive
    };
    // Towards the nearer end of the margin.
    let half = if estimate > 0.0 { high - estimate } else { estimate - low };
    let told = |value: f64| if metric.scale() == Scale::Ratio { value.exp() } else { value };
    let error = half / normal_quantile(1.0 - 2.0 * alpha);
    let smallest = error * (normal_quantile(1.0 - alpha) + FOUR_IN_FIVE);
    let smallest = match metric.scale() {
        Scale::Ratio => smallest.exp_m1(),
        Scale::Difference => smallest,
    };
    let times = times(estimate.abs(), limit, half, adjusted_p.max(test.p), alpha);
    Finding {
        metric,
        answer,
        base: test.base,
        new: test.new,
        scale: metric.scale(),
        effect: Effect { estimate: told(estimate), low: told(low), high: told(high) },
        margin,
        p: test.p,
        adjusted_p,
        smallest: smallest.is_finite().then_some(smallest),
        needed: times.filter(|_| answer == Answer::Inconclusive).map(|times| further(times, units)),
    }
}

/// How many times the data would decide if all stayed as it is: errors fall with the root of the
/// data.
fn times(change: f64, limit: f64, half: f64, p: f64, alpha: f64) -> Option<f64> {
    let times = if change < limit {
        (half / (limit - change)).powi(2)
    } else {
        (distance(alpha) / distance(p)).powi(2)
    };
    (times.is_finite() && times <= MOST_TIMES).then_some(times.max(1.0))
}

/// How many more units of each side that is.
fn further(times: f64, units: Units) -> u64 {
    ((times - 1.0) * units.fewest() as f64).ceil().max(1.0) as u64
}
