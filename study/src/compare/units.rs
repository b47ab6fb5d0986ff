//! Several runs of each side: Welch's t over runs, or a paired t over neighbours in time.
//!
//! The value of a run is the logarithm of its percentile, or its share. A t interval knows only how
//! much the runs differed; where they hardly did (copies, or no failure at all), the resolution of
//! histograms (0.1 %) and the error of counting stay, or three runs without a failure would prove
//! that there are none.

use plimsoll_monitor::effect::Dependence;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::student::Estimate;
use super::test::{Effect, NotJudged, Test, both};
use super::{Metric, Run};

/// Pairs from which on they can show a change at 99 %: with eight, one of 256 flips is each end.
pub const LEAST_PAIRS: usize = 8;
/// The width of a histogram's bucket.
const RESOLUTION: f64 = 0.001;
/// Up to so many pairs every flip is tried, beyond as many at random.
const FLIPPED: u32 = 14;

pub(super) fn runs(
    metric: Metric,
    base: &[Run],
    new: &[Run],
    alpha: f64,
) -> Result<Test, NotJudged> {
    late(metric, base.iter().chain(new))?;
    let (left, right) = (values(metric, base)?, values(metric, new)?);
    let (left, right) = both(left, right)?;
    let [before, after] = [&left, &right].map(|side| {
        let estimate = Estimate::of(&side.values).expect("there are at least three runs");
        Estimate { variance: estimate.variance.max(side.least_variance), ..estimate }
    });
    let change = Estimate::difference(before, after);
    Ok(test(metric, before.mean, after.mean, change, change.p(), None, alpha))
}

pub(super) fn pairs(
    metric: Metric,
    base: &[Run],
    new: &[Run],
    alpha: f64,
) -> Result<Test, NotJudged> {
    late(metric, base.iter().chain(new))?;
    let (left, right) = (values(metric, base)?, values(metric, new)?);
    let (left, right) = both(left, right)?;
    let changes: Vec<f64> =
        left.values.iter().zip(&right.values).map(|(base, new)| new - base).collect();
    let count = changes.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
    let change = mean(&changes);
    let residuals: Vec<f64> = changes.iter().map(|value| value - change).collect();
    let dependence = Dependence::of(&residuals).expect("there are at least eight pairs");
    let least = left.least_variance + right.least_variance;
    let estimate = Estimate {
        mean: change,
        variance: (dependence.variance / (count * count)).max(least),
        degrees: dependence.batches - 1.0,
    };
    let (before, after) = (mean(&left.values), mean(&right.values));
    let check = Some(flips(&changes));
    Ok(test(metric, before, after, estimate, estimate.p(), check, alpha))
}

pub(super) fn test(
    metric: Metric,
    base: f64,
    new: f64,
    change: Estimate,
    p: f64,
    check: Option<f64>,
    alpha: f64,
) -> Test {
    let half = change.half_width(1.0 - 2.0 * alpha);
    let value = |mean: f64| if metric.quantile().is_some() { mean.exp() / 1e6 } else { mean };
    let effect =
        Effect { estimate: change.mean, low: change.mean - half, high: change.mean + half };
    Test { base: value(base), new: value(new), p, effect, check }
}

/// What the runs of one side say.
pub(super) struct Values {
    pub(super) values: Vec<f64>,
    /// Below which the variance of their mean cannot be.
    pub(super) least_variance: f64,
}

/// Refuses goodput where nothing was late, on either side.
pub(super) fn late<'a>(
    metric: Metric,
    mut runs: impl Iterator<Item = &'a Run>,
) -> Result<(), NotJudged> {
    let late = |run: &Run| run.pooled(Metric::Goodput).bad > run.pooled(Metric::ErrorRate).bad;
    if metric == Metric::Goodput && !runs.any(late) {
        return Err(NotJudged::NothingLate);
    }
    Ok(())
}

/// `None` if a percentile is infinite.
pub(super) fn values(metric: Metric, runs: &[Run]) -> Result<Option<Values>, NotJudged> {
    let pooled: Vec<_> = runs.iter().map(|run| run.pooled(metric)).collect();
    let count = runs.len() as f64;
    if let Some(quantile) = metric.quantile() {
        for run in &pooled {
            run.check(quantile, 1.0)?;
        }
        let values: Option<Vec<f64>> =
            pooled.iter().map(|run| Some(run.quantile(quantile)?.ln())).collect();
        let least_variance = RESOLUTION * RESOLUTION / count;
        return Ok(values.map(|values| Values { values, least_variance }));
    }
    if pooled.iter().any(|run| run.requests == 0) {
        return Err(NotJudged::Absent);
    }
    let values = pooled.iter().map(|run| metric.of_bad(run.bad, run.requests)).collect();
    // Agresti and Coull (1998): two more of each kind, so that none seen is not none.
    let requests = pooled.iter().map(|run| run.requests as f64).sum::<f64>() + 4.0;
    let share = (pooled.iter().map(|run| run.bad as f64).sum::<f64>() + 2.0) / requests;
    Ok(Some(Values { values, least_variance: share * (1.0 - share) / requests }))
}

/// The share of all ways to swap the sides of pairs that change the mean at least as much: a check
/// that needs no normal distribution.
fn flips(changes: &[f64]) -> f64 {
    let seen = changes.iter().sum::<f64>().abs() * (1.0 - 1e-12);
    let is_far = |flip: &mut dyn FnMut(usize) -> bool| {
        let sum: f64 = changes.iter().enumerate().map(|(i, x)| if flip(i) { -x } else { *x }).sum();
        sum.abs() >= seen
    };
    let all = 1u64 << FLIPPED;
    if changes.len() <= FLIPPED as usize {
        let ways = 1u64 << changes.len();
        let far = (0..ways).filter(|way| is_far(&mut |index| way >> index & 1 == 1)).count();
        return far as f64 / ways as f64;
    }
    let mut random = Pcg64::seed_from_u64(changes.len() as u64);
    let far = (0..all).filter(|_| is_far(&mut |_| random.random_bool(0.5))).count();
    (far as f64 + 1.0) / (all as f64 + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flips_by_hand() {
        // All of one sign: only that way and its opposite.
        assert!((flips(&[1.0; 8]) - 2.0 / 256.0).abs() < 1e-12);
        assert!((flips(&[1.0, -1.0]) - 1.0).abs() < 1e-12);
        let many = flips(&[1.0; 20]);
        assert!(many < 0.001 && many > 0.0, "{many}");
    }
}
