//! An HDR histogram as an OTLP exponential histogram.
//!
//! Scale 8 always: a bucket is 2^(1/256) − 1 = 0.27 % wide, where an SDK's histogram of 160
//! buckets is 4.3 % wide from 1 ms to 100 s, too wide to see a 1 % regression. A percentile read
//! from it as a bucket's middle is within 0.14 % of plimsoll's own, as its upper bound within
//! 0.27 %. Receivers that want fewer buckets merge neighbours without loss.
//!
//! The two kinds of histogram disagree on which end of a bucket belongs to it: HDR's holds its
//! lower end, OTLP's bucket `i` is (2^(i/256), 2^((i+1)/256)]. Every HDR bucket goes, whole, where
//! its highest value belongs, since that is the value which plimsoll reports for it. Count, sum,
//! minimum and maximum are not derived from buckets but exact. Values are in seconds; a value of 0
//! has no logarithm and is counted as zero.

use opentelemetry_proto::tonic::metrics::v1::ExponentialHistogramDataPoint;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use plimsoll_domain::Latencies;

/// Buckets for each doubling of the value: 2^8.
pub const SCALE: i32 = 8;

/// The point for `latencies`, without attributes and times.
pub fn point(latencies: &Latencies) -> ExponentialHistogramDataPoint {
    let mut zero_count = 0;
    let mut buckets = Buckets::default();
    let min = latencies.min().map_or(0, |value| value.as_nanos() as u64);
    let max = latencies.max().map_or(0, |value| value.as_nanos() as u64);
    if !latencies.is_empty() {
        for bucket in latencies.histogram().iter_recorded() {
            // The quantile value that plimsoll reports is kept within the extremes, too.
            let highest = bucket.value_iterated_to().clamp(min, max);
            let count = bucket.count_at_value();
            match index(seconds(u128::from(highest))) {
                None => zero_count += count,
                Some(index) => add(&mut buckets, index, count),
            }
        }
    }
    ExponentialHistogramDataPoint {
        count: latencies.count(),
        sum: Some(seconds(latencies.sum_ns())),
        min: (!latencies.is_empty()).then(|| seconds(u128::from(min))),
        max: (!latencies.is_empty()).then(|| seconds(u128::from(max))),
        scale: SCALE,
        zero_count,
        positive: Some(buckets),
        ..ExponentialHistogramDataPoint::default()
    }
}

/// Nanoseconds in seconds. Divided, since 10⁻⁹ has no exact binary form: 250 ms is 0.25 exactly.
pub fn seconds(nanos: u128) -> f64 {
    nanos as f64 / 1e9
}

/// The bucket of a value: the `i` with 2^(i/256) < value ≤ 2^((i+1)/256); none for 0.
///
/// The exponent is taken from the number's bits, so that a power of two, which is a bucket's upper
/// bound, cannot be pushed over it by a rounded logarithm.
fn index(value: f64) -> Option<i32> {
    if value <= 0.0 || !value.is_normal() {
        return None;
    }
    let bits = value.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1023;
    let mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    let per_octave = 1 << SCALE;
    let within = (mantissa.log2() * f64::from(per_octave)).ceil() as i32;
    // In (1, 2) the logarithm of a number next to an end may round to that end.
    let within = if mantissa > 1.0 { within.clamp(1, per_octave) } else { 0 };
    Some(exponent * per_octave + within - 1)
}

/// Buckets come in ascending order, so that they only ever grow at the end.
fn add(buckets: &mut Buckets, index: i32, count: u64) {
    if buckets.bucket_counts.is_empty() {
        buckets.offset = index;
    }
    let position = (index - buckets.offset) as usize;
    if position >= buckets.bucket_counts.len() {
        buckets.bucket_counts.resize(position + 1, 0);
    }
    buckets.bucket_counts[position] += count;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use plimsoll_domain::latencies::rank_of;
    use proptest::prelude::*;

    use super::*;

    fn of(nanos: &[u64]) -> Latencies {
        let mut latencies = Latencies::new();
        for ns in nanos {
            latencies.record(Duration::from_nanos(*ns));
        }
        latencies
    }

    /// The middle of the bucket that holds the value of that rank: how a receiver reads it.
    fn decoded(point: &ExponentialHistogramDataPoint, quantile: f64) -> f64 {
        let rank = rank_of(quantile, point.count);
        let buckets = point.positive.as_ref().unwrap();
        let mut seen = point.zero_count;
        if seen >= rank {
            return 0.0;
        }
        for (index, count) in (buckets.offset..).zip(&buckets.bucket_counts) {
            seen += count;
            if seen >= rank {
                let base = (-f64::from(point.scale)).exp2().exp2();
                return base.powf(f64::from(index) + 0.5);
            }
        }
        panic!("the buckets hold {seen} of {} values", point.count);
    }

    #[test]
    fn a_power_of_two_is_the_upper_bound_of_its_bucket() {
        for exponent in -40..20 {
            let value = f64::from(exponent).exp2();
            assert_eq!(index(value), Some(exponent * 256 - 1), "2^{exponent}");
            assert_eq!(index(value.next_up()), Some(exponent * 256), "just above 2^{exponent}");
            assert_eq!(index(value.next_down()), Some(exponent * 256 - 1), "below 2^{exponent}");
        }
        assert_eq!(index(0.0), None);
    }

    #[test]
    fn an_hdr_bucket_goes_where_its_highest_value_belongs() {
        // 250 ms shares its HDR bucket with values up to 250.085 ms, above the power of two; the
        // largest value is known exactly, and lands on it.
        let point = point(&of(&[500_000_000, 250_000_000, 1_000_000_000]));
        let buckets = point.positive.as_ref().unwrap();
        assert_eq!((buckets.offset, buckets.bucket_counts.len()), (-512, 512));
        let filled = [0, 256, 511].map(|position| buckets.bucket_counts[position]);
        assert_eq!(filled, [1, 1, 1]);
        assert_eq!((point.sum, point.min, point.max), (Some(1.75), Some(0.25), Some(1.0)));
    }

    #[test]
    fn nothing_and_zero_have_no_bucket() {
        let none = point(&Latencies::new());
        assert_eq!((none.count, none.min, none.max), (0, None, None));
        let zeros = point(&of(&[0, 0]));
        assert_eq!((zeros.count, zeros.zero_count, zeros.min), (2, 2, Some(0.0)));
        assert!(zeros.positive.unwrap().bucket_counts.is_empty());
    }

    proptest! {
        // For any latencies, what a receiver reads as a percentile is plimsoll's own within 0.2 %,
        // no request is lost, and the sum and the extremes are exact.
        #[test]
        fn percentiles_survive_the_export(
            nanos in prop::collection::vec(
                prop_oneof![1_000u64..10_000_000, 1_000_000u64..3_600_000_000_000, Just(250_000_000u64)],
                1..400,
            ),
            quantile in prop_oneof![Just(0.99), Just(0.5), Just(0.999), 0.0f64..=1.0],
        ) {
            let latencies = of(&nanos);
            let point = point(&latencies);
            prop_assert_eq!(point.count, nanos.len() as u64);
            let buckets = point.positive.as_ref().unwrap();
            let held = buckets.bucket_counts.iter().sum::<u64>() + point.zero_count;
            prop_assert_eq!(held, point.count);
            let sum: u128 = nanos.iter().copied().map(u128::from).sum();
            prop_assert_eq!(point.sum, Some(seconds(sum)));
            prop_assert_eq!(point.max, nanos.iter().max().map(|max| seconds(u128::from(*max))));
            let own = seconds(latencies.quantile(quantile).unwrap().as_nanos());
            let theirs = decoded(&point, quantile);
            prop_assert!((theirs / own - 1.0).abs() < 0.002, "{theirs} against {own}");
        }
    }
}
