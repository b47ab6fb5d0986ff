//! A run cut into 32 to 63 batches of equal length, in memory that does not grow with the run.
//!
//! How much requests depend on those before them shows in how much stretches of the run differ. A
//! batch covers 2^k whole intervals; when 64 are closed, neighbours are merged and k grows by one
//! (the dynamic batch means of Yeh and Schmeiser, 2000). So batches grow with the run and outlast
//! the dependence between requests, while there are always enough of them to tell their variance.

use std::borrow::Cow;
use std::time::Duration;

use plimsoll_domain::latencies::SparseLatencies;

/// Closed batches at which neighbours are merged: half as many are left.
const MOST_CLOSED: usize = 64;

/// What one objective looks at in one stretch of a run.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Requests looked at.
    pub requests: u64,
    /// Of these, the ones on the wrong side of the objective's limit, counted exactly.
    pub bad: u64,
    /// Of the bad ones, at most so many may be the load generator's own fault.
    pub ours: u64,
    /// Requests whose latency counts as infinite; they are also in `requests`.
    pub infinite: u64,
    /// The finite latencies; empty if the objective looks at none.
    pub finite: SparseLatencies,
    /// How long the stretch is.
    pub length: Duration,
}

impl Batch {
    /// Adds a stretch beside this one.
    pub fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.bad += other.bad;
        self.ours += other.ours;
        self.infinite += other.infinite;
        self.finite.merge(&other.finite);
        self.length += other.length;
    }
}

/// The batches of one objective over a run.
#[derive(Debug, Clone, Default)]
pub struct Batches {
    closed: Vec<Batch>,
    open: Batch,
    /// Intervals in the open batch.
    open_intervals: u64,
    /// A closed batch covers 2^k intervals.
    doublings: u32,
}

impl Batches {
    /// No intervals yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Batches that were cut before, each of which counts.
    pub fn of(closed: Vec<Batch>) -> Self {
        Self { closed, ..Self::default() }
    }

    /// Adds the next interval.
    pub fn add(&mut self, interval: &Batch) {
        self.open.merge(interval);
        self.open_intervals += 1;
        if self.open_intervals == 1 << self.doublings {
            self.closed.push(std::mem::take(&mut self.open));
            self.open_intervals = 0;
        }
        if self.closed.len() == MOST_CLOSED {
            self.merge_neighbours();
        }
    }

    /// How many intervals were added.
    pub fn intervals(&self) -> u64 {
        ((self.closed.len() as u64) << self.doublings) + self.open_intervals
    }

    /// Whether any bad request may be the load generator's own fault.
    pub fn has_ours(&self) -> bool {
        self.open.ours > 0 || self.closed.iter().any(|batch| batch.ours > 0)
    }

    /// The same without the bad requests that may be the load generator's own fault.
    #[must_use]
    pub fn forgiven(&self) -> Self {
        let forgive = |batch: &Batch| {
            let mut batch = batch.clone();
            batch.bad -= batch.ours.min(batch.bad);
            batch.ours = 0;
            batch
        };
        let closed = self.closed.iter().map(forgive).collect();
        Self { closed, open: forgive(&self.open), ..*self }
    }

    /// The batches in the order of time. An open one of less than half the length has joined the
    /// last closed one, a longer one counts as a batch.
    pub fn counted(&self) -> Vec<Cow<'_, Batch>> {
        let mut all: Vec<_> = self.closed.iter().map(Cow::Borrowed).collect();
        let short = 2 * self.open_intervals < 1 << self.doublings;
        match all.last_mut() {
            _ if self.open_intervals == 0 => {}
            Some(last) if short => last.to_mut().merge(&self.open),
            _ => all.push(Cow::Borrowed(&self.open)),
        }
        all
    }

    fn merge_neighbours(&mut self) {
        let mut pairs = std::mem::take(&mut self.closed).into_iter();
        while let (Some(mut first), Some(second)) = (pairs.next(), pairs.next()) {
            first.merge(&second);
            self.closed.push(first);
        }
        self.doublings += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_domain::Latencies;
    use proptest::prelude::*;

    /// A second of `requests` requests, of which some are bad.
    fn second(requests: u64) -> Batch {
        let mut latencies = Latencies::new();
        (0..requests).for_each(|i| latencies.record(Duration::from_millis(1 + i)));
        let infinite = requests % 2;
        Batch {
            requests: requests + infinite,
            bad: requests / 2,
            ours: 0,
            infinite,
            finite: latencies.sparse(),
            length: Duration::from_secs(1),
        }
    }

    /// Seconds of 0 to 6 requests in turn.
    fn seconds(count: u64) -> Vec<Batch> {
        let week: Vec<Batch> = (0..7).map(second).collect();
        week.into_iter().cycle().take(count as usize).collect()
    }

    fn after(count: u64) -> Batches {
        let mut batches = Batches::new();
        for interval in &seconds(count) {
            batches.add(interval);
        }
        batches
    }

    #[test]
    fn lengths_double_at_sixty_four() {
        // Seconds, batches that count, seconds in the first and in the last of them.
        let cases = [
            (0, 0, 0, 0),
            (1, 1, 1, 1),
            (63, 63, 1, 1),
            (64, 32, 2, 2),
            (65, 33, 2, 1),
            (127, 64, 2, 1),
            (128, 32, 4, 4),
            (129, 32, 4, 5),
            (130, 33, 4, 2),
            (600, 38, 16, 8),
        ];
        for (seconds, count, first, last) in cases {
            let batches = after(seconds);
            let counted = batches.counted();
            let length = |batch: Option<&Cow<'_, Batch>>| batch.map_or(0, |b| b.length.as_secs());
            assert_eq!(
                (counted.len(), length(counted.first()), length(counted.last())),
                (count, first, last),
                "{seconds}"
            );
            assert_eq!(batches.intervals(), seconds);
        }
    }

    proptest! {
        // However long the run, no request is lost or counted twice, there are never more than 64
        // batches, and from 32 intervals on never fewer than 32.
        #[test]
        fn batches_lose_nothing(count in 1u64..1_000) {
            let batches = after(count);
            let counted = batches.counted();
            let (mut joined, mut whole) = (Batch::default(), Batch::default());
            for batch in &counted {
                joined.merge(batch);
            }
            for interval in &seconds(count) {
                whole.merge(interval);
            }
            prop_assert_eq!(joined.requests, whole.requests);
            prop_assert_eq!((joined.bad, joined.infinite), (whole.bad, whole.infinite));
            prop_assert_eq!(joined.length, whole.length);
            prop_assert!(joined.finite.buckets().eq(whole.finite.buckets()));
            prop_assert!(counted.len() <= MOST_CLOSED);
            prop_assert!(counted.len() as u64 >= count.min(32));
        }
    }
}
