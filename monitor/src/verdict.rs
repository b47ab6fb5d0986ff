//! Verdicts: whether an objective was met, with the evidence.
//!
//! **Over the run** the run is a sample of what the same load would give again, so an objective is
//! met, breached or undecided with confidence, for requests that depend on each other: see
//! [`inference`](crate::inference).
//!
//! **In windows** an objective is a statement of fact about this run: see
//! [`window_record`](crate::window_record).
//!
//! **No verdict is the generator's fault.** What is breached must be breached without the requests
//! that the generator itself may have made bad; what is met is met with them. In between it is
//! inconclusive, and says why.
//!
//! Without samples nothing is ever met.

use std::fmt;
use std::time::Duration;

use plimsoll_domain::units::{format_duration, three_digits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::batches::Batches;
use crate::inference::{Inference, Interval, Question, Undecided, infer};
use crate::objective::{Amount, Indicator, Objective};
use crate::window_record::{WindowCounts, WindowRecord};

/// Whether an objective, or the run, was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Met,
    /// It does not hold.
    Breached,
    /// The samples do not decide.
    Inconclusive,
}

/// An objective's verdict with the evidence for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The objective; its `Display` is its name in results.
    pub objective: Objective,
    /// Whether it was met.
    pub verdict: Verdict,
    /// Why it is not decided, and what would help; `None` if it is.
    pub undecided: Option<String>,
    /// Whether it was not decided because the load generator itself could have decided it.
    pub withheld: bool,
    /// The value over the run, or in the worst window; `None` without a sample.
    pub value: Option<Amount>,
    /// The bound.
    pub threshold: Amount,
    /// How many samples the value comes from.
    pub samples: u64,
    /// Of everything measured that it is about, how many missed the limit that it sets on a
    /// latency, and of how many; `None` for an error rate, and without a sample.
    pub missed: Option<(u64, u64)>,
    /// What the requests of the run are worth; `None` in windows, where nothing is inferred, and
    /// without a sample.
    pub evidence: Option<Evidence>,
    /// What the windows have shown; `None` over the run.
    pub windows: Option<WindowCounts>,
}

/// How sure a value over the run is.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The interval of the value at this confidence; its upper end may be infinite.
    pub interval: (Amount, Amount),
    /// Such as 0.99.
    pub confidence: f64,
    /// How many independent requests the samples are worth.
    pub effective_samples: f64,
    /// How many samples tell as much as one independent request; at least 1.
    pub design_effect: f64,
    /// Stretches of the run that were compared with each other.
    pub batches: usize,
    /// The correlation of neighbouring ones, 0 to 0.9.
    pub correlation: f64,
    /// The run has too few of them to see a level that drifts slowly.
    pub weak: bool,
    /// `met` would still stand if failures came in clumps of up to so many.
    pub clumps: Option<f64>,
    /// How much longer a run would decide, if all stayed as it is.
    pub more_time: Option<Duration>,
}

impl Judgement {
    /// What is known of an objective before the first sample.
    pub fn pending(objective: &Objective) -> Self {
        Self {
            objective: objective.clone(),
            verdict: Verdict::Inconclusive,
            undecided: Some("there is no sample yet".to_owned()),
            withheld: false,
            value: None,
            threshold: objective.threshold(),
            samples: 0,
            missed: None,
            evidence: None,
            windows: objective.window().map(|_| WindowCounts::default()),
        }
    }
}

impl Verdict {
    /// The verdict on several objectives together: breached if any is, else inconclusive if any
    /// is. `None` without any: a run without objectives is not judged.
    pub fn overall(verdicts: impl IntoIterator<Item = Self>) -> Option<Self> {
        verdicts.into_iter().reduce(|a, b| match (a, b) {
            (Self::Breached, _) | (_, Self::Breached) => Self::Breached,
            (Self::Inconclusive, _) | (_, Self::Inconclusive) => Self::Inconclusive,
            (Self::Met, Self::Met) => Self::Met,
        })
    }

    /// The name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Breached => "breached",
            Self::Inconclusive => "inconclusive",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is asked of the batches of this objective.
pub(crate) fn question(objective: &Objective) -> Question {
    let threshold = objective.threshold().number;
    match objective.indicator() {
        Indicator::Latency { percentile, .. } => {
            Question::Percentile { quantile: percentile / 100.0 }
        }
        Indicator::ErrorRate => Question::ErrorRate { limit: threshold },
        Indicator::Goodput { per_second: false, .. } => Question::Goodput { least: threshold },
        Indicator::Goodput { per_second: true, .. } => {
            Question::PerSecond { comparison: objective.comparison(), threshold }
        }
    }
}

/// The verdict over the run, and whether it would be another without what may be the generator's
/// own fault.
pub(crate) fn over_the_run(
    objective: &Objective,
    batches: &Batches,
    confidence: f64,
) -> (Verdict, Inference, bool) {
    let inference = infer(batches, question(objective), confidence);
    if inference.verdict == Verdict::Met || !batches.has_ours() {
        return (inference.verdict, inference, false);
    }
    let forgiven = infer(&batches.forgiven(), question(objective), confidence).verdict;
    match (inference.verdict, forgiven) {
        (Verdict::Breached, Verdict::Breached) => (Verdict::Breached, inference, false),
        (Verdict::Breached, _) | (_, Verdict::Met) => (Verdict::Inconclusive, inference, true),
        _ => (Verdict::Inconclusive, inference, false),
    }
}

/// Judges an objective over the run, of which `span` was measured; `value` is what was measured.
pub(crate) fn judge(
    objective: &Objective,
    value: Option<Amount>,
    batches: &Batches,
    span: Duration,
    confidence: f64,
) -> Judgement {
    let mut judgement = Judgement::pending(objective);
    if value.is_none() {
        judgement.undecided = Some("there is no sample".to_owned());
        return judgement;
    }
    let (verdict, inference, ours) = over_the_run(objective, batches, confidence);
    let more_time = inference.needed.map(|lengths| span.mul_f64(lengths - 1.0));
    judgement.undecided = (verdict == Verdict::Inconclusive).then(|| match inference.undecided {
        _ if ours => "the load generator's own lateness or losses could have decided it; give it \
                      more cores, or ask for less"
            .to_owned(),
        Some(reason) => {
            let mut words = in_words(reason, more_time, objective);
            if batches.has_ours() {
                words.push_str("; some of what was bad may be the load generator's own fault");
            }
            words
        }
        None => String::new(),
    });
    judgement.verdict = verdict;
    judgement.withheld = ours;
    judgement.value = value;
    judgement.samples = inference.samples;
    judgement.evidence = Some(Evidence {
        interval: ends(inference.interval, objective),
        confidence,
        effective_samples: inference.effective_samples,
        design_effect: inference.design_effect,
        batches: inference.batches,
        correlation: inference.correlation,
        weak: inference.weak,
        clumps: inference.clumps,
        more_time: more_time.filter(|_| verdict == Verdict::Inconclusive && !ours),
    });
    judgement
}

/// Judges an objective in windows, of which the run should have had `planned`.
pub(crate) fn judge_windows(
    objective: &Objective,
    record: &WindowRecord,
    planned: u64,
) -> Judgement {
    let mut judgement = Judgement::pending(objective);
    let (verdict, undecided) = record.verdict(objective, planned);
    judgement.verdict = verdict;
    judgement.undecided = undecided;
    judgement.withheld =
        verdict == Verdict::Inconclusive && record.counts(objective, planned).late > 0;
    judgement.value = record.worst().map(|worst| worst.value);
    judgement.samples = record.worst().map_or(0, |worst| worst.samples);
    judgement.windows = Some(record.counts(objective, planned));
    judgement
}

/// Why it is not decided, and what would help.
fn in_words(reason: Undecided, more: Option<Duration>, objective: &Objective) -> String {
    let more = more.map_or_else(
        || "no run of a bearable length would decide it".to_owned(),
        |more| format!("about {} more at this rate would", format_duration(more)),
    );
    match reason {
        Undecided::TooFew => {
            format!("too few requests to be sure of {}: {more}", objective.indicator())
        }
        Undecided::TooShort { effective_batches, .. } => format!(
            "the run is too short against its own correlation (worth {} independent stretches, \
             of which 8 are needed): {more}",
            three_digits(effective_batches)
        ),
        Undecided::TooClose => format!("too close to the bound: {more}"),
    }
}

/// The ends of an interval as amounts.
fn ends(interval: Interval, objective: &Objective) -> (Amount, Amount) {
    let unit = objective.indicator().unit();
    let amount = |number| Amount { number, unit };
    match interval {
        Interval::Latency(low, high) => (Amount::quantile(low), Amount::quantile(high)),
        Interval::Share(low, high) | Interval::PerSecond(low, high) => (amount(low), amount(high)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Breached, Inconclusive, Met};

    #[test]
    fn the_worst_verdict_is_the_runs() {
        assert_eq!(Verdict::overall([]), None);
        assert_eq!(Verdict::overall([Met, Met]), Some(Met));
        assert_eq!(Verdict::overall([Met, Inconclusive, Met]), Some(Inconclusive));
        assert_eq!(Verdict::overall([Inconclusive, Breached, Met]), Some(Breached));
    }
}
