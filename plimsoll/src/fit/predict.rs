//! A measured run, predicted: its own arrivals on a model of its deployment.

use anyhow::Result;
use plimsoll_domain::{Class, Quantile, Tally};
use plimsoll_monitor::interval::student_quantile;
use plimsoll_study::prediction::{Cell, Finding, Span};
use serde::Serialize;

use super::measured::same_load;
use super::{Fit, Measured};
use crate::session::rehearse;

/// Simulations of a run: of the same arrivals, with other service times.
const SEEDS: u64 = 5;
/// Of the intervals, so that a cell is two one-sided tests at 5 %.
const CONFIDENCE: f64 = 0.90;
/// The percentiles that are judged.
const QUANTILES: [(&str, f64); 3] = [("p50", 0.50), ("p95", 0.95), ("p99", 0.99)];
/// The share of the time in which the count of instances must be the measured one.
const EQUAL: f64 = 0.90;

/// By how much a model is made wrong, to see whether that is noticed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Wrong {
    /// Times the service times.
    pub(crate) scale: f64,
    /// Slots of an instance instead of the scenario's.
    pub(crate) slots: Option<u32>,
}

impl Wrong {
    /// Not at all.
    pub(crate) const NONE: Self = Self { scale: 1.0, slots: None };
}

/// What was predicted of a run, beside what was measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Predicted {
    /// The folder.
    pub(crate) run: String,
    /// Requests measured.
    pub(crate) requests: u64,
    /// Percentiles of response time.
    pub(crate) cells: Vec<Cell>,
    /// The share of arrivals that were refused (429): measured and predicted.
    pub(crate) refused: (f64, f64),
    /// Of a run with autoscale rules.
    pub(crate) instances: Option<Counted>,
}

/// The count of instances over time.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Counted {
    /// The share of the time in which it was the measured one.
    pub(crate) equal: f64,
    /// Ready instances over time, predicted / measured − 1.
    pub(crate) hours_error: f64,
    /// Whether it was for long enough.
    pub(crate) finding: Finding,
}

/// What one simulation came to.
struct Simulated {
    all: Tally,
    /// Of each interval.
    ready: Vec<u32>,
}

/// Simulates a run with a fit, or a wrong one of it.
///
/// # Errors
/// A scenario that is not the run's any more, or what cannot be simulated.
pub(crate) fn predict(measured: &Measured, fit: &Fit, wrong: Wrong) -> Result<Predicted> {
    same_load(measured)?;
    let seed = |number: u64| measured.scenario.seed.wrapping_add((number + 1) << 32);
    let all: Vec<Simulated> = (0..SEEDS)
        .map(|number| simulated(measured, fit, wrong, seed(number)))
        .collect::<Result<_>>()?;
    let cells = QUANTILES.map(|(what, quantile)| {
        let values = all.iter().map(|one| one.all.response_quantile(quantile));
        let values: Vec<_> = values.map(|value| value.and_then(Quantile::finite)).collect();
        let values = values.into_iter().map(|value| Some(value?.as_secs_f64() * 1e3));
        Cell::new(what, measured.run.span(quantile, CONFIDENCE), span(&values.collect::<Vec<_>>()))
    });
    let outcomes = &measured.summary.outcomes;
    let offered = measured.summary.load.offered;
    let share = |refused: u64, all: u64| refused as f64 / all.max(1) as f64;
    let refused =
        |one: &Simulated| share(one.all.outcomes.of(Class::RefusedAdmission), one.all.ended());
    Ok(Predicted {
        run: measured.path.display().to_string(),
        requests: offered,
        cells: cells.into(),
        refused: (
            share(outcomes.of(Class::RefusedAdmission), offered),
            all.iter().map(refused).sum::<f64>() / all.len() as f64,
        ),
        instances: measured.scenario.autoscale.is_some().then(|| counted(measured, &all)),
    })
}

fn simulated(measured: &Measured, fit: &Fit, wrong: Wrong, seed: u64) -> Result<Simulated> {
    let (mut all, mut counts) = (Tally::default(), Vec::new());
    rehearse(&measured.scenario, &fit.behaviour(seed, wrong)?, &mut |snapshot, ready| {
        all.append(&snapshot.measured());
        counts.push(ready);
    })
    .map_err(|reasons| anyhow::anyhow!(reasons.join("; ")))?;
    Ok(Simulated { all, ready: counts })
}

/// The mean over the seeds, and its interval. What is infinite in most is infinite.
fn span(values: &[Option<f64>]) -> Span {
    let finite: Vec<f64> = values.iter().copied().flatten().collect();
    let least = finite.iter().copied().fold(f64::INFINITY, f64::min);
    let low = if least.is_finite() { least } else { 0.0 };
    if finite.len() * 2 <= values.len() {
        return Span { value: None, low, high: None };
    }
    let n = finite.len() as f64;
    let mean = finite.iter().sum::<f64>() / n;
    let squares: f64 = finite.iter().map(|value| (value - mean).powi(2)).sum();
    let off = student_quantile(n - 1.0, CONFIDENCE) * (squares / (n - 1.0) / n).sqrt();
    let high = (finite.len() == values.len()).then_some(mean + off);
    Span { value: Some(mean), low: (mean - off).max(0.0), high }
}

fn counted(measured: &Measured, all: &[Simulated]) -> Counted {
    let rows = measured.rows.iter().filter(|row| row.phase != "drain");
    let measured: Vec<u32> = rows.map(|row| row.instances.unwrap_or(0)).collect();
    let (mut equal, mut seconds, mut hours) = (0, 0, 0.0);
    for one in all {
        for (own, ready) in measured.iter().zip(&one.ready) {
            equal += u64::from(own == ready);
            seconds += 1;
            hours += f64::from(*ready);
        }
    }
    let equal = equal as f64 / f64::max(f64::from(seconds), 1.0);
    let own: f64 = measured.iter().copied().map(f64::from).sum::<f64>() * all.len() as f64;
    let finding = if equal >= EQUAL { Finding::Holds } else { Finding::Fails };
    Counted { equal, hours_error: if own > 0.0 { hours / own - 1.0 } else { 0.0 }, finding }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_that_mostly_end_in_failures_are_infinite() {
        let (some, none) = (Some(10.0), None);
        assert_eq!(span(&[some, none, none]), Span { value: None, low: 10.0, high: None });
        assert_eq!(span(&[none; 3]), Span { value: None, low: 0.0, high: None });
        let most = span(&[some, Some(12.0), none]);
        assert_eq!((most.value, most.high), (Some(11.0), None));
        let all = span(&[some, Some(12.0), Some(11.0)]);
        assert!(all.low > 9.0 && all.high.unwrap() < 13.0 && all.low < 10.0, "{all:?}");
    }
}
