//! Counts and latencies of the requests of one key in one interval, or of many merged.
//!
//! The counts obey two laws once everything in flight has ended: `offered = sent + dropped`, and
//! sent is the sum of all endings of what was sent.

use serde::{Deserialize, Serialize};

use crate::limits::{self, LimitCounts};
use crate::{Latencies, Latency, Limits, Outcome, Outcomes, Quantile, Sample};

/// Counts and latencies; merging two loses nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Arrivals that became due.
    pub offered: u64,
    /// Arrivals sent, counted when they are sent.
    pub sent: u64,
    /// How arrivals ended.
    pub outcomes: Outcomes,
    /// Response times (done − due) of right answers.
    pub response: Latencies,
    /// Response times of wrong answers, timeouts and failed connections; in percentiles of
    /// response time these requests count as +∞.
    pub failed: Latencies,
    /// Service times (done − sent) of every answer that was worked for: not of refusals.
    pub service: Latencies,
    /// Model times, where the server tells them.
    pub model: Latencies,
    /// Service time minus model time, where the server tells it.
    pub overhead: Latencies,
    /// What was counted at the limits of response and service time, in the order of [`Limits`].
    pub limits: Vec<LimitCounts>,
}

/// How late requests were sent: of everything sent in one stage, whatever was asked of whom.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Lags {
    /// Send lags (sent − due).
    pub send: Latencies,
    /// Release lags: the generator's own part of the send lags.
    pub release: Latencies,
    /// What was counted at the limits of send lag, in the order of [`Limits`].
    pub limits: Vec<LimitCounts>,
}

impl Tally {
    /// Counts a request that ended. Its `offered` and `sent` are counted when they happen.
    pub fn record(&mut self, sample: &Sample, limits: &Limits) {
        let outcome = sample.outcome;
        self.outcomes.add(outcome, 1);
        let served = sample.done.nanos_since(sample.sent);
        if outcome.is_served() {
            self.service.record_nanos(served);
        }
        let nanos = sample.done.nanos_since(sample.due);
        if outcome.is_ok() {
            self.response.record_nanos(nanos);
        } else {
            self.failed.record_nanos(nanos);
        }
        if let Some(model) = sample.model_nanos() {
            self.model.record_nanos(model);
            self.overhead.record_nanos(served.saturating_sub(model));
        }
        // A burst after a pause of the generator makes the service slower for all that is in it, so
        // being late is no part of the service time, but may be its cause.
        let own = || sample.own_nanos();
        count(&mut self.limits, limits, |of| match of {
            Latency::Response => Some((nanos, outcome.is_ok(), own())),
            Latency::Service => Some((served, outcome.is_served(), own())),
            Latency::SendLag => None,
        });
    }

    /// Counts an arrival that was never sent.
    pub fn drop_one(&mut self, outcome: Outcome) {
        self.outcomes.add(outcome, 1);
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.offered += other.offered;
        self.sent += other.sent;
        self.outcomes.merge(&other.outcomes);
        self.response.merge(&other.response);
        self.failed.merge(&other.failed);
        self.service.merge(&other.service);
        self.model.merge(&other.model);
        self.overhead.merge(&other.overhead);
        limits::merge(&mut self.limits, &other.limits);
    }

    /// Adds all of the interval after this one: states such as overdue arrivals are the later's.
    pub fn append(&mut self, later: &Self) {
        self.forget_overdue();
        self.merge(later);
    }

    /// Forgets which arrivals were overdue, which says nothing about a whole run.
    pub fn forget_overdue(&mut self) {
        self.limits.iter_mut().for_each(|counts| counts.overdue = 0);
    }

    /// Whether nothing at all was counted.
    pub fn is_empty(&self) -> bool {
        self.offered + self.sent + self.ended() == 0
            && self.limits.iter().all(|counts| counts.overdue == 0)
    }

    /// Arrivals that ended, in whatever way.
    pub fn ended(&self) -> u64 {
        self.outcomes.total()
    }

    /// Arrivals that ended without a right answer: each counts as +∞ in percentiles.
    pub fn infinite(&self) -> u64 {
        self.ended() - self.outcomes.ok()
    }

    /// The quantile of response time over every arrival that ended, failures as +∞.
    pub fn response_quantile(&self, quantile: f64) -> Option<Quantile> {
        self.response.quantile_with_infinite(quantile, self.infinite())
    }
}

impl Lags {
    /// Counts a request that was sent.
    pub fn record(&mut self, sample: &Sample, limits: &Limits) {
        let (sent, released) = (sample.sent.nanos_since(sample.due), sample.release_nanos());
        self.send.record_nanos(sent);
        self.release.record_nanos(released);
        let lags = || (sent, true, released);
        count(&mut self.limits, limits, |of| (of == Latency::SendLag).then(lags));
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.send.merge(&other.send);
        self.release.merge(&other.release);
        limits::merge(&mut self.limits, &other.limits);
    }
}

/// Counts one request at each limit for which `of` gives a time, whether it counts, and the
/// generator's own delay in it.
fn count(
    counts: &mut Vec<LimitCounts>,
    limits: &Limits,
    of: impl Fn(Latency) -> Option<(u64, bool, u64)>,
) {
    for (index, limit) in limits.iter().enumerate() {
        let Some((took, counted, own)) = of(limit.of) else { continue };
        if counts.len() <= index {
            counts.resize(index + 1, LimitCounts::default());
        }
        counts[index].record(*limit, took, counted, own);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Class, Limit, Moment};

    fn sample(outcome: Outcome, millis: u64) -> Sample {
        let due = Moment::from_nanos(1_000_000);
        let done = due + Duration::from_millis(millis);
        Sample::new(due, done, outcome)
    }

    #[test]
    fn an_answer_left_unread_is_not_the_service() {
        let limit = |of| Limit { of, at: Duration::from_millis(200) };
        let limits = Limits::new([Latency::Response, Latency::Service].map(limit), None);
        for (unread, delayed) in [(21, 1), (20, 0)] {
            let mut tally = Tally::default();
            let unread = Duration::from_millis(unread);
            tally.record(&Sample { unread, ..sample(Outcome::status(200), 210) }, &limits);
            let counted: Vec<_> = tally.limits.iter().map(|counts| counts.delayed).collect();
            assert_eq!(counted, [delayed; 2], "{unread:?}");
        }
    }

    #[test]
    fn failures_have_latencies_and_never_flatter() {
        let (mut tally, limits) = (Tally::default(), Limits::default());
        (0..98).for_each(|_| tally.record(&sample(Outcome::status(200), 10), &limits));
        tally.record(&sample(Outcome::status(500), 1), &limits);
        tally.record(&sample(Outcome::of(Class::Closed), 1), &limits);
        tally.drop_one(Outcome::of(Class::Dropped));
        assert_eq!(tally.ended(), 101);
        assert_eq!(tally.infinite(), 3);
        assert_eq!(tally.failed.count(), 2);
        assert_eq!(tally.response_quantile(0.99), Some(Quantile::Infinite));
        assert!(tally.response_quantile(0.5).and_then(Quantile::finite).is_some());
    }

    #[test]
    fn a_failure_is_beyond_every_limit_and_a_fast_error_is_a_fast_service() {
        let at = |of, ms| Limit { of, at: Duration::from_millis(ms) };
        let limits = Limits::new([at(Latency::Response, 200), at(Latency::Service, 5)], None);
        let mut tally = Tally::default();
        tally.record(&sample(Outcome::status(200), 100), &limits);
        tally.record(&sample(Outcome::status(500), 1), &limits);
        tally.record(&sample(Outcome::of(Class::ClientTimeout), 1), &limits);
        let below = |limit| tally.limits[limits.position(limit).unwrap()].below;
        assert_eq!(below(at(Latency::Response, 200)), 1);
        assert_eq!(below(at(Latency::Service, 5)), 1);
    }

    // A 429 comes at once, and would make the service look the faster the more it refuses.
    #[test]
    fn a_refusal_is_no_service() {
        let limit = Limit { of: Latency::Service, at: Duration::from_millis(5) };
        let limits = Limits::new([limit], None);
        let mut tally = Tally::default();
        for status in [429, 401, 403] {
            tally.record(&sample(Outcome::status(status), 1), &limits);
        }
        assert_eq!((tally.service.count(), tally.limits[0].below), (0, 0));
        tally.record(&sample(Outcome::status(424), 1), &limits);
        assert_eq!((tally.service.count(), tally.limits[0].below), (1, 1));
        assert_eq!((tally.failed.count(), tally.outcomes.served()), (4, 1));
    }

    #[test]
    fn overdue_arrivals_add_up_over_workers_and_not_over_time() {
        let overdue = |count| Tally {
            limits: vec![LimitCounts { overdue: count, ..LimitCounts::default() }],
            ..Tally::default()
        };
        let mut tally = overdue(3);
        tally.merge(&overdue(4));
        assert_eq!(tally.limits[0].overdue, 7);
        tally.append(&overdue(2));
        assert_eq!(tally.limits[0].overdue, 2);
    }
}
