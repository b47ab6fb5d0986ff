//! Limits that objectives name, counted exactly while requests end.
//!
//! A histogram has buckets: a service that answers in 199.9 ms shares one with 200.0 ms, so a
//! histogram alone can neither say `< 200ms` nor `<= 200ms` of it. The limits are known before the
//! run; each is compared with every request as it ends.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sample::nanos;

/// Limits that one run can have. Each costs a comparison per request.
pub const MOST_LIMITS: usize = 64;

/// Lateness of the generator matters to a limit from this share of it on …
const LATE_SHARE: u32 = 10;
/// … but never below this: no timer of an ordinary machine is better.
const LATE_FLOOR: Duration = Duration::from_millis(1);

/// Which latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Latency {
    /// done − due.
    Response,
    /// done − sent.
    Service,
    /// sent − due.
    SendLag,
}

/// One limit on one latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Limit {
    /// On which latency.
    pub of: Latency,
    /// The limit.
    pub at: Duration,
}

impl Limit {
    /// The generator's own lateness from which on it could matter to this limit: a tenth of it, and
    /// at least 1 ms.
    pub fn tolerated_lag(self) -> Duration {
        (self.at / LATE_SHARE).max(LATE_FLOOR)
    }
}

/// The limits of a run, ascending and each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    list: Vec<Limit>,
    /// Right answers that took longer count as [`late`](crate::Class::Late).
    late_after: Option<Duration>,
}

impl Limits {
    /// These limits, of which the first [`MOST_LIMITS`] are counted; right answers after
    /// `late_after` are late.
    pub fn new(limits: impl IntoIterator<Item = Limit>, late_after: Option<Duration>) -> Self {
        let mut list: Vec<_> = limits.into_iter().collect();
        list.sort_unstable();
        list.dedup();
        list.truncate(MOST_LIMITS);
        Self { list, late_after }
    }

    /// Where in a list of [`LimitCounts`] this limit is counted.
    pub fn position(&self, limit: Limit) -> Option<usize> {
        self.list.binary_search(&limit).ok()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Limit> {
        self.list.iter()
    }

    /// Whether a right answer after this time is late.
    pub fn is_late(&self, response: Duration) -> bool {
        self.is_late_after(nanos(response))
    }

    /// The same of nanoseconds.
    pub(crate) fn is_late_after(&self, response: u64) -> bool {
        self.late_after.is_some_and(|limit| response > nanos(limit))
    }
}

/// What was counted at one limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitCounts {
    /// Requests below the limit: right answers for response time, any answer but refusals for service time,
    /// anything sent for send lag.
    pub below: u64,
    /// The same, at most the limit.
    pub at_most: u64,
    /// Requests not below it that the generator itself had delayed by more than the limit
    /// tolerates: it may be the generator's fault that they are not.
    pub delayed: u64,
    /// Arrivals that were due longer ago than the limit and had not ended at the interval's end.
    /// They are certainly not below it. A state, not a count: of two intervals the later's holds.
    pub overdue: u64,
}

impl LimitCounts {
    /// Counts a request that took `took`, of which the generator itself caused `own`; `counts` is
    /// false for one that is beyond every limit, such as a wrong answer.
    /// Times are in nanoseconds: it is done for each request.
    #[inline]
    pub(crate) fn record(&mut self, limit: Limit, took: u64, counts: bool, own: u64) {
        let at = nanos(limit.at);
        let below = counts && took < at;
        self.below += u64::from(below);
        self.at_most += u64::from(counts && took <= at);
        // Almost never is there any delay of its own to divide for.
        self.delayed += u64::from(!below && own > 0 && own > nanos(limit.tolerated_lag()));
    }

    /// Adds what another worker counted in the same interval.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.below += other.below;
        self.at_most += other.at_most;
        self.delayed += other.delayed;
        self.overdue += other.overdue;
    }
}

/// Adds list to list.
pub(crate) fn merge(counts: &mut Vec<LimitCounts>, other: &[LimitCounts]) {
    if counts.len() < other.len() {
        counts.resize(other.len(), LimitCounts::default());
    }
    counts.iter_mut().zip(other).for_each(|(own, theirs)| own.merge(theirs));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_exact_to_the_nanosecond() {
        let limit = Limit { of: Latency::Response, at: Duration::from_millis(200) };
        let mut counts = LimitCounts::default();
        for took in [199_999_999, 200_000_000, 200_000_001] {
            counts.record(limit, took, true, 0);
        }
        counts.record(limit, 1, false, 0);
        assert_eq!((counts.below, counts.at_most, counts.delayed), (1, 2, 0));
    }

    #[test]
    fn only_what_misses_the_limit_can_be_blamed_on_a_delay() {
        let limit = Limit { of: Latency::Response, at: Duration::from_millis(200) };
        let mut counts = LimitCounts::default();
        let own = 21_000_000;
        counts.record(limit, 199_000_000, true, own);
        counts.record(limit, 201_000_000, true, own);
        counts.record(limit, 201_000_000, true, own / 2);
        assert_eq!((counts.below, counts.delayed), (1, 1));
    }

    #[test]
    fn limits_are_found_where_they_are_counted() {
        let of = |ms| Limit { of: Latency::Response, at: Duration::from_millis(ms) };
        let limits = Limits::new([of(200), of(100), of(200)], None);
        assert_eq!(limits.position(of(200)), Some(1));
        assert_eq!(limits.position(of(150)), None);
        assert_eq!(limits.iter().count(), 2);
    }
}
