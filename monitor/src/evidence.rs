//! What a tally says about an objective: its value, how sure that is, and how much more would do.

use std::time::Duration;

use plimsoll_domain::latencies::rank_of;
use plimsoll_domain::{Latencies, Quantile, Tally};

use crate::interval::{quantile_ranks, share_interval};
use crate::objective::{Amount, Comparison, Indicator, Latency, Objective, Unit};
use crate::verdict::Verdict;

/// More samples than this are not worth waiting for.
const MOST_SAMPLES: u64 = 100_000_000;

/// The samples of one tally that one objective looks at; there is at least one.
pub(crate) struct Evidence<'a> {
    samples: u64,
    comparison: Comparison,
    threshold: f64,
    kind: Kind<'a>,
}

enum Kind<'a> {
    /// A quantile of latencies, of which some are infinite.
    Quantile { quantile: f64, finite: &'a Latencies },
    /// `hits` of the samples, times `scale`.
    Share { hits: u64, scale: f64, unit: Unit },
}

impl<'a> Evidence<'a> {
    /// What `objective` looks at in `tally`, which took `span`; `None` without a sample.
    pub(crate) fn of(objective: &Objective, tally: &'a Tally, span: Duration) -> Option<Self> {
        let ended = tally.ended();
        let outcomes = &tally.outcomes;
        let (samples, kind) = match objective.indicator() {
            Indicator::Latency { percentile, of } => {
                let unanswered = outcomes.timeout + outcomes.transport_total() + outcomes.aborted;
                let (finite, infinite) = match of {
                    Latency::Response if objective.successes_only() => (&tally.response, 0),
                    Latency::Response => (&tally.response, tally.infinite()),
                    Latency::Service => (&tally.service, unanswered),
                    Latency::SendLag => (&tally.send_lag, outcomes.dropped),
                };
                let quantile = percentile / 100.0;
                (finite.count() + infinite, Kind::Quantile { quantile, finite })
            }
            Indicator::ErrorRate => {
                (ended, Kind::Share { hits: tally.infinite(), scale: 1.0, unit: Unit::Share })
            }
            Indicator::Goodput { within, per_second: false } => {
                (ended, Kind::Share { hits: tally.good(within), scale: 1.0, unit: Unit::Share })
            }
            Indicator::Goodput { within, per_second: true } => {
                // An interval in which arrivals were due but none ended had a goodput of zero.
                let samples = ended.max(tally.offered);
                let scale = samples as f64 / span.as_secs_f64();
                let hits = tally.good(within);
                (samples, Kind::Share { hits, scale, unit: Unit::PerSecond })
            }
        };
        let (comparison, threshold) = (objective.comparison(), objective.threshold().number);
        (samples > 0).then_some(Self { samples, comparison, threshold, kind })
    }

    /// How many samples there are.
    pub(crate) fn samples(&self) -> u64 {
        self.samples
    }

    /// The indicator's value.
    pub(crate) fn value(&self) -> Amount {
        match self.kind {
            Kind::Quantile { quantile, finite } => {
                Amount::quantile(finite.at_rank(rank_of(quantile, self.samples)))
            }
            Kind::Share { hits, scale, unit } => {
                Amount { number: hits as f64 / self.samples as f64 * scale, unit }
            }
        }
    }

    /// The interval in which the value lies with this confidence; its upper end may be infinite.
    pub(crate) fn interval(&self, confidence: f64) -> (Amount, Amount) {
        match self.kind {
            Kind::Quantile { quantile, finite } => {
                let (low, high) = quantile_ranks(self.samples, quantile, confidence);
                let low = match low {
                    0 => Quantile::Finite(Duration::ZERO),
                    rank => finite.at_rank(rank),
                };
                (Amount::quantile(low), Amount::quantile(finite.at_rank(high)))
            }
            Kind::Share { hits, scale, unit } => {
                let (low, high) = share_interval(hits, self.samples, confidence);
                let amount = |share| Amount { number: share * scale, unit };
                (amount(low), amount(high))
            }
        }
    }

    /// What an interval decides: met or breached if the whole of it lies on one side.
    pub(crate) fn decide(&self, (low, high): (Amount, Amount)) -> Verdict {
        decide(self.comparison, self.threshold, low.number, high.number)
    }

    /// How many further samples would decide an undecided objective if the share of bad ones stayed
    /// as it is. `None` if it is decided, if none would be enough (the value is the threshold), or
    /// if it would take more than a hundred million.
    pub(crate) fn samples_needed(&self, confidence: f64) -> Option<u64> {
        let decided = |samples| self.decided_with(samples, confidence);
        if decided(self.samples) {
            return None;
        }
        let mut undecided = self.samples;
        let mut enough = self.samples.saturating_mul(2);
        while !decided(enough) {
            undecided = enough;
            enough = enough.saturating_mul(2);
            if enough > MOST_SAMPLES {
                return None;
            }
        }
        while enough - undecided > 1 {
            let middle = undecided + (enough - undecided) / 2;
            if decided(middle) { enough = middle } else { undecided = middle }
        }
        Some(enough - self.samples)
    }

    /// Whether `samples` of which the same share is good would decide.
    fn decided_with(&self, samples: u64, confidence: f64) -> bool {
        let scaled = |part: u64| {
            ((u128::from(part) * u128::from(samples) + u128::from(self.samples) / 2)
                / u128::from(self.samples)) as u64
        };
        match self.kind {
            Kind::Quantile { quantile, finite } => {
                // The sample at a rank is on the right side if there are that many good ones.
                let good = scaled(self.good(finite));
                let (low, high) = quantile_ranks(samples, quantile, confidence);
                good >= high || good < low
            }
            Kind::Share { hits, scale, .. } => {
                let (low, high) = share_interval(scaled(hits), samples, confidence);
                let verdict = decide(self.comparison, self.threshold, low * scale, high * scale);
                verdict != Verdict::Inconclusive
            }
        }
    }

    /// How many latencies are on the right side of the threshold.
    fn good(&self, finite: &Latencies) -> u64 {
        let limit = Duration::from_nanos((self.threshold * 1e6).round() as u64);
        match self.comparison {
            Comparison::Below => {
                finite.count_at_most(limit.saturating_sub(Duration::from_nanos(1)))
            }
            _ => finite.count_at_most(limit),
        }
    }
}

fn decide(comparison: Comparison, threshold: f64, low: f64, high: f64) -> Verdict {
    match (comparison.holds(low, threshold), comparison.holds(high, threshold)) {
        (true, true) => Verdict::Met,
        (false, false) => Verdict::Breached,
        _ => Verdict::Inconclusive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{answered, both, ended};
    use plimsoll_domain::{Outcome, Transport};

    const SECOND: Duration = Duration::from_secs(1);

    fn millis(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    /// 90 right answers, 5 wrong ones, 2 timeouts, 1 closed connection and 2 drops.
    fn mixed() -> Tally {
        let mut tally = answered(90, millis(10));
        tally = both(tally, &ended(5, Outcome::Answered(500), millis(20)));
        tally = both(tally, &ended(2, Outcome::Timeout, millis(1000)));
        tally = both(tally, &ended(1, Outcome::Transport(Transport::Closed), millis(1)));
        tally.offered += 2;
        tally.drop_one();
        tally.drop_one();
        tally
    }

    #[test]
    fn each_indicator_counts_what_it_says() {
        let cases = [
            ("p90 < 1s", 100, "10ms"),
            ("p91 < 1s", 100, "∞"),
            ("p99 < 1s successes only", 90, "10ms"),
            ("p96 of service time < 1s", 98, "20ms"),
            ("p98 of service time < 1s", 98, "∞"),
            ("p98 of send lag < 1s", 100, "0ns"),
            ("p99 of send lag < 1s", 100, "∞"),
            ("error rate < 1%", 100, "10%"),
            ("goodput > 50% within 10100us", 100, "90%"),
            ("goodput > 50% within 5ms", 100, "0%"),
            ("goodput > 5/s within 50ms", 100, "9/s"),
        ];
        let tally = mixed();
        for (text, samples, value) in cases {
            let objective: Objective = text.parse().unwrap();
            let evidence = Evidence::of(&objective, &tally, 10 * SECOND).unwrap();
            assert_eq!(
                (evidence.samples(), evidence.value().short().as_str()),
                (samples, value),
                "{text}"
            );
        }
    }

    #[test]
    fn no_sample_is_no_evidence() {
        let failed = ended(5, Outcome::Timeout, millis(1000));
        for (text, tally) in [
            ("p99 < 1s", Tally::default()),
            ("error rate < 1%", Tally::default()),
            ("p99 < 1s successes only", failed),
        ] {
            assert!(Evidence::of(&text.parse().unwrap(), &tally, SECOND).is_none(), "{text}");
        }
    }

    #[test]
    fn the_interval_decides() {
        let slow = |good, bad| both(answered(good, millis(10)), &answered(bad, millis(500)));
        let failed =
            |good, bad| both(answered(good, millis(10)), &ended(bad, Outcome::Timeout, millis(10)));
        let cases = [
            ("p99 < 200ms", answered(367, millis(10)), Verdict::Inconclusive),
            ("p99 < 200ms", answered(368, millis(10)), Verdict::Met),
            ("p99 < 200ms", slow(9_950, 50), Verdict::Met),
            ("p99 < 200ms", slow(9_900, 100), Verdict::Inconclusive),
            ("p99 < 200ms", slow(9_850, 150), Verdict::Breached),
            ("p99 < 200ms", failed(9_850, 150), Verdict::Breached),
            ("p99 < 200ms successes only", failed(9_850, 150), Verdict::Met),
            ("error rate < 1%", failed(9_950, 50), Verdict::Met),
            ("error rate < 1%", failed(9_900, 100), Verdict::Inconclusive),
            ("error rate < 1%", failed(9_850, 150), Verdict::Breached),
            ("goodput >= 99% within 200ms", slow(9_950, 50), Verdict::Met),
            ("goodput >= 99% within 200ms", slow(9_850, 150), Verdict::Breached),
            ("goodput >= 9000/s within 200ms", slow(9_950, 50), Verdict::Met),
            ("goodput >= 11000/s within 200ms", slow(9_950, 50), Verdict::Breached),
        ];
        for (text, tally, verdict) in cases {
            let objective: Objective = text.parse().unwrap();
            let evidence = Evidence::of(&objective, &tally, SECOND).unwrap();
            let interval = evidence.interval(0.95);
            assert_eq!(evidence.decide(interval), verdict, "{text} {interval:?}");
            // The same rule, in counts instead of latencies.
            assert_eq!(
                evidence.decided_with(evidence.samples, 0.95),
                verdict != Verdict::Inconclusive
            );
        }
    }

    #[test]
    fn samples_needed_are_just_enough() {
        let slow = |good, bad| both(answered(good, millis(10)), &answered(bad, millis(500)));
        let cases = [
            ("p99 < 200ms", slow(100, 0), Some(268)),
            ("error rate < 1%", slow(100, 0), Some(268)),
            ("p99 < 200ms", slow(10_000, 0), None),
            ("p99 < 200ms", slow(9_900, 100), None),
            ("error rate < 10%", both(slow(90, 0), &ended(10, Outcome::Timeout, millis(1))), None),
        ];
        for (text, tally, needed) in cases {
            let objective: Objective = text.parse().unwrap();
            let evidence = Evidence::of(&objective, &tally, SECOND).unwrap();
            assert_eq!(evidence.samples_needed(0.95), needed, "{text}");
        }
        for text in ["p99 < 200ms", "goodput > 99% within 200ms"] {
            let (objective, tally) = (text.parse().unwrap(), slow(995, 5));
            let evidence = Evidence::of(&objective, &tally, SECOND).unwrap();
            let needed = evidence.samples_needed(0.95).unwrap();
            assert!(evidence.decided_with(1_000 + needed, 0.95), "{text} {needed}");
            assert!(!evidence.decided_with(1_000 + needed - 1, 0.95), "{text} {needed}");
        }
    }
}
