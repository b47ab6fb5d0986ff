//! `timeline-by-key.csv`: one row per interval for each stage, request and deployment with
//! something to count.
//!
//! An arrival is offered and sent before anybody has answered: these counts stand under the empty
//! deployment, and so does what nobody answered. The rows of an interval add up to its row in
//! `timeline.csv`.

use std::collections::BTreeMap;

use plimsoll_domain::{Class, Key, Snapshot, Tally, plain, units::millis};
use serde::{Deserialize, Serialize};

use super::quantile_ms;

/// What one interval counted under one key; the columns are those of
/// [`timeline::Row`](super::Row).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct KeyRow {
    /// The interval's end, in seconds since the first due time.
    t_s: f64,
    /// The interval's length in seconds.
    length_s: f64,
    /// The stage in which the arrivals were due.
    stage: String,
    /// The request that was sent.
    request: String,
    /// The deployment that answered; empty where nobody told.
    deployment: String,
    /// Arrivals that became due.
    offered: u64,
    /// Arrivals sent.
    sent: u64,
    /// Right answers, however late.
    ok: u64,
    /// Of these, answers after the strictest limit that the objectives set.
    late: u64,
    /// Wrong answers, timeouts, failed connections and requests aborted in flight.
    failed: u64,
    /// Arrivals that were never sent.
    dropped: u64,
    /// Median response time, failures as infinite.
    response_p50_ms: Option<f64>,
    /// 95th percentile of response time.
    response_p95_ms: Option<f64>,
    /// 99th percentile of response time.
    response_p99_ms: Option<f64>,
    /// Median service time.
    service_p50_ms: Option<f64>,
    /// 99th percentile of service time.
    service_p99_ms: Option<f64>,
    /// Median model time.
    model_p50_ms: Option<f64>,
}

impl KeyRow {
    fn new(snapshot: &Snapshot, key: Key, tally: &Tally) -> Self {
        let (stage, request, deployment) = snapshot.names.of(key);
        let response = |q: f64| tally.response_quantile(q).map(quantile_ms);
        let service = |q: f64| tally.service.quantile(q).map(millis);
        Self {
            t_s: snapshot.end.as_secs_f64(),
            length_s: snapshot.length().as_secs_f64(),
            stage: plain::cell(stage).into_owned(),
            request: plain::cell(request).into_owned(),
            deployment: plain::cell(deployment).into_owned(),
            offered: tally.offered,
            sent: tally.sent,
            ok: tally.outcomes.ok(),
            late: tally.outcomes.of(Class::Late),
            failed: tally.infinite() - tally.outcomes.dropped(),
            dropped: tally.outcomes.dropped(),
            response_p50_ms: response(0.5),
            response_p95_ms: response(0.95),
            response_p99_ms: response(0.99),
            service_p50_ms: service(0.5),
            service_p99_ms: service(0.99),
            model_p50_ms: tally.model.quantile(0.5).map(millis),
        }
    }
}

/// The lines of one interval; with the line of names before them if they are the first. Nothing
/// if the interval counted nothing.
pub(in crate::results) fn lines(snapshot: &Snapshot, first: bool) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().has_headers(first).from_writer(Vec::new());
    for (key, tally) in snapshot.tallies.iter().filter(|(_, tally)| !tally.is_empty()) {
        writer
            .serialize(KeyRow::new(snapshot, *key, tally))
            .expect("a row is flat, and a vector takes every byte");
    }
    writer.into_inner().expect("a vector takes every byte")
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_domain::{Hints, Names, Outcome, StageName};
    use std::time::Duration;

    /// Two deployments, one of which answers wrongly; a third tally has nothing to tell.
    fn snapshot() -> Snapshot {
        let mut snapshot = Snapshot { end: Duration::from_secs(1), ..Snapshot::default() };
        let stage = StageName { name: "hold".to_owned(), warmup: false };
        let deployments = ["blue".to_owned(), "=green".to_owned()];
        snapshot.names = Names::new(vec![stage], vec!["score".to_owned()], deployments);
        for deployment in 0..3 {
            let key = Key { deployment, ..Key::default() };
            let tally = snapshot.tallies.entry(key).or_default();
            match deployment {
                0 => (tally.offered, tally.sent) = (3, 3),
                1 => {
                    tally.outcomes.add(Outcome::answered(200, Hints::default()), 2);
                    (0..2).for_each(|_| tally.response.record(Duration::from_millis(4)));
                }
                _ => tally.outcomes.add(Outcome::answered(500, Hints::default()), 1),
            }
        }
        snapshot.tallies.insert(Key { request: 7, ..Key::default() }, Tally::default());
        snapshot
    }

    #[test]
    fn rows_tell_who_answered_and_add_up() {
        let snapshot = snapshot();
        let text = [lines(&snapshot, true), lines(&snapshot, false)].concat();
        let rows: Vec<KeyRow> = csv::Reader::from_reader(text.as_slice())
            .deserialize()
            .collect::<Result<_, _>>()
            .unwrap();
        let names: Vec<&str> = rows.iter().map(|row| row.deployment.as_str()).collect();
        assert_eq!(names, ["", "blue", "'=green", "", "blue", "'=green"], "no formula");
        let [nobody, blue, green] = &rows[..3] else { unreachable!("there are six") };
        assert_eq!((nobody.sent, nobody.ok, nobody.response_p50_ms), (3, 0, None));
        assert_eq!((blue.ok, blue.failed), (2, 0));
        assert!((blue.response_p50_ms.unwrap() - 4.0).abs() < 0.01, "{blue:?}");
        assert_eq!((green.failed, green.response_p50_ms), (1, Some(f64::INFINITY)));
        let all = snapshot.all();
        assert_eq!(rows[..3].iter().map(|row| row.ok + row.failed).sum::<u64>(), all.ended());
    }
}

/// What ended badly in one interval, without the arrivals of warm-ups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    /// Arrivals that got no right answer.
    pub(crate) failed: u64,
    /// Right answers that were late.
    pub(crate) late: u64,
}

/// The losses by the interval's end in milliseconds since the first due time.
pub(crate) fn losses(text: &str, is_warmup: impl Fn(&str) -> bool) -> BTreeMap<u64, Losses> {
    let mut all = BTreeMap::<u64, Losses>::new();
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(text.as_bytes());
    for row in reader.deserialize().filter_map(|row: csv::Result<KeyRow>| row.ok()) {
        if !is_warmup(plain::cell_text(&row.stage)) {
            let sum = all.entry(interval(row.t_s)).or_default();
            sum.failed += row.failed + row.dropped;
            sum.late += row.late;
        }
    }
    all
}

/// The key of an interval: the clock of a run is read in nanoseconds, files are in milliseconds.
pub(crate) fn interval(end_s: f64) -> u64 {
    (end_s * 1e3).round() as u64
}
