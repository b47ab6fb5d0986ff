//! A metric over the nights.

use serde::Serialize;

use super::split::splits;
use crate::compare::{Direction, Metric, Run, Scale};

/// A metric over the nights, and where it changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trend {
    /// Which.
    pub metric: Metric,
    /// Its value each night: milliseconds, or a share; `null` where there is none, or it is infinite.
    pub nights: Vec<Option<f64>>,
    /// The changes that matter.
    pub changes: Vec<Change>,
}

/// A night from which on a metric is another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Change {
    /// The index of the first night of the new level.
    pub night: usize,
    /// The level until then, from the change before: a geometric mean of milliseconds, or the mean
    /// of shares.
    pub before: f64,
    /// The level since, until the next change.
    pub after: f64,
    /// Whether it is one for the worse.
    pub worse: bool,
    /// The share of random orders of the nights with so large a change.
    pub p: f64,
}

/// The value of a metric in one night: the geometric mean of its runs' latencies in milliseconds, or
/// the mean of their shares. `None` if a run has none, or an infinite one.
pub fn value(metric: Metric, runs: &[Run]) -> Option<f64> {
    let values: Option<Vec<f64>> = runs.iter().map(|run| run.value(metric)).collect();
    let values = values.filter(|values| !values.is_empty())?;
    let scale = metric.scale();
    let sum: f64 = values.iter().map(|value| looked_at(scale, *value)).sum();
    let value = told(scale, sum / values.len() as f64);
    value.is_finite().then_some(value)
}

/// Latencies are looked at in logarithms.
fn looked_at(scale: Scale, value: f64) -> f64 {
    if scale == Scale::Ratio { value.ln() } else { value }
}

fn told(scale: Scale, looked_at: f64) -> f64 {
    if scale == Scale::Ratio { looked_at.exp() } else { looked_at }
}

/// A metric over the nights, in their order; what changed by no more than the margin is told as no
/// change. A night without a value is passed over.
pub fn trend(metric: Metric, nights: &[Option<f64>], margin: f64) -> Trend {
    let scale = metric.scale();
    let there = nights.iter().enumerate().filter_map(|(night, value)| {
        let value = looked_at(scale, (*value)?);
        value.is_finite().then_some((night, value))
    });
    let (there, values): (Vec<usize>, Vec<f64>) = there.unzip();
    let limit = if scale == Scale::Ratio { margin.ln_1p() } else { margin };
    let mean = |from: usize, to: usize| values[from..to].iter().sum::<f64>() / (to - from) as f64;
    let found = splits(&values);
    let ends = found.iter().map(|split| split.at).chain([values.len()]).skip(1);
    let (mut changes, mut from) = (Vec::new(), 0);
    for (split, end) in found.iter().zip(ends) {
        let (before, after) = (mean(from, split.at), mean(split.at, end));
        // What is too small to tell parts no levels.
        if (after - before).abs() <= limit {
            continue;
        }
        from = split.at;
        changes.push(Change {
            night: there[split.at],
            before: told(scale, before),
            after: told(scale, after),
            worse: (after > before) == (metric.worse() == Direction::Up),
            p: split.p,
        });
    }
    Trend { metric, nights: nights.to_vec(), changes }
}
