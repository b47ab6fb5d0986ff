//! Latency over time: percentiles with the thresholds drawn.

use plimsoll_monitor::Unit;

use super::Run;
use super::chart::{Chart, Point};
use super::lanes::lanes;
use super::rate_charts::{bands, duration, middles, name_points, thinned, values_of};
use super::scale::{Scale, time_ticks};
use super::thin::{thin, thin_values};
use super::words;
use crate::results::summary::{ObjectiveResult, Series};
use crate::results::timeline::Row;

/// Percentiles that have a column in the timeline, and how each is drawn.
const KNOWN: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// The percentiles of response time that are judged and have no column: the log knows them.
pub(super) fn further_quantiles(objectives: &[ObjectiveResult]) -> Vec<f64> {
    let mut quantiles = judged(objectives);
    quantiles.retain(|q| !KNOWN.iter().any(|known| same(*known, *q)));
    quantiles.sort_by(f64::total_cmp);
    quantiles.dedup_by(|a, b| same(*a, *b));
    quantiles
}

fn judged(objectives: &[ObjectiveResult]) -> Vec<f64> {
    let responses = objectives.iter().filter(|objective| objective.of == Series::Response);
    responses.filter_map(|objective| objective.quantile).collect()
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

/// Percentiles of response time, and p99 of service time, over time.
pub(super) fn percentiles_chart(run: &Run) -> Option<Chart> {
    let (rows, each) = thin(&run.rows);
    let objectives = &run.summary.objectives;
    let thresholds = objectives
        .iter()
        .filter(|objective| {
            objective.unit == Unit::Milliseconds && objective.of == Series::Response
        })
        .map(|objective| (objective.threshold, objective.name.clone()));
    let values = rows.iter().flat_map(|row| {
        [row.response_p50_ms, row.response_p99_ms, row.response_max_ms, row.service_p99_ms]
    });
    let further = run.recorded.judged.iter().flat_map(|(_, values)| values.iter().copied());
    let values = values.chain(further).flatten();
    let scale = Scale::around(values.chain(thresholds.clone().map(|(value, _)| value)))?;
    let mut chart = empty(run, &rows, scale, each);
    chart.shade("p99 infinite: over 1 % failed", infinite(&rows));
    chart.bands(&bands(&run.rows));
    chart.grid();
    name_points(&mut chart, &rows);
    let judged = judged(objectives);
    let is_judged = |quantile: f64| judged.iter().any(|q| same(*q, quantile));
    chart.line("max", "longest", values_of(&rows, scale, |row| row.response_max_ms));
    for (quantile, values) in &run.recorded.judged {
        let name = format!("{} (judged)", words::quantile(*quantile));
        chart.line("judged", &name, points(&rows, scale, &thin_values(values)));
    }
    chart.line("p99", "p99", values_of(&rows, scale, |row| row.response_p99_ms));
    // What is judged is drawn.
    if is_judged(0.95) {
        chart.line("p95", "p95", values_of(&rows, scale, |row| row.response_p95_ms));
    }
    chart.line("p90", "p90", values_of(&rows, scale, |row| row.response_p90_ms));
    chart.line("p50", "p50", values_of(&rows, scale, |row| row.response_p50_ms));
    chart.line("service", "p99 of service time", values_of(&rows, scale, |row| row.service_p99_ms));
    chart.thresholds(scale, thresholds);
    chart.lanes = lanes(run);
    Some(chart)
}

/// The chart with its axes alone.
fn empty(run: &Run, rows: &[Row], scale: Scale, each: usize) -> Chart {
    let stats = &run.summary.latency_ms.response;
    let [p50, p90, p99, p99_9] = [0.5, 0.9, 0.99, 0.999].map(|q| words::at(stats, q));
    Chart {
        id: "percentiles",
        title: "Response time over time",
        lead: format!(
            "Over the run: p50 {p50}, p90 {p90}, p99 {p99}, p99.9 {p99_9}. A failed request counts \
             as infinite."
        ),
        description: "Percentiles of response time in each second, on a logarithmic axis, with \
                      the objectives' thresholds."
            .to_owned(),
        x: time_ticks(duration(rows)),
        y: scale.ticks(words::ms),
        x_name: "time since the first due request",
        y_name: "latency (log scale)",
        note: thinned(each),
        ..Chart::default()
    }
}

/// Points of values that are no part of the rows.
fn points(rows: &[Row], scale: Scale, values: &[Option<f64>]) -> impl Iterator<Item = Point> {
    middles(rows).zip(rows).zip(values).map(move |((x, row), value)| {
        let value = value.filter(|_| row.phase != "drain");
        let text = value.map_or("–".to_owned(), words::ms);
        Point { x, y: value.map(|value| scale.at(value)), text, apart: false }
    })
}

/// The stretches in which p99 was infinite, as shares of the time axis.
fn infinite(rows: &[Row]) -> impl Iterator<Item = (f64, f64)> {
    let duration = duration(rows);
    rows.iter()
        .filter(|row| row.response_p99_ms.is_some_and(f64::is_infinite))
        .map(move |row| (row.start_s() / duration, row.t_s / duration))
}
