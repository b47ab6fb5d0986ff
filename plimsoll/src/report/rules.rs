//! What autoscale rules did: instances over time on the axis of the rates, each decision with its
//! reason, and what every scale-out waited for.

use std::time::Duration;

use plimsoll_autoscale::verdict::span;
use serde_json::Value;

use super::chart::{Chart, Point};
use super::lanes::{Lane, stretch};
use super::objectives::verdict_words;
use super::rate_charts::{bands, duration};
use super::scale::{Scale, time_ticks};
use super::{Run, words};
use crate::results::summary::{Autoscale, ScaleIn, ScaleOut, Wait};
use crate::results::timeline::Row;
use crate::results::{Event, EventKind};

/// Scale-outs shown; the summary has all.
const MOST: usize = 50;

/// The part of the page about rules.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) lead: String,
    pub(super) objectives: Vec<Objective>,
    pub(super) changes: Vec<Late>,
    pub(super) figures: String,
    pub(super) note: String,
}

/// An objective on rules.
#[derive(Debug)]
pub(super) struct Objective {
    pub(super) name: String,
    pub(super) class: &'static str,
    pub(super) symbol: &'static str,
    pub(super) verdict: &'static str,
    pub(super) value: String,
}

/// A scale-out or scale-in and what it waited for.
#[derive(Debug)]
pub(super) struct Late {
    pub(super) at: String,
    pub(super) change: String,
    pub(super) total: String,
    pub(super) until: &'static str,
    pub(super) waits: String,
}

pub(super) fn rules(of: &Autoscale) -> Rules {
    let faster = match of.time_compression {
        1 => String::new(),
        factor => {
            format!(" Their time went {factor} times faster than the load's; all below is theirs.")
        }
    };
    let lead = if of.violation_s > 0.0 {
        let why = of.culprit.as_ref().map_or_else(
            || "No scale-out was on its way meanwhile.".to_owned(),
            |wait| format!("Most of the wait for instances meanwhile: {}.", waited(wait)),
        );
        format!("Objectives in windows were violated for {}. {why}{faster}", time(of.violation_s))
    } else {
        format!("No objective in windows was violated.{faster}")
    };
    let objective = |one: &crate::results::summary::RuleObjective| {
        let (class, symbol, verdict) = verdict_words(one.verdict);
        Objective { name: one.name.clone(), class, symbol, verdict, value: one.shown.clone() }
    };
    let left_out = |count: usize| count.saturating_sub(MOST);
    let more = left_out(of.scale_outs.len()) + left_out(of.scale_ins.len());
    let outs = of.scale_outs.iter().take(MOST).map(out);
    Rules {
        lead,
        objectives: of.objectives.iter().map(objective).collect(),
        changes: outs.chain(of.scale_ins.iter().take(MOST).map(inward)).collect(),
        figures: format!(
            "{}, the largest of {}; {} instance hours; at most {} beyond demand and {} short of it; {}; \
             {} of {} answers were refusals.",
            words::counted(of.changes, "change"),
            words::counted(of.largest_step.into(), "instance"),
            words::number(of.instance_hours),
            of.overshoot,
            of.undershoot,
            words::counted(of.flaps.into(), "flap"),
            words::count(of.refused),
            words::count(of.answered)
        ),
        note: if more > 0 { format!("{more} more are in summary.json.") } else { String::new() },
    }
}

fn out(of: &ScaleOut) -> Late {
    let until = match (of.decided_t_s, of.ready_t_s) {
        (_, Some(_)) => "first extra instance ready",
        (Some(_), None) => "none was ready",
        (None, None) => "the rules had not acted",
    };
    late(of.t_s, (of.from, of.to), until, &of.waits)
}

fn inward(of: &ScaleIn) -> Late {
    let until = match (of.decided_t_s, of.gone_t_s) {
        (_, Some(_)) => "first instance fewer",
        (Some(_), None) => "none went",
        (None, None) => "the rules had not acted",
    };
    late(of.t_s, (of.from, of.to), until, &of.waits)
}

fn late(t_s: f64, (from, to): (u32, u32), until: &'static str, waits: &[Wait]) -> Late {
    Late {
        at: words::span(t_s),
        change: format!("{from} → {to}"),
        total: time(waits.iter().map(|wait| wait.seconds).sum()),
        until,
        waits: waits.iter().map(waited).collect::<Vec<_>>().join(", "),
    }
}

fn waited(wait: &Wait) -> String {
    format!("{} {}", wait.part, time(wait.seconds))
}

fn time(seconds: f64) -> String {
    span(Duration::from_secs_f64(seconds.max(0.0)))
}

/// Instances wanted, started and ready over time, if rules scaled them.
pub(super) fn chart(run: &Run) -> Option<Chart> {
    let of = run.summary.autoscale.as_ref()?;
    let end = duration(&run.rows);
    let most = run.rows.iter().filter_map(|row| row.instances_wanted.max(row.instances)).max()?;
    let scale = Scale::from_zero(most.into());
    let mut chart = Chart {
        id: "scaling",
        title: "Instances: wanted, started, ready",
        lead: format!(
            "What the rules of {} wanted, and when it was there; each change with its reason.",
            of.deployment
        ),
        description: "Instances of all deployments over time: wanted, running, ready.".to_owned(),
        x: time_ticks(end),
        y: scale.ticks(words::number),
        x_name: "time since the first due request",
        y_name: "instances",
        lanes: decisions(&run.events, end).into_iter().chain(held(&run.events, end)).collect(),
        ..Chart::default()
    };
    chart.bands(&bands(&run.rows));
    chart.grid();
    let running = |row: &Row| Some(row.instances? + row.instances_starting?);
    chart.line("target", "wanted", stairs(&run.rows, end, scale, |row| row.instances_wanted));
    chart.line("sent", "running (ready or starting)", stairs(&run.rows, end, scale, running));
    chart.line("done", "ready", stairs(&run.rows, end, scale, |row| row.instances));
    Some(chart)
}

/// A staircase: corners only, so that no long run is thinned.
fn stairs(
    rows: &[Row],
    end: f64,
    scale: Scale,
    count: impl Fn(&Row) -> Option<u32>,
) -> impl Iterator<Item = Point> {
    let mut points = Vec::new();
    for same in rows.chunk_by(|a, b| count(a) == count(b)) {
        let (Some(first), Some(last)) = (same.first(), same.last()) else { continue };
        let value = count(first);
        for at in [first.start_s(), last.t_s] {
            points.push(Point {
                x: (at / end).clamp(0.0, 1.0),
                y: value.map(|value| scale.at(value.into())),
                text: value.map_or("–".to_owned(), |value| value.to_string()),
                apart: false,
            });
        }
    }
    points.into_iter()
}

fn detail<'a>(event: &'a Event, name: &str) -> Option<&'a Value> {
    event.details.get(name)
}

/// Each decision that changed the count, until the next, with its reason.
fn decisions(events: &[Event], end: f64) -> Option<Lane> {
    let text = |event: &Event| {
        let (from, to) = (detail(event, "from")?, detail(event, "to")?);
        let reason = detail(event, "reason")?.as_str()?;
        let class = match (event.kind, from.as_u64() < to.as_u64()) {
            (EventKind::Scale, true) => "full",
            (EventKind::Scale, false) => "pending",
            _ => "firing",
        };
        Some((event.t_s, class, format!("{from} → {to}: {reason}")))
    };
    let changes: Vec<_> = events.iter().filter_map(text).collect();
    let next = changes.iter().skip(1).map(|(at, ..)| *at).chain([end]);
    let each = changes.iter().zip(next);
    let stretches: Vec<_> =
        each.map(|((at, class, text), to)| stretch(*at, to, end, class, text.clone())).collect();
    (!stretches.is_empty()).then(|| Lane { name: "decisions".to_owned(), stretches })
}

/// When a guard began to hold the rules back.
fn held(events: &[Event], end: f64) -> Option<Lane> {
    let text = |event: &Event| {
        let wanted = detail(event, "unguarded")?;
        Some((event.t_s, format!("{} (not {wanted})", detail(event, "held")?.as_str()?)))
    };
    let ends = |event: &Event| detail(event, "to").is_some().then_some(event.t_s);
    let begins: Vec<_> = events.iter().filter_map(text).collect();
    let stop = |at: f64| {
        let changes = events.iter().filter_map(ends);
        let others = begins.iter().map(|(other, _)| *other);
        changes.chain(others).filter(|other| *other > at).fold(end, f64::min)
    };
    let stretches: Vec<_> = begins
        .iter()
        .map(|(at, text)| stretch(*at, stop(*at), end, "short", text.clone()))
        .collect();
    (!stretches.is_empty()).then(|| Lane { name: "held back by".to_owned(), stretches })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(t_s: f64, from: u32, to: u32) -> Event {
        let event = Event::new(t_s, EventKind::Scale, "x").with("from", from).with("to", to);
        event.with("reason", "Cpu > 70")
    }

    #[test]
    fn a_decision_holds_until_the_next_and_a_guard_until_it_gives_way() {
        let cooldown = Event::new(4.0, EventKind::Scale, "x").with("held", "cooldown");
        let events = [scaled(2.0, 1, 3), cooldown.with("unguarded", 5), scaled(8.0, 3, 2)];
        let lane = decisions(&events, 10.0).expect("two changes");
        let of = |lane: &Lane| {
            let each = lane.stretches.iter();
            each.map(|s| (s.class, s.at.round(), s.width.round())).collect::<Vec<_>>()
        };
        assert_eq!(of(&lane), [("full", 20.0, 60.0), ("pending", 80.0, 20.0)]);
        assert_eq!(lane.stretches[0].text, "1 → 3: Cpu > 70");
        let lane = held(&events, 10.0).expect("a guard");
        assert_eq!(of(&lane), [("short", 40.0, 40.0)]);
        assert!(decisions(&[], 10.0).is_none() && held(&[], 10.0).is_none());
    }

    #[test]
    fn a_staircase_has_its_corners_only() {
        let row = |second: u32, wanted| Row {
            t_s: f64::from(second + 1),
            length_s: 1.0,
            instances_wanted: wanted,
            ..Row::default()
        };
        let rows = [row(0, Some(2)), row(1, Some(2)), row(2, Some(4)), row(3, None)];
        let scale = Scale::from_zero(4.0);
        let points: Vec<_> = stairs(&rows, 4.0, scale, |row| row.instances_wanted)
            .map(|point| (point.x, point.text))
            .collect();
        let text = |x: f64, text: &str| (x, text.to_owned());
        let wanted = [text(0.0, "2"), text(0.5, "2"), text(0.5, "4"), text(0.75, "4")];
        assert_eq!(points[..4], wanted);
        assert_eq!(points.len(), 6);
    }
}
