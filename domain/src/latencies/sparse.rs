//! Latencies at rest: only the filled buckets, to keep many intervals in memory.
//!
//! A histogram of the fixed bounds takes some 200 kB, filled or not; one second of a run fills a
//! few hundred buckets. Merging back loses nothing.

use serde::{Deserialize, Serialize};

use super::{Latencies, empty_histogram};

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
        let Self { sum_ns, min_ns, max_ns, overflow, .. } = *self;
        SparseLatencies { buckets: self.buckets().collect(), sum_ns, min_ns, max_ns, overflow }
    }

    /// Adds all values of `other`; nothing is lost.
    pub fn merge_sparse(&mut self, other: &SparseLatencies) {
        if other.buckets.is_empty() {
            return;
        }
        if self.is_empty() {
            self.min_ns = u64::MAX;
        }
        let histogram = self.histogram.get_or_insert_with(empty_histogram);
        for (value, count) in &other.buckets {
            histogram.saturating_record_n(*value, *count);
        }
        self.sum_ns += other.sum_ns;
        self.min_ns = self.min_ns.min(other.min_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
        self.overflow += other.overflow;
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        // Merging the filled buckets is the same as merging the histograms.
        #[test]
        fn merging_buckets_loses_nothing(
            first in prop::collection::vec(1u64..8_000_000_000_000, 0..100),
            second in prop::collection::vec(1u64..8_000_000_000_000, 0..100),
        ) {
            let record = |values: &[u64]| {
                let mut latencies = Latencies::new();
                for ns in values { latencies.record(Duration::from_nanos(*ns)); }
                latencies
            };
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
