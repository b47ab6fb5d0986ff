//! Latencies at rest: only the filled buckets, to keep many intervals in memory.
//!
//! A histogram of the fixed bounds takes some 200 kB, filled or not; one second of a run fills a
//! few hundred buckets. Merging back loses nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Latencies;
use super::buckets;
use super::exact::Exact;

/// The filled buckets of a [`Latencies`], with its exact count, sum, minimum and maximum.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SparseLatencies {
    buckets: Box<[(u64, u64)]>,
    sum_ns: u128,
    min_ns: u64,
    max_ns: u64,
    overflow: u64,
}

impl Latencies {
    /// The filled buckets alone.
    pub fn sparse(&self) -> SparseLatencies {
        let Exact { sum_ns, min_ns, max_ns, overflow } = self.exact();
        let min_ns = if self.is_empty() { 0 } else { min_ns };
        SparseLatencies { buckets: self.buckets().collect(), sum_ns, min_ns, max_ns, overflow }
    }

    /// Adds all values of `other`; nothing is lost.
    pub fn merge_sparse(&mut self, other: &SparseLatencies) {
        if other.buckets.is_empty() {
            return;
        }
        let many = self.dense();
        for (value, count) in &other.buckets {
            many.add(*value, *count);
        }
        let SparseLatencies { sum_ns, min_ns, max_ns, overflow, .. } = *other;
        self.exact.merge(Exact { sum_ns, min_ns, max_ns, overflow });
    }
}

impl From<Latencies> for SparseLatencies {
    fn from(latencies: Latencies) -> Self {
        latencies.sparse()
    }
}

impl From<SparseLatencies> for Latencies {
    fn from(sparse: SparseLatencies) -> Self {
        let mut latencies = Self::new();
        latencies.merge_sparse(&sparse);
        latencies
    }
}

impl SparseLatencies {
    /// From the middles of filled buckets in ascending order, in nanoseconds, and their counts: what
    /// a log keeps of latencies. Sum, minimum and maximum are exact to the buckets' width.
    pub fn from_buckets(buckets: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let buckets: Box<[(u64, u64)]> = buckets.into_iter().collect();
        let sum = |(middle, count): &(u64, u64)| u128::from(*middle) * u128::from(*count);
        Self {
            sum_ns: buckets.iter().map(sum).sum(),
            min_ns: buckets.first().map_or(u64::MAX, |(middle, _)| *middle),
            max_ns: buckets.last().map_or(0, |(middle, _)| *middle),
            overflow: 0,
            buckets,
        }
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// The filled buckets in ascending order: the middle of each and its count.
    pub fn buckets(&self) -> impl ExactSizeIterator<Item = (Duration, u64)> + '_ {
        self.buckets.iter().map(|(middle, count)| (Duration::from_nanos(*middle), *count))
    }

    /// How many values lie in buckets whose middle is above `limit`. With the middle of a bucket as
    /// the limit, these are exactly the values in higher buckets.
    pub fn count_above(&self, limit: Duration) -> u64 {
        let first =
            self.buckets.partition_point(|(middle, _)| u128::from(*middle) <= limit.as_nanos());
        self.buckets[first..].iter().map(|(_, count)| count).sum()
    }

    /// The middle of the bucket with the `rank`-th smallest value, counted from 1; `None` beyond
    /// the last.
    pub fn bucket_at_rank(&self, rank: u64) -> Option<Duration> {
        let mut seen = 0;
        self.buckets().find_map(|(middle, count)| {
            seen += count;
            (seen >= rank).then_some(middle)
        })
    }

    /// The highest value that lies in the bucket with the `rank`-th smallest value, counted from 1, as HDR tools
    /// tell percentiles; `None` beyond the last.
    pub fn highest_at_rank(&self, rank: u64) -> Option<Duration> {
        let middle = self.bucket_at_rank(rank)?.as_nanos() as u64;
        Some(Duration::from_nanos(buckets::highest(buckets::index(middle))))
    }

    /// Adds all of `other`'s values; nothing is lost, and only filled buckets are kept.
    pub fn merge(&mut self, other: &Self) {
        if other.buckets.is_empty() {
            return;
        }
        if self.buckets.is_empty() {
            self.clone_from(other);
            return;
        }
        self.buckets = merged(&self.buckets, &other.buckets);
        self.sum_ns += other.sum_ns;
        self.min_ns = self.min_ns.min(other.min_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
        self.overflow += other.overflow;
    }
}

/// Two ascending lists of buckets as one; the counts of a bucket in both are added.
fn merged(one: &[(u64, u64)], other: &[(u64, u64)]) -> Box<[(u64, u64)]> {
    let mut all = Vec::with_capacity(one.len() + other.len());
    let (mut left, mut right) = (one, other);
    while let (Some(&(low, count)), Some(&(high, more))) = (left.first(), right.first()) {
        if low <= high {
            left = &left[1..];
        }
        if high <= low {
            right = &right[1..];
        }
        all.push(match low.cmp(&high) {
            std::cmp::Ordering::Less => (low, count),
            std::cmp::Ordering::Equal => (low, count + more),
            std::cmp::Ordering::Greater => (high, more),
        });
    }
    all.extend_from_slice(left);
    all.extend_from_slice(right);
    all.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(values: &[u64]) -> Latencies {
        let mut latencies = Latencies::new();
        for ns in values {
            latencies.record(Duration::from_nanos(*ns));
        }
        latencies
    }

    proptest! {
        // What a log keeps of a histogram is its filled buckets.
        #[test]
        fn buckets_make_the_same_latencies(
            values in prop::collection::vec(1u64..3_600_000_000_000, 0..100),
        ) {
            let whole = record(&values).sparse();
            let again = SparseLatencies::from_buckets(record(&values).buckets());
            prop_assert!(again.buckets().eq(whole.buckets()));
            let merged = |sparse: &SparseLatencies| {
                let mut all = SparseLatencies::default();
                all.merge(sparse);
                all.merge(&whole);
                all.buckets().collect::<Vec<_>>()
            };
            prop_assert_eq!(merged(&again), merged(&whole));
        }

        // Merging two lists of filled buckets is the same as merging the histograms.
        #[test]
        fn sparse_into_sparse_loses_nothing(
            first in prop::collection::vec(1u64..8_000_000_000_000, 0..100),
            second in prop::collection::vec(1u64..8_000_000_000_000, 0..100),
        ) {
            let mut dense = record(&first);
            dense.merge(&record(&second));
            let mut sparse = record(&first).sparse();
            sparse.merge(&record(&second).sparse());
            prop_assert_eq!(sparse.count(), dense.count());
            prop_assert_eq!(&sparse.buckets, &dense.sparse().buckets);
            let mut back = Latencies::new();
            back.merge_sparse(&sparse);
            prop_assert_eq!((back.min(), back.max()), (dense.min(), dense.max()));
            prop_assert_eq!((back.sum_ns(), back.overflow()), (dense.sum_ns(), dense.overflow()));
        }

        // A bucket's rank and the number above it tell the same story: of all values, those above
        // the bucket of a rank are fewer than those from that rank on.
        #[test]
        fn ranks_and_counts_above_agree(
            values in prop::collection::vec(1u64..8_000_000_000_000, 1..200),
            part in 0.0f64..1.0,
        ) {
            let sparse = record(&values).sparse();
            let rank = 1 + (part * values.len() as f64) as u64;
            let bucket = sparse.bucket_at_rank(rank).expect("the rank is among the values");
            let total = values.len() as u64;
            prop_assert!(sparse.count_above(bucket) <= total - rank);
            let below = bucket.saturating_sub(Duration::from_nanos(1));
            prop_assert!(sparse.count_above(below) > total - rank);
            prop_assert_eq!(sparse.bucket_at_rank(total + 1), None);
            prop_assert_eq!(sparse.count_above(Duration::ZERO), total);
        }

        // Merging the filled buckets is the same as merging the histograms.
        #[test]
        fn merging_buckets_loses_nothing(
            first in prop::collection::vec(1u64..8_000_000_000_000, 0..100),
            second in prop::collection::vec(1u64..8_000_000_000_000, 0..100),
        ) {
            let (mut dense, mut sparse) = (record(&first), record(&first));
            let other = record(&second);
            dense.merge(&other);
            sparse.merge_sparse(&other.sparse());
            prop_assert_eq!(sparse.count(), dense.count());
            prop_assert_eq!(sparse.sum_ns(), dense.sum_ns());
            prop_assert_eq!((sparse.min(), sparse.max()), (dense.min(), dense.max()));
            prop_assert_eq!(sparse.overflow(), dense.overflow());
            prop_assert!(sparse.buckets().eq(dense.buckets()));
        }
    }
}
