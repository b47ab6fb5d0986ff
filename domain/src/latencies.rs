//! Latencies: an HDR histogram of fixed bounds with exact count, sum, minimum and maximum beside it.
//!
//! The bounds are the same everywhere (1 ns to 1 h, three significant digits, values in
//! nanoseconds), so that any two histograms can be merged without loss and memory does not grow
//! with the number of requests. A value above one hour is recorded as one hour and counted in
//! [`Latencies::overflow`]. The bucket array takes up to 260 kB, so the first [`FEW`] values are kept as
//! they are, and it is allocated with the next: most seconds of a calm run hold fewer. What is read is
//! the same either way, to the bucket. A value that is kept costs the request that it is of one store:
//! sum, minimum and maximum are taken of all together when they are read.

mod buckets;
mod encoded;
mod exact;
mod sparse;

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use buckets::Buckets;
pub use encoded::{Decoder, Encoder};
use exact::Exact;
pub use sparse::SparseLatencies;

/// The smallest value: there are three digits from here on.
pub const LOWEST: Duration = Duration::from_nanos(1);
/// Values above are recorded as this and counted as overflow.
pub const HIGHEST: Duration = Duration::from_hours(1);
/// Significant decimal digits of every recorded value.
pub const SIGNIFICANT_DIGITS: u8 = 3;

/// Values that are kept without a histogram: they take the memory of two blocks of its buckets, and
/// latencies lie in several.
const FEW: usize = 2048;

/// Durations in a histogram of fixed bounds. At rest and in transit, only the filled buckets.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "SparseLatencies", into = "SparseLatencies")]
pub struct Latencies {
    /// All values as they were recorded, as long as there are no buckets.
    few: Vec<u64>,
    many: Option<Box<Buckets>>,
    /// Of the values in `many`.
    exact: Exact,
}

/// A quantile of latencies among which some may be infinite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantile {
    /// The latency at that rank.
    Finite(Duration),
    /// The rank falls among requests that never got a right answer.
    Infinite,
}

impl Quantile {
    /// The latency, unless it is infinite.
    pub fn finite(self) -> Option<Duration> {
        match self {
            Self::Finite(value) => Some(value),
            Self::Infinite => None,
        }
    }
}

impl Latencies {
    /// No values yet.
    pub const fn new() -> Self {
        Self { few: Vec::new(), many: None, exact: Exact::NONE }
    }

    /// Records one latency.
    pub fn record(&mut self, value: Duration) {
        self.record_nanos(u64::try_from(value.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Records a latency of so many nanoseconds.
    #[inline]
    pub(crate) fn record_nanos(&mut self, nanos: u64) {
        if self.many.is_none() && self.few.len() < FEW {
            self.few.push(nanos);
        } else {
            self.record_in_buckets(nanos);
        }
    }

    fn record_in_buckets(&mut self, nanos: u64) {
        let nanos = self.exact.add(nanos);
        self.dense().add(nanos, 1);
    }

    /// The buckets, which take all values from now on.
    #[inline]
    fn dense(&mut self) -> &mut Buckets {
        let many = self.many.get_or_insert_with(|| Box::new(Buckets::new()));
        for nanos in std::mem::take(&mut self.few) {
            many.add(self.exact.add(nanos), 1);
        }
        many
    }

    /// Of all values.
    fn exact(&self) -> Exact {
        let mut exact = self.exact;
        for nanos in &self.few {
            exact.add(*nanos);
        }
        exact
    }

    /// The values without buckets, bounded as those in buckets are.
    fn bounded(&self) -> impl Iterator<Item = u64> + '_ {
        self.few.iter().map(|nanos| exact::bounded(*nanos))
    }

    /// Adds all of `other`'s values; nothing is lost.
    pub fn merge(&mut self, other: &Self) {
        for nanos in &other.few {
            self.record_nanos(*nanos);
        }
        if let Some(theirs) = &other.many {
            self.dense().merge(theirs);
            self.exact.merge(other.exact);
        }
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.many.as_ref().map_or(self.few.len() as u64, |many| many.count())
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// How many values were above [`HIGHEST`].
    pub fn overflow(&self) -> u64 {
        self.exact().overflow
    }

    /// The exact sum, in nanoseconds.
    pub fn sum_ns(&self) -> u128 {
        self.exact().sum_ns
    }

    /// The exact mean.
    pub fn mean(&self) -> Option<Duration> {
        let nanos = self.sum_ns().checked_div(u128::from(self.count()))?;
        Some(Duration::from_nanos(nanos as u64))
    }

    /// The exact smallest value.
    pub fn min(&self) -> Option<Duration> {
        (!self.is_empty()).then(|| Duration::from_nanos(self.exact().min_ns))
    }

    /// The exact largest value.
    pub fn max(&self) -> Option<Duration> {
        (!self.is_empty()).then(|| Duration::from_nanos(self.exact().max_ns))
    }

    /// The value at `quantile` (0 to 1): the smallest recorded value with at least that share of
    /// all values at or below it.
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        self.quantile_with_infinite(quantile, 0).and_then(Quantile::finite)
    }

    /// The value at `quantile` when `infinite` further requests count as +∞. `None` without any
    /// value at all.
    pub fn quantile_with_infinite(&self, quantile: f64, infinite: u64) -> Option<Quantile> {
        let total = self.count() + infinite;
        if total == 0 {
            return None;
        }
        Some(self.at_rank(rank_of(quantile, total)))
    }

    /// The value of the `rank`-th smallest recorded value, counted from 1; infinite beyond the last.
    pub fn at_rank(&self, rank: u64) -> Quantile {
        let count = self.count();
        if rank > count {
            return Quantile::Infinite;
        }
        let bucket = if let Some(many) = &self.many {
            many.at_rank(rank.max(1)).expect("the rank is among the values")
        } else {
            let mut few: Vec<_> = self.bounded().collect();
            let (_, value, _) = few.select_nth_unstable(rank.max(1) as usize - 1);
            buckets::index(*value)
        };
        let (value, exact) = (buckets::highest(bucket), self.exact());
        Quantile::Finite(Duration::from_nanos(value.clamp(exact.min_ns, exact.max_ns)))
    }

    /// How many values are at most `limit`, to the histogram's resolution.
    pub fn count_at_most(&self, limit: Duration) -> u64 {
        let limit = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        if limit >= self.exact().max_ns {
            return self.count();
        }
        let is_below = |bucket: usize| buckets::highest(bucket) <= limit;
        let Some(many) = &self.many else {
            let below = self.bounded().filter(|nanos| is_below(buckets::index(*nanos)));
            return below.count() as u64;
        };
        many.filled().take_while(|(bucket, _)| is_below(*bucket)).map(|(_, count)| count).sum()
    }

    /// The filled buckets in ascending order: the middle of each, in nanoseconds, and its count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.places().map(|(place, count)| (buckets::middle(place), count))
    }

    /// The same by the place of each among all buckets, from 0: that in the array of counts of
    /// [`Latencies::histogram`].
    pub fn places(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let many = self.many.iter().flat_map(|many| many.filled());
        let mut few: Vec<_> = self.bounded().map(|nanos| (buckets::index(nanos), 1)).collect();
        few.sort_unstable();
        few.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0 };
            same
        });
        many.chain(few)
    }

    /// The highest value of the last filled bucket: the maximum of [`Latencies::histogram`].
    pub fn histogram_max(&self) -> Option<Duration> {
        let highest = |max_ns| buckets::highest(buckets::index(max_ns));
        (!self.is_empty()).then(|| Duration::from_nanos(highest(self.exact().max_ns)))
    }

    /// The HDR histogram itself, in nanoseconds: for the interval log.
    pub fn histogram(&self) -> Histogram<u64> {
        let mut histogram = empty_histogram();
        for (middle, count) in self.buckets() {
            histogram.saturating_record_n(middle, count);
        }
        histogram
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Latencies {
    /// Whether the same values were recorded, as far as the histogram tells them apart.
    fn eq(&self, other: &Self) -> bool {
        self.exact() == other.exact() && self.buckets().eq(other.buckets())
    }
}

/// The rank, counted from 1, of `quantile` among `total` values: ⌈q·n⌉, at least 1.
pub fn rank_of(quantile: f64, total: u64) -> u64 {
    // A product such as 0.99 × 100 may come out a hair above its true value; without the
    // correction it would round up to the next rank.
    let exact = quantile * total as f64;
    let nearest = exact.round();
    let rank = if (exact - nearest).abs() < 1e-6 { nearest } else { exact.ceil() };
    (rank as u64).clamp(1, total.max(1))
}

fn empty_histogram() -> Histogram<u64> {
    let (low, high) = (LOWEST.as_nanos() as u64, HIGHEST.as_nanos() as u64);
    Histogram::new_with_bounds(low, high, SIGNIFICANT_DIGITS).expect("the fixed bounds are valid")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(millis: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::new();
        millis.into_iter().for_each(|ms| latencies.record(Duration::from_millis(ms)));
        latencies
    }

    #[test]
    fn failures_push_the_percentile_to_infinity() {
        let hundred = of(1..=99);
        assert_eq!(hundred.quantile_with_infinite(0.999, 1), Some(Quantile::Infinite));
        let p99 = hundred.quantile_with_infinite(0.99, 1).and_then(Quantile::finite);
        assert_eq!(p99, Some(Duration::from_millis(99)));
    }

    #[test]
    fn nothing_recorded_is_not_a_value() {
        let none = Latencies::new();
        assert_eq!(none.quantile(0.5), None);
        assert_eq!((none.min(), none.max(), none.mean()), (None, None, None));
        assert_eq!(none.quantile_with_infinite(0.5, 3), Some(Quantile::Infinite));
    }

    #[test]
    fn an_hour_and_more_is_counted_as_overflow() {
        let mut latencies = Latencies::new();
        latencies.record(Duration::from_hours(2));
        assert_eq!(latencies.overflow(), 1);
        assert_eq!(latencies.max(), Some(HIGHEST));
    }

    #[test]
    fn exact_ranks_do_not_round_up() {
        assert_eq!(rank_of(0.99, 100), 99);
        assert_eq!(rank_of(0.99, 101), 100);
        assert_eq!(rank_of(0.0, 10), 1);
        assert_eq!(rank_of(1.0, 10), 10);
    }

    proptest! {
        // A few values read as they would from a histogram.
        #[test]
        fn few_values_read_as_in_a_histogram(
            values in prop::collection::vec(1u64..4_000_000_000_000, 1..200),
            at in 1u64..4_000_000_000_000,
        ) {
            let mut few = Latencies::new();
            for ns in &values { few.record(Duration::from_nanos(*ns)); }
            let mut many = few.clone();
            many.dense();
            prop_assert!(few.many.is_none() && many.many.is_some());
            prop_assert_eq!(&few, &many);
            prop_assert_eq!(few.count(), many.count());
            for at in values.iter().copied().chain([at]).map(Duration::from_nanos) {
                prop_assert_eq!(few.count_at_most(at), many.count_at_most(at));
            }
            for rank in 0..=values.len() as u64 + 1 {
                prop_assert_eq!(few.at_rank(rank), many.at_rank(rank));
            }
            prop_assert_eq!(few.histogram(), many.histogram());
        }

        // Merging is associative and loses nothing: any way of splitting the values over
        // histograms gives the same count, sum, extremes and percentiles.
        #[test]
        fn merge_is_associative(
            values in prop::collection::vec(1u64..4_000_000_000_000, 1..400),
            cut in 0usize..400,
        ) {
            let cut = cut.min(values.len());
            let record = |part: &[u64]| {
                let mut latencies = Latencies::new();
                for ns in part { latencies.record(Duration::from_nanos(*ns)); }
                latencies
            };
            let whole = record(&values);
            let mut merged = record(&values[cut..]);
            merged.merge(&record(&values[..cut]));
            prop_assert_eq!(merged.count(), whole.count());
            prop_assert_eq!(merged.sum_ns(), whole.sum_ns());
            prop_assert_eq!((merged.min(), merged.max()), (whole.min(), whole.max()));
            prop_assert_eq!(merged.overflow(), whole.overflow());
            for quantile in [0.0, 0.5, 0.9, 0.99, 1.0] {
                prop_assert_eq!(merged.quantile(quantile), whole.quantile(quantile));
            }
        }

        // A percentile is within three significant digits of the value at its rank.
        #[test]
        fn quantiles_keep_three_digits(
            mut values in prop::collection::vec(1u64..3_600_000_000_000, 1..300),
            quantile in 0.0f64..=1.0,
        ) {
            let mut latencies = Latencies::new();
            for ns in &values { latencies.record(Duration::from_nanos(*ns)); }
            values.sort_unstable();
            let exact = values[rank_of(quantile, values.len() as u64) as usize - 1];
            let got = latencies.quantile(quantile).expect("recorded").as_nanos() as f64;
            prop_assert!((got - exact as f64).abs() <= exact as f64 * 0.001 + 1.0);
        }
    }
}
