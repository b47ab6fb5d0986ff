//! Metrics over the nights as text, JSON, and a page in one file.

use std::fmt::Write;

use askama::Template;
use plimsoll_domain::plain;
use plimsoll_domain::units::three_digits;
use plimsoll_study::compare::{Metric, Scale as How};
use plimsoll_study::history::{Change, Trend};
use serde::Serialize;

use super::chart::{Band, Chart, Point};
use super::scale::{Scale, Tick};
use super::words;
use crate::results::night::Night;

/// More rows of nights than this are left out of the page.
const MOST_NIGHTS: usize = 400;
/// Labels of an axis of nights.
const LABELS: usize = 8;

/// The nights of one kind, and each metric over them.
#[derive(Debug)]
pub(crate) struct Trends<'a> {
    pub(crate) nights: Vec<&'a Night>,
    pub(crate) left_out: Vec<String>,
    pub(crate) metrics: Vec<Trend>,
}

/// What `--json` prints: stable within its version.
#[derive(Debug, Serialize)]
pub(crate) struct Json<'a> {
    schema: &'static str,
    scenario: &'a str,
    nights: Vec<JsonNight<'a>>,
    left_out: &'a [String],
    trends: &'a [Trend],
}

#[derive(Debug, Serialize)]
struct JsonNight<'a> {
    started: &'a str,
    commit: Option<&'a str>,
    good: bool,
}

impl Trends<'_> {
    pub(crate) fn json(&self) -> Json<'_> {
        Json {
            schema: "plimsoll.trend/v1",
            scenario: self.scenario(),
            nights: self
                .nights
                .iter()
                .map(|night| JsonNight {
                    started: night.started(),
                    commit: night.commit.as_deref(),
                    good: night.is_good(),
                })
                .collect(),
            left_out: &self.left_out,
            trends: &self.metrics,
        }
    }

    fn scenario(&self) -> &str {
        self.nights.last().map_or("", |night| night.scenario())
    }

    fn span(&self) -> String {
        let day = |night: Option<&&Night>| night.map_or(String::new(), |night| night.day().into());
        format!(
            "{}, {} to {}",
            words::counted(self.nights.len() as u64, "night"),
            day(self.nights.first()),
            day(self.nights.last())
        )
    }

    fn lead(&self) -> String {
        match self.changes().len() as u64 {
            0 => "No metric changed by more than its margin.".to_owned(),
            count => format!(
                "{}, each beyond its margin and rare among the same nights in random order.",
                words::counted(count, "change")
            ),
        }
    }

    /// All changes, the newest first.
    fn changes(&self) -> Vec<ChangeRow> {
        let of = |trend: &Trend| {
            let rows = trend.changes.iter().map(|change| self.row(trend.metric, change));
            rows.collect::<Vec<_>>()
        };
        let mut all: Vec<ChangeRow> = self.metrics.iter().flat_map(of).collect();
        all.sort_by_key(|row| std::cmp::Reverse(row.night));
        all
    }

    fn row(&self, metric: Metric, change: &Change) -> ChangeRow {
        let night = self.nights[change.night];
        let (class, symbol) = if change.worse { ("breached", "✕") } else { ("met", "✓") };
        ChangeRow {
            night: change.night,
            day: night.day().to_owned(),
            commit: night.short_commit().to_owned(),
            metric: metric.name(),
            before: metric_value(metric, change.before),
            after: metric_value(metric, change.after),
            change: difference(metric, change),
            class,
            symbol,
        }
    }
}

/// A change as the page shows it.
#[derive(Debug)]
struct ChangeRow {
    night: usize,
    day: String,
    commit: String,
    metric: &'static str,
    before: String,
    after: String,
    change: String,
    class: &'static str,
    symbol: &'static str,
}

/// A metric's value with its unit: milliseconds, or a share.
pub(crate) fn metric_value(metric: Metric, value: f64) -> String {
    match metric.scale() {
        How::Ratio => words::ms(value),
        How::Difference => words::percentage(value * 100.0),
    }
}

fn difference(metric: Metric, change: &Change) -> String {
    let (difference, unit) = match metric.scale() {
        How::Ratio => (change.after / change.before - 1.0, "%"),
        How::Difference => (change.after - change.before, "points"),
    };
    let sign = if difference < 0.0 { "−" } else { "+" };
    let word = if change.worse { "worse" } else { "better" };
    format!("{sign}{}\u{a0}{unit}, {word}", three_digits(difference.abs() * 100.0))
}

/// What a terminal shows.
pub(crate) fn text(trends: &Trends<'_>) -> String {
    let mut text = format!("{}: {}\n", trends.scenario(), trends.span());
    let changes = trends.changes();
    if changes.is_empty() {
        text.push_str("no metric changed by more than its margin");
    }
    for ChangeRow { day, commit, metric, before, after, change, .. } in &changes {
        let _ =
            write!(text, "\n  {day}  {commit:<10}  {metric:<11} {before:>9} → {after:<9} {change}");
    }
    text
}

#[derive(Debug, Template)]
#[template(path = "trend.html")]
struct Page<'a> {
    scenario: &'a str,
    span: String,
    lead: String,
    note: &'static str,
    changes: Vec<ChangeRow>,
    left_out: &'a [String],
    charts: Vec<Chart>,
    metrics: Vec<&'static str>,
    nights: Vec<NightRow<'a>>,
    nights_left_out: usize,
}

#[derive(Debug)]
struct NightRow<'a> {
    started: &'a str,
    commit: &'a str,
    runs: usize,
    values: Vec<String>,
    objectives: &'static str,
}

/// The metrics in the table of nights.
const COLUMNS: [Metric; 4] = [Metric::P50, Metric::P95, Metric::P99, Metric::ErrorRate];

impl<'a> NightRow<'a> {
    fn new(night: &'a Night) -> Self {
        let value = |metric: Metric| {
            night.value(metric).map_or("–".to_owned(), |value| metric_value(metric, value))
        };
        Self {
            started: night.started(),
            commit: night.short_commit(),
            runs: night.runs.len(),
            values: COLUMNS.map(value).to_vec(),
            objectives: if night.is_good() { "not breached" } else { "breached" },
        }
    }
}

/// What the reader must know of the method.
const NOTE: &str = "A steady metric is told to have changed about once in a year of nights, so with several metrics \
    there are as many chances. A level must last for two nights to be one.";

/// The page: it refers to nothing outside itself and needs no script.
///
/// # Errors
/// If it cannot be composed.
pub(crate) fn page(trends: &Trends<'_>) -> askama::Result<String> {
    let page = Page {
        scenario: trends.scenario(),
        span: trends.span(),
        lead: trends.lead(),
        note: NOTE,
        changes: trends.changes(),
        left_out: &trends.left_out,
        charts: trends.metrics.iter().filter_map(|trend| chart(trends, trend)).collect(),
        metrics: COLUMNS.map(Metric::name).to_vec(),
        nights: trends
            .nights
            .iter()
            .rev()
            .take(MOST_NIGHTS)
            .map(|night| NightRow::new(night))
            .collect(),
        nights_left_out: trends.nights.len().saturating_sub(MOST_NIGHTS),
    };
    page.render()
}

/// The chart of a metric; none where it has no value.
fn chart(trends: &Trends<'_>, trend: &Trend) -> Option<Chart> {
    let metric = trend.metric;
    let scale = Scale::near(trend.nights.iter().flatten().copied())?;
    let count = trend.nights.len();
    // A night is in the middle of its part of the axis.
    let at = |night: usize| (night as f64 + 0.5) / count as f64;
    let name = |night: usize| {
        let night = trends.nights[night];
        format!("{} {}", night.day(), night.short_commit())
    };
    let mut chart = Chart {
        id: id(metric),
        title: metric.name(),
        lead: match trend.changes.as_slice() {
            [] => "No change beyond the margin.".to_owned(),
            changes => {
                let told = changes.iter().map(|change| {
                    format!("{} on {}", difference(metric, change), name(change.night))
                });
                format!("{}.", told.collect::<Vec<_>>().join("; "))
            }
        },
        description: format!("{metric} of each night, and the levels between changes."),
        x: ticks(trends, at),
        y: scale.ticks(|value| metric_value(metric, value)),
        x_name: "night",
        y_name: if metric.scale() == How::Ratio { "time (axis not from zero)" } else { "share" },
        ..Chart::default()
    };
    chart.grid();
    chart.bands(&bands(trend));
    let point = |night: usize, value: Option<f64>, apart| Point {
        x: at(night),
        y: value.map(|value| scale.at(value)),
        text: value.map(|value| metric_value(metric, value)).unwrap_or_default(),
        apart,
    };
    let values = trend.nights.iter().enumerate();
    chart.line("night", "night", values.map(|(night, value)| point(night, *value, true)));
    let level = |night: usize| {
        let before = trend.changes.iter().rfind(|change| change.night <= night);
        before.map(|change| change.after).or(trend.changes.first().map(|first| first.before))
    };
    let is_first = |night: usize| trend.changes.iter().any(|change| change.night == night);
    // The pen is lifted where a level begins.
    let levels = (0..count).flat_map(|night| {
        let gap = is_first(night).then(|| point(night, None, false));
        gap.into_iter().chain([point(night, level(night), false)])
    });
    chart.line("threshold", "level", levels);
    chart.name_points((0..count).map(|night| (at(night), name(night))));
    Some(chart)
}

const fn id(metric: Metric) -> &'static str {
    match metric {
        Metric::P50 => "p50",
        Metric::P95 => "p95",
        Metric::P99 => "p99",
        Metric::P999 => "p999",
        Metric::ModelTime => "model-time",
        Metric::ErrorRate => "error-rate",
        Metric::Goodput => "goodput",
    }
}

/// The levels, as stretches of the axis.
fn bands(trend: &Trend) -> Vec<Band> {
    let Some(first) = trend.changes.first() else {
        return Vec::new();
    };
    let count = trend.nights.len() as f64;
    let starts = trend.changes.iter().map(|change| (change.night, change.after));
    let starts: Vec<(usize, f64)> = [(0, first.before)].into_iter().chain(starts).collect();
    let ends = starts[1..].iter().map(|(night, _)| *night).chain([trend.nights.len()]);
    let band = |((from, level), to): (&(usize, f64), usize)| Band {
        at: *from as f64 / count * 100.0,
        width: (to - from) as f64 / count * 100.0,
        text: metric_value(trend.metric, *level),
        warmup: false,
    };
    starts.iter().zip(ends).map(band).collect()
}

fn ticks(trends: &Trends<'_>, at: impl Fn(usize) -> f64) -> Vec<Tick> {
    let step = trends.nights.len().div_ceil(LABELS).max(1);
    let nights = trends.nights.iter().enumerate().step_by(step);
    nights
        .map(|(index, night)| Tick {
            at: at(index) * 100.0,
            text: plain::line(night.day()).into_owned(),
            minor: (index / step) % 2 == 1,
        })
        .collect()
}
