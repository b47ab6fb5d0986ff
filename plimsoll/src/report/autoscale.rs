//! The page of a backtest: the count over time, each rule's value against its threshold, and every
//! change with its reason.

use askama::Template;
use plimsoll_autoscale::{Evaluation, Step};
use plimsoll_domain::plain;

use super::chart::{Chart, Point};
use super::scale::{Scale, time_ticks};
use super::words;

/// More charts than this are left out.
const MOST_CHARTS: usize = 20;
/// More rows than this are left out.
const MOST_ROWS: usize = 500;

#[derive(Debug, Template)]
#[template(path = "autoscale.html")]
struct Page {
    version: &'static str,
    rules: String,
    span: String,
    counts: Chart,
    values: Vec<Chart>,
    rows: Vec<Row>,
    left_out: usize,
}

/// An evaluation that changed something, or was held back.
#[derive(Debug)]
struct Row {
    time: String,
    instances: String,
    alone: u32,
    held: String,
    why: String,
}

/// The page of a backtest of the rules of that name.
///
/// # Errors
/// If it cannot be composed.
pub(crate) fn autoscale_page(rules: &str, all: &[Evaluation]) -> askama::Result<String> {
    let mut rows: Vec<Row> = rows(all);
    let left_out = rows.len().saturating_sub(MOST_ROWS);
    rows.truncate(MOST_ROWS);
    let span = match all {
        [first, .., last] => format!("{} to {}", first.state.now, last.state.now),
        _ => "no evaluation".to_owned(),
    };
    let page = Page {
        version: env!("CARGO_PKG_VERSION"),
        rules: rules.to_owned(),
        span,
        counts: counts(all),
        values: values(all),
        rows,
        left_out,
    };
    Ok(plain::text(&page.render()?).into_owned())
}

/// The seconds since the first evaluation, and the whole length.
fn seconds(all: &[Evaluation]) -> (impl Fn(&Evaluation) -> f64 + use<>, f64) {
    let second = |one: &Evaluation| one.state.now.as_second();
    let start = all.first().map_or(0, second);
    let length = all.last().map_or(1, second) - start;
    (move |one: &Evaluation| (one.state.now.as_second() - start) as f64, length.max(1) as f64)
}

fn counts(all: &[Evaluation]) -> Chart {
    let (at, length) = seconds(all);
    let most = all.iter().map(|one| one.decision.replicas.max(one.decision.unguarded)).max();
    let scale = Scale::from_zero(f64::from(most.unwrap_or(1)));
    let changes = all.iter().filter(|one| one.decision.replicas != one.state.replicas).count();
    let held = all.iter().filter(|one| one.decision.held.is_some()).count();
    let mut chart = Chart {
        id: "instances",
        title: "Instances",
        lead: format!(
            "{}, {}; {} were held back by a guard.",
            words::counted(all.len() as u64, "evaluation"),
            words::counted(changes as u64, "change"),
            words::count(held as u64)
        ),
        description: "The wanted count of instances over time.".to_owned(),
        x: time_ticks(length),
        y: scale.ticks(words::number),
        x_name: "time since the first evaluation",
        y_name: "instances",
        ..Chart::default()
    };
    chart.grid();
    chart.line(
        "target",
        "what the rules alone want",
        steps(all, length, &at, |one| one.decision.unguarded, scale).into_iter(),
    );
    chart.line(
        "done",
        "what is decided",
        steps(all, length, &at, |one| one.decision.replicas, scale).into_iter(),
    );
    chart
}

/// A staircase: a count holds until the next evaluation.
fn steps(
    all: &[Evaluation],
    length: f64,
    at: &impl Fn(&Evaluation) -> f64,
    count: impl Fn(&Evaluation) -> u32,
    scale: Scale,
) -> Vec<Point> {
    let mut points = Vec::with_capacity(all.len() * 2);
    let mut last = None;
    for one in all {
        let (x, count) = (at(one) / length, count(one));
        let point = |count: u32| Point {
            x,
            y: Some(scale.at(f64::from(count))),
            text: count.to_string(),
            apart: false,
        };
        points.extend(last.map(point));
        points.push(point(count));
        last = Some(count);
    }
    points
}

/// One chart for each rule that was ever evaluated.
fn values(all: &[Evaluation]) -> Vec<Chart> {
    let is_rule = |step: &&Step| step.against.is_some() && !step.what.starts_with("flapping");
    let mut names: Vec<(&str, f64)> = Vec::new();
    for step in all.iter().flat_map(|one| &one.decision.steps).filter(is_rule) {
        let rule = (step.what.as_str(), step.against.unwrap_or_default());
        if !names.iter().any(|(name, _)| *name == rule.0) {
            names.push(rule);
        }
    }
    let (at, length) = seconds(all);
    let chart = |(index, (name, threshold)): (usize, &(&str, f64))| {
        let value = |one: &Evaluation| {
            let steps = one.decision.steps.iter();
            steps.filter(is_rule).find(|step| step.what == *name).and_then(|step| step.value)
        };
        let most = all.iter().filter_map(value).fold(*threshold, f64::max);
        let scale = Scale::from_zero(most);
        let missing = all.iter().filter(|one| value(one).is_none()).count();
        let lead = match missing {
            0 => format!("{name}."),
            _ => {
                format!("{name}. {} without a value.", words::counted(missing as u64, "evaluation"))
            }
        };
        let mut chart = Chart {
            id: IDS[index],
            title: "Observed by a rule",
            lead,
            description: "The value that the rule observed, against its threshold.".to_owned(),
            x: time_ticks(length),
            y: scale.ticks(words::number),
            x_name: "time since the first evaluation",
            y_name: "observed value",
            ..Chart::default()
        };
        chart.grid();
        let label = format!("threshold {}", words::number(*threshold));
        chart.thresholds(scale, std::iter::once((*threshold, label)));
        let points = all.iter().map(|one| Point {
            x: at(one) / length,
            y: value(one).map(|value| scale.at(value)),
            text: value(one).map(words::number).unwrap_or_default(),
            apart: false,
        });
        chart.line("service", "observed", points);
        chart
    };
    names.iter().take(MOST_CHARTS.min(IDS.len())).enumerate().map(chart).collect()
}

/// Names of charts on the page.
const IDS: [&str; MOST_CHARTS] = [
    "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    "r16", "r17", "r18", "r19", "r20",
];

fn rows(all: &[Evaluation]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut last = None;
    for one in all {
        let (state, decision) = (&one.state, &one.decision);
        let changed = decision.replicas != state.replicas;
        // A guard that holds on is told once.
        let news = changed || decision.held.is_some() && last != Some(decision.held);
        last = Some(decision.held);
        if !news {
            continue;
        }
        let why = decision.steps.iter().filter(|step| step.what != "profile");
        let why: Vec<_> = why.map(|step| format!("{}: {}", step.what, step.result)).collect();
        let instances = if changed {
            format!("{} → {}", state.replicas, decision.replicas)
        } else {
            state.replicas.to_string()
        };
        let held = decision.held.map_or("–", plimsoll_autoscale::Held::words);
        rows.push(Row {
            time: state.now.to_string(),
            instances,
            alone: decision.unguarded,
            held: held.to_owned(),
            why: why.join("; "),
        });
    }
    rows
}
