//! What the report needs of `latency.hlog`: each latency over the whole run, and the heat map's
//! cells. The log is read once, interval by interval, so memory does not grow with the run.

use std::collections::BTreeMap;
use std::time::Duration;

use plimsoll_domain::SparseLatencies;
use plimsoll_domain::latencies::rank_of;

use crate::results::hlog::{self, Interval};
use crate::results::timeline::Row;

/// Columns of the heat map, at most.
const MOST_COLUMNS: usize = 300;
/// Rows of the heat map per factor of ten.
pub(super) const ROWS_PER_DECADE: f64 = 16.0;
/// Rows begin at this many nanoseconds.
pub(super) const FIRST_ROW_NS: f64 = 1_000.0;

/// Latencies read back from the interval log.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    totals: BTreeMap<String, SparseLatencies>,
    pub(super) heat: Heat,
    /// Further percentiles of response time, each with its value in every row, in milliseconds and
    /// with failures as infinite.
    pub(super) judged: Vec<(f64, Vec<Option<f64>>)>,
}

/// How many right answers fell in each cell of time and response time, warm-up included.
#[derive(Debug, Default)]
pub(super) struct Heat {
    /// Seconds per column.
    pub(super) width_s: f64,
    /// Seconds that all of them cover; the last may be cut.
    pub(super) duration_s: f64,
    pub(super) columns: usize,
    /// Counts by row (of response time, in powers of ten), then column.
    pub(super) cells: BTreeMap<u16, Vec<u64>>,
}

impl Recorded {
    /// Reads a log, and `quantiles` of the intervals that these rows are of.
    pub(super) fn read(log: &[u8], rows: &[Row], quantiles: &[f64]) -> Self {
        let duration_s = rows.last().map_or(0.0, |row| row.t_s);
        let judged = quantiles.iter().map(|quantile| (*quantile, vec![None; rows.len()]));
        let heat = Heat::new(duration_s);
        let mut recorded = Self { totals: BTreeMap::new(), heat, judged: judged.collect() };
        // An interval may have answers of the warm-up beside others.
        let mut open: Option<(Duration, SparseLatencies)> = None;
        for Interval { tag, start, latencies, .. } in hlog::read(log) {
            recorded.totals.entry(tag.clone()).or_default().merge(&latencies);
            if !matches!(tag.as_str(), "response" | "warmup_response") {
                continue;
            }
            recorded.heat.add(start.as_secs_f64(), &latencies);
            if quantiles.is_empty() {
                continue;
            }
            match &mut open {
                Some((since, of)) if *since == start => of.merge(&latencies),
                open => {
                    let whole = open.replace((start, latencies));
                    recorded.judge(rows, whole);
                }
            }
        }
        recorded.judge(rows, open);
        recorded
    }

    /// Takes the further percentiles of one interval: when it began, and its right answers.
    fn judge(&mut self, rows: &[Row], whole: Option<(Duration, SparseLatencies)>) {
        let Some((start, latencies)) = whole else { return };
        let start = start.as_secs_f64();
        let near = |row: &Row| (row.start_s() - start).abs() < 0.01;
        let after = rows.partition_point(|row| row.start_s() < start - 0.01);
        let Some(row) = rows.get(after).filter(|row| near(row)) else { return };
        let count = latencies.count();
        for (quantile, values) in &mut self.judged {
            let rank = rank_of(*quantile, count + row.failed + row.dropped);
            let finite = latencies.highest_at_rank(rank);
            values[after] =
                Some(finite.map_or(f64::INFINITY, |value| value.as_nanos() as f64 / 1e6));
        }
    }

    /// A latency over the whole measured time, in nanoseconds; `None` if there is none.
    pub(super) fn total(&self, tag: &str) -> Option<&SparseLatencies> {
        self.totals.get(tag).filter(|latencies| latencies.count() > 0)
    }
}

impl Heat {
    /// No counts yet, of so many seconds.
    pub(super) fn new(duration_s: f64) -> Self {
        let duration_s = duration_s.max(0.001);
        let width_s = (duration_s / MOST_COLUMNS as f64).ceil().max(1.0);
        let columns = ((duration_s / width_s).ceil() as usize).max(1);
        Self { width_s, duration_s, columns, cells: BTreeMap::new() }
    }

    fn add(&mut self, start_s: f64, times: &SparseLatencies) {
        let column = ((start_s / self.width_s) as usize).min(self.columns - 1);
        for (middle, count) in times.buckets() {
            let ns = middle.as_nanos() as f64;
            let row = ((ns / FIRST_ROW_NS).log10() * ROWS_PER_DECADE).floor().max(0.0) as u16;
            let cells = self.cells.entry(row).or_insert_with(|| vec![0; self.columns]);
            cells[column] += count;
        }
    }
}
