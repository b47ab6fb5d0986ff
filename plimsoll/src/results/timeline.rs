//! `timeline.csv`: one row per interval, warm-up and measured together.
//!
//! An infinite percentile (more failures than it allows) is written as `inf`, no value as nothing.

use plimsoll_domain::units::millis;
use plimsoll_domain::{Class, Latencies, Quantile, Snapshot, Tally, plain};
use serde::{Deserialize, Serialize};

use super::IntervalInfo;

pub(crate) mod by_key;

/// One row. Requests are counted in the interval in which they were due (`offered`), were sent
/// (`sent`) and ended (everything else).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The interval's end, in seconds since the first due time.
    pub t_s: f64,
    /// The interval's length in seconds.
    pub length_s: f64,
    /// `warmup`, `measured`, or `drain` after the last stage.
    pub phase: String,
    /// The stage's name.
    pub stage: String,
    /// What the schedule asked, per second.
    pub target_rps: f64,
    /// Arrivals that became due.
    pub offered: u64,
    /// Arrivals sent.
    pub sent: u64,
    /// Right answers, however late.
    pub ok: u64,
    /// Of these, answers after the strictest limit that the objectives set.
    pub late: u64,
    /// Wrong answers, timeouts, failed connections and requests aborted in flight.
    pub failed: u64,
    /// Arrivals that were never sent: no connection within the limits, or above the ceiling.
    pub dropped: u64,
    /// Requests in flight at the end.
    pub in_flight: u64,
    /// Arrivals that wait for a connection at the end.
    pub backlog: u64,
    /// Open connections at the end.
    pub connections: u64,
    /// Ready instances; nothing if not known.
    pub instances: Option<u32>,
    /// Instances that there should be; nothing if not known.
    pub instances_wanted: Option<u32>,
    /// Instances that are being started; nothing if not known.
    pub instances_starting: Option<u32>,
    /// Median response time, failures as infinite.
    pub response_p50_ms: Option<f64>,
    /// 90th percentile of response time.
    pub response_p90_ms: Option<f64>,
    /// 95th percentile of response time.
    pub response_p95_ms: Option<f64>,
    /// 99th percentile of response time.
    pub response_p99_ms: Option<f64>,
    /// The longest finite response time.
    pub response_max_ms: Option<f64>,
    /// Median service time.
    pub service_p50_ms: Option<f64>,
    /// 99th percentile of service time.
    pub service_p99_ms: Option<f64>,
    /// 99th percentile of send lag.
    pub send_lag_p99_ms: Option<f64>,
    /// 99th percentile of the generator's own part of the send lag.
    pub release_lag_p99_ms: Option<f64>,
    /// 99th percentile of the response time of what failed, as it was.
    pub failed_p99_ms: Option<f64>,
    /// Median model time.
    pub model_p50_ms: Option<f64>,
    /// 99th percentile of model time.
    pub model_p99_ms: Option<f64>,
    /// The generator's use of processor cores.
    pub cpu_cores: Option<f64>,
    /// The generator's share of time spent waiting for a processor.
    pub cpu_wait: Option<f64>,
    /// How long the generator did not run though it had something to do, in seconds.
    pub pause_s: f64,
}

impl Row {
    /// The row of one interval; `all` is every tally of the snapshot, merged.
    pub fn new(snapshot: &Snapshot, all: &Tally, info: &IntervalInfo) -> Self {
        let lags = snapshot.lags(|_| true);
        let generator = &snapshot.generator;
        let response = |q: f64| all.response_quantile(q).map(quantile_ms);
        let at = |latencies: &Latencies, q: f64| latencies.quantile(q).map(millis);
        Self {
            t_s: snapshot.end.as_secs_f64(),
            length_s: snapshot.end.saturating_sub(snapshot.start).as_secs_f64(),
            phase: info.phase.name().to_owned(),
            stage: info.stage.clone(),
            target_rps: info.target_rps,
            offered: all.offered,
            sent: all.sent,
            ok: all.outcomes.ok(),
            late: all.outcomes.of(Class::Late),
            failed: all.infinite() - all.outcomes.dropped(),
            dropped: all.outcomes.dropped(),
            in_flight: generator.in_flight,
            backlog: generator.backlog,
            connections: generator.connections,
            instances: info.instances.map(|count| count.ready),
            instances_wanted: info.instances.map(|count| count.wanted),
            instances_starting: info.instances.map(|count| count.starting),
            response_p50_ms: response(0.5),
            response_p90_ms: response(0.9),
            response_p95_ms: response(0.95),
            response_p99_ms: response(0.99),
            response_max_ms: all.response.max().map(millis),
            service_p50_ms: at(&all.service, 0.5),
            service_p99_ms: at(&all.service, 0.99),
            send_lag_p99_ms: at(&lags.send, 0.99),
            release_lag_p99_ms: at(&lags.release, 0.99),
            failed_p99_ms: at(&all.failed, 0.99),
            model_p50_ms: at(&all.model, 0.5),
            model_p99_ms: at(&all.model, 0.99),
            cpu_cores: generator.cpu_cores,
            cpu_wait: generator.cpu_wait,
            pause_s: generator.pauses.iter().map(|pause| pause.length.as_secs_f64()).sum(),
        }
    }

    /// When the interval began, in seconds since the first due time.
    pub fn start_s(&self) -> f64 {
        (self.t_s - self.length_s).max(0.0)
    }
}

fn quantile_ms(quantile: Quantile) -> f64 {
    quantile.finite().map_or(f64::INFINITY, millis)
}

/// The lines of one row; with the line of names before it if it is the first.
pub(super) fn lines(row: &Row, first: bool) -> Vec<u8> {
    // Names are others' words, and a spreadsheet may open this.
    let row = Row { stage: plain::cell(&row.stage).into_owned(), ..row.clone() };
    let mut writer = csv::WriterBuilder::new().has_headers(first).from_writer(Vec::new());
    writer.serialize(row).expect("a row is flat, and a vector takes every byte");
    writer.into_inner().expect("a vector takes every byte")
}

/// Rows as the file holds them.
pub(super) fn text(rows: &[Row]) -> String {
    let lines = rows.iter().enumerate().flat_map(|(index, row)| lines(row, index == 0));
    String::from_utf8(lines.collect()).expect("rows are text")
}

/// Neighbouring rows as one: counts are summed, percentiles are the worst.
pub(crate) fn merged(rows: &[Row]) -> Row {
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

/// Reads the rows that are whole; a killed run or a full disk may have cut the last.
pub fn read(text: &str) -> Vec<Row> {
    csv::ReaderBuilder::new()
        .flexible(false)
        .from_reader(text.as_bytes())
        .deserialize()
        .filter_map(Result::ok)
        .map(|row: Row| Row { stage: plain::cell_text(&row.stage).to_owned(), ..row })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Phase;
    use plimsoll_domain::{Key, Outcome};
    use std::time::Duration;

    #[test]
    fn a_row_is_read_as_it_was_written_and_a_cut_one_is_skipped() {
        let mut snapshot = Snapshot { end: Duration::from_secs(1), ..Snapshot::default() };
        let tally = snapshot.tallies.entry(Key::default()).or_default();
        (tally.offered, tally.sent) = (3, 2);
        tally.drop_one(Outcome::of(Class::Dropped));
        snapshot.generator.cpu_cores = Some(0.25);
        let info = IntervalInfo {
            phase: Phase::Measured,
            stage: "=a, \"quoted\" name".to_owned(),
            target_rps: 3.0,
            instances: None,
        };
        let row = Row::new(&snapshot, &snapshot.all(), &info);
        assert_eq!(row.response_p50_ms, Some(f64::INFINITY));
        assert_eq!((row.dropped, row.service_p50_ms), (1, None));
        let mut text = lines(&row, true);
        let whole = lines(&row, false);
        assert!(whole.starts_with(b"1.0,1.0,measured,\"'=a,"), "no formula");
        text.extend_from_slice(&whole);
        text.extend_from_slice(&whole[..whole.len() / 2]);
        assert_eq!(read(std::str::from_utf8(&text).unwrap()), [row.clone(), row]);
    }
}
