//! Rates: right answers per second, with Student's interval over the batches.
//!
//! A rate has no share to be compared with, so its variance is that of the batches' rates alone.
//! Batches differ in length only at the end of the run; each weighs as its length.

use std::borrow::Cow;

use super::needed::lengths_to_be_sure;
use super::{Inference, Interval, Undecided, is_weak};
use crate::batches::Batch;
use crate::effect::{Dependence, LEAST_BATCHES};
use crate::interval::student_quantile;
use crate::objective::Comparison;
use crate::verdict::Verdict;

/// Judges the requests that are not bad per second.
pub(super) fn infer(
    batches: &[Cow<'_, Batch>],
    comparison: Comparison,
    threshold: f64,
    confidence: f64,
) -> Inference {
    let parts: Vec<(f64, f64)> = batches
        .iter()
        .map(|batch| (batch.length.as_secs_f64(), (batch.requests - batch.bad) as f64))
        .collect();
    let (seconds, good) = parts.iter().fold((0.0, 0.0), |(t, g), part| (t + part.0, g + part.1));
    let rate = if seconds > 0.0 { good / seconds } else { 0.0 };
    let residuals: Vec<f64> = parts.iter().map(|(time, good)| good - rate * time).collect();
    let dependence = Dependence::of(&residuals).filter(|_| seconds > 0.0);
    let effective_batches = dependence.map_or(batches.len() as f64, |d| d.batches);
    let half = dependence.map_or(f64::INFINITY, |dependence| {
        let t = student_quantile(batches.len() as f64 - 1.0, confidence);
        t * dependence.variance.sqrt() / seconds
    });
    let (low, high) = ((rate - half).max(0.0), rate + half);
    let sure = effective_batches >= LEAST_BATCHES && dependence.is_some();
    let verdict = if !comparison.holds(high, threshold) {
        Verdict::Breached
    } else if sure && comparison.holds(low, threshold) {
        Verdict::Met
    } else {
        Verdict::Inconclusive
    };
    let samples = batches.iter().map(|batch| batch.requests).sum::<u64>();
    let decided = verdict != Verdict::Inconclusive;
    let reason = || match samples {
        0 => Undecided::TooFew,
        _ if sure => Undecided::TooClose,
        _ => Undecided::too_short(effective_batches),
    };
    // Over that of as many independent events.
    let design_effect = match dependence {
        Some(dependence) if good > 0.0 => (dependence.variance / good).max(1.0),
        _ => 1.0,
    };
    let lengths = (half / (rate - threshold)).powi(2).max(lengths_to_be_sure(effective_batches));
    Inference {
        verdict,
        undecided: (!decided).then(reason),
        interval: Interval::PerSecond(low, high),
        samples,
        effective_samples: samples as f64 / design_effect,
        design_effect,
        batches: batches.len(),
        correlation: dependence.map_or(0.0, |dependence| dependence.correlation),
        effective_batches,
        weak: is_weak(batches.len(), effective_batches),
        clumps: None,
        needed: (!decided && lengths <= 10_000.0).then_some(lengths),
    }
}
