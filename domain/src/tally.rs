//! Counts and latencies of the requests of one phase in one interval, or of many merged.
//!
//! The counts obey two laws once everything in flight has ended:
//! `offered = sent + dropped` and `sent = answered + timeout + transport + aborted`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Latencies, Outcome, Quantile, Sample, Transport};

/// Counts and latencies; merging two loses nothing.
#[derive(Debug, Clone, Default)]
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
    /// Service times (done − sent) of everything answered.
    pub service: Latencies,
    /// Send lags (sent − due) of everything sent.
    pub send_lag: Latencies,
    /// Release lags (released − due): the generator's own part of the send lag.
    pub release_lag: Latencies,
    /// Model times, where the server tells them.
    pub model: Latencies,
    /// Service time minus model time, where the server tells it.
    pub overhead: Latencies,
}

/// How many arrivals ended in which way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Whole answers, by HTTP status.
    pub status: BTreeMap<u16, u64>,
    /// No whole answer within the request timeout.
    pub timeout: u64,
    /// Failed connections, by where they failed.
    pub transport: BTreeMap<Transport, u64>,
    /// In flight when the run stopped waiting.
    pub aborted: u64,
    /// Never sent: no connection within the limits.
    pub dropped: u64,
}

impl Tally {
    /// Counts a request that ended. Its `offered` and `sent` are counted when they happen.
    pub fn record(&mut self, sample: &Sample) {
        self.send_lag.record(sample.send_lag());
        self.release_lag.record(sample.release_lag());
        match sample.outcome {
            Outcome::Answered(status) => {
                *self.outcomes.status.entry(status).or_default() += 1;
                self.service.record(sample.service_time());
            }
            Outcome::Timeout => self.outcomes.timeout += 1,
            Outcome::Transport(kind) => {
                *self.outcomes.transport.entry(kind).or_default() += 1;
            }
            Outcome::Aborted => self.outcomes.aborted += 1,
        }
        let response = sample.response_time();
        if sample.outcome.is_ok() {
            self.response.record(response);
        } else {
            self.failed.record(response);
        }
        if let Some(model) = sample.model_time {
            self.model.record(model);
            self.overhead.record(sample.service_time().saturating_sub(model));
        }
    }

    /// Counts an arrival that found no connection within the limits.
    pub fn drop_one(&mut self) {
        self.outcomes.dropped += 1;
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.offered += other.offered;
        self.sent += other.sent;
        self.outcomes.merge(&other.outcomes);
        self.response.merge(&other.response);
        self.failed.merge(&other.failed);
        self.service.merge(&other.service);
        self.send_lag.merge(&other.send_lag);
        self.release_lag.merge(&other.release_lag);
        self.model.merge(&other.model);
        self.overhead.merge(&other.overhead);
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

    /// Right answers within `limit`.
    pub fn good(&self, limit: Duration) -> u64 {
        self.response.count_at_most(limit)
    }
}

impl Outcomes {
    /// Whole answers, with whatever status.
    pub fn answered(&self) -> u64 {
        self.status.values().sum()
    }

    /// Whole answers with a 2xx status.
    pub fn ok(&self) -> u64 {
        self.status.range(200..300).map(|(_, count)| count).sum()
    }

    /// Failed connections.
    pub fn transport_total(&self) -> u64 {
        self.transport.values().sum()
    }

    /// Everything that ended.
    pub fn total(&self) -> u64 {
        self.answered() + self.timeout + self.transport_total() + self.aborted + self.dropped
    }

    fn merge(&mut self, other: &Self) {
        other.status.iter().for_each(|(k, n)| *self.status.entry(*k).or_default() += n);
        other.transport.iter().for_each(|(k, n)| *self.transport.entry(*k).or_default() += n);
        self.timeout += other.timeout;
        self.aborted += other.aborted;
        self.dropped += other.dropped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Moment;

    fn sample(outcome: Outcome, millis: u64) -> Sample {
        let due = Moment::from_nanos(1_000_000);
        let done = due + Duration::from_millis(millis);
        Sample { due, released: due, sent: due, done, outcome, model_time: None }
    }

    #[test]
    fn failures_have_latencies_and_never_flatter() {
        let mut tally = Tally::default();
        (0..98).for_each(|_| tally.record(&sample(Outcome::Answered(200), 10)));
        tally.record(&sample(Outcome::Answered(500), 1));
        tally.record(&sample(Outcome::Transport(Transport::Closed), 1));
        tally.drop_one();
        assert_eq!(tally.ended(), 101);
        assert_eq!(tally.infinite(), 3);
        assert_eq!(tally.failed.count(), 2);
        assert_eq!(tally.response_quantile(0.99), Some(Quantile::Infinite));
        assert!(tally.response_quantile(0.5).and_then(Quantile::finite).is_some());
    }

    #[test]
    fn outcomes_sum_to_everything_that_ended() {
        let mut tally = Tally::default();
        let ends = [
            Outcome::Answered(200),
            Outcome::Answered(424),
            Outcome::Timeout,
            Outcome::Transport(Transport::Connect),
            Outcome::Aborted,
        ];
        for end in &ends {
            tally.record(&sample(*end, 5));
        }
        tally.drop_one();
        assert_eq!(tally.outcomes.total(), 6);
        assert_eq!(tally.outcomes.answered(), 2);
        assert_eq!(tally.outcomes.ok(), 1);
        assert_eq!(tally.service.count(), 2);
    }
}
