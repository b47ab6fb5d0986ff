//! A scenario in virtual time: a simulation, and beside it the autoscale rules of the scenario.
//!
//! The rules are asked by the same controller, see the same metrics and get their machines in the same
//! times as in a live run; what the local host does there, the simulation does here.

use std::time::Duration;

use plimsoll_autoscale::controller::Controller;
use plimsoll_autoscale::pipeline::{InstanceUse, Usage};
use plimsoll_simulate::{Counts, Happening, InstanceLook, Looked, Simulation};

use super::source::{Event, Instances, LOOK_EVERY};

/// A run in virtual time. It happens as fast as it is asked for.
#[derive(Debug)]
pub(crate) struct VirtualRun {
    simulation: Simulation,
    scaled: Option<Scaled>,
    schedule: Option<Schedule>,
    is_stopped: bool,
}

/// Counts that are wanted of a deployment at times.
#[derive(Debug)]
struct Schedule {
    place: usize,
    /// What is to come, the next last.
    left: Vec<(Duration, u32)>,
}

/// A deployment that rules scale.
#[derive(Debug)]
pub(super) struct Scaled {
    controller: Controller,
    /// Its place in the simulation.
    place: usize,
    next_look: Duration,
    counted: Vec<Instances>,
}

impl Scaled {
    /// The deployment at this place.
    pub(super) fn new(controller: Controller, place: usize) -> Self {
        Self { controller, place, next_look: Duration::ZERO, counted: Vec::new() }
    }

    /// Its place in the simulation.
    pub(super) fn place(&self) -> usize {
        self.place
    }

    /// Does what is due now, if anything is that is told.
    fn turn(&mut self, simulation: &mut Simulation) -> Option<Event> {
        let at = simulation.now();
        if at >= self.next_look {
            self.controller.usage(usage(at, simulation.look(self.place)));
            self.next_look = at + LOOK_EVERY;
        }
        let turn = self.controller.step(at);
        if let Some(target) = turn.target {
            simulation.want(self.place, target);
        }
        if !turn.happenings.is_empty() {
            return Some(Event::Scaling(turn.happenings));
        }
        let mut instances = self.counted.clone();
        self.count(&mut instances);
        (instances != self.counted).then(|| {
            self.counted.clone_from(&instances);
            Event::Instances { at, instances }
        })
    }

    /// As many are wanted as the rules want; the simulation knows only of those with a machine.
    fn count(&self, instances: &mut [Instances]) {
        let name = self.controller.deployment();
        for one in instances.iter_mut().filter(|one| one.deployment == name) {
            one.wanted = self.controller.wanted();
        }
    }
}

impl VirtualRun {
    /// One that has told nothing yet.
    pub(super) fn new(simulation: Simulation, scaled: Option<Scaled>) -> Self {
        Self { simulation, scaled, schedule: None, is_stopped: false }
    }

    /// One in which so many instances of the deployment at this place are wanted from these times on.
    pub(super) fn scheduled(
        simulation: Simulation,
        place: usize,
        steps: &[(Duration, u32)],
    ) -> Self {
        let left = steps.iter().rev().copied().collect();
        let schedule = Some(Schedule { place, left });
        Self { simulation, scaled: None, schedule, is_stopped: false }
    }

    /// Since the first due time.
    pub(super) fn now(&self) -> Duration {
        self.simulation.now()
    }

    /// Nothing more becomes due: what is in flight is waited for, and then it ends.
    pub(super) fn stop(&mut self) {
        self.is_stopped = true;
        self.simulation.stop();
    }

    /// What happens next.
    pub(super) fn next(&mut self) -> Event {
        loop {
            let mut until = Duration::MAX;
            if let Some(scaled) = &mut self.scaled {
                if let Some(event) = scaled.turn(&mut self.simulation) {
                    return event;
                }
                until = scaled.controller.next_wake().min(scaled.next_look);
            }
            if let Some(Schedule { place, left }) = &mut self.schedule {
                let now = self.simulation.now();
                while let Some((_, count)) = left.pop_if(|(at, _)| *at <= now) {
                    self.simulation.want(*place, count);
                }
                until = left.last().map_or(Duration::MAX, |(at, _)| *at);
            }
            match self.simulation.advance_to(until) {
                Some(Happening::Interval(snapshot)) => {
                    if let Some(scaled) = &mut self.scaled {
                        scaled.controller.observe(&snapshot);
                    }
                    return Event::Interval(snapshot);
                }
                Some(Happening::Instances { at, counts }) => {
                    let mut instances: Vec<_> = counts.into_iter().map(counted).collect();
                    if let Some(scaled) = &mut self.scaled {
                        scaled.count(&mut instances);
                        scaled.counted.clone_from(&instances);
                    }
                    return Event::Instances { at, instances };
                }
                Some(Happening::Ended) => return Event::Ended { stopped_early: self.is_stopped },
                None => {}
            }
        }
    }
}

fn counted(counts: Counts) -> Instances {
    let Counts { deployment, ready, wanted, starting } = counts;
    Instances { deployment, ready, wanted, starting }
}

/// What the local host would say of its synthetic instances.
fn usage(at: Duration, looked: Looked) -> Usage {
    let instance = |one: InstanceLook| InstanceUse {
        name: one.number.to_string(),
        ready: one.ready,
        processor: Duration::ZERO,
        memory_bytes: 0,
        working: one.working,
        in_flight: one.in_flight,
    };
    let waiting = u32::try_from(looked.waiting).unwrap_or(u32::MAX);
    Usage { at, instances: looked.instances.into_iter().map(instance).collect(), waiting }
}
