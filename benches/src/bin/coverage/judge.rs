//! What plimsoll makes of a run: the only file that knows by which of its parts verdicts are made.

use std::time::Duration;

use plimsoll_domain::{Latencies, Quantile, SparseLatencies};
use plimsoll_monitor::{Batch, Batches, Interval, Question, Verdict, infer};

use crate::process::Request;

/// What is asked of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// A percentile, or an error rate.
    pub(crate) question: Question,
    /// In seconds: requests that took as long or longer are bad.
    pub(crate) limit: f64,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    /// Whether the interval that is shown holds the limit, to the histogram's resolution.
    pub(crate) inside: bool,
}

/// The answers to all that is asked of a run, at each confidence. Requests count in the second in
/// which they arrived.
pub(crate) fn judge(run: &[Request], asked: &[Asked], confidences: &[f64]) -> Vec<Vec<Answer>> {
    let mut batches = vec![Batches::new(); asked.len()];
    let seconds = run.chunk_by(|one, next| one.arrived as u64 == next.arrived as u64);
    for (second, sparse) in seconds.map(|second| (second, finite(second))) {
        for (asked, batches) in asked.iter().zip(&mut batches) {
            let percentile = matches!(asked.question, Question::Percentile { .. });
            batches.add(&Batch {
                requests: second.len() as u64,
                bad: second.iter().filter(|request| request.took >= asked.limit).count() as u64,
                infinite: second.iter().filter(|request| request.took.is_infinite()).count() as u64,
                finite: if percentile { sparse.clone() } else { SparseLatencies::default() },
                length: Duration::from_secs(1),
            });
        }
    }
    let answer = |asked: &Asked, batches: &Batches, confidence: f64| {
        let inference = infer(batches, asked.question, confidence);
        Answer { verdict: inference.verdict, inside: holds(inference.interval, asked) }
    };
    asked
        .iter()
        .zip(&batches)
        .map(|(asked, batches)| confidences.iter().map(|c| answer(asked, batches, *c)).collect())
        .collect()
}

fn finite(second: &[Request]) -> SparseLatencies {
    let mut latencies = Latencies::new();
    for request in second.iter().filter(|request| request.took.is_finite()) {
        latencies.record(Duration::from_secs_f64(request.took));
    }
    latencies.sparse()
}

fn holds(interval: Interval, asked: &Asked) -> bool {
    let seconds = |end: Quantile| end.finite().map_or(f64::INFINITY, |value| value.as_secs_f64());
    let (low, high, value) = match (interval, asked.question) {
        (Interval::Share(low, high), Question::ErrorRate { limit }) => (low, high, limit),
        (Interval::Latency(low, high), _) => (seconds(low), seconds(high), asked.limit),
        _ => return false,
    };
    low * 0.999 <= value && value <= high * 1.001
}
