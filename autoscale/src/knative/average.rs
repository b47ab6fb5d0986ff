//! Averages over a window of buckets of one second: `pkg/autoscaler/aggregation/bucketing.go`.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::Point;

/// How buckets are averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Algorithm {
    /// All alike.
    #[default]
    Linear,
    /// The latest most.
    Weighted,
}

/// Sums of seconds, as they lie in the window's ring when it is asked.
struct Ring {
    /// By second of the epoch.
    buckets: BTreeMap<i64, f64>,
    first: i64,
    last: i64,
}

/// `Record`, for all points up to `now` from a second on. After a gap of a window the ring begins anew.
fn ring(points: &[Point], now: Timestamp, window: i64, from: i64) -> Option<Ring> {
    let mut seconds: Vec<(i64, f64)> = points
        .iter()
        .filter(|point| point.time <= now && point.time.as_second() > from)
        .filter(|point| point.value.is_finite())
        .map(|point| (point.time.as_second(), point.value))
        .collect();
    seconds.sort_by_key(|(second, _)| *second);
    let mut ring: Option<Ring> = None;
    for (second, value) in seconds {
        let old = ring.take().filter(|ring| second - ring.last < window);
        let mut kept =
            old.unwrap_or_else(|| Ring { buckets: BTreeMap::new(), first: second, last: second });
        *kept.buckets.entry(second).or_default() += value;
        kept.last = second;
        ring = Some(kept);
    }
    ring
}

/// `WindowAverage`. `None` without data for longer than a window: then there is nothing to decide on.
pub(super) fn average(
    points: &[Point],
    now: Timestamp,
    window: i64,
    algorithm: Algorithm,
) -> Option<f64> {
    // What lies two windows back changes nothing: if the ring goes on that far, the window is whole.
    let ring = ring(points, now, window, now.as_second() - 2 * window)?;
    let silent = now.as_second() - ring.last;
    if silent > window {
        return None;
    }
    match algorithm {
        Algorithm::Linear => Some(linear(&ring, silent, window)),
        Algorithm::Weighted => Some(weighted(&ring, silent, window)),
    }
}

/// The mean of the buckets that lie in the window and at or after the first write. Seconds of
/// silence at the end are left out of it, not counted as nothing.
fn linear(ring: &Ring, silent: i64, window: i64) -> f64 {
    if silent >= window {
        return 0.0;
    }
    let oldest = ring.last + silent - window + 1;
    let total: f64 = ring.buckets.range(oldest..).map(|(_, value)| value).sum();
    let count = (ring.last - ring.first + 1).min(window - silent);
    round(total / count as f64)
}

/// `WeightedFloat64Buckets`: each second back weighs less by a factor that the window decides.
fn weighted(ring: &Ring, silent: i64, window: i64) -> f64 {
    let precision = 0.9999;
    let least = 0.2;
    let coefficient = f64::max(1.0 - f64::powf(1.0 - precision, 1.0 / window as f64), least);
    let mut weight = coefficient * (1.0 - coefficient).powf(silent as f64);
    let mut sum = 0.0;
    for back in 0..(window - silent).max(0) {
        sum += ring.buckets.get(&(ring.last - back)).copied().unwrap_or(0.0) * weight;
        weight *= 1.0 - coefficient;
    }
    sum
}

/// `roundToNDigits(6, …)`.
fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[(i64, f64)]) -> Vec<Point> {
        let point = |(second, value): &(i64, f64)| Point {
            time: Timestamp::from_second(*second).expect("a moment"),
            value: *value,
            instance: None,
        };
        values.iter().map(point).collect()
    }

    fn at(values: &[(i64, f64)], now: i64, window: i64) -> Option<f64> {
        let now = Timestamp::from_second(now).expect("a moment");
        average(&points(values), now, window, Algorithm::Linear)
    }

    /// Cases of `aggregation/bucketing_test.go` (`TestTimedFloat64BucketsWindowAverage`), in seconds.
    #[test]
    fn the_average_is_over_what_is_known_of_the_window() {
        // One a second, 1 to 5, window 5.
        let ramp: Vec<(i64, f64)> = (0..5).map(|i| (1000 + i, (i + 1) as f64)).collect();
        assert_eq!(at(&ramp, 1004, 5), Some(15.0 / 5.0));
        // One second later: the oldest falls out, the new second is left out.
        assert_eq!(at(&ramp, 1005, 5), Some((15.0 - 1.0) / 4.0));
        // Then 3 s of silence.
        assert_eq!(at(&ramp, 1007, 5), Some((15.0 - 1.0 - 2.0 - 3.0) / 2.0));
        assert_eq!(at(&ramp, 1009, 5), Some(0.0), "a whole window of silence");
        assert_eq!(at(&ramp, 1010, 5), None, "longer: there is no data");
        // A partial window.
        assert_eq!(at(&ramp[..2], 1001, 5), Some(1.5));
        // A gap inside counts as nothing.
        assert_eq!(at(&[(1000, 4.0), (1003, 4.0)], 1003, 5), Some(2.0));
        assert_eq!(at(&[], 1000, 5), None);
        // A hole that is filled later, as in `TestTimedFloat64BucketsWindowAverage` further on.
        let mut later = ramp;
        later.push((1006, 91.0));
        assert_eq!(at(&later, 1006, 5), Some((15.0 - 3.0 + 91.0) / 5.0));
        later.push((1060, 1984.0));
        assert_eq!(at(&later, 1060, 5), Some(1984.0), "a new beginning");
        later.push((1057, 4.0));
        assert_eq!(at(&later, 1060, 5), Some((4.0 + 1984.0) / 4.0));
        later.push((1061, 5.0));
        assert_eq!(at(&later, 1061, 5), Some((4.0 + 1984.0 + 5.0) / 5.0));
        later.extend([(1058, 10.0), (1055, 10.0), (1056, 10.0)]);
        assert_eq!(at(&later, 1061, 5), Some((4.0 + 10.0 + 1984.0 + 5.0) / 5.0), "too early");
        later.push((1066, 10.0));
        assert_eq!(at(&later, 1066, 5), Some(10.0));
        // The future is not known yet.
        assert_eq!(at(&later, 1000, 5), Some(1.0));
    }

    proptest::proptest! {
        /// What lies two windows back makes no difference.
        #[test]
        fn two_windows_are_enough(
            seconds in proptest::collection::vec(0_i64..60, 1..40),
            now in 0_i64..70,
            window in 1_i64..15,
        ) {
            let series: Vec<(i64, f64)> = seconds.iter().map(|s| (*s, (*s + 1) as f64)).collect();
            let moment = Timestamp::from_second(now).expect("a moment");
            let whole = ring(&points(&series), moment, window, i64::MIN)
                .filter(|ring| now - ring.last <= window)
                .map(|ring| linear(&ring, now - ring.last, window));
            proptest::prop_assert_eq!(at(&series, now, window), whole);
        }
    }

    #[test]
    fn several_points_of_a_second_add_up() {
        assert_eq!(at(&[(1000, 4.0), (1000, 3.0)], 1000, 5), Some(7.0));
    }

    /// The closed form for a load that never changes: all of it but what the window cannot see.
    #[test]
    fn weights_fall_by_the_second() {
        let now = Timestamp::from_second(1059).expect("a moment");
        let series: Vec<(i64, f64)> = (1000..1060).map(|second| (second, 10.0)).collect();
        let weigh = |series: &[(i64, f64)]| {
            average(&points(series), now, 60, Algorithm::Weighted).expect("there is data")
        };
        // 60 buckets: the coefficient is its floor, 0.2.
        assert!((weigh(&series) - 10.0 * (1.0 - 0.8_f64.powi(60))).abs() < 1e-9);
        assert!((weigh(&[(1059, 10.0)]) - 2.0).abs() < 1e-9, "the last second weighs a fifth");
        assert!((weigh(&[(1057, 10.0)]) - 2.0 * 0.64).abs() < 1e-9, "two seconds of silence");
    }
}
