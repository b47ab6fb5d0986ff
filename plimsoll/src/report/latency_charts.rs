//! Latency over time: percentiles with the thresholds drawn.

use plimsoll_monitor::Unit;

use super::Run;
use super::chart::Chart;
use super::rate_charts::{bands, duration, thinned, values_of};
use super::scale::{Scale, time_ticks};
use super::thin::thin;
use super::words;
use crate::results::summary::Series;
use crate::results::timeline::Row;

/// Percentiles of response time, and p99 of service time, over time.
pub(super) fn percentiles_chart(run: &Run) -> Option<Chart> {
    let (rows, each) = thin(&run.rows);
    let thresholds: Vec<(f64, String)> = run
        .summary
        .objectives
        .iter()
        .filter(|objective| {
            objective.unit == Unit::Milliseconds && objective.of == Series::Response
        })
        .map(|objective| (objective.threshold, objective.name.clone()))
        .collect();
    let values = rows.iter().flat_map(|row| {
        [row.response_p50_ms, row.response_p99_ms, row.response_max_ms, row.service_p99_ms]
    });
    let scale = Scale::around(values.flatten().chain(thresholds.iter().map(|(value, _)| *value)))?;
    let stats = &run.summary.latency_ms.response;
    let mut chart = Chart {
        id: "percentiles",
        title: "Response time over time",
        lead: format!(
            "Over the run: p50 {}, p90 {}, p99 {}, p99.9 {}. A failed request counts as infinite.",
            words::percentile(stats, stats.p50),
            words::percentile(stats, stats.p90),
            words::percentile(stats, stats.p99),
            words::p99_9(stats),
        ),
        description: "Percentiles of response time in each second, on a logarithmic axis, with \
                      the objectives' thresholds."
            .to_owned(),
        x: time_ticks(duration(&rows)),
        y: scale.ticks(words::ms),
        x_name: "time since the first due request",
        y_name: "latency (log scale)",
        note: thinned(each),
        ..Chart::default()
    };
    chart.bands(&bands(&run.rows));
    chart.grid();
    chart.line("max", "longest", values_of(&rows, scale, |row| row.response_max_ms));
    chart.line("p99", "p99", values_of(&rows, scale, |row| row.response_p99_ms));
    // What is judged is drawn.
    if run.summary.objectives.iter().any(|objective| objective.name.starts_with("p95 ")) {
        chart.line("p95", "p95", values_of(&rows, scale, |row| row.response_p95_ms));
    }
    chart.line("p90", "p90", values_of(&rows, scale, |row| row.response_p90_ms));
    chart.line("p50", "p50", values_of(&rows, scale, |row| row.response_p50_ms));
    chart.line("service", "p99 of service time", values_of(&rows, scale, |row| row.service_p99_ms));
    for (value, text) in thresholds {
        chart.threshold(scale, value, text);
    }
    chart.upper_marks("p99 infinite (over 1 % failed)", infinite(&rows));
    Some(chart)
}

/// The stretches in which p99 was infinite, as shares of the time axis.
fn infinite(rows: &[Row]) -> impl Iterator<Item = (f64, f64)> {
    let duration = duration(rows);
    rows.iter()
        .filter(|row| row.response_p99_ms.is_some_and(f64::is_infinite))
        .map(move |row| (row.start_s() / duration, row.t_s / duration))
}
