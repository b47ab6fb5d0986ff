//! What the report needs of `latency.hlog`: each latency over the whole run, and the heat map's
//! cells. The log is read once, interval by interval, so memory does not grow with the run.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::results::hlog;

/// Columns of the heat map, at most.
const MOST_COLUMNS: usize = 300;
/// Rows of the heat map per factor of ten.
pub(super) const ROWS_PER_DECADE: f64 = 16.0;
/// Rows begin at this many nanoseconds.
pub(super) const FIRST_ROW_NS: f64 = 1_000.0;

/// Latencies read back from the interval log.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    totals: BTreeMap<String, Histogram<u64>>,
    pub(super) heat: Heat,
}

/// How many right answers fell in each cell of time and response time, warm-up included.
#[derive(Debug, Default)]
pub(super) struct Heat {
    /// Seconds per column.
    pub(super) width_s: f64,
    pub(super) columns: usize,
    /// Counts by row (of response time, in powers of ten), then column.
    pub(super) cells: BTreeMap<u16, Vec<u64>>,
}

impl Recorded {
    pub(super) fn read(log: &[u8], duration_s: f64) -> Self {
        let width_s = (duration_s / MOST_COLUMNS as f64).ceil().max(1.0);
        let columns = ((duration_s / width_s).ceil() as usize).max(1);
        let heat = Heat { width_s, columns, cells: BTreeMap::new() };
        let mut recorded = Self { totals: BTreeMap::new(), heat };
        for interval in hlog::read(log) {
            if matches!(interval.tag.as_str(), "response" | "warmup_response") {
                recorded.heat.add(interval.start.as_secs_f64(), &interval.histogram);
            }
            match recorded.totals.get_mut(&interval.tag) {
                // A histogram of other bounds is not ours; the page shows what is.
                Some(total) => drop(total.add(&interval.histogram)),
                None => drop(recorded.totals.insert(interval.tag, interval.histogram)),
            }
        }
        recorded
    }

    /// A latency over the whole measured time, in nanoseconds; `None` if there is none.
    pub(super) fn total(&self, tag: &str) -> Option<&Histogram<u64>> {
        self.totals.get(tag).filter(|histogram| !histogram.is_empty())
    }
}

impl Heat {
    fn add(&mut self, start_s: f64, histogram: &Histogram<u64>) {
        let column = ((start_s / self.width_s) as usize).min(self.columns - 1);
        for bucket in histogram.iter_recorded() {
            let ns = histogram.median_equivalent(bucket.value_iterated_to()) as f64;
            let row = ((ns / FIRST_ROW_NS).log10() * ROWS_PER_DECADE).floor().max(0.0) as u16;
            let cells = self.cells.entry(row).or_insert_with(|| vec![0; self.columns]);
            cells[column] += bucket.count_at_value();
        }
    }
}
