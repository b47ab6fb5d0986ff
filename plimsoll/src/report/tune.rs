//! A search over rules as text, JSON, and a page in one file.

use std::fmt::Write;
use std::time::Duration;

use askama::Template;
use plimsoll_autoscale::verdict::span;
use plimsoll_domain::units::three_digits;
use plimsoll_study::tune::{Cost, Reason};
use serde::Serialize;

use super::chart::{Chart, Point};
use super::scale::{Scale, time_ticks};
use super::words;
use crate::session::Trial;
use crate::tune::{Asked, Tried, Tuned, values};

/// What `tune.json` says: stable within its version.
#[derive(Debug, Serialize)]
pub(crate) struct Found {
    schema: &'static str,
    scenario: String,
    seed: u64,
    /// The file of the rules that were tuned.
    rules: String,
    objectives: Vec<String>,
    /// How long a load may violate them, in rule time.
    allowed_violation_s: f64,
    /// The answer in words.
    says: String,
    /// The choice, if there is one.
    chosen: Option<Candidate>,
    /// Why that one.
    reason: Option<&'static str>,
    current: Candidate,
    vendor: Option<Candidate>,
    clairvoyant: Vec<Candidate>,
    front: Vec<Candidate>,
    sensitivity: Vec<Step>,
    trials: usize,
    candidates: usize,
    /// Loads, each with each seed, that were searched on, that were held out for the choice, and whose
    /// figures these are.
    cases: [usize; 3],
    interrupted: bool,
    exit_code: u8,
}

/// A contender: means over the loads.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Candidate {
    name: String,
    searched: Cost,
    held_out: Cost,
}

/// One step away from the choice, on the loads of the search.
#[derive(Debug, Serialize)]
struct Step {
    parameter: String,
    from: String,
    to: String,
    cost: Cost,
}

impl From<&Tried> for Candidate {
    fn from(tried: &Tried) -> Self {
        let Tried { name, searched, held_out } = tried;
        Self { name: name.clone(), searched: *searched, held_out: *held_out }
    }
}

impl Found {
    pub(crate) fn new(asked: &Asked, tuned: &Tuned, exit_code: u8) -> Self {
        let chosen = tuned.choice.map(|choice| &tuned.front[choice.place]);
        let space = &asked.bounds.space;
        let step = |(place, other, cost): &(usize, plimsoll_study::tune::Candidate, Cost)| {
            let parameter = &space.parameters()[*place];
            let value =
                |of: &plimsoll_study::tune::Candidate| parameter.values[of.0[*place]].clone();
            let from = chosen.map(|one| value(&one.candidate)).unwrap_or_default();
            Step { parameter: parameter.name.clone(), from, to: value(other), cost: *cost }
        };
        let reason = tuned.choice.map(|choice| match choice.reason {
            Reason::Cheapest => {
                "the fewest instance-hours of those that violate no longer than is allowed"
            }
            Reason::LeastViolation => {
                "all violate longer than is allowed: the one that does so least"
            }
        });
        let current = Candidate::from(&tuned.current);
        let chosen = chosen.map(|one| Candidate::from(&one.tried));
        let says = match &chosen {
            None => {
                "nothing found: no candidate was tried on every load; give it more time".to_owned()
            }
            Some(one) if one.name == values(asked, &asked.bounds.current) => format!(
                "the rules as they are ({}) are the best that was found: {}",
                one.name,
                in_words(one.held_out)
            ),
            Some(one) => format!(
                "{}: {}; the rules as they are: {}",
                one.name,
                in_words(one.held_out),
                in_words(current.held_out)
            ),
        };
        Self {
            schema: "plimsoll.simulated-tune/v1",
            scenario: asked.scenario.name.clone(),
            seed: asked.seed,
            rules: asked.rules.file().to_owned(),
            objectives: asked.scenario.objectives.iter().map(ToString::to_string).collect(),
            allowed_violation_s: asked.bounds.allowed.as_secs_f64(),
            says,
            chosen,
            reason,
            current,
            vendor: tuned.vendor.as_ref().map(Candidate::from),
            clairvoyant: tuned.clairvoyant.iter().map(Candidate::from).collect(),
            front: tuned.front.iter().map(|one| Candidate::from(&one.tried)).collect(),
            sensitivity: tuned.neighbours.iter().map(step).collect(),
            trials: tuned.spent,
            candidates: tuned.candidates,
            cases: tuned.cases,
            interrupted: tuned.interrupted,
            exit_code,
        }
    }

    /// What a candidate of the front, with no more instance-hours than a rival, violates less.
    fn at_equal_hours(&self, rival: &Candidate) -> Option<String> {
        let affordable = |one: &&Candidate| one.held_out.instance_h <= rival.held_out.instance_h;
        let best = self.front.iter().filter(affordable);
        let best = best.min_by(|a, b| a.held_out.violation_s.total_cmp(&b.held_out.violation_s))?;
        let (ours, theirs) = (best.held_out.violation_s, rival.held_out.violation_s);
        let change = if theirs > 0.0 {
            format!(" ({:+.0} %)", (ours / theirs - 1.0) * 100.0)
        } else {
            String::new()
        };
        Some(format!(
            "for no more instance-hours than {}: violation {} instead of {}{change}",
            rival.name,
            time(ours),
            time(theirs)
        ))
    }

    fn facts(&self) -> Vec<String> {
        let mut facts = vec![
            "simulated: nothing was brought up, and no request was sent".to_owned(),
            format!(
                "{} of {}; {} searched on, {} held out for the choice, and the figures are of {} others",
                words::counted(self.trials as u64, "trial"),
                words::counted(self.candidates as u64, "candidate"),
                words::counted(self.cases[0] as u64, "load"),
                self.cases[1],
                self.cases[2]
            ),
        ];
        if self.interrupted {
            facts.push("interrupted: this is what was found so far; --resume goes on".to_owned());
        }
        facts.extend(self.reason.map(|reason| format!("chosen on the held-out loads as {reason}")));
        facts.extend(
            [&self.current]
                .into_iter()
                .chain(&self.vendor)
                .filter_map(|one| self.at_equal_hours(one)),
        );
        if self.vendor.is_none() {
            facts.push(
                "no vendor's default to compare with: KEDA proposes no triggers, and no thresholds"
                    .to_owned(),
            );
        }
        let allowed = |one: &&Candidate| one.held_out.violation_s <= self.allowed_violation_s;
        let bound = self.clairvoyant.iter().filter(allowed);
        let bound = bound.min_by(|a, b| a.held_out.instance_h.total_cmp(&b.held_out.instance_h));
        facts.push(match bound {
            Some(one) => format!("a bound: {}: {}", one.name, in_words(one.held_out)),
            None => {
                "no bound: every schedule that knows the load violates longer than is allowed, too"
                    .to_owned()
            }
        });
        facts
    }

    fn rows(&self) -> Vec<Row> {
        let chosen = self.chosen.as_ref().map(|one| &one.name);
        let mark = |one: &Candidate| if Some(&one.name) == chosen { "chosen" } else { "" };
        let front = self.front.iter().map(|one| Row::new(one, mark(one)));
        let rivals = [(&self.current, "now")].into_iter();
        let rivals = rivals.chain(self.vendor.iter().map(|one| (one, "vendor")));
        let rivals = rivals.chain(self.clairvoyant.iter().map(|one| (one, "bound")));
        front.chain(rivals.map(|(one, what)| Row::new(one, what))).collect()
    }
}

/// A contender as a table has it.
#[derive(Debug)]
struct Row {
    what: &'static str,
    name: String,
    hours: String,
    violation: String,
    searched_hours: String,
    searched_violation: String,
}

impl Row {
    fn new(of: &Candidate, what: &'static str) -> Self {
        Self {
            what,
            name: of.name.clone(),
            hours: three_digits(of.held_out.instance_h),
            violation: time(of.held_out.violation_s),
            searched_hours: three_digits(of.searched.instance_h),
            searched_violation: time(of.searched.violation_s),
        }
    }
}

fn time(seconds: f64) -> String {
    if seconds.is_finite() {
        span(Duration::from_secs_f64(seconds.max(0.0)))
    } else {
        "∞".to_owned()
    }
}

fn in_words(cost: Cost) -> String {
    format!(
        "{} instance-hours, violated for {}",
        three_digits(cost.instance_h),
        time(cost.violation_s)
    )
}

/// What a terminal shows.
pub(crate) fn text(found: &Found) -> String {
    let mut text = format!("{}: {}\n", found.scenario, found.says);
    for fact in found.facts() {
        let _ = writeln!(text, "  {fact}");
    }
    let _ = writeln!(text, "\n  {:>8} {:>14} {:>10}  held out", "", "instance-hours", "violation");
    for Row { what, name, hours, violation, .. } in found.rows() {
        let _ = writeln!(text, "  {what:>8} {hours:>14} {violation:>10}  {name}");
    }
    if !found.sensitivity.is_empty() {
        let _ = writeln!(text, "\n  one step from the choice, on the loads of the search:");
    }
    for Step { parameter, from, to, cost } in &found.sensitivity {
        let (hours, violation) = (three_digits(cost.instance_h), time(cost.violation_s));
        let _ =
            writeln!(text, "  {:>8} {hours:>14} {violation:>10}  {parameter} {from} → {to}", "");
    }
    text
}

#[derive(Debug, Template)]
#[template(path = "tune.html")]
struct Page<'a> {
    found: &'a Found,
    class: &'static str,
    symbol: &'static str,
    facts: Vec<String>,
    rows: Vec<Row>,
    steps: Vec<(String, String, String, String)>,
    charts: Vec<Chart>,
}

/// The page: it refers to nothing outside itself and needs no script.
pub(crate) fn page(found: &Found, tuned: &Tuned) -> Result<String, askama::Error> {
    let (class, symbol) = match found.exit_code {
        0 => ("met", "✓"),
        3 => ("breached", "✗"),
        _ => ("inconclusive", "?"),
    };
    let steps = found.sensitivity.iter().map(|step| {
        let Step { parameter, from, to, cost } = step;
        let change = format!("{from} → {to}");
        (parameter.clone(), change, three_digits(cost.instance_h), time(cost.violation_s))
    });
    let courses = tuned.courses.as_ref().and_then(|(name, old, new)| course(name, old, new));
    let charts = [front(found), courses].into_iter().flatten().collect();
    let (facts, rows) = (found.facts(), found.rows());
    Page { found, class, symbol, facts, rows, steps: steps.collect(), charts }.render()
}

/// Violation against instance-hours.
fn front(found: &Found) -> Option<Chart> {
    let rivals = [&found.current].into_iter().chain(&found.vendor).chain(&found.clairvoyant);
    let all: Vec<&Candidate> = found.front.iter().chain(rivals).collect();
    let hours =
        Scale::near(all.iter().map(|one| one.held_out.instance_h).filter(|h| h.is_finite()))?;
    let minutes = |one: &Candidate| one.held_out.violation_s / 60.0;
    let most = all.iter().map(|one| minutes(one)).filter(|m| m.is_finite()).fold(1.0, f64::max);
    let scale = Scale::from_zero(most);
    let mut chart = Chart {
        id: "front",
        title: "Violation against instance-hours",
        lead: "Means over arrivals that neither the search nor the choice has seen. Of the front no candidate beats another in both on the \
               loads of the search."
            .to_owned(),
        description: "Minutes in violation and instance-hours of the front and of its rivals.".to_owned(),
        x: hours.ticks(words::number),
        y: scale.ticks(|minutes| format!("{} min", words::number(minutes))),
        x_name: "instance-hours",
        y_name: "in violation",
        ..Chart::default()
    };
    chart.grid();
    let point = |one: &Candidate, by: f64| Point {
        x: (hours.at(one.held_out.instance_h) + by).clamp(0.0, 1.0),
        y: Some(minutes(one)).filter(|m| m.is_finite()).map(|m| scale.at(m)),
        text: in_words(one.held_out),
        apart: false,
    };
    let mut by_hours: Vec<&Candidate> = found.front.iter().collect();
    by_hours.sort_by(|a, b| a.held_out.instance_h.total_cmp(&b.held_out.instance_h));
    chart.line("p99", "front", by_hours.into_iter().map(|one| point(one, 0.0)));
    let schedules = found.clairvoyant.iter().map(|one| point(one, 0.0));
    chart.line("p50", "schedules that know the load", schedules);
    // One that stands alone is a short stroke: a dot would not be seen.
    let mut mark = |class, name: &str, one: &Candidate| {
        chart.line(class, name, [-0.012, 0.012].map(|by| point(one, by)).into_iter());
    };
    mark("failed", "the rules as they are", &found.current);
    if let Some(vendor) = &found.vendor {
        mark("service", "the vendor's default", vendor);
    }
    if let Some(chosen) = &found.chosen {
        mark("target", "chosen", chosen);
    }
    Some(chart)
}

/// Ready instances over one load, under the rules as they are and as they were chosen.
fn course(name: &str, old: &Trial, new: &Trial) -> Option<Chart> {
    let end = old.end.max(new.end).as_secs_f64();
    let most = old.ready.iter().chain(&new.ready).map(|(_, count)| *count).max()?;
    let scale = Scale::from_zero(most.into());
    let mut chart = Chart {
        id: "course",
        title: "Ready instances under old and new rules",
        lead: format!("On {name}. Shaded: what the new rules violate."),
        description:
            "Ready instances over time under the rules as they are and as they were chosen."
                .to_owned(),
        x: time_ticks(end),
        y: scale.ticks(words::number),
        x_name: "time since the first due request",
        y_name: "ready instances",
        ..Chart::default()
    };
    chart.grid();
    let share = |at: &Duration| at.as_secs_f64() / end.max(1e-9);
    chart.shade(
        "violation under the new rules",
        new.violations.iter().map(|(a, b)| (share(a), share(b))),
    );
    let mut stairs = |class, text: &str, trial: &Trial| {
        let mut points = Vec::new();
        let mut before = None;
        for (at, count) in &trial.ready {
            let point = |count: u32| Point {
                x: share(at),
                y: Some(scale.at(count.into())),
                text: count.to_string(),
                apart: false,
            };
            points.extend(before.map(point));
            points.push(point(*count));
            before = Some(*count);
        }
        points.extend(points.last().cloned().map(|last| Point { x: 1.0, ..last }));
        chart.line(class, text, points.into_iter());
    };
    stairs("target", "old rules", old);
    stairs("sent", "new rules", new);
    let marks = |trial: &Trial| {
        let all = trial.violations.iter().map(|(from, to)| (share(from), share(to)));
        all.collect::<Vec<_>>()
    };
    for (from, to) in marks(old) {
        let point = |x| Point { x, y: Some(0.01), text: String::new(), apart: false };
        chart.line("failed", "violation under the old rules", [point(from), point(to)].into_iter());
    }
    chart.legend.dedup_by(|a, b| a.text == b.text);
    Some(chart)
}
