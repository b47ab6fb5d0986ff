//! What one objective counts: requests looked at, and how many of them are bad.
//!
//! Everything is counted exactly, at the limits that the objectives name; a histogram is needed for
//! values to show, never for whether a limit was kept.
//!
//! **No verdict is the generator's fault.** `ours` is how many of the bad requests the generator
//! itself could account for. What it could not send (no socket, the safety ceiling) counts once.
//! A request that it delayed by more than the limit tolerates, or whose answer it may have left
//! unread for as long, counts [`SPREAD`] times: after a pause all that was due goes out at once, and
//! the queue that this makes at the target delays others that were sent in time. The same burst may
//! be refused or time out, which no limit on a latency tells: of such endings, [`SPREAD`] are
//! forgiven for each arrival released more than [`LATE_RELEASE`] late. A value that would be right
//! without `ours` is not judged as wrong.

use std::time::Duration;

use plimsoll_domain::latencies::rank_of;
use plimsoll_domain::{Class, LATE_RELEASE, LimitCounts, Limits};

use crate::group::Selected;
use crate::objective::{Amount, Comparison, Indicator, Latency, Objective};

/// How many requests one that the generator delayed may make bad, itself included.
const SPREAD: u64 = 3;

/// The requests that one objective looks at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Requests looked at.
    pub(crate) samples: u64,
    /// Of these, requests on the wrong side of the limit, or failed.
    pub(crate) bad: u64,
    /// Of the bad ones, those without any latency: +∞ in percentiles.
    pub(crate) infinite: u64,
    /// Of the bad ones, at most so many may be the generator's own fault.
    pub(crate) ours: u64,
}

impl Counts {
    /// What `objective` counts in what was selected for it. Arrivals that are overdue at the end
    /// are certainly bad; they count if `overdue`, which only a window asks for: in the run they
    /// will have ended.
    pub(crate) fn of(
        objective: &Objective,
        limits: &Limits,
        selected: &Selected,
        overdue: bool,
    ) -> Self {
        let Selected { tally, lags } = selected;
        let outcomes = &tally.outcomes;
        let at = |list: &[LimitCounts]| counted(objective, limits, list);
        let strict = objective.comparison() == Comparison::Below;
        let good = |counts: LimitCounts| if strict { counts.below } else { counts.at_most };
        let ours = outcomes.ours() + outcomes.overload().min(burst(selected));
        let (mut counts, at_limit) = match objective.indicator() {
            Indicator::Latency { of: Latency::Response, .. } if objective.successes_only() => {
                let at = at(&tally.limits);
                // Failures are left out, and with them all that was never sent.
                (Self::new(outcomes.ok(), good(at), 0, at.delayed * SPREAD), at)
            }
            Indicator::Latency { of: Latency::Response, .. } => {
                let (at, infinite) = (at(&tally.limits), tally.infinite());
                (Self::new(tally.ended(), good(at), infinite, at.delayed * SPREAD + ours), at)
            }
            Indicator::Latency { of: Latency::Service, .. } => {
                let sent = tally.ended() - outcomes.dropped();
                let infinite = sent - outcomes.served();
                let at = at(&tally.limits);
                let ours = at.delayed * SPREAD + ours;
                (Self::new(sent, good(at), infinite, ours), LimitCounts::default())
            }
            Indicator::Latency { of: Latency::SendLag, .. } => {
                let (at, infinite) = (at(&lags.limits), outcomes.dropped());
                let samples = lags.send.count() + infinite;
                (Self::new(samples, good(at), infinite, at.delayed * SPREAD + ours), at)
            }
            Indicator::ErrorRate => {
                let (ended, wrong) = (tally.ended(), tally.infinite());
                (Self::new(ended, ended - wrong, wrong, ours), LimitCounts::default())
            }
            Indicator::Goodput { per_second, .. } => {
                let at = at(&tally.limits);
                // An interval in which arrivals were due but none ended had a goodput of zero.
                let due = if per_second { tally.offered } else { 0 };
                let samples = tally.ended().max(due);
                let ours = at.delayed * SPREAD + ours;
                (Self::new(samples, at.at_most, tally.infinite(), ours), at)
            }
        };
        if overdue {
            counts.samples += at_limit.overdue;
            counts.bad += at_limit.overdue;
            counts.infinite += at_limit.overdue;
        }
        // What is overdue may be the generator's fault, too.
        counts.ours = counts.ours.min(counts.bad);
        counts
    }

    fn new(samples: u64, good: u64, infinite: u64, ours: u64) -> Self {
        let bad = samples.saturating_sub(good);
        Self { samples, bad, infinite, ours }
    }

    /// The same without what may be the generator's own fault.
    pub(crate) fn forgiven(self) -> Self {
        Self { bad: self.bad - self.ours, ours: 0, ..self }
    }

    /// Whether the objective holds, by counting alone; `span` is the time that rates are over.
    /// Without a sample nothing holds.
    pub(crate) fn holds(self, objective: &Objective, span: Duration) -> bool {
        if self.samples == 0 {
            return false;
        }
        match objective.indicator() {
            // The sample at the percentile's rank is a good one if there are that many good ones.
            Indicator::Latency { percentile, .. } => {
                self.samples - self.bad >= rank_of(percentile / 100.0, self.samples)
            }
            _ => self.share_value(objective, span).is_some_and(|value| objective.holds(value)),
        }
    }

    /// The value of a share or a rate.
    fn share_value(self, objective: &Objective, span: Duration) -> Option<f64> {
        let good = self.samples - self.bad;
        let samples = self.samples as f64;
        match objective.indicator() {
            Indicator::Latency { .. } => None,
            Indicator::ErrorRate => Some(self.bad as f64 / samples),
            Indicator::Goodput { per_second: false, .. } => Some(good as f64 / samples),
            Indicator::Goodput { per_second: true, .. } => Some(good as f64 / span.as_secs_f64()),
        }
    }

    /// The indicator's value; `None` without a sample.
    pub(crate) fn value(
        self,
        objective: &Objective,
        selected: &Selected,
        span: Duration,
    ) -> Option<Amount> {
        if self.samples == 0 {
            return None;
        }
        if let Indicator::Latency { percentile, of } = objective.indicator() {
            let finite = selected.latencies(of);
            return finite
                .quantile_with_infinite(percentile / 100.0, self.samples - finite.count())
                .map(Amount::quantile);
        }
        let number = self.share_value(objective, span)?;
        Some(Amount { number, unit: objective.indicator().unit() })
    }
}

/// How many requests a burst of what the generator released late may have had refused.
fn burst(selected: &Selected) -> u64 {
    let released = &selected.lags.release;
    let late = released.count() - released.count_at_most(LATE_RELEASE);
    (late + selected.tally.outcomes.of(Class::Missed)) * SPREAD
}

/// What was counted at the objective's limit.
fn counted(objective: &Objective, limits: &Limits, list: &[LimitCounts]) -> LimitCounts {
    let index = objective.limit().and_then(|limit| limits.position(limit));
    index.and_then(|index| list.get(index)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{answered, both, ended, late, selected};
    use plimsoll_domain::{Outcome, Tally};

    const TEN: Duration = Duration::from_secs(10);

    fn millis(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    /// 90 right answers, 5 wrong ones, 2 timeouts, 1 closed connection and 2 drops.
    fn mixed(limits: &Limits) -> Tally {
        let mut tally = answered(90, millis(10), limits);
        tally = both(tally, &ended(5, Outcome::status(500), millis(20), limits));
        tally = both(tally, &ended(2, Outcome::of(Class::ClientTimeout), millis(1000), limits));
        tally = both(tally, &ended(1, Outcome::of(Class::Closed), millis(1), limits));
        tally.offered += 2;
        tally.drop_one(Outcome::of(Class::Dropped));
        tally.drop_one(Outcome::of(Class::Dropped));
        tally
    }

    #[test]
    fn each_indicator_counts_what_it_says() {
        let cases = [
            ("p90 < 1s", 100, 10, "10ms"),
            ("p91 < 1s", 100, 10, "∞"),
            ("p99 < 1s successes only", 90, 0, "10ms"),
            ("p96 of service time < 15ms", 98, 8, "20ms"),
            ("p98 of service time < 1s", 98, 3, "∞"),
            ("p98 of send lag < 1s", 100, 2, "0ns"),
            ("p99 of send lag < 1s", 100, 2, "∞"),
            ("error rate < 1%", 100, 10, "10%"),
            ("goodput > 50% within 10100us", 100, 10, "90%"),
            ("goodput > 50% within 5ms", 100, 100, "0%"),
            ("goodput > 5/s within 50ms", 100, 10, "9/s"),
        ];
        for (text, samples, bad, value) in cases {
            let objective: Objective = text.parse().unwrap();
            let limits = Limits::new(objective.limit(), None);
            let selected = selected(mixed(&limits), &limits);
            let counts = Counts::of(&objective, &limits, &selected, false);
            assert_eq!((counts.samples, counts.bad), (samples, bad), "{text}");
            let shown = counts.value(&objective, &selected, TEN).unwrap().short();
            assert_eq!(shown, value, "{text}");
        }
    }

    #[test]
    fn a_limit_is_kept_exactly() {
        for (text, holds) in [
            ("p99 < 200ms", false),
            ("p99 <= 200ms", true),
            ("p99 < 200.001ms", true),
            ("goodput >= 100% within 200ms", true),
        ] {
            let Ok(objective) = text.parse::<Objective>() else { continue };
            let limits = Limits::new(objective.limit(), None);
            let selected = selected(answered(1_000, millis(200), &limits), &limits);
            let counts = Counts::of(&objective, &limits, &selected, false);
            assert_eq!(counts.holds(&objective, TEN), holds, "{text}");
        }
    }

    #[test]
    fn what_the_generator_could_have_caused_is_forgiven() {
        let objective: Objective = "error rate < 0.1%".parse().unwrap();
        let limits = Limits::default();
        let mut tally = answered(995, millis(10), &limits);
        tally = both(tally, &ended(5, Outcome::of(Class::ClientFault), millis(0), &limits));
        let selected = selected(tally, &limits);
        let counts = Counts::of(&objective, &limits, &selected, false);
        assert!(!counts.holds(&objective, TEN));
        assert!(counts.forgiven().holds(&objective, TEN));
    }

    #[test]
    fn what_a_burst_of_our_own_made_overdue_is_forgiven() {
        let objective: Objective = "p99 < 200ms".parse().unwrap();
        let limits = Limits::new(objective.limit(), None);
        for (delayed, overdue, holds) in [(10, 20, true), (10, 45, false), (0, 20, false)] {
            let mut selected = selected(answered(1_000, millis(10), &limits), &limits);
            let at = &mut selected.tally.limits[0];
            (at.delayed, at.overdue) = (delayed, overdue);
            let counts = Counts::of(&objective, &limits, &selected, true);
            assert!(!counts.holds(&objective, TEN));
            assert_eq!(counts.forgiven().holds(&objective, TEN), holds, "{delayed} {overdue}");
        }
    }

    #[test]
    fn what_a_burst_of_our_own_had_refused_is_forgiven() {
        let limits = Limits::default();
        let refused = |class| {
            let refused = ended(30, Outcome::of(class), millis(1), &limits);
            both(answered(970, millis(10), &limits), &refused)
        };
        // (class, released late, holds without what may be ours)
        let table = [
            (Class::RefusedAdmission, 10, true),
            (Class::ClientTimeout, 10, true),
            (Class::Dropped, 10, true),
            (Class::RefusedAdmission, 9, false),
            (Class::RefusedAdmission, 0, false),
            (Class::ModelError, 1_000, false),
        ];
        let objective: Objective = "error rate < 0.1%".parse().unwrap();
        for (class, late_ones, holds) in table {
            let mut selected = selected(refused(class), &limits);
            selected.lags.merge(&late(late_ones, millis(11), &limits));
            selected.lags.merge(&late(500, millis(9), &limits));
            let counts = Counts::of(&objective, &limits, &selected, false);
            assert!(!counts.holds(&objective, TEN));
            let forgiven = counts.forgiven().holds(&objective, TEN);
            // 27 of 30 forgiven leave three: too many.
            assert_eq!(forgiven, holds, "{class:?} {late_ones}");
        }
    }

    #[test]
    fn no_sample_never_holds() {
        for text in ["p99 < 1s", "error rate < 1%", "goodput > 1/s within 1s"] {
            assert!(!Counts::default().holds(&text.parse().unwrap(), TEN), "{text}");
        }
    }
}
