//! A night against the nights before: how far a further one may lie from their mean.
//!
//! The runs of a night share what that night was like, so each night is one value, the mean of its
//! runs' own (logarithms of percentiles, or shares). The new night is one more draw from where the
//! others came from, so its distance from their mean has the variance s² (1 + 1/N), and Student's t
//! with N − 1 degrees of freedom says how rare it is (the prediction interval of a normal sample;
//! Hahn, 1969). More runs in the new night do not make it more than one night.
//!
//! What the comparison of runs holds against values that are all the same holds here, too
//! (`units.rs`). Nights that drift are taken as nights that differ.

use super::student::Estimate;
use super::test::{NotJudged, Test, both};
use super::units::{Values, late, test as told, values};
use super::{LEAST_NIGHTS, Metric, Run};

pub(super) fn test(
    metric: Metric,
    base: &[&[Run]],
    new: &[Run],
    alpha: f64,
) -> Result<Test, NotJudged> {
    late(metric, base.iter().copied().flatten().chain(new))?;
    let nights: Vec<Option<Values>> =
        base.iter().map(|runs| values(metric, runs)).collect::<Result<_, _>>()?;
    // A night in which so much failed has no percentile; the others still have.
    let nights: Vec<Values> = nights.into_iter().flatten().collect();
    let nights = (nights.len() >= LEAST_NIGHTS).then_some(nights);
    let (nights, night) = both(nights, values(metric, new)?)?;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let means: Vec<f64> = nights.iter().map(|night| mean(&night.values)).collect();
    let before = Estimate::of(&means).expect("there are at least three nights");
    let after = mean(&night.values);
    let count = means.len() as f64;
    let least = nights.iter().map(|night| night.least_variance).sum::<f64>() / (count * count);
    let change = Estimate {
        mean: after - before.mean,
        variance: (before.variance * (count + 1.0)).max(least + night.least_variance),
        degrees: before.degrees,
    };
    Ok(told(metric, before.mean, after, change, change.p(), None, alpha))
}
