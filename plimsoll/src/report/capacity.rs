//! A search for the highest rate as text, JSON, and a page in one file.

use std::fmt::Write;

use askama::Template;
use plimsoll_domain::units::three_digits;
use plimsoll_monitor::Verdict;
use plimsoll_study::capacity::{Answer, Ending, Purpose, State, Step};
use serde::Serialize;

use super::chart::{Chart, Point};
use super::scale::Scale;
use super::words;
use crate::scenario::Place;
use crate::session::{Asked, Searched};

/// What `capacity.json` says: stable within its version.
#[derive(Debug, Serialize)]
pub(crate) struct Found {
    schema: &'static str,
    scenario: String,
    seed: u64,
    /// Nothing was measured on a machine.
    simulated: bool,
    objectives: Vec<String>,
    /// Instances that were loaded; `None` where they are not ours to count.
    instances: Option<u32>,
    /// Slots of each of them; `None` where they are not ours to count, or not all alike.
    concurrency: Option<u32>,
    /// Both ends, unless something has taken them back.
    interval_rps: Option<(f64, f64)>,
    /// The answer in words.
    says: String,
    bound_by: Option<&'static str>,
    notes: Vec<String>,
    /// The folder of each step, in their order.
    folders: Vec<String>,
    #[serde(flatten)]
    answer: Answer,
    exit_code: u8,
}

impl Found {
    pub(crate) fn new(
        asked: &Asked,
        searched: Searched,
        mut notes: Vec<String>,
        exit_code: u8,
    ) -> Self {
        let Searched { answer, folders, failed } = searched;
        let objectives: Vec<_> =
            asked.scenario.objectives.iter().map(ToString::to_string).collect();
        let says = match &failed {
            Some((why, _)) => format!("not found: {why}"),
            None => says(&answer, asked.settings.ceiling_rps),
        };
        if let Some(confirmation) = answer.confirmation.filter(|_| answer.interval().is_some()) {
            let rate = three_digits(confirmation.rate_rps);
            notes.push(match confirmation.verdict {
                Verdict::Met => format!("confirmed: the objectives hold at {rate}/s"),
                _ => format!(
                    "not confirmed yet: {rate}/s was not decided in {} s",
                    confirmation.measured_s
                ),
            });
        }
        let width = asked.settings.width;
        if answer.interval().is_some_and(|(low, high)| high / low > 1.001 + width) {
            notes.push(format!(
                "wider than the {} that were asked for: what lies between was not decided; give more --time, or a longer \
                 --step-max",
                words::percentage(width * 100.0)
            ));
        }
        Self {
            schema: if asked.simulate {
                "plimsoll.simulated-capacity/v1"
            } else {
                "plimsoll.capacity/v1"
            },
            scenario: asked.scenario.name.clone(),
            seed: asked.scenario.seed,
            simulated: asked.simulate,
            instances: match &asked.scenario.place {
                Place::Deployed(deployed) => {
                    Some(deployed.deployments.iter().map(|spec| spec.instance_count.get()).sum())
                }
                Place::Existing(_) | Place::Standing(_) => None,
            },
            concurrency: concurrency(&asked.scenario.place),
            interval_rps: answer.interval(),
            says,
            bound_by: answer
                .bound
                .filter(|_| answer.interval().is_some())
                .map(plimsoll_study::capacity::Bound::words),
            notes,
            folders,
            objectives,
            answer,
            exit_code,
        }
    }

    fn binding(&self) -> Option<&str> {
        self.answer.binding.and_then(|index| self.objectives.get(index)).map(String::as_str)
    }

    fn facts(&self) -> Vec<String> {
        let mut facts = Vec::new();
        if self.simulated {
            facts.push("simulated: nothing was brought up, and no request was sent".to_owned());
        }
        if self.interval_rps.is_some() {
            if let Some(knee) = self.answer.knee {
                facts.push(format!(
                    "knee (where the fit to all steps crosses what is allowed): {}/s, {} to {}",
                    three_digits(knee.rps),
                    three_digits(knee.low_rps),
                    three_digits(knee.high_rps)
                ));
            }
            facts.extend(self.binding().map(|binding| format!("first to cease: {binding}")));
            facts.extend(self.bound_by.map(|bound| format!("bound by {bound}")));
            facts.extend(self.answer.breached().and_then(used));
        }
        facts.push(format!(
            "{} of load in {}",
            words::span(self.answer.load_s),
            words::counted(self.answer.steps.len() as u64, "step")
        ));
        facts.extend(self.notes.iter().cloned());
        facts
    }

    fn rows(&self) -> Vec<Row> {
        self.answer.steps.iter().map(Row::new).collect()
    }
}

fn concurrency(place: &Place) -> Option<u32> {
    let Place::Deployed(deployed) = place else { return None };
    let slots = deployed
        .deployments
        .iter()
        .map(|spec| spec.request_settings.max_concurrent_requests_per_instance.get());
    let (least, most) =
        slots.fold((u32::MAX, 0), |(least, most), each| (least.min(each), most.max(each)));
    (least == most).then_some(most)
}

/// What was at work at the high end.
fn used(step: &Step) -> Option<String> {
    let used = step.seen.used?;
    let percent = |share: f64| words::percentage(share * 100.0);
    let mut at_work = vec![format!("slots {}", percent(used.slots))];
    at_work.extend(
        used.processor.map(|share| format!("cores that the workers can have {}", percent(share))),
    );
    at_work.extend(used.idle.map(|idle| format!("this machine {}", percent(1.0 - idle))));
    if used.delayed_ms > 0.0 {
        at_work.push(format!("a request waited {} for bandwidth", words::ms(used.delayed_ms)));
    }
    Some(format!("at work at {}/s: {}", three_digits(step.rate_rps), at_work.join(", ")))
}

/// The answer as a sentence.
fn says(answer: &Answer, ceiling: f64) -> String {
    let rate = |rate: Option<f64>| {
        rate.map_or("–".to_owned(), |rate| format!("{}/s", three_digits(rate)))
    };
    let (low, high) = (rate(answer.low_rps), rate(answer.high_rps));
    match &answer.ending {
        Ending::Ceiling { met: true } => format!(
            "at least {low}: the objectives hold at the highest rate to try; ask for more with --max-rate"
        ),
        Ending::Ceiling { met: false } => format!(
            "nothing was breached up to {}/s, and {}; ask for more with --max-rate, or for longer steps",
            three_digits(ceiling),
            answer.low_rps.map_or("nothing was met".to_owned(), |_| format!(
                "the highest rate that was met is {low}"
            ))
        ),
        Ending::NeverHolds => format!(
            "the objectives do not hold at any rate that was tried, down to {high}: no load is the cause"
        ),
        Ending::Spent => {
            format!("not found in the time given: {}; give more --time", known(answer))
        }
        Ending::Generator { rate_rps, why } => format!(
            "no number: the load generator is the bound, not the endpoint ({why} at {}/s); give it more cores, or \
             lower --max-rate",
            three_digits(*rate_rps),
            why = why.split("; ").next().unwrap_or_default()
        ),
        Ending::Degraded { rate_rps } => format!(
            "no number: the endpoint is worse for good after an overload: {}/s was met before, and is breached \
             now; restart it, and search again below",
            three_digits(*rate_rps)
        ),
        Ending::NotConfirmed { rate_rps } => format!(
            "no number: {}/s is breached in the last run, though {low} was met before: the endpoint has changed \
             in between",
            three_digits(*rate_rps)
        ),
        Ending::Interrupted => format!("interrupted: {} so far", known(answer)),
        Ending::Found => {
            format!(
                "{low} to {high} with {} confidence",
                words::percentage(answer.confidence * 100.0)
            )
        }
    }
}

/// What is known of the two ends.
fn known(answer: &Answer) -> String {
    let met = answer.low_rps.map(|low| format!("met up to {}/s", three_digits(low)));
    let breached = answer.high_rps.map(|high| format!("breached from {}/s", three_digits(high)));
    let known: Vec<_> = met.into_iter().chain(breached).collect();
    if known.is_empty() { "no rate is decided".to_owned() } else { known.join(", ") }
}

/// A step as a table has it.
#[derive(Debug)]
struct Row {
    rate: String,
    verdict: String,
    class: &'static str,
    measured: String,
    p50: String,
    p99: String,
    goodput: String,
    refused: String,
}

impl Row {
    fn new(step: &Step) -> Self {
        let point = &step.seen.point;
        let verdict = match (&step.seen.state, step.verdict()) {
            (State::Judged, verdict) => verdict.name().to_owned(),
            (State::Overloaded, _) => "breached: overload".to_owned(),
            (State::Limited(_), _) => "the generator's bound".to_owned(),
            (State::Cut, _) => "cut".to_owned(),
        };
        let purpose = match step.purpose {
            Purpose::Search => "",
            Purpose::Recheck => " (again)",
            Purpose::Confirm => " (confirmation)",
        };
        let ms = |value: Option<f64>| {
            if step.seen.measured_s == 0 {
                "–".to_owned()
            } else {
                words::ms(value.unwrap_or(f64::INFINITY))
            }
        };
        Self {
            rate: format!("{}/s", three_digits(step.rate_rps)),
            verdict: format!("{verdict}{purpose}"),
            class: step.verdict().name(),
            measured: format!("{} s", step.seen.measured_s),
            p50: ms(point.p50_ms),
            p99: ms(point.p99_ms),
            goodput: format!("{}/s", three_digits(point.goodput_rps)),
            refused: words::percentage(point.refused() * 100.0),
        }
    }
}

/// What a terminal shows.
pub(crate) fn text(found: &Found) -> String {
    let mut text = format!("{}: {}\n", found.scenario, found.says);
    for fact in found.facts() {
        let _ = writeln!(text, "  {fact}");
    }
    let _ = writeln!(
        text,
        "\n  {:>9}  {:<24} {:>8} {:>10} {:>10} {:>9} {:>7}",
        "rate", "", "measured", "p50", "p99", "goodput", "429"
    );
    for row in found.rows() {
        let Row { rate, verdict, measured, p50, p99, goodput, refused, .. } = row;
        let _ = writeln!(
            text,
            "  {rate:>9}  {verdict:<24} {measured:>8} {p50:>10} {p99:>10} {goodput:>9} {refused:>7}"
        );
    }
    text
}

#[derive(Debug, Template)]
#[template(path = "capacity.html")]
struct Page<'a> {
    found: &'a Found,
    class: &'static str,
    symbol: &'static str,
    facts: Vec<String>,
    rows: Vec<Row>,
    charts: Vec<Chart>,
}

/// The page: it refers to nothing outside itself and needs no script.
pub(crate) fn page(found: &Found) -> Result<String, askama::Error> {
    let (class, symbol) = match found.exit_code {
        0 => ("met", "✓"),
        3 => ("breached", "✗"),
        _ => ("inconclusive", "?"),
    };
    let charts = [latency(&found.answer), goodput(&found.answer)].into_iter().flatten().collect();
    Page { found, class, symbol, facts: found.facts(), rows: found.rows(), charts }.render()
}

/// p50 and p99 against the rate.
fn latency(answer: &Answer) -> Option<Chart> {
    let curve = answer.curve();
    let values = |of: fn(&Step) -> Option<f64>| curve.iter().map(move |step| of(step));
    let all = values(|step| step.seen.point.p50_ms).chain(values(|step| step.seen.point.p99_ms));
    let scale = Scale::around(all.flatten())?;
    let mut chart = Chart {
        id: "latency",
        title: "Response time against rate",
        lead: "p50 and p99 of response time of each step; a line ends where the percentile is infinite."
            .to_owned(),
        description: "p50 and p99 of response time at every rate that was tried.".to_owned(),
        y: scale.ticks(words::ms),
        y_name: "response time (log scale)",
        ..Chart::default()
    };
    line(
        &mut chart,
        &curve,
        scale,
        &[
            ("service", "p50", &|step| step.seen.point.p50_ms, &words::ms),
            ("p99", "p99", &|step| step.seen.point.p99_ms, &words::ms),
        ],
    );
    Some(chart)
}

/// What came back right and in time, and what was refused, against the rate.
fn goodput(answer: &Answer) -> Option<Chart> {
    let curve = answer.curve();
    let most = curve.iter().map(|step| step.rate_rps).reduce(f64::max)?;
    let scale = Scale::from_zero(most);
    let per_second = |value: f64| format!("{}/s", three_digits(value));
    let mut chart = Chart {
        id: "goodput",
        title: "Goodput and refusals against rate",
        lead: "Right answers in time, and requests refused with 429, per second.".to_owned(),
        description: "Goodput and refusals per second at every rate that was tried.".to_owned(),
        y: scale.ticks(per_second),
        y_name: "per second",
        ..Chart::default()
    };
    line(
        &mut chart,
        &curve,
        scale,
        &[
            ("service", "goodput", &|step| Some(step.seen.point.goodput_rps), &per_second),
            ("p99", "429", &|step| Some(step.seen.point.refused() * step.rate_rps), &per_second),
        ],
    );
    Some(chart)
}

type Line<'a> =
    (&'static str, &'static str, &'a dyn Fn(&Step) -> Option<f64>, &'a dyn Fn(f64) -> String);

fn line(chart: &mut Chart, curve: &[&Step], y: Scale, lines: &[Line<'_>]) {
    let most = curve.iter().map(|step| step.rate_rps).fold(0.0, f64::max);
    let x = Scale::from_zero(most);
    chart.x = x.ticks(|rate| format!("{}/s", three_digits(rate)));
    chart.x_name = "offered rate";
    chart.grid();
    for (class, name, of, words) in lines {
        let points = curve.iter().map(|step| {
            let value = of(step).filter(|value| value.is_finite());
            Point {
                x: x.at(step.rate_rps),
                y: value.map(|value| y.at(value)),
                text: value.map(words).unwrap_or_default(),
                apart: false,
            }
        });
        chart.line(class, name, points);
    }
}
