//! What happened meanwhile, as stretches of the time axis: how many instances were ready, and when
//! each alert was pending and firing.

use std::collections::BTreeMap;

use super::Run;
use super::rate_charts::duration;
use super::words;
use crate::results::timeline::Row;
use crate::results::{Event, EventKind};

/// One kind of thing that happens.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) name: String,
    pub(super) stretches: Vec<Stretch>,
}

/// A stretch of the time axis.
#[derive(Debug, PartialEq)]
pub(super) struct Stretch {
    /// In percent from the left.
    pub(super) at: f64,
    /// In percent.
    pub(super) width: f64,
    pub(super) class: &'static str,
    pub(super) text: String,
    /// The same with its times, for the pointer.
    pub(super) title: String,
}

/// Lanes shown, at most; the events have all.
const MOST_LANES: usize = 12;

/// The instances, and each alert that was more than inactive.
pub(super) fn lanes(run: &Run) -> Vec<Lane> {
    let end = duration(&run.rows);
    let instances = instances(&run.rows, end);
    let mut lanes: Vec<Lane> = instances.into_iter().chain(alerts(&run.events, end)).collect();
    lanes.truncate(MOST_LANES);
    lanes
}

pub(super) fn stretch(from: f64, to: f64, end: f64, class: &'static str, text: String) -> Stretch {
    let title = format!("{text}: {} to {}", words::span(from), words::span(to));
    let at = (from / end * 100.0).clamp(0.0, 100.0);
    Stretch { at, width: (to / end * 100.0).clamp(at, 100.0) - at, class, text, title }
}

/// Stretches in which the number of ready instances stays as it is.
fn instances(rows: &[Row], end: f64) -> Option<Lane> {
    let count = |row: &Row| (row.instances, row.instances_wanted);
    let mut stretches = Vec::new();
    for same in rows.chunk_by(|a, b| count(a) == count(b)) {
        let (Some(first), Some(last)) = (same.first(), same.last()) else { continue };
        let (Some(ready), wanted) = count(first) else { continue };
        let wanted = wanted.unwrap_or(ready);
        let class = if ready < wanted { "short" } else { "full" };
        let text = format!("{ready} of {wanted}");
        stretches.push(stretch(first.start_s(), last.t_s, end, class, text));
    }
    (!stretches.is_empty()).then(|| Lane { name: "instances ready".to_owned(), stretches })
}

/// By rule, the stretches in which it was pending or firing.
fn alerts(events: &[Event], end: f64) -> impl Iterator<Item = Lane> {
    let mut changes: BTreeMap<&str, Vec<(f64, &str)>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind == EventKind::Alert) {
        let detail = |name: &str| event.details.get(name).and_then(serde_json::Value::as_str);
        if let (Some(rule), Some(state)) = (detail("rule"), detail("state")) {
            changes.entry(rule).or_default().push((event.t_s, state));
        }
    }
    changes.into_iter().map(move |(rule, changes)| {
        let next = changes.iter().skip(1).map(|(at, _)| *at).chain([end]);
        let stretches = changes.iter().zip(next).filter_map(|((from, state), to)| {
            let class = match *state {
                "pending" => "pending",
                "firing" => "firing",
                _ => return None,
            };
            Some(stretch(*from, to, end, class, class.to_owned()))
        });
        Lane { name: format!("alert {rule}"), stretches: stretches.collect() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(t_s: f64, state: &str) -> Event {
        let event = Event::new(t_s, EventKind::Alert, "x");
        event.with("rule", "slow").with("state", state)
    }

    #[test]
    fn an_alert_lasts_until_its_next_state_or_the_end() {
        let events = [alert(2.0, "pending"), alert(3.0, "firing"), alert(5.0, "resolved")];
        let lanes: Vec<Lane> = alerts(&events, 10.0).collect();
        let of = |lane: &Lane| {
            let each = lane.stretches.iter();
            each.map(|s| (s.class, s.at.round(), s.width.round())).collect::<Vec<_>>()
        };
        assert_eq!(lanes[0].name, "alert slow");
        assert_eq!(of(&lanes[0]), [("pending", 20.0, 10.0), ("firing", 30.0, 20.0)]);
        let lanes: Vec<Lane> = alerts(&events[..2], 10.0).collect();
        assert_eq!(of(&lanes[0])[1], ("firing", 30.0, 70.0));
    }

    #[test]
    fn instances_that_are_missing_are_told_apart() {
        let row = |second: u32, ready| Row {
            t_s: f64::from(second + 1),
            length_s: 1.0,
            instances: Some(ready),
            instances_wanted: Some(2),
            ..Row::default()
        };
        let rows = [row(0, 2), row(1, 2), row(2, 1), row(3, 2)];
        let lane = instances(&rows, 4.0).unwrap();
        let each = lane.stretches.iter().map(|s| (s.class, s.text.as_str(), s.width));
        let wanted =
            [("full", "2 of 2", 50.0), ("short", "1 of 2", 25.0), ("full", "2 of 2", 25.0)];
        assert_eq!(each.collect::<Vec<_>>(), wanted);
        assert!(instances(&[Row::default()], 1.0).is_none(), "nobody counted");
    }
}
