//! Verdicts: whether an objective was met, with the evidence.
//!
//! **Over the run** an objective is met if the whole confidence interval of its value lies on the
//! right side of the threshold, breached if the whole interval lies on the wrong side, and
//! inconclusive otherwise: then the evidence says how many further samples would decide.
//!
//! **In every window** the same interval is taken for each whole window of the measured time, but
//! with the allowed error divided by the number of windows that the run will have (Bonferroni), so
//! that many windows do not make a breach by chance more likely; that holds however much windows
//! overlap. The objective is breached if any window's interval lies wholly on the wrong side. It is
//! met if every window's value is right *and* the whole run, pooled, is met: a window alone seldom
//! has the samples to be sure. Else it is inconclusive: no further samples can then undo a window
//! whose value was wrong, so none are asked for unless only the pooled run lacks them. A window in
//! which nothing ended is skipped, as its arrivals are judged where they end; for a goodput per
//! second it is skipped only if nothing was due either, since nothing in time is no goodput.
//!
//! Without samples nothing is ever met.
//!
//! Limits: an objective that was true by a hair in each of many windows has a good chance of one
//! wrong value by luck, and is then inconclusive. What is still in flight when the measured time
//! ends counts in the whole run, and in no window.

use std::fmt;
use std::time::Duration;

use plimsoll_domain::Tally;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;
use crate::objective::{Amount, Objective};
use crate::window::Window;

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
    /// The value over the run, or in the worst window; `None` without a sample.
    pub value: Option<Amount>,
    /// The bound.
    pub threshold: Amount,
    /// The confidence interval of the value; its upper end may be infinite.
    pub interval: Option<(Amount, Amount)>,
    /// How many samples the value comes from.
    pub samples: u64,
    /// How many further samples over the run would decide an inconclusive verdict; `None` if it is
    /// decided, or if no (reasonable) number would.
    pub samples_needed: Option<u64>,
    /// For an objective in every window: the windows.
    pub windows: Option<WindowCounts>,
}

/// How the windows of an objective came out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct WindowCounts {
    /// Windows that had something to judge.
    pub total: u64,
    /// Of these, windows whose value was on the wrong side.
    pub wrong: u64,
    /// Of these, windows whose whole confidence interval was on the wrong side.
    pub breached: u64,
    /// The end of the worst window, since the run's first due time.
    pub worst_at: Option<Duration>,
}

impl Judgement {
    /// What is known of an objective before the first sample.
    pub fn pending(objective: &Objective) -> Self {
        Self {
            objective: objective.clone(),
            verdict: Verdict::Inconclusive,
            value: None,
            threshold: objective.threshold(),
            interval: None,
            samples: 0,
            samples_needed: None,
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

/// What the windows of one objective have shown so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct WindowRecord {
    counts: WindowCounts,
    worst: Option<Worst>,
}

#[derive(Debug, Clone)]
struct Worst {
    value: Amount,
    interval: (Amount, Amount),
    samples: u64,
}

impl WindowRecord {
    /// Takes one more whole window into account, of `planned` that the run will have. Returns the
    /// window's value.
    pub(crate) fn add(
        &mut self,
        objective: &Objective,
        window: &Window,
        planned: u64,
        confidence: f64,
    ) -> Option<Amount> {
        let evidence = Evidence::of(objective, &window.tally, window.length())?;
        let each = 1.0 - (1.0 - confidence) / planned.max(1) as f64;
        let (value, interval) = (evidence.value(), evidence.interval(each));
        self.counts.total += 1;
        self.counts.wrong += u64::from(!objective.holds(value.number));
        self.counts.breached += u64::from(evidence.decide(interval) == Verdict::Breached);
        let upper = objective.comparison().is_upper_bound();
        let worse = self.worst.as_ref().is_none_or(|worst| {
            let (now, then) = ((value, interval.0), (worst.value, worst.interval.0));
            if upper { now > then } else { now < then }
        });
        if worse {
            self.counts.worst_at = Some(window.end);
            self.worst = Some(Worst { value, interval, samples: evidence.samples() });
        }
        Some(value)
    }

    /// The rule for objectives in every window; `pooled` is the whole run's verdict.
    fn verdict(&self, pooled: Verdict) -> Verdict {
        match self.counts {
            WindowCounts { breached: 1.., .. } => Verdict::Breached,
            WindowCounts { total: 1.., wrong: 0, .. } if pooled == Verdict::Met => Verdict::Met,
            _ => Verdict::Inconclusive,
        }
    }
}

/// The verdict alone, for a view of a run that still goes on.
pub(crate) fn so_far(
    objective: &Objective,
    total: &Tally,
    span: Duration,
    record: &WindowRecord,
    confidence: f64,
) -> Verdict {
    let pooled = Evidence::of(objective, total, span)
        .map_or(Verdict::Inconclusive, |evidence| evidence.decide(evidence.interval(confidence)));
    if objective.window().is_some() { record.verdict(pooled) } else { pooled }
}

/// Judges an objective by the measured arrivals of the whole run, which took `span`, and by its
/// windows.
pub(crate) fn judge(
    objective: &Objective,
    total: &Tally,
    span: Duration,
    record: &WindowRecord,
    confidence: f64,
) -> Judgement {
    let mut judgement = Judgement::pending(objective);
    judgement.windows = objective.window().map(|_| record.counts);
    let Some(evidence) = Evidence::of(objective, total, span) else {
        return judgement;
    };
    let interval = evidence.interval(confidence);
    let pooled = evidence.decide(interval);
    judgement.verdict = pooled;
    judgement.value = Some(evidence.value());
    judgement.interval = Some(interval);
    judgement.samples = evidence.samples();
    let mut could_decide = true;
    if objective.window().is_some() {
        judgement.verdict = record.verdict(pooled);
        judgement.value = record.worst.as_ref().map(|worst| worst.value);
        judgement.interval = record.worst.as_ref().map(|worst| worst.interval);
        judgement.samples = record.worst.as_ref().map_or(0, |worst| worst.samples);
        could_decide = record.counts.total > 0 && record.counts.wrong == 0;
    }
    if judgement.verdict == Verdict::Inconclusive && could_decide {
        judgement.samples_needed = evidence.samples_needed(confidence);
    }
    judgement
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

    #[test]
    fn windows_and_the_pooled_run_decide_together() {
        let record = |total, wrong, breached| WindowRecord {
            counts: WindowCounts { total, wrong, breached, worst_at: None },
            worst: None,
        };
        assert_eq!(record(9, 0, 0).verdict(Met), Met);
        assert_eq!(record(9, 0, 0).verdict(Inconclusive), Inconclusive);
        assert_eq!(record(9, 1, 0).verdict(Met), Inconclusive);
        assert_eq!(record(9, 1, 1).verdict(Met), Breached);
        assert_eq!(record(0, 0, 0).verdict(Met), Inconclusive, "no samples are never met");
    }
}
