//! A session: what becomes of a run while it is under load, as a plain event handler.
//!
//! A [`Source`] tells what happens, [`Session::handle`] makes of it what there is to tell, and each
//! [`Sink`] (results folder, screen, export) takes that. None of them knows another, and the
//! session reads no clock, waits for nothing and writes nothing, so that a source of any kind can
//! feed it. [`run`] composes them for a scenario and a real endpoint.

mod autoscale;
mod capacity;
mod conclude;
mod failure;
mod interleaved;
mod key;
mod measured;
mod patience;
mod plan;
mod reach;
mod run;
mod secrets;
mod shift;
mod simulation;
mod sink;
mod site;
mod source;
#[cfg(test)]
mod tests;
mod text;
mod trial;
mod used;
mod virtual_time;

use std::sync::mpsc;
use std::time::Duration;

use plimsoll_domain::schedule::trace::Course;
use plimsoll_domain::schedule::{Profile, Trace};
use plimsoll_domain::units::format_duration;
use plimsoll_domain::{Snapshot, Tally};
use plimsoll_monitor::{DEFAULT_CONFIDENCE, Monitor, MonitorConfig, Verdict};
use plimsoll_study::capacity::{Seen, Watch};

use crate::results::summary::GeneratorTotals;
use crate::results::{self, EventKind, IntervalInfo, Phase};
use crate::scenario::Scenario;
use crate::view::{Live, Stand};
use autoscale::Teller;
use failure::Failure;
use measured::{Cut, Measured};
use patience::Patience;
use shift::Comparison;
use sink::{Interval, Output, Sink, event};
use source::{Event, Instances, Source};

pub(crate) use autoscale::most_by_quota;
pub(crate) use capacity::{Asked, Searched, folder as capacity_folder, search};
pub(crate) use interleaved::{Job, interleaved};
pub(crate) use run::{How, Printing, run};
pub(crate) use simulation::{Behaviour, simulation};
pub(crate) use source::interruptible;
pub(crate) use trial::{Trial, Who, measured_trial, rehearse, trial};
pub(crate) use virtual_time::VirtualRun;

/// Hands every event to the session and what it makes of it to every sink, until the source ends.
///
/// # Errors
/// A sink that cannot begin.
async fn drive(
    source: &mut impl Source,
    session: &mut Session,
    sinks: &mut [&mut dyn Sink],
) -> Result<(), Failure> {
    loop {
        let event = source.next().await;
        let is_last = event.is_last();
        for output in session.handle(event) {
            for sink in sinks.iter_mut() {
                sink.take(&output)?;
            }
        }
        if is_last {
            return Ok(());
        }
        if session.needs_no_more() {
            source.stop();
        }
    }
}

/// What is known of a run under load.
#[derive(Debug)]
struct Session {
    profile: Profile,
    /// What a trace asks for, which its profile's means do not tell.
    course: Option<Course>,
    monitor: Monitor,
    generator: GeneratorTotals,
    live: Live,
    /// The newest interval, with its tallies merged once for every sink.
    newest: Option<(Snapshot, Tally, IntervalInfo)>,
    instances: Vec<Instances>,
    cut: Cut,
    /// Whether the load ends once the verdict is decided, and whether it is.
    until_decided: bool,
    is_decided: bool,
    /// The search that this is a step of, and that says when it is over.
    watch: Option<Watch>,
    /// Whether the load ends at the first breach, as the traffic goes back then.
    shifts: bool,
    /// How who works on copies does, of such a shift.
    comparisons: Option<mpsc::Receiver<Comparison>>,
    patience: Patience,
    /// Of autoscale rules, if the scenario has any.
    scaling: Option<Teller>,
}

impl Session {
    /// The session of a scenario that has not begun.
    fn new(scenario: &Scenario) -> Self {
        let profile = scenario.load.profile.clone();
        let monitor = Monitor::new(MonitorConfig {
            objectives: scenario.objectives.clone(),
            alerts: scenario.alerts.clone(),
            confidence: DEFAULT_CONFIDENCE,
            profile: profile.clone(),
        });
        let until_decided = scenario.until_decided;
        let monitor = if until_decided { monitor.until_decided() } else { monitor };
        let total = profile.duration();
        Self {
            live: Live { scenario: scenario.name.clone(), total, ..Live::default() },
            profile,
            course: scenario.load.trace.as_ref().map(Trace::course),
            monitor,
            generator: GeneratorTotals::default(),
            newest: None,
            instances: Vec::new(),
            cut: Cut::None,
            until_decided,
            is_decided: false,
            watch: None,
            shifts: !scenario.load.shift.is_empty(),
            comparisons: None,
            patience: Patience::new(scenario.load.give_up_after),
            scaling: Teller::new(scenario),
        }
    }

    /// The session of a step of a search.
    fn watched(scenario: &Scenario, watch: Watch) -> Self {
        let mut session = Self::new(scenario);
        session.monitor = session.monitor.looking_when_asked();
        session.watch = Some(watch);
        session
    }

    /// Whether nothing more needs to become due.
    fn needs_no_more(&self) -> bool {
        self.is_decided || matches!(self.cut, Cut::GaveUp(_))
    }

    /// Takes one event into account; returns what there is to tell, in its order.
    fn handle(&mut self, event: Event) -> Vec<Output<'_>> {
        match event {
            Event::Begun { first_due } => vec![Output::Begun { first_due }],
            Event::Interval(snapshot) => self.interval(*snapshot),
            Event::Instances { at, instances } => self.count(at, instances),
            Event::Scaling(happenings) => {
                let teller = self.scaling.iter_mut();
                teller
                    .flat_map(|teller| happenings.iter().flat_map(|one| teller.tell(one)))
                    .collect()
            }
            Event::NotScaled { at, why } => {
                let message = format!("the count of instances could not be changed: {why}");
                vec![Output::Event(sink::event(at, EventKind::Warning, message))]
            }
            Event::Interrupted { at } => {
                let message = "interrupted: waiting for what is in flight; press Ctrl-C again to \
                               skip that";
                self.cut_off(Cut::Interrupted, EventKind::Warning, message, at)
            }
            Event::Lost { at, why } => {
                let message = format!("the local host is gone: {why}");
                self.cut_off(Cut::Lost(why), EventKind::Warning, &message, at)
            }
            Event::Failed { why } => {
                let mut outputs = self.failed(why);
                outputs.extend(self.end_alerts());
                outputs
            }
            Event::Ended { stopped_early: true } if self.cut == Cut::None && !self.is_decided => {
                let mut outputs = self.failed("the load ended before its schedule".to_owned());
                outputs.extend(self.end_alerts());
                outputs
            }
            Event::Ended { .. } => self.end_alerts(),
        }
    }

    /// Alerts end with the run, and say so.
    fn end_alerts(&mut self) -> Vec<Output<'static>> {
        let mut alerts = self.monitor.end_alerts();
        alerts.extend(self.scaling.iter_mut().flat_map(Teller::end_alerts));
        alerts.into_iter().map(Output::Alert).collect()
    }

    /// What becomes of a shift of the traffic after an interval, with what there is to tell of it.
    fn shifted(&mut self, end: Duration) -> Vec<results::Event> {
        let mut events = Vec::new();
        let mut is_over = false;
        if self.shifts && !self.is_decided && self.is_breached() {
            is_over = true;
            let message = "an objective is breached: the traffic goes back, and the load ends";
            events.push(event(end, EventKind::Warning, message));
        }
        for Comparison { text, is_worse } in
            self.comparisons.iter().flat_map(mpsc::Receiver::try_iter)
        {
            let kind = if is_worse { EventKind::Warning } else { EventKind::Phase };
            is_over |= is_worse;
            events.push(event(end, kind, text));
        }
        if is_over && !self.is_decided {
            self.is_decided = true;
            self.monitor.cut_off(end);
        }
        events
    }

    fn interval(&mut self, snapshot: Snapshot) -> Vec<Output<'_>> {
        let info = self.info(&snapshot);
        let mut outputs = Vec::new();
        if self.newest.as_ref().is_none_or(|(.., before)| before.stage != info.stage) {
            let entered = event(snapshot.start, EventKind::Phase, &*info.stage);
            outputs.push(Output::Event(entered.with("stage", info.stage.as_str())));
        }
        let alerts = self.monitor.observe(&snapshot);
        if self.until_decided && !self.is_decided && self.monitor.is_decided() {
            self.is_decided = true;
            self.monitor.cut_off(snapshot.end);
            let message = format!("decided after {}: the load ends", format_duration(snapshot.end));
            outputs.push(Output::Event(event(snapshot.end, EventKind::Phase, message)));
        }
        if self.cut == Cut::None
            && !self.is_decided
            && let Some(watch) = &mut self.watch
            && watch.interval(&snapshot, &mut self.monitor)
        {
            self.is_decided = true;
            self.monitor.cut_off(snapshot.end);
        }
        outputs.extend(self.shifted(snapshot.end).into_iter().map(Output::Event));
        self.generator.observe(&snapshot.generator, snapshot.length());
        self.weigh(&snapshot, &info);
        let all = snapshot.all();
        self.live.update(&snapshot, &all, &info.stage);
        self.live.objectives = self.monitor.current().iter().map(Stand::new).collect();
        let gives_up = self.patience.is_lost(&all, snapshot.end);
        if gives_up && info.phase != Phase::Drain && self.cut == Cut::None && !self.is_decided {
            self.cut = Cut::GaveUp(snapshot.end);
            self.monitor.cut_off(snapshot.end);
            let message = patience::message(snapshot.end);
            outputs.push(Output::Event(event(snapshot.end, EventKind::Warning, message)));
        }
        let of_rules: Vec<_> = self.scaling.iter_mut().flat_map(Teller::take_alerts).collect();
        let (snapshot, all, info) = self.newest.insert((snapshot, all, info));
        outputs.push(Output::Interval(Interval {
            snapshot,
            all,
            info,
            instances: &self.instances,
            scaling: self.scaling.as_ref(),
            live: &self.live,
            generator: &self.generator,
            monitor: &self.monitor,
        }));
        outputs.extend(alerts.into_iter().chain(of_rules).map(Output::Alert));
        outputs
    }

    /// Tells of an interval what there is to know of autoscale rules; whether it is one that violates
    /// an objective in windows, and is judged.
    fn weigh(&mut self, snapshot: &Snapshot, info: &IntervalInfo) -> bool {
        let Some(teller) = &mut self.scaling else { return false };
        let standings = self.monitor.current();
        let in_windows = standings.iter().filter(|one| one.objective.window().is_some());
        let wrong = in_windows.filter_map(|one| {
            let value = one.value?.number;
            Some((one.objective.to_string(), !one.objective.holds(value)))
        });
        let wrong: Vec<_> = wrong.collect();
        teller.interval(snapshot, info, &wrong);
        info.phase == Phase::Measured && wrong.iter().any(|(_, is_wrong)| *is_wrong)
    }

    fn is_breached(&self) -> bool {
        self.monitor.current().iter().any(|one| one.verdict == Verdict::Breached)
    }

    /// What of an interval is not in its snapshot.
    fn info(&mut self, snapshot: &Snapshot) -> IntervalInfo {
        let length = snapshot.end.saturating_sub(snapshot.start);
        let middle = snapshot.start + length / 2;
        let due = if let Some(course) = &mut self.course {
            let before = course.by(snapshot.start);
            course.by(snapshot.end) - before
        } else {
            self.profile.offered_by(snapshot.end) - self.profile.offered_by(snapshot.start)
        };
        let stage = self.profile.stage_at(middle);
        IntervalInfo {
            phase: match stage {
                None => Phase::Drain,
                Some(_) if self.profile.is_warmup(middle) => Phase::Warmup,
                Some(_) => Phase::Measured,
            },
            stage: stage.map_or("drain", |stage| &stage.name).to_owned(),
            target_rps: due / length.as_secs_f64().max(1e-9),
            instances: Instances::sum(&self.instances),
        }
    }

    fn count(&mut self, at: Duration, now: Vec<Instances>) -> Vec<Output<'_>> {
        let before = std::mem::replace(&mut self.instances, now);
        self.live.instances = Instances::sum(&self.instances);
        if let Some(teller) = &mut self.scaling {
            teller.ready(at, &self.instances);
        }
        let changes = self.instances.iter().filter_map(|now| {
            let was = before.iter().find(|was| was.deployment == now.deployment)?;
            (was.ready != now.ready).then(|| Output::Event(now.change(was.ready, at)))
        });
        changes.collect()
    }

    fn failed(&mut self, why: String) -> Vec<Output<'static>> {
        let at = self.newest.as_ref().map_or(Duration::ZERO, |(newest, ..)| newest.end);
        let message = why.clone();
        self.cut_off(Cut::Failed(why), EventKind::Error, &message, at)
    }

    /// Nothing becomes due from now on.
    fn cut_off(
        &mut self,
        cut: Cut,
        kind: EventKind,
        message: &str,
        at: Duration,
    ) -> Vec<Output<'static>> {
        self.cut = cut;
        self.monitor.cut_off(at);
        vec![Output::Event(event(at, kind, message))]
    }

    /// Judges a step of a search, and tells what the search sees of it.
    fn finish_watched(mut self) -> (Measured, Seen) {
        let end = self.newest.as_ref().map_or(Duration::ZERO, |(newest, ..)| newest.end);
        let watch = self.watch.take().expect("a step is watched");
        let seen = watch.finish(end, &mut self.monitor, self.cut != Cut::None);
        (self.finish(), seen)
    }

    /// Judges the run.
    fn finish(self) -> Measured {
        let end = self.newest.as_ref().map_or(Duration::ZERO, |(newest, ..)| newest.end);
        let worth = self.scaling.map(|teller| teller.worth(end));
        Measured::new(self.monitor.finish(), self.generator, self.cut).with_rules(worth)
    }
}
