//! A plan as text, and a page in one file. Its JSON is the plan itself.

use std::fmt::Write;

use askama::Template;
use plimsoll_domain::plain;
use plimsoll_domain::units::three_digits;
use plimsoll_study::plan::{Demand, Forecast};

use super::chart::{Chart, Label, Point};
use super::scale::{Scale, time_ticks};
use super::words;
use crate::commands::plan::{Limit, Plan, Simulated, Size};

/// Points of a chart at most.
const MOST_POINTS: usize = 500;

fn percent(share: f64) -> String {
    words::percentage(share * 100.0)
}

fn rate(rps: f64) -> String {
    format!("{}/s", three_digits(rps))
}

/// The answer as a sentence.
fn says(plan: &Plan) -> String {
    let Demand { rate_rps, service_s, concurrency, refused, .. } = plan.demand;
    format!(
        "{} carry {} of {} with {concurrency} at a time: {} at work, {} refused (of {} that may be)",
        words::counted(plan.peak.instances.into(), "instance"),
        rate(rate_rps),
        words::ms(service_s * 1e3),
        percent(plan.peak.utilisation),
        percent(plan.peak.refused),
        percent(refused)
    )
}

/// What else there is to say, but for limits and machine sizes.
fn facts(plan: &Plan) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(trace) = &plan.trace {
        let Forecast { peak_rps, trough_rps, rise_rps } = plan.forecast;
        facts.push(format!(
            "forecast: {trace}, {}: {} in the busiest and {} in the calmest, up by {} within {}",
            words::counted(plan.rates.len() as u64, "minute"),
            rate(peak_rps),
            rate(trough_rps),
            rate(rise_rps),
            words::span(plan.provisioning_s)
        ));
    }
    if let Some(count) = plan.by_capacity {
        facts.push(format!(
            "the measured capacity asks for {count}, as many times an instance's low end"
        ));
    }
    if let Some(left) = plan.without_one {
        facts.push(format!(
            "without one of them {} are refused; the maximum has one more",
            percent(left.refused)
        ));
    }
    facts.push(format!(
        "autoscale from {} to {} ({} of them for the ramp while others start for {})",
        plan.minimum,
        plan.maximum,
        plan.headroom,
        words::span(plan.provisioning_s)
    ));
    facts.push(format!(
        "Azure's formula: {} (70 % of all slots at work, whatever their number; ours lets as many requests wait as \
         are worked on, and many slots need less room: --wait bounds how long)",
        plan.azure
    ));
    facts.push(format!(
        "SageMaker's: {} (half of what an instance carries at most, as its safety factor)",
        plan.sagemaker
    ));
    let sensitivity = plan.sensitivity.iter().map(|(what, count)| {
        format!("{what}: {}", count.map_or("beyond all".to_owned(), |count| count.to_string()))
    });
    facts.push(format!("instances at {}", sensitivity.collect::<Vec<_>>().join(", ")));
    facts
}

/// What a terminal shows.
pub(crate) fn text(plan: &Plan) -> String {
    let mut text = format!("{}\n", says(plan));
    let mut line = |words: &str| {
        let _ = writeln!(text, "  {words}");
    };
    for row in plan.simulated.iter().map(Ran::new) {
        line(&format!(
            "simulated, {}: `{}` is {}; {} refused of {} requests, p99 {}",
            row.load, row.objective, row.class, row.refused, row.requests, row.p99
        ));
    }
    for fact in facts(plan) {
        line(&fact);
    }
    for (index, row) in plan.limits.iter().map(Bar::new).enumerate() {
        let first = if index == 0 { "the endpoint's limit that binds first: " } else { "then " };
        let over = if row.is_over { "; have it raised before" } else { "" };
        line(&format!("{first}{} of {} {}{over}", row.needed, row.at_most, row.name));
    }
    for row in plan.sizes.iter().map(Machine::new) {
        let cost =
            if row.cost.is_empty() { String::new() } else { format!(", {} in an hour", row.cost) };
        line(&format!(
            "{}: {} × with the reserve, {} vCPUs of quota{cost}",
            row.sku, row.with_reserve, row.cores
        ));
        if !row.fit.is_empty() {
            line(&format!("  {}", row.fit));
        }
    }
    text
}

/// A simulation as a table has it.
#[derive(Debug)]
struct Ran<'a> {
    load: &'a str,
    objective: &'a str,
    class: &'static str,
    requests: String,
    refused: String,
    p99: String,
}

impl<'a> Ran<'a> {
    fn new(of: &'a Simulated) -> Self {
        Self {
            load: &of.load,
            objective: &of.objective,
            class: of.verdict.name(),
            requests: words::count(of.requests),
            refused: percent(of.refused),
            p99: words::ms(of.p99_ms.unwrap_or(f64::INFINITY)),
        }
    }
}

/// A limit as a table has it.
#[derive(Debug)]
struct Bar {
    name: &'static str,
    needed: String,
    at_most: String,
    share: String,
    is_over: bool,
}

impl Bar {
    fn new(of: &Limit) -> Self {
        Self {
            name: of.name,
            needed: words::number(of.needed),
            at_most: words::number(of.at_most),
            share: percent(of.share),
            is_over: of.share > 1.0,
        }
    }
}

/// A machine size as a table has it.
#[derive(Debug)]
struct Machine {
    sku: &'static str,
    with_reserve: u64,
    cores: u64,
    cost: String,
    fit: String,
}

impl Machine {
    fn new(of: &Size) -> Self {
        let cost = of.cost.map(|(least, most)| format!("{least:.2} to {most:.2}"));
        Self {
            sku: of.sku,
            with_reserve: of.with_reserve,
            cores: of.cores,
            cost: cost.unwrap_or_default(),
            fit: of.fit.as_ref().map(ToString::to_string).unwrap_or_default(),
        }
    }
}

#[derive(Debug, Template)]
#[template(path = "plan.html")]
struct Page<'a> {
    plan: &'a Plan,
    rate: String,
    class: &'static str,
    symbol: &'static str,
    says: String,
    exit_code: u8,
    facts: Vec<String>,
    charts: Vec<Chart>,
    simulated: Vec<Ran<'a>>,
    limits: Vec<Bar>,
    sizes: Vec<Machine>,
}

/// The page: it refers to nothing outside itself and needs no script.
pub(crate) fn page(plan: &Plan, exit_code: u8) -> Result<String, askama::Error> {
    let (class, symbol) = match exit_code {
        0 => ("met", "✓"),
        3 | 5 => ("breached", "✗"),
        _ => ("inconclusive", "?"),
    };
    let page = Page {
        plan,
        rate: rate(plan.demand.rate_rps),
        class,
        symbol,
        says: says(plan),
        exit_code,
        facts: facts(plan),
        charts: [refusals(plan), course(plan)].into_iter().flatten().collect(),
        simulated: plan.simulated.iter().map(Ran::new).collect(),
        limits: plan.limits.iter().map(Bar::new).collect(),
        sizes: plan.sizes.iter().map(Machine::new).collect(),
    };
    Ok(plain::text(&page.render()?).into_owned())
}

/// The share refused at the peak by how many instances there are.
fn refusals(plan: &Plan) -> Option<Chart> {
    let most = plan.maximum.max(4) * 5 / 4;
    let least = plan.peak.instances / 2;
    let step = (most - least).div_ceil(60).max(1) as usize;
    let carried: Vec<_> =
        (least.max(1)..=most).step_by(step).map(|count| plan.demand.on(count)).collect();
    let x = Scale::near(carried.iter().map(|of| f64::from(of.instances)))?;
    // Below a thousandth of what may be refused nobody looks any more.
    let floor = plan.demand.refused / 1e3;
    let shown = |share: f64| share.max(floor);
    let y = Scale::around(carried.iter().map(|of| shown(of.refused)).chain([plan.demand.refused]))?;
    let mut chart = Chart {
        id: "refusals",
        title: "Refusals at the peak by instances",
        lead: format!(
            "The share refused with 429 by the chain M/M/s/2s; {} may be.",
            percent(plan.demand.refused)
        ),
        description: "The share of requests refused at the peak, by how many instances there are."
            .to_owned(),
        x: x.ticks(words::number),
        y: y.ticks(percent),
        x_name: "instances",
        y_name: "refused (log scale)",
        ..Chart::default()
    };
    chart.grid();
    let points = carried.iter().map(|of| Point {
        x: x.at(of.instances.into()),
        y: Some(y.at(shown(of.refused))),
        text: percent(of.refused),
        apart: false,
    });
    chart.line("p99", "refused", points);
    let allowed = y.at(plan.demand.refused);
    let point = |x| Point { x, y: Some(allowed), text: String::new(), apart: false };
    chart.line("target", "may be refused", [point(0.0), point(1.0)].into_iter());
    Some(chart)
}

/// The rate of each minute of the trace; of more than a chart shows the highest in each stretch.
fn course(plan: &Plan) -> Option<Chart> {
    let length = plan.rates.len();
    if length < 2 {
        return None;
    }
    let stretch = length.div_ceil(MOST_POINTS);
    let highest = plan.rates.chunks(stretch).map(|part| part.iter().copied().fold(0.0, f64::max));
    let scale = Scale::from_zero(plan.forecast.peak_rps);
    let end_s = length as f64 * 60.0;
    let mut chart = Chart {
        id: "forecast",
        title: "Forecast",
        lead: "Requests per second in each minute of the trace.".to_owned(),
        description: "The rate of the forecast over time.".to_owned(),
        x: time_ticks(end_s),
        y: scale.ticks(rate),
        x_name: "time since the beginning of the trace",
        y_name: "requests per second",
        ..Chart::default()
    };
    if stretch > 1 {
        chart.note = format!("Each point is the busiest of {stretch} minutes.");
    }
    chart.labels.push(Label {
        at: scale.at(plan.forecast.peak_rps) * 100.0,
        text: format!("sized for {}", rate(plan.forecast.peak_rps)),
    });
    chart.grid();
    let points = highest.enumerate().map(|(index, value)| Point {
        x: (index * stretch) as f64 / length as f64,
        y: Some(scale.at(value)),
        text: rate(value),
        apart: false,
    });
    chart.line("sent", "forecast", points);
    Some(chart)
}
