//! The percentile spectrum: response time against service time over the whole measured time. The
//! gap between the two lines is what a closed-loop tool hides.

use hdrhistogram::Histogram;
use plimsoll_monitor::Unit;

use super::Run;
use super::chart::Chart;
use super::scale::{Scale, Tick};
use super::words;
use crate::results::summary::Series;

/// Points of a line.
const POINTS: u32 = 240;

/// Response and service time by percentile; `None` if nothing was answered.
pub(super) fn spectrum_chart(run: &Run) -> Option<Chart> {
    let response = run.recorded.total("response");
    let service = run.recorded.total("service");
    let infinite = run.summary.latency_ms.response.infinite;
    let ended = response.map_or(0, Histogram::len) + infinite;
    let nines = (ended.max(10) as f64).log10().clamp(2.0, 7.0);
    let values = [response, service].into_iter().flatten().flat_map(|histogram| {
        [histogram.value_at_quantile(0.0) as f64 / 1e6, histogram.max() as f64 / 1e6]
    });
    let thresholds: Vec<(f64, f64)> = run
        .summary
        .objectives
        .iter()
        .filter(|objective| {
            objective.unit == Unit::Milliseconds && objective.of == Series::Response
        })
        .filter_map(|objective| Some((objective.quantile?, objective.threshold)))
        .collect();
    let scale = Scale::around(values.chain(thresholds.iter().map(|(_, value)| *value)))?;
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
    for (quantile, value) in thresholds {
        let text = format!("{} asked: {}", name(quantile), words::ms(value));
        chart.threshold(scale, value, text);
    }
    for (class, text, histogram, failed) in [
        ("p99", "response time (from when it was due)", response, infinite),
        ("service", "service time (from when it was sent)", service, 0),
    ] {
        if let Some(histogram) = histogram {
            chart.line(class, text, points(histogram, failed, nines, scale));
        }
    }
    if infinite > 0 {
        let finite = (ended - infinite) as f64 / ended as f64;
        chart.upper_marks(
            "response time infinite: no right answer",
            [(place(finite, nines), 1.0)].into_iter(),
        );
    }
    Some(chart)
}

fn points(
    histogram: &Histogram<u64>,
    infinite: u64,
    nines: f64,
    scale: Scale,
) -> impl Iterator<Item = (f64, Option<f64>)> {
    let (count, all) = (histogram.len(), histogram.len() + infinite);
    (0..=POINTS).map(move |i| {
        let x = f64::from(i) / f64::from(POINTS);
        let quantile = 1.0 - 10f64.powf(-x * nines);
        let rank = plimsoll_domain::latencies::rank_of(quantile, all);
        let value = (rank <= count)
            .then(|| histogram.value_at_quantile((rank as f64 - 0.5) / count as f64) as f64 / 1e6);
        (x, value.map(|value| scale.at(value)))
    })
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
            text: name(quantile),
            minor: [0.75, 0.95, 0.995].contains(&quantile),
        })
        .collect()
}

/// A quantile's name: `p99.9`.
fn name(quantile: f64) -> String {
    let text = format!("{:.6}", quantile * 100.0);
    format!("p{}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_nine_takes_the_same_width() {
        assert!((place(0.99, 4.0) - 0.5).abs() < 1e-9);
        assert!((place(0.999, 4.0) - 0.75).abs() < 1e-9);
        assert_eq!(name(0.999), "p99.9");
        assert_eq!(name(0.0), "p0");
    }
}
