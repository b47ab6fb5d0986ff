//! Thins a long timeline: counts are summed over a stretch, percentiles are the worst in it.

use crate::results::timeline::Row;

/// Points of a line, at most.
const MOST: usize = 1000;

/// At most about a thousand rows, and how many seconds each stands for.
pub(super) fn thin(rows: &[Row]) -> (Vec<Row>, usize) {
    let each = rows.len().div_ceil(MOST).max(1);
    (rows.chunks(each).map(merge).collect(), each)
}

/// Percentiles of rows thinned in the same way: the worst of each stretch.
pub(super) fn thin_values(values: &[Option<f64>]) -> Vec<Option<f64>> {
    let each = values.len().div_ceil(MOST).max(1);
    let worst = |values: &[Option<f64>]| values.iter().flatten().copied().reduce(f64::max);
    values.chunks(each).map(worst).collect()
}

fn merge(rows: &[Row]) -> Row {
    let mut merged = rows[0].clone();
    for row in &rows[1..] {
        let length = merged.length_s + row.length_s;
        if length > 0.0 {
            merged.target_rps =
                (merged.target_rps * merged.length_s + row.target_rps * row.length_s) / length;
        }
        merged.t_s = row.t_s;
        merged.length_s = length;
        merged.offered += row.offered;
        merged.sent += row.sent;
        merged.ok += row.ok;
        merged.failed += row.failed;
        merged.dropped += row.dropped;
        merged.instances = row.instances;
        let worst = [
            (&mut merged.response_p50_ms, row.response_p50_ms),
            (&mut merged.response_p90_ms, row.response_p90_ms),
            (&mut merged.response_p95_ms, row.response_p95_ms),
            (&mut merged.response_p99_ms, row.response_p99_ms),
            (&mut merged.response_max_ms, row.response_max_ms),
            (&mut merged.service_p50_ms, row.service_p50_ms),
            (&mut merged.service_p99_ms, row.service_p99_ms),
            (&mut merged.send_lag_p99_ms, row.send_lag_p99_ms),
            (&mut merged.release_lag_p99_ms, row.release_lag_p99_ms),
            (&mut merged.model_p50_ms, row.model_p50_ms),
            (&mut merged.model_p99_ms, row.model_p99_ms),
        ];
        for (kept, value) in worst {
            *kept = match (*kept, value) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            };
        }
    }
    merged
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
