//! What rules would have been worth: a scenario in virtual time, of which nothing is written.

use std::time::Duration;

use plimsoll_domain::Snapshot;

use super::source::{Event, Instances};
use super::{Behaviour, Session, VirtualRun, simulation};
use crate::scenario::Scenario;

/// What a trial came to. Moments are of the run; all else is in rule time.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Trial {
    /// Time in violation of any objective in windows.
    pub(crate) violation: Duration,
    /// Hours of instances that have a machine; of a schedule's, that are ready.
    pub(crate) instance_hours: f64,
    /// Ready instances of the deployment, and from when on.
    pub(crate) ready: Vec<(Duration, u32)>,
    /// Stretches in violation.
    pub(crate) violations: Vec<(Duration, Duration)>,
    /// When it was over.
    pub(crate) end: Duration,
}

/// Who says how many instances there are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who<'a> {
    /// The scenario's autoscale rules.
    Rules,
    /// So many from each of these times on, ready at once.
    Schedule(&'a [(Duration, u32)]),
}

/// Runs a scenario that has autoscale rules; nothing comes of it if `is_stopped` says so meanwhile.
///
/// # Errors
/// Everything that cannot be simulated, a sentence each.
pub(crate) fn trial(
    scenario: &Scenario,
    who: Who<'_>,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Option<Trial>, Vec<String>> {
    let run = match who {
        Who::Rules => simulation(scenario)?,
        Who::Schedule(steps) => simulation::scheduled(scenario, steps)?,
    };
    Ok(driven(scenario, run, who, is_stopped))
}

/// The same under the scenario's rules, of a deployment that behaves as it was measured.
///
/// # Errors
/// As [`trial`].
pub(crate) fn measured_trial(
    scenario: &Scenario,
    behaviour: &Behaviour,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Option<Trial>, Vec<String>> {
    let run = simulation::measured(scenario, behaviour)?;
    Ok(driven(scenario, run, Who::Rules, is_stopped))
}

/// Runs a scenario, with or without rules, on deployments that behave as it was measured, and shows
/// each interval with the instances that were ready at its end.
///
/// # Errors
/// As [`trial`].
pub(crate) fn rehearse(
    scenario: &Scenario,
    behaviour: &Behaviour,
    each: &mut dyn FnMut(&Snapshot, u32),
) -> Result<(), Vec<String>> {
    let mut run = simulation::measured(scenario, behaviour)?;
    let mut ready = 0;
    loop {
        match run.next() {
            Event::Interval(snapshot) => each(&snapshot, ready),
            Event::Instances { instances, .. } => {
                ready = instances.iter().map(|one| one.ready).sum();
            }
            event if event.is_last() => return Ok(()),
            _ => {}
        }
    }
}

fn driven(
    scenario: &Scenario,
    mut run: VirtualRun,
    who: Who<'_>,
    is_stopped: &dyn Fn() -> bool,
) -> Option<Trial> {
    let name = scenario.autoscale.as_ref().map(|of| of.subject.deployment.clone());
    let mut session = Session::new(scenario);
    let mut trial = Trial::default();
    while !is_stopped() {
        match run.next() {
            Event::Interval(snapshot) => {
                trial.end = snapshot.end;
                let info = session.info(&snapshot);
                session.monitor.observe(&snapshot);
                if session.weigh(&snapshot, &info) {
                    match trial.violations.last_mut() {
                        Some((_, until)) if *until >= snapshot.start => *until = snapshot.end,
                        _ => trial.violations.push((snapshot.start, snapshot.end)),
                    }
                }
            }
            Event::Instances { at, instances } => {
                let own = instances.iter().find(|one| Some(&one.deployment) == name.as_ref());
                let ready = own.map_or(0, |one: &Instances| one.ready);
                if trial.ready.last().is_none_or(|(_, before)| *before != ready) {
                    trial.ready.push((at, ready));
                }
                if let Some(teller) = &mut session.scaling {
                    teller.ready(at, &instances);
                }
            }
            Event::Scaling(happenings) => {
                let teller = session.scaling.iter_mut();
                teller.for_each(|teller| happenings.iter().for_each(|one| teller.note(one)));
            }
            event if event.is_last() => {
                let worth = session.scaling.map(|teller| teller.worth(trial.end));
                let Some(worth) = worth else { return Some(trial) };
                trial.violation = worth.findings.violation;
                trial.instance_hours = match who {
                    Who::Rules => worth.findings.instance_hours,
                    Who::Schedule(_) => {
                        hours(&trial.ready, trial.end) * f64::from(worth.compression)
                    }
                };
                return Some(trial);
            }
            _ => {}
        }
    }
    None
}

/// Instances over time, in hours of the run.
fn hours(ready: &[(Duration, u32)], end: Duration) -> f64 {
    let ends = ready.iter().skip(1).map(|(at, _)| *at).chain([end]);
    let each = ready.iter().zip(ends);
    each.map(|((from, count), to)| to.saturating_sub(*from).as_secs_f64() * f64::from(*count))
        .sum::<f64>()
        / 3600.0
}
