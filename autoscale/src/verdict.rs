//! The verdict on rules: what they did to a load, in figures that can be objectives.
//!
//! A [`Course`] is told what happens (evaluations and what came of them, ready instances, what was
//! asked of them, violations of the objectives) and in the end says what the rules were worth:
//! [`Findings`]. All durations in these are rule time, as they would be on Azure or in a cluster,
//! and so are instance-hours; rates and shares are those of the run.
//!
//! - *Violation time*: time in which a window of an objective that had just ended was wrong; of
//!   several objectives, any.
//! - *Time back under*: the longest stretch of it without interruption.
//! - *Demand*: instances whose slots would all be at work, `ceil(requests under way / slots)`, where
//!   requests under way are the time that answers took, added up (Little's law), and what was
//!   refused counts as if it had been worked on. *Undershoot* and *overshoot* are the most that ready
//!   instances lacked, or exceeded it by, in any minute: the accuracy of provisioning of Herbst et al.,
//!   *Elasticity in Cloud Computing* (ICAC 2013), as an extreme instead of a mean.
//! - *Flaps*: changes of direction of the count beyond those of the load's own rate.
//! - *Instance hours*: from when an instance has its machine, as it is billed.
//! - *Lateness* of a scale-out or scale-in: see [`lateness`].

mod beginning;
mod episodes;
pub mod lateness;
pub mod objective;

use std::collections::BTreeMap;
use std::time::Duration;

use episodes::Episodes;
use lateness::{Lateness, Part};

use crate::azure::Parameters;
use crate::controller::Happening;
use crate::{RuleTime, Rules};

/// What happened to a deployment while rules scaled it.
#[derive(Debug, Clone)]
pub struct Course {
    time: RuleTime,
    episodes: Episodes,
    slots: u32,
    /// Ready instances, as they last were.
    ready: u32,
    /// Instances with a machine, since when, and the seconds of the run that they add up to.
    there: (u32, Duration, f64),
    /// By objective: since when it is violated, if it is; the longest stretch, and whether it ended.
    stretches: BTreeMap<String, Stretch>,
    violated: Duration,
    /// When an objective was violated, stretch after stretch.
    violations: Vec<(Duration, Duration)>,
    refused: u64,
    answered: u64,
    /// The minute of rule time that goes on: its number, and the sums over its intervals.
    minute: (u64, Minute),
    overshoot: u32,
    undershoot: u32,
    directions: Directions,
    load: Directions,
    largest_step: u32,
    changes: u64,
}

#[derive(Debug, Clone, Default)]
struct Minute {
    seconds: f64,
    under_way: f64,
    ready: f64,
}

#[derive(Debug, Clone, Default)]
struct Stretch {
    since: Option<Duration>,
    until: Duration,
    longest: Duration,
    /// Whether the longest is the one that goes on.
    is_open: bool,
}

/// Turns of something that goes up and down.
#[derive(Debug, Clone, Default)]
struct Directions {
    last: Option<f64>,
    up: Option<bool>,
    turns: u32,
}

impl Directions {
    fn tell(&mut self, value: f64, least: f64) {
        let Some(before) = self.last else {
            self.last = Some(value);
            return;
        };
        if (value - before).abs() <= least {
            return;
        }
        let up = value > before;
        self.turns += u32::from(self.up.is_some_and(|was| was != up));
        (self.last, self.up) = (Some(value), Some(up));
    }
}

/// What was asked of the deployment in an interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asked {
    /// When the interval began.
    pub start: Duration,
    /// When it ended.
    pub end: Duration,
    /// Whether it is judged: no part of a warm-up or of the drain.
    pub judged: bool,
    /// Requests a second that the schedule asks of all deployments.
    pub target_rps: f64,
    /// Time that answers took which were worked for, added up.
    pub service: Duration,
    /// How many these are.
    pub served: u64,
    /// How many were refused (429).
    pub refused: u64,
}

/// What rules were worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// Every scale-out, with what it waited for; also one that never came.
    pub scale_outs: Vec<Lateness>,
    /// Every scale-in, with what it waited for; also one that never came.
    pub scale_ins: Vec<Lateness>,
    /// What the scale-outs that came while an objective was violated waited for the most, in rule time.
    pub culprit: Option<(Part, Duration)>,
    /// Time in violation of any objective, in rule time.
    pub violation: Duration,
    /// The longest stretch of violation by objective, in rule time, and whether it had ended.
    pub back_under: Vec<(String, Duration, bool)>,
    /// Requests that were refused, and all that were answered.
    pub refused: (u64, u64),
    /// The most instances beyond demand.
    pub overshoot: u32,
    /// The most instances that demand lacked.
    pub undershoot: u32,
    /// Changes of direction beyond those of the load.
    pub flaps: u32,
    /// Hours of instances with a machine, in rule time.
    pub instance_hours: f64,
    /// The most instances that one change added or removed.
    pub largest_step: u32,
    /// Changes of the count.
    pub changes: u64,
}

impl Course {
    /// One in which nothing happened yet, of `instances` ready instances with so many slots each.
    pub fn new(
        rules: Rules,
        parameters: Parameters,
        time: RuleTime,
        instances: u32,
        slots: u32,
    ) -> Self {
        Self {
            time,
            episodes: Episodes::new(rules, parameters, time),
            slots,
            ready: instances,
            there: (instances, Duration::ZERO, 0.0),
            stretches: BTreeMap::new(),
            violated: Duration::ZERO,
            violations: Vec::new(),
            refused: 0,
            answered: 0,
            minute: (0, Minute::default()),
            overshoot: 0,
            undershoot: 0,
            directions: Directions { last: Some(instances.into()), ..Directions::default() },
            load: Directions::default(),
            largest_step: 0,
            changes: 0,
        }
    }

    /// The controller did something.
    pub fn happened(&mut self, happening: &Happening) {
        self.episodes.happened(happening, self.ready);
        match happening {
            Happening::Scaled { at, from, to } => {
                self.directions.tell((*to).into(), 0.0);
                self.largest_step = self.largest_step.max(from.abs_diff(*to));
                self.changes += 1;
                // Those that leave do so at once; those that come wait for their machines.
                self.machines(*at, self.there.0.min(*to));
            }
            Happening::Provisioned { at, there } => self.machines(*at, *there),
            Happening::Decided { .. } | Happening::Refused { .. } => {}
        }
    }

    fn machines(&mut self, at: Duration, count: u32) {
        let (before, since, sum) = self.there;
        let seconds = at.saturating_sub(since).as_secs_f64();
        self.there = (count, at.max(since), sum + seconds * f64::from(before));
    }

    /// So many instances are ready from now on.
    pub fn ready(&mut self, at: Duration, count: u32) {
        self.episodes.ready(at, count);
        self.ready = count;
    }

    /// An interval is over.
    pub fn asked(&mut self, asked: &Asked) {
        if asked.judged {
            self.refused += asked.refused;
            self.answered += asked.served + asked.refused;
        }
        // A hundredth of a request a second is no other rate.
        self.load.tell(asked.target_rps, 0.01);
        let seconds = asked.end.saturating_sub(asked.start).as_secs_f64();
        let middle = asked.start + asked.end.saturating_sub(asked.start) / 2;
        let minute = (middle * self.time.compression().factor()).as_secs() / 60;
        if minute != self.minute.0 {
            self.close_minute();
            self.minute.0 = minute;
        }
        if !asked.judged || seconds <= 0.0 {
            return;
        }
        let mean = asked.service.as_secs_f64() / asked.served.max(1) as f64;
        let work = asked.service.as_secs_f64() + mean * asked.refused as f64;
        let open = &mut self.minute.1;
        open.seconds += seconds;
        open.under_way += work;
        open.ready += f64::from(self.ready) * seconds;
    }

    fn close_minute(&mut self) {
        let Minute { seconds, under_way, ready } = std::mem::take(&mut self.minute.1);
        if seconds <= 0.0 {
            return;
        }
        let demand = (under_way / seconds / f64::from(self.slots.max(1)) - 1e-9).ceil().max(1.0);
        let more = ready / seconds - demand;
        let whole = |count: f64| count.max(0.0).round() as u32;
        self.overshoot = self.overshoot.max(whole(more));
        self.undershoot = self.undershoot.max(whole(-more));
    }

    /// How the objectives stand after an interval: each with whether the window that just ended was
    /// wrong. One of which nothing is known is left out.
    pub fn violated(&mut self, start: Duration, end: Duration, wrong: &[(String, bool)]) {
        for (name, is_wrong) in wrong {
            let stretch = self.stretches.entry(name.clone()).or_default();
            if !is_wrong {
                stretch.since = None;
                stretch.is_open = false;
                continue;
            }
            let since = *stretch.since.get_or_insert(start);
            stretch.until = end;
            if end.saturating_sub(since) >= stretch.longest {
                stretch.longest = end.saturating_sub(since);
                stretch.is_open = true;
            }
        }
        if wrong.iter().any(|(_, is_wrong)| *is_wrong) {
            self.violated += end.saturating_sub(start);
            match self.violations.last_mut() {
                Some((_, until)) if *until >= start => *until = end,
                _ => self.violations.push((start, end)),
            }
        }
    }

    /// What it was worth until `end`, at which the run ends.
    pub fn findings(mut self, end: Duration) -> Findings {
        self.close_minute();
        self.so_far(end)
    }

    /// What it is worth until `end` so far: of the minute that goes on nothing is known yet, and what
    /// is still waited for counts for as long as it lasts.
    pub fn so_far(mut self, end: Duration) -> Findings {
        self.machines(end, self.there.0);
        let factor = self.time.compression().factor();
        let (scale_outs, scale_ins) = self.episodes.finish(end);
        let culprit = culprit(&scale_outs, &self.violations, end);
        let back_under = self.stretches.into_iter().filter(|(_, of)| !of.longest.is_zero());
        Findings {
            scale_outs,
            scale_ins,
            culprit,
            violation: self.violated * factor,
            back_under: back_under
                .map(|(name, of)| (name, of.longest * factor, !of.is_open))
                .collect(),
            refused: (self.refused, self.answered),
            overshoot: self.overshoot,
            undershoot: self.undershoot,
            flaps: self.directions.turns.saturating_sub(self.load.turns),
            instance_hours: self.there.2 * f64::from(factor) / 3600.0,
            largest_step: self.largest_step,
            changes: self.changes,
        }
    }
}

/// Rule time to the second, as objectives write it: `1h 2m 5s`.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let told = parts.iter().filter(|(count, _)| *count > 0);
    let text: Vec<String> = told.map(|(count, unit)| format!("{count}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text.join(" ") }
}

/// The part that took the most in all scale-outs that were on their way during a violation.
fn culprit(
    scale_outs: &[Lateness],
    violations: &[(Duration, Duration)],
    end: Duration,
) -> Option<(Part, Duration)> {
    let meanwhile = |lateness: &&Lateness| {
        let ready = lateness.came.unwrap_or(end);
        violations.iter().any(|(from, to)| lateness.since < *to && *from < ready)
    };
    let mut parts: BTreeMap<Part, Duration> = BTreeMap::new();
    for (part, time) in scale_outs.iter().filter(meanwhile).flat_map(|lateness| &lateness.parts) {
        *parts.entry(*part).or_default() += *time;
    }
    parts.into_iter().max_by_key(|(_, time)| *time)
}

#[cfg(test)]
mod tests;
