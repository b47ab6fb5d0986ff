//! The percentile spectrum: response time against service time over the whole measured time. The
//! gap between the two lines is what a closed-loop tool hides.

use plimsoll_domain::SparseLatencies;
use plimsoll_domain::latencies::rank_of;

use super::Run;
use super::chart::{Chart, Legend, Point};
use super::scale::{Scale, Tick};
use super::words;
use crate::results::summary::{ObjectiveResult, Series};

/// Points of a line.
const POINTS: u32 = 240;

/// Response and service time by percentile; `None` if nothing was answered.
pub(super) fn spectrum_chart(run: &Run) -> Option<Chart> {
    let response = run.recorded.total("response");
    let service = run.recorded.total("service");
    let infinite = run.summary.latency_ms.response.infinite;
    let ended = response.map_or(0, SparseLatencies::count) + infinite;
    let nines = (ended.max(10) as f64).log10().clamp(2.0, 7.0);
    let ends = [response, service]
        .into_iter()
        .flatten()
        .flat_map(|latencies| [1, latencies.count()].map(|rank| value(latencies, rank)));
    let beyond = (infinite > 0).then_some(f64::INFINITY);
    let objectives = run.summary.objectives.iter();
    let judged = |objective: &&ObjectiveResult| objective.of == Series::Response;
    let gates: Vec<(f64, f64)> = objectives
        .filter(judged)
        .filter_map(|objective| Some((objective.quantile?, objective.threshold)))
        .collect();
    let thresholds = gates.iter().map(|(_, value)| *value);
    let scale = Scale::around(ends.chain(thresholds).chain(beyond))?;
    let mut chart = Chart {
        id: "spectrum",
        title: "Percentile spectrum",
        lead: words::waiting(&run.summary),
        description: "Latency at each percentile over the measured time, for response time and \
                      service time, towards ever rarer requests on the right."
            .to_owned(),
        x: percentile_ticks(nines),
        y: scale.ticks(words::ms),
        x_name: "percentile",
        y_name: "latency (log scale)",
        ..Chart::default()
    };
    chart.grid();
    chart.name_points(quantiles(nines).map(|(x, quantile)| (x, words::quantile(quantile))));
    for (class, text, latencies, failed) in [
        ("p99", "response time (from when it was due)", response, infinite),
        ("service", "service time (from when it was sent)", service, 0),
    ] {
        if let Some(latencies) = latencies {
            chart.line(class, text, points(latencies, failed, nines, scale));
        }
    }
    let mut names = Vec::new();
    for (quantile, value) in gates {
        chart.gate(place(quantile, nines), scale.at(value));
        names.push(format!("{} {}", words::quantile(quantile), words::ms(value)));
    }
    if !names.is_empty() {
        let text = format!("the objectives' limits: {}", names.join(", "));
        chart.legend.push(Legend { class: "threshold", text });
    }
    Some(chart)
}

/// Where the points are on the axis, and the quantile there. The more nines, the more digits.
fn quantiles(nines: f64) -> impl Iterator<Item = (f64, f64)> {
    (0..=POINTS).map(move |i| {
        let x = f64::from(i) / f64::from(POINTS);
        (x, 1.0 - 10f64.powf(-x * nines))
    })
}

fn points(
    latencies: &SparseLatencies,
    infinite: u64,
    nines: f64,
    scale: Scale,
) -> impl Iterator<Item = Point> {
    let all = latencies.count() + infinite;
    quantiles(nines).map(move |(x, quantile)| {
        let value = value(latencies, rank_of(quantile, all));
        Point { x, y: Some(scale.at(value)), text: words::ms(value), apart: false }
    })
}

/// The value of this rank, in milliseconds; beyond the last it is a failure's.
fn value(latencies: &SparseLatencies, rank: u64) -> f64 {
    latencies.highest_at_rank(rank).map_or(f64::INFINITY, |value| value.as_nanos() as f64 / 1e6)
}

/// Where a quantile lies on the axis, 0 to 1.
pub(super) fn place(quantile: f64, nines: f64) -> f64 {
    (-(1.0 - quantile).max(1e-12).log10() / nines).clamp(0.0, 1.0)
}

pub(super) fn percentile_ticks(nines: f64) -> Vec<Tick> {
    [0.0, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999, 0.99999, 0.999_999, 0.999_999_9]
        .into_iter()
        .filter(|quantile| -(1.0f64 - quantile).log10() <= nines + 1e-9)
        .map(|quantile| Tick {
            at: place(quantile, nines) * 100.0,
            text: words::quantile(quantile),
            minor: [0.75, 0.95, 0.995].contains(&quantile),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_nine_takes_the_same_width() {
        assert!((place(0.99, 4.0) - 0.5).abs() < 1e-9);
        assert!((place(0.999, 4.0) - 0.75).abs() < 1e-9);
        assert_eq!(words::quantile(0.999), "p99.9");
        assert_eq!(words::quantile(0.0), "p0");
    }
}
