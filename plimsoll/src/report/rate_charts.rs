//! What the schedule asked and what the generator did: rates, and send lag.

use super::Run;
use super::chart::{Band, Chart, Point};
use super::scale::{Scale, time_ticks};
use super::thin::thin;
use super::words;
use crate::results::timeline::Row;

/// A rate over a shorter time, and the few answers in it, are no point of a curve.
const SHORTEST_S: f64 = 0.5;

/// The seconds that time axes cover.
pub(super) fn duration(rows: &[Row]) -> f64 {
    rows.last().map_or(1.0, |row| row.t_s.max(0.001))
}

/// The stages as stretches of the time axis.
pub(super) fn bands(rows: &[Row]) -> Vec<Band> {
    let duration = duration(rows);
    let mut bands: Vec<Band> = Vec::new();
    let mut last = None;
    for row in rows {
        let key = (row.phase.as_str(), row.stage.as_str());
        let end = row.t_s / duration * 100.0;
        if last == Some(key) {
            if let Some(band) = bands.last_mut() {
                band.width = end - band.at;
            }
        } else {
            let at = row.start_s() / duration * 100.0;
            let warmup = row.phase == "warmup";
            let text = match row.stage.as_str() {
                "" => row.phase.clone(),
                stage if warmup && stage != "warm-up" => format!("{stage} (warm-up)"),
                stage => stage.to_owned(),
            };
            bands.push(Band { at, width: end - at, text, warmup });
            last = Some(key);
        }
    }
    bands
}

/// The middle of each row, as a share of the time axis.
pub(super) fn middles(rows: &[Row]) -> impl Iterator<Item = f64> {
    let duration = duration(rows);
    rows.iter().map(move |row| row.start_s().midpoint(row.t_s) / duration)
}

/// Names the points of every line over time.
pub(super) fn name_points(chart: &mut Chart, rows: &[Row]) {
    let all = duration(rows);
    let moments = rows.iter().map(|row| {
        if row.length_s > 1.5 {
            return format!("from {}", words::clock(row.start_s(), all));
        }
        format!("{} to {}", words::clock(row.start_s(), all), words::clock(row.t_s, all))
    });
    chart.name_points(middles(rows).zip(moments));
}

/// A point in the middle of each row that is long enough for its rate to mean something. What
/// comes in the drain is no part of the curve.
pub(super) fn rates(
    rows: &[Row],
    scale: Scale,
    count: impl Fn(&Row) -> f64,
) -> impl Iterator<Item = Point> {
    middles(rows).zip(rows).map(move |(x, row)| {
        let rate = (row.length_s >= SHORTEST_S).then(|| count(row) / row.length_s);
        let text = rate.map_or("–".to_owned(), words::rate);
        Point { x, y: rate.map(|rate| scale.at(rate)), text, apart: is_drain(row) }
    })
}

/// After the schedule's end.
fn is_drain(row: &Row) -> bool {
    row.phase == "drain"
}

/// Target rate, sent, ok, failed and dropped over time.
pub(super) fn rate_chart(run: &Run) -> Chart {
    let (rows, each) = thin(&run.rows);
    let failed: u64 = rows.iter().map(|row| row.failed).sum();
    let dropped: u64 = rows.iter().map(|row| row.dropped).sum();
    let highest = rows
        .iter()
        .filter(|row| row.length_s >= SHORTEST_S)
        .map(|row| row.target_rps.max(row.sent.max(row.ok) as f64 / row.length_s))
        .fold(0.0, f64::max);
    let scale = Scale::from_zero(highest);
    let mut chart = Chart {
        id: "rate",
        title: "Load: target rate, sent, ok",
        lead: lead(run),
        description: "Requests per second over time: the schedule's rate, what was sent, what was \
                      ok, what failed and what was dropped."
            .to_owned(),
        x: time_ticks(duration(&rows)),
        y: scale.ticks(words::number),
        x_name: "time since the first due request",
        y_name: "requests per second",
        note: thinned(each),
        ..Chart::default()
    };
    chart.bands(&bands(&run.rows));
    chart.grid();
    name_points(&mut chart, &rows);
    chart.line(
        "target",
        "target rate of the schedule",
        rates(&rows, scale, |r| r.target_rps * r.length_s),
    );
    chart.line("sent", "sent", rates(&rows, scale, |r| r.sent as f64));
    chart.line("done", "ok (right answers)", rates(&rows, scale, |r| r.ok as f64));
    if failed > 0 {
        chart.line("failed", "failed", rates(&rows, scale, |r| r.failed as f64));
    }
    if dropped > 0 {
        chart.line("dropped", "dropped", rates(&rows, scale, |r| r.dropped as f64));
    }
    chart
}

fn lead(run: &Run) -> String {
    let (load, dropped) = (&run.summary.load, run.summary.outcomes.dropped());
    let failed = run.summary.latency_ms.response.infinite.saturating_sub(dropped);
    let achieved = format!(
        "{} of {} arrivals were sent ({}).",
        words::count(load.sent),
        words::count(load.offered),
        words::percent(load.sent, load.offered)
    );
    let lost = match (failed, dropped) {
        (0, 0) => "None failed and none was dropped.".to_owned(),
        (failed, 0) => format!("{} failed, none was dropped.", words::count(failed)),
        (failed, dropped) => format!(
            "{} failed; {} found no connection within the limits and were dropped.",
            words::count(failed),
            words::count(dropped)
        ),
    };
    format!("{achieved} {lost}")
}

/// The generator's lateness over time.
pub(super) fn lag_chart(run: &Run) -> Option<Chart> {
    let (rows, each) = thin(&run.rows);
    let values = rows.iter().flat_map(|row| [row.send_lag_p99_ms, row.release_lag_p99_ms]);
    let scale = Scale::around(values.flatten())?;
    let stats = &run.summary.latency_ms.send_lag;
    let mut chart = Chart {
        id: "lag",
        title: "Send lag",
        lead: format!(
            "How late requests were sent: p99 over the run {}, at most {}. The part before the \
             release is the generator's own; the rest is the wait for a connection.",
            words::percentile(stats, stats.p99),
            stats.max.map_or("–".to_owned(), words::ms)
        ),
        description: "99th percentiles of send lag and of release lag over time.".to_owned(),
        x: time_ticks(duration(&rows)),
        y: scale.ticks(words::ms),
        x_name: "time since the first due request",
        y_name: "lateness (log scale)",
        note: thinned(each),
        ..Chart::default()
    };
    chart.bands(&bands(&run.rows));
    chart.grid();
    name_points(&mut chart, &rows);
    chart.line(
        "service",
        "p99 of send lag (sent − due)",
        values_of(&rows, scale, |row| row.send_lag_p99_ms),
    );
    chart.line(
        "target",
        "p99 of release lag (the generator's own part)",
        values_of(&rows, scale, |row| row.release_lag_p99_ms),
    );
    Some(chart)
}

/// A point in the middle of each row; a gap where it has no value. What ends in the drain stands
/// apart: of what was in flight, the slowest.
pub(super) fn values_of(
    rows: &[Row],
    scale: Scale,
    value: impl Fn(&Row) -> Option<f64>,
) -> impl Iterator<Item = Point> {
    middles(rows).zip(rows).map(move |(x, row)| {
        let value = value(row).filter(|_| !is_drain(row) || row.length_s >= SHORTEST_S);
        let text = value.map_or("–".to_owned(), words::ms);
        Point { x, y: value.map(|value| scale.at(value)), text, apart: is_drain(row) }
    })
}

/// What to say of a thinned chart.
pub(super) fn thinned(each: usize) -> String {
    if each == 1 {
        return String::new();
    }
    format!("Each point stands for {each} rows: rates are their mean, latencies the worst.")
}
