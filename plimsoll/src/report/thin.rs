//! Thins a long timeline: counts are summed over a stretch, percentiles are the worst in it.

use crate::results::timeline::{Row, merged};

/// Points of a line, at most.
const MOST: usize = 1000;

/// At most about a thousand rows, and how many seconds each stands for.
pub(super) fn thin(rows: &[Row]) -> (Vec<Row>, usize) {
    let each = rows.len().div_ceil(MOST).max(1);
    (rows.chunks(each).map(merged).collect(), each)
}

/// Percentiles of rows thinned in the same way: the worst of each stretch.
pub(super) fn thin_values(values: &[Option<f64>]) -> Vec<Option<f64>> {
    let each = values.len().div_ceil(MOST).max(1);
    let worst = |values: &[Option<f64>]| values.iter().flatten().copied().reduce(f64::max);
    values.chunks(each).map(worst).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_kept_and_percentiles_are_the_worst() {
        let row = |second: u32| Row {
            t_s: f64::from(second + 1),
            length_s: 1.0,
            target_rps: 10.0,
            sent: 10,
            response_p99_ms: Some(if second == 7 { f64::INFINITY } else { 5.0 }),
            ..Row::default()
        };
        let rows: Vec<Row> = (0..3601).map(row).collect();
        let (thinned, each) = thin(&rows);
        assert_eq!((thinned.len(), each), (901, 4));
        assert_eq!(thinned.iter().map(|row| row.sent).sum::<u64>(), 36_010);
        assert_eq!(thinned[1].response_p99_ms, Some(f64::INFINITY));
        assert_eq!((thinned[2].t_s, thinned[2].length_s, thinned[2].target_rps), (12.0, 4.0, 10.0));
    }
}
