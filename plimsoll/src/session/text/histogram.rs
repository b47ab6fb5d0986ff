//! A small histogram of response times, for the end of a run.

use plimsoll_domain::units::{format_duration, three_digits};
use plimsoll_domain::{Latencies, Tally};
use std::time::Duration;

/// Rows, at most: of several ways to divide a factor of ten the finest that needs no more.
const MOST_ROWS: usize = 9;
/// Characters of the longest bar.
const LONGEST: usize = 32;
/// Ways to divide a factor of ten, in tenths, from fine to coarse.
const WAYS: [&[u64]; 4] = [
    &[10, 12, 14, 16, 18, 20, 25, 30, 35, 40, 50, 60, 70, 80, 90],
    &[10, 15, 20, 30, 50, 70],
    &[10, 20, 50],
    &[10],
];

/// Rows of bounds, bar, count and share; what got no right answer has the last. Nothing without a
/// right answer: that there was none is said elsewhere.
pub(super) fn lines(totals: &Tally) -> Vec<String> {
    let of = &totals.response;
    let (Some(min), Some(max)) = (of.min(), of.max()) else { return Vec::new() };
    let bounds = bounds(min, max);
    let counts = counts(of, &bounds);
    let (all, failed) = (totals.ended(), totals.infinite());
    let most = counts.iter().copied().max().unwrap_or_default().max(failed).max(1);
    let row = |name: String, count: u64| {
        let length = (count as f64 / most as f64 * LONGEST as f64).round() as usize;
        let bar = "█".repeat(if count > 0 { length.max(1) } else { 0 });
        let share = three_digits(count as f64 / all.max(1) as f64 * 100.0);
        format!("{name:>15}  {bar:<LONGEST$}  {count} ({share} %)").trim_end().to_owned()
    };
    let mut lines: Vec<String> = bounds
        .windows(2)
        .zip(counts)
        .map(|(pair, count)| {
            let [from, to] = [pair[0], pair[1]].map(format_duration);
            row(format!("{from} – {to}"), count)
        })
        .collect();
    if failed > 0 {
        lines.push(row("no right answer".to_owned(), failed));
    }
    lines
}

/// Bounds around all values.
fn bounds(min: Duration, max: Duration) -> Vec<Duration> {
    let (min, max) = (min.as_nanos().max(1) as u64, max.as_nanos().max(1) as u64);
    let around = |way: &[u64]| {
        let powers = (0..14u32).map(|power| 10u64.pow(power));
        // In tenths of a nanosecond nothing is lost below ten.
        let all: Vec<u64> = powers
            .flat_map(|power| way.iter().map(move |tenths| (tenths * power).div_ceil(10)))
            .collect();
        let first = all.iter().rposition(|bound| *bound <= min).unwrap_or_default();
        let last = all.iter().position(|bound| *bound > max).unwrap_or(all.len() - 1);
        let mut bounds: Vec<u64> = all[first..=last].to_vec();
        bounds.dedup();
        bounds
    };
    let fits = WAYS.into_iter().map(around).find(|bounds| bounds.len() <= MOST_ROWS + 1);
    let bounds = fits.unwrap_or_else(|| around(WAYS[WAYS.len() - 1]));
    bounds.into_iter().map(Duration::from_nanos).collect()
}

/// How many values are between each two bounds, the lower one included.
fn counts(of: &Latencies, bounds: &[Duration]) -> Vec<u64> {
    let mut counts = vec![0; bounds.len().saturating_sub(1)];
    for (nanos, count) in of.buckets() {
        let after = bounds.partition_point(|bound| bound.as_nanos() <= u128::from(nanos));
        let last = counts.len() - 1;
        counts[after.saturating_sub(1).min(last)] += count;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_domain::{Class, Outcome};

    fn of(millis: impl IntoIterator<Item = u64>, failed: u64) -> Vec<String> {
        let mut totals = Tally::default();
        for ms in millis {
            totals.response.record(Duration::from_millis(ms));
            totals.outcomes.add(Outcome::status(200), 1);
        }
        totals.outcomes.add(Outcome::of(Class::Connect), failed);
        lines(&totals)
    }

    #[test]
    fn every_request_is_in_one_row() {
        let lines = of((1..=90).chain([450]), 9);
        let count = |line: &String| -> u64 {
            let (before, _) = line.split_once(" (").unwrap();
            before.rsplit(' ').next().unwrap().parse().unwrap()
        };
        assert_eq!(lines.iter().map(count).sum::<u64>(), 100, "{lines:#?}");
        assert!(lines.last().unwrap().contains("no right answer"), "{lines:#?}");
        assert!(lines.len() <= MOST_ROWS + 1, "{lines:#?}");
    }

    #[test]
    fn narrow_and_wide_distributions_have_a_few_rows_each() {
        for millis in [vec![10, 11, 12], vec![1, 60_000], vec![5], vec![1, 7, 3_000_000]] {
            let rows = of(millis.clone(), 0).len();
            assert!((1..=MOST_ROWS).contains(&rows), "{millis:?}: {rows}");
        }
        assert_eq!(of([], 9), Vec::<String>::new());
    }

    #[test]
    fn rows_fit_a_narrow_terminal() {
        let longest =
            of((1..=1000).chain([3_000_000]), 999).iter().map(|l| l.chars().count()).max();
        assert!(longest <= Some(76), "{longest:?}");
    }
}
