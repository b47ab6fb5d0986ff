//! What the windows of one objective have shown: a statement of fact about this run.
//!
//! All requests of a window were measured, so there is nothing to infer: a window is *wrong* if its
//! value is. The objective is **breached** if more windows are wrong than it allows, **met** if not
//! and at least 95 % of the windows that the run should have had were judged, else
//! **inconclusive**. A window is not judged, and counted as such,
//!
//! - if it holds too few requests to have the percentile at all: fewer than 1 / (1 − q);
//! - if it is wrong and would not be without what may be the generator's own fault;
//! - if the run has no such window: an interval was too long, or lacks.
//!
//! Beside the wrong ones it is told how many are wrong beyond chance: with the allowed error of 5 %
//! divided by the number of windows (Bonferroni). That is a hint and not the verdict, as requests
//! of one window depend on each other.

use std::time::Duration;

use crate::counts::Counts;
use crate::few::{is_beyond_chance, least_requests};
use crate::objective::{Amount, Indicator, Objective};
use crate::verdict::Verdict;

/// The share of the planned windows that must have been judged.
const JUDGED: f64 = 0.95;
/// The confidence, over all windows, of "beyond chance".
const CHANCE: f64 = 0.95;

/// How many windows there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WindowCounts {
    /// Windows that the measured time should have had.
    pub planned: u64,
    /// Windows that were judged.
    pub judged: u64,
    /// Of these, windows whose value was on the wrong side.
    pub wrong: u64,
    /// Of these, windows that were wrong beyond chance, if their requests were independent.
    pub breached: u64,
    /// How many wrong ones the objective allows.
    pub allowed: u64,
    /// Not judged: too few requests.
    pub few: u64,
    /// Not judged: wrong, and it may be the generator's own fault.
    pub late: u64,
    /// The end of the worst window, since the run's first due time.
    pub worst_at: Option<Duration>,
}

/// The window with the worst value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Worst {
    pub(crate) value: Amount,
    pub(crate) samples: u64,
    at: Duration,
}

/// The windows of one objective so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct WindowRecord {
    counts: WindowCounts,
    worst: Option<Worst>,
}

impl WindowRecord {
    /// Takes one more whole window into account, of `planned` that the run will have.
    pub(crate) fn add(
        &mut self,
        objective: &Objective,
        counts: Counts,
        value: Amount,
        (start, end): (Duration, Duration),
        planned: u64,
    ) {
        let span = end.saturating_sub(start);
        if counts.samples < least_samples(objective) {
            self.counts.few += 1;
            return;
        }
        let wrong = !counts.holds(objective, span);
        if wrong && counts.forgiven().holds(objective, span) {
            self.counts.late += 1;
            return;
        }
        self.counts.judged += 1;
        self.counts.wrong += u64::from(wrong);
        self.counts.breached += u64::from(wrong && beyond_chance(objective, counts, planned));
        let upper = objective.comparison().is_upper_bound();
        let worse = self
            .worst
            .is_none_or(|worst| if upper { value > worst.value } else { value < worst.value });
        if worse {
            self.worst = Some(Worst { value, samples: counts.samples, at: end });
        }
    }

    /// The worst window that was judged.
    pub(crate) fn worst(&self) -> Option<Worst> {
        self.worst
    }

    /// What was counted, of `planned` windows.
    pub(crate) fn counts(&self, objective: &Objective, planned: u64) -> WindowCounts {
        let worst_at = self.worst.map(|worst| worst.at);
        let allowed = allowed(objective, planned);
        WindowCounts { planned, allowed, worst_at, ..self.counts }
    }

    /// The verdict, and why it is none.
    pub(crate) fn verdict(&self, objective: &Objective, planned: u64) -> (Verdict, Option<String>) {
        let WindowCounts { judged, wrong, few, late, .. } = self.counts;
        if wrong > allowed(objective, planned) {
            return (Verdict::Breached, None);
        }
        if judged > 0 && judged as f64 >= JUDGED * planned as f64 {
            return (Verdict::Met, None);
        }
        if planned == 0 {
            let why = "nothing was due for as long as one window: the run was cut off";
            return (Verdict::Inconclusive, Some(why.to_owned()));
        }
        let lacking = planned.saturating_sub(judged + few + late);
        let mut why = Vec::new();
        if few > 0 {
            let least = least_samples(objective);
            why.push(format!("{few} held fewer than {least} requests: use longer windows"));
        }
        if late > 0 {
            why.push(format!(
                "{late} were wrong, but may be so by the load generator's own lateness or losses"
            ));
        }
        if lacking > 0 {
            why.push(format!("{lacking} lack: the run was cut off, or an interval was too long"));
        }
        let why = format!("only {judged} of {planned} windows could be judged; {}", why.join("; "));
        (Verdict::Inconclusive, Some(why))
    }
}

/// How many windows of `planned` may be wrong.
pub(crate) fn allowed(objective: &Objective, planned: u64) -> u64 {
    let share = objective.windows().map_or(1.0, |windows| windows.share);
    // A product such as 0.01 · 100 may come out a hair below its true value.
    ((1.0 - share) * planned as f64 + 1e-9) as u64
}

/// So many requests make a window that has the objective's percentile.
fn least_samples(objective: &Objective) -> u64 {
    match objective.indicator() {
        Indicator::Latency { percentile, .. } => least_requests(percentile / 100.0),
        _ => 1,
    }
}

/// Whether a wrong window would be wrong by luck in fewer than one of twenty runs, if its requests
/// were independent.
fn beyond_chance(objective: &Objective, counts: Counts, planned: u64) -> bool {
    objective.allowed_share().is_none_or(|allowed| {
        is_beyond_chance(counts.bad, counts.samples, allowed, 1.0, planned, CHANCE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(4));

    fn counts(samples: u64, bad: u64, ours: u64) -> Counts {
        Counts { samples, bad, infinite: 0, ours }
    }

    fn record(objective: &str, windows: &[(u64, Counts)], planned: u64) -> (Verdict, WindowCounts) {
        let objective: Objective = objective.parse().unwrap();
        let mut record = WindowRecord::default();
        let value = Amount::latency(Duration::from_millis(100));
        for (times, counts) in windows {
            (0..*times).for_each(|_| record.add(&objective, *counts, value, SECOND, planned));
        }
        (record.verdict(&objective, planned).0, record.counts(&objective, planned))
    }

    #[test]
    fn the_facts_decide() {
        let (good, bad) = (counts(100, 1, 0), counts(100, 2, 0));
        let every = "p99 < 200ms in every 1s";
        assert_eq!(record(every, &[(20, good)], 20).0, Verdict::Met);
        assert_eq!(record(every, &[(19, good), (1, bad)], 20).0, Verdict::Breached);
        assert_eq!(record(every, &[(19, good)], 20).0, Verdict::Met, "95 % were judged");
        assert_eq!(record(every, &[(18, good)], 20).0, Verdict::Inconclusive);
        assert_eq!(record(every, &[], 20).0, Verdict::Inconclusive, "no samples are never met");
        assert_eq!(record(every, &[], 0).0, Verdict::Inconclusive, "nor is no time");
        let most = "p99 < 200ms in 95% of 1s windows";
        assert_eq!(record(most, &[(19, good), (1, bad)], 20).0, Verdict::Met);
        assert_eq!(record(most, &[(18, good), (2, bad)], 20).0, Verdict::Breached);
    }

    #[test]
    fn what_cannot_be_judged_is_counted() {
        let every = "p99 < 200ms in every 1s";
        let (verdict, counted) = record(
            every,
            &[(17, counts(100, 0, 0)), (1, counts(99, 5, 0)), (2, counts(100, 9, 9))],
            20,
        );
        assert_eq!(verdict, Verdict::Inconclusive);
        assert_eq!((counted.judged, counted.few, counted.late, counted.wrong), (17, 1, 2, 0));
        let objective: Objective = every.parse().unwrap();
        assert_eq!(least_samples(&objective), 100);
        assert_eq!(least_samples(&"p99.9 < 1s in every 1s".parse().unwrap()), 1_000);
    }

    #[test]
    fn a_late_window_that_is_wrong_anyway_is_wrong() {
        let every = "p99 < 200ms in every 1s";
        let (verdict, _) = record(every, &[(1, counts(100, 50, 9))], 20);
        assert_eq!(verdict, Verdict::Breached);
    }

    #[test]
    fn wrong_by_a_hair_is_wrong_and_not_beyond_chance() {
        let every = "p99 < 200ms in every 1s";
        let (_, counted) = record(every, &[(1, counts(100, 2, 0)), (1, counts(100, 30, 0))], 20);
        assert_eq!((counted.wrong, counted.breached), (2, 1));
    }
}
