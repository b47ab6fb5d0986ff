//! The overlays: percentile spectrum, p99 over time, and p99 of each block.

use plimsoll_study::compare::{Metric, Run};

use super::Compared;
use crate::report::chart::{Chart, Point};
use crate::report::rate_charts::{duration, thinned};
use crate::report::scale::{Scale, time_ticks};
use crate::report::spectrum::{percentile_ticks, place};
use crate::report::thin::thin;
use crate::report::words;
use crate::results::recording::Recording;

/// Points of a spectrum's line.
const POINTS: u32 = 240;
/// The classes of the two sides, which differ in dash as well as in colour.
const BASE: &str = "service";
const NEW: &str = "p99";

pub(super) fn all(compared: &Compared) -> Vec<Chart> {
    [spectrum(compared), timeline(compared), blocks(compared)].into_iter().flatten().collect()
}

/// A line: shares of the x axis, and values in milliseconds.
type Line = Vec<(f64, Option<f64>)>;

/// Draws every line of both sides; a side is named once.
fn draw(mut chart: Chart, lines: &[(&'static str, &str, Vec<Line>)]) -> Option<Chart> {
    let values = lines.iter().flat_map(|(_, _, lines)| lines.iter().flatten());
    let scale = Scale::around(values.filter_map(|(_, value)| *value))?;
    chart.y = scale.ticks(words::ms);
    chart.grid();
    for (class, name, lines) in lines {
        for (index, line) in lines.iter().enumerate() {
            let points = line.iter().map(|(x, value)| Point {
                x: *x,
                y: value.map(|value| scale.at(value)),
                text: value.map(words::ms).unwrap_or_default(),
                apart: false,
            });
            let named = chart.legend.len();
            chart.line(class, name, points);
            if index > 0 {
                chart.legend.truncate(named);
            }
        }
    }
    Some(chart)
}

fn sides<'a>(
    compared: &'a Compared,
    line: impl Fn(&'a Recording) -> Line,
) -> [(&'static str, &'static str, Vec<Line>); 2] {
    [
        (BASE, "base", compared.base.iter().map(&line).collect()),
        (NEW, "new", compared.new.iter().map(&line).collect()),
    ]
}

fn spectrum(compared: &Compared) -> Option<Chart> {
    let all = || compared.base.iter().chain(&compared.new);
    let most = all().map(|run| run.summary.load.offered).max().unwrap_or(0).max(10);
    let nines = (most as f64).log10().clamp(2.0, 7.0);
    let shares: Vec<f64> = (0..=POINTS).map(|i| f64::from(i) / f64::from(POINTS)).collect();
    let quantiles: Vec<f64> = shares.iter().map(|x| 1.0 - 10f64.powf(-x * nines)).collect();
    let line = |run: &Recording| {
        let values = run.run.percentiles(&quantiles);
        quantiles.iter().map(|quantile| place(*quantile, nines)).zip(values).collect()
    };
    let chart = Chart {
        id: "spectrum",
        title: "Percentile spectrum",
        lead:
            "Response time at each percentile; what failed is infinite, beyond the end of a line."
                .to_owned(),
        description: "Response time at each percentile of every run, base and new.".to_owned(),
        x: percentile_ticks(nines),
        x_name: "percentile",
        y_name: "response time (log scale)",
        ..Chart::default()
    };
    draw(chart, &sides(compared, line))
}

fn timeline(compared: &Compared) -> Option<Chart> {
    let all = || compared.base.iter().chain(&compared.new);
    let longest = all().map(|run| duration(&run.rows)).fold(1.0, f64::max);
    let each = all().map(|run| run.rows.len().div_ceil(1000).max(1)).max().unwrap_or(1);
    let line = |run: &Recording| {
        let (rows, _) = thin(&run.rows);
        let value = |value: Option<f64>| value.filter(|value| value.is_finite());
        rows.iter()
            .filter(|row| row.phase == "measured")
            .map(|row| (row.start_s().midpoint(row.t_s) / longest, value(row.response_p99_ms)))
            .collect()
    };
    let chart = Chart {
        id: "timeline",
        title: "p99 over time",
        lead: "p99 of response time in each second of the measured time.".to_owned(),
        description: "p99 of response time over the measured time of every run.".to_owned(),
        x: time_ticks(longest),
        x_name: "time since the first due request",
        y_name: "p99 (log scale)",
        note: thinned(each),
        ..Chart::default()
    };
    draw(chart, &sides(compared, line))
}

fn blocks(compared: &Compared) -> Option<Chart> {
    let all = || compared.base.iter().chain(&compared.new);
    let longest = all().map(|run| run.run.seconds()).fold(1.0, f64::max);
    if let Some(pairs) = &compared.pairs {
        let chart = pairs_chart(longest);
        let side = |runs| vec![of_pairs(runs, longest)];
        let (base, new) = (side(&pairs.base), side(&pairs.new));
        return draw(chart, &[("dots base", "base", base), ("dots new", "new", new)]);
    }
    let line = |run: &Recording| {
        // Each point alone is a dot.
        let points = run.run.per_block(Metric::P99).into_iter();
        points.flat_map(|(at, value)| [(at / longest, Some(value)), (at / longest, None)]).collect()
    };
    let [base, new] = sides(compared, line);
    let chart = Chart {
        id: "blocks",
        title: "p99 of each block of time",
        lead:
            "A run is cut into 32 to 63 blocks; how much they differ is how sure the comparison is."
                .to_owned(),
        description: "p99 of response time in each block of time of every run, as dots.".to_owned(),
        x: time_ticks(longest),
        x_name: "measured time at the end of the block",
        y_name: "p99 (log scale)",
        ..Chart::default()
    };
    draw(chart, &[("dots base", base.1, base.2), ("dots new", new.1, new.2)])
}

fn pairs_chart(longest: f64) -> Chart {
    Chart {
        id: "blocks",
        title: "p99 of each pair",
        lead:
            "Each pair is a block of the base and one of the new beside it; how much they differ \
               from pair to pair is how sure the comparison is."
                .to_owned(),
        description: "p99 of response time in each block of both sides, as dots, pair by pair."
            .to_owned(),
        x: time_ticks(longest),
        x_name: "measured time at the end of the pair",
        y_name: "p99 (log scale)",
        ..Chart::default()
    }
}

fn of_pairs(runs: &[Run], longest: f64) -> Line {
    let ends = runs.iter().scan(0.0, |end, run| {
        *end += run.seconds();
        Some((*end / longest, run.percentiles(&[0.99])[0]))
    });
    ends.flat_map(|(at, value)| [(at, value), (at, None)]).collect()
}
