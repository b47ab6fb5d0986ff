//! A percentile distribution as HDR's plotters take it (`.hgrm`): the text that Java's
//! `Histogram.outputPercentileDistribution` prints, in milliseconds and with five lines to each half of the
//! way to 100 %.
//!
//! Failures have no place in it: a distribution of finite values cannot hold them.

use std::fmt::Write as _;

use hdrhistogram::Histogram;

/// Lines to each half of the way that is left.
const TICKS: f64 = 5.0;
/// Nanoseconds to a millisecond.
const SCALE: f64 = 1e6;

/// The distribution of values in nanoseconds; that of none has no lines.
pub(crate) fn text(histogram: &Histogram<u64>) -> String {
    let total = histogram.len();
    let mut text = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let (mut level, mut count) = (0.0, 0);
    for bucket in histogram.iter_recorded() {
        count += bucket.count_at_value();
        let value = histogram.highest_equivalent(bucket.value_iterated_to()) as f64 / SCALE;
        let reached = 100.0 * count as f64 / total as f64;
        // Behind the last value there is nothing to go on to: it has one line more, at 100 %.
        while reached >= level {
            let share = level / 100.0;
            let _ = writeln!(
                text,
                "{value:>12.3} {share:.12} {count:>10} {:>14.2}",
                1.0 / (1.0 - share)
            );
            level = next(level);
            if count == total {
                break;
            }
        }
        if count == total {
            let _ = writeln!(text, "{value:>12.3} {:.12} {count:>10}", 1.0);
        }
    }
    let (mean, deviation) = (histogram.mean() / SCALE, histogram.stdev() / SCALE);
    let largest = if total == 0 { 0.0 } else { histogram.max() as f64 / SCALE };
    let _ = writeln!(text, "#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]");
    let _ = writeln!(text, "#[Max     = {largest:>12.3}, Total count    = {total:>12}]");
    let (buckets, parts) = shape(histogram);
    let _ = writeln!(text, "#[Buckets = {buckets:>12}, SubBuckets     = {parts:>12}]");
    text
}

/// The percentile after this one.
fn next(level: f64) -> f64 {
    let halves = (100.0 / (100.0 - level)).log2().floor() + 1.0;
    level + 100.0 / (TICKS * halves.exp2())
}

/// Doublings of the range, and steps in the first of them.
fn shape(histogram: &Histogram<u64>) -> (u32, u64) {
    let parts = (2 * 10u64.pow(histogram.sigfig().into())).next_power_of_two();
    let unit = 1u64 << histogram.low().max(1).ilog2();
    let (mut buckets, mut end) = (1, parts.saturating_mul(unit));
    while end <= histogram.high() && end < u64::MAX {
        (buckets, end) = (buckets + 1, end.saturating_mul(2));
    }
    (buckets, parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 to 100 ms, and three of 250 ms.
    fn histogram() -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
        (1..=100).for_each(|ms| histogram.record(ms * 1_000_000).unwrap());
        histogram.record_n(250_000_000, 3).unwrap();
        histogram
    }

    // Printed by hdr-histogram-js 3 of the same values.
    #[test]
    fn it_is_what_another_tool_prints() {
        let golden = include_str!("hgrm/golden.hgrm");
        let lines = |text: &str| -> Vec<String> {
            text.lines().filter(|line| !line.starts_with("#[Max")).map(str::to_owned).collect()
        };
        assert_eq!(lines(&text(&histogram())), lines(golden));
    }

    #[test]
    fn of_nothing_there_are_no_lines() {
        let none = text(&Histogram::new_with_bounds(1, 3_600_000_000_000, 3).unwrap());
        let lines = none.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        assert_eq!(lines.count(), 1);
    }
}
