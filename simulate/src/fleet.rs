//! The instances of one deployment: at work, starting, leaving.

use std::collections::VecDeque;
use std::time::Duration;

use plimsoll_deploy::admission::{Admission, InstanceId, Ticket};
use plimsoll_domain::Latencies;
use rand::RngExt;
use rand_distr::{Distribution, Exp1};
use rand_pcg::Pcg64;

use crate::flight::FlightId;
use crate::sender::nanos;
use crate::{Autoscale, Counts, Deployment, Evaluation, Minute};

/// Requests that wait in an instance: as many as in the local host's synthetic one.
const MOST_WAITING: usize = 2048;

/// Streams of random numbers, one per purpose, and one for each deployment.
const SERVICE: u128 = 0x7365_7276 << 32;
const START: u128 = 0x7374_6172 << 32;
const FAILURE: u128 = 0x6661_696c << 32;

/// What becomes of a request that an instance is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The instance begins with it.
    Begun,
    /// It waits in the instance, which still works for callers who are gone.
    Queued,
    /// Too many wait in the instance.
    Full,
}

#[derive(Debug)]
struct Instance {
    id: InstanceId,
    open: bool,
    working: u32,
    queue: VecDeque<FlightId>,
}

/// A deployment's instances.
#[derive(Debug)]
pub(crate) struct Fleet {
    settings: Deployment,
    /// Its number in results' keys.
    pub(crate) number: u16,
    pub(crate) timeout: u64,
    pub(crate) admission: Admission,
    /// Those who wait for a slot, in the order of the admission's backlog.
    pub(crate) backlog: VecDeque<(Ticket, FlightId)>,
    /// By id, ascending: ids only grow.
    instances: Vec<Instance>,
    /// Those that are not ready yet, by the order in which they were wanted.
    starting: Vec<u64>,
    started: u64,
    wanted: u32,
    /// The service times are drawn in the order of the arrivals, whoever serves them, so that two
    /// runs with other instance counts have the same work to do.
    service: Pcg64,
    start: Pcg64,
    failure: Pcg64,
    meter: Option<Meter>,
}

/// What a scaler is told, as it accrues.
#[derive(Debug, Default)]
struct Meter {
    minute: Minute,
    ended: Vec<Minute>,
    working: u64,
    ready: u64,
    changed: u64,
    /// Nanoseconds of work, and of ready instances.
    busy: u128,
    there: u128,
}

impl Fleet {
    pub(crate) fn new(settings: Deployment, number: u16, seed: u64) -> Self {
        let stream = |purpose: u128| Pcg64::new(seed.into(), purpose | u128::from(number));
        let mut admission = Admission::new(settings.max_concurrent);
        let wanted = settings.instances.get();
        let meter = settings
            .autoscale
            .is_some()
            .then(|| Meter { ready: wanted.into(), ..Meter::default() });
        let ready =
            |_| Instance { id: admission.add(), open: true, working: 0, queue: VecDeque::new() };
        Self {
            number,
            timeout: nanos(settings.timeout),
            instances: (0..wanted).map(ready).collect(),
            admission,
            backlog: VecDeque::new(),
            starting: Vec::new(),
            started: 0,
            wanted,
            service: stream(SERVICE),
            start: stream(START),
            failure: stream(FAILURE),
            meter,
            settings,
        }
    }

    /// Its part of the traffic.
    pub(crate) fn weight(&self) -> u32 {
        self.settings.weight
    }

    pub(crate) fn autoscale(&self) -> Option<&Autoscale> {
        self.settings.autoscale.as_ref()
    }

    /// How long the next request takes, and whether it is answered right.
    pub(crate) fn draw(&mut self) -> (u64, bool) {
        let work = self.settings.service.draw(&mut self.service);
        let rate = self.settings.error_rate;
        (work, rate == 0.0 || self.service.random::<f64>() >= rate)
    }

    /// A request that was admitted comes to its instance.
    pub(crate) fn take_on(&mut self, id: InstanceId, flight: FlightId, now: u64) -> Taken {
        let most = self.settings.max_concurrent.get();
        let instance =
            self.instance(id).expect("a request is admitted to an instance that is there");
        if instance.working < most {
            instance.working += 1;
            self.meter(now, |meter| meter.working += 1);
            Taken::Begun
        } else if instance.queue.len() < MOST_WAITING {
            instance.queue.push_back(flight);
            Taken::Queued
        } else {
            Taken::Full
        }
    }

    /// An instance has finished a request; returns the one that waited there, which it begins now.
    pub(crate) fn finished(&mut self, id: InstanceId, now: u64) -> Option<FlightId> {
        let instance = self.instance(id)?;
        if let Some(next) = instance.queue.pop_front() {
            return Some(next);
        }
        instance.working -= 1;
        let is_gone = !instance.open && instance.working == 0;
        self.meter(now, |meter| meter.working -= 1);
        if is_gone {
            self.instances.retain(|instance| instance.id != id);
        }
        None
    }

    /// An instance that was starting is ready, if it is still wanted.
    pub(crate) fn ready(&mut self, serial: u64, now: u64) -> Option<InstanceId> {
        let index = self.starting.iter().position(|starting| *starting == serial)?;
        self.starting.remove(index);
        let id = self.admission.add();
        self.instances.push(Instance { id, open: true, working: 0, queue: VecDeque::new() });
        self.meter(now, |meter| meter.ready += 1);
        Some(id)
    }

    /// An instance is gone at once, with all that it worked on, and another is started in its place.
    /// Returns those who waited in it; `None` if it is not there any more, or leaving anyway.
    pub(crate) fn fail(&mut self, id: InstanceId, now: u64) -> Option<VecDeque<FlightId>> {
        let index = self.instances.iter().position(|each| each.id == id && each.open)?;
        let Instance { working, queue, .. } = self.instances.remove(index);
        self.meter(now, |meter| {
            meter.ready -= 1;
            meter.working -= u64::from(working);
        });
        Some(queue)
    }

    /// Starts another instance; returns its serial number and how long it takes.
    pub(crate) fn start(&mut self) -> (u64, u64) {
        self.started += 1;
        self.starting.push(self.started);
        (self.started, self.settings.provisioning.draw(&mut self.start))
    }

    /// How long a ready instance lives; `None` for as long as it is wanted.
    pub(crate) fn lifetime(&mut self) -> Option<u64> {
        let mean = nanos(self.settings.mean_time_to_failure?) as f64;
        let unit: f64 = Exp1.sample(&mut self.failure);
        Some((mean * unit) as u64)
    }

    /// The ids of the ready instances.
    pub(crate) fn open(&self) -> impl Iterator<Item = InstanceId> {
        self.instances.iter().filter(|instance| instance.open).map(|instance| instance.id)
    }

    /// Wants so many instances. Those that are too many leave: first those that start, the last
    /// first, then the youngest that are ready, which finish what they have. Returns those to start.
    pub(crate) fn want(&mut self, wanted: u32, now: u64) -> Vec<(u64, u64)> {
        let ceiling = self.autoscale().map_or(u32::MAX, |autoscale| autoscale.ceiling);
        self.wanted = wanted.min(ceiling).max(1);
        let wanted = self.wanted as usize;
        let mut ready: Vec<_> = self.open().collect();
        while ready.len() + self.starting.len() > wanted {
            if self.starting.pop().is_some() {
                continue;
            }
            let Some(leaving) = ready.pop() else { break };
            self.close(leaving, now);
        }
        (ready.len() + self.starting.len()..wanted).map(|_| self.start()).collect()
    }

    fn close(&mut self, id: InstanceId, now: u64) {
        let refused = self.admission.remove(id);
        assert!(refused.is_empty(), "one instance at least stays, or starts");
        if let Some(instance) = self.instance(id) {
            instance.open = false;
            if instance.working == 0 {
                self.instances.retain(|instance| instance.id != id);
            }
        }
        self.meter(now, |meter| meter.ready -= 1);
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            deployment: self.settings.name.clone(),
            ready: self.open().count() as u32,
            wanted: self.wanted,
            starting: self.starting.len() as u32,
        }
    }

    /// A request came.
    pub(crate) fn count_request(&mut self) {
        if let Some(meter) = &mut self.meter {
            meter.minute.requests += 1;
        }
    }

    /// A request was refused.
    pub(crate) fn count_refusal(&mut self) {
        if let Some(meter) = &mut self.meter {
            meter.minute.refused += 1;
        }
    }

    /// A request was answered after so many nanoseconds.
    pub(crate) fn count_answer(&mut self, took: u64) {
        if let Some(meter) = &mut self.meter {
            meter.minute.latency.record(Duration::from_nanos(took));
        }
    }

    /// A minute is over.
    pub(crate) fn end_minute(&mut self, now: u64) {
        let slots = f64::from(self.settings.max_concurrent.get());
        self.meter(now, |meter| {
            let length = now.saturating_sub(nanos(meter.minute.start)).max(1) as f64;
            let there = std::mem::take(&mut meter.there) as f64;
            let busy = std::mem::take(&mut meter.busy) as f64;
            meter.minute.instances = there / length;
            // Work of instances that are leaving counts as of those that stay.
            meter.minute.busy = if there > 0.0 { (busy / (there * slots)).min(1.0) } else { 0.0 };
            let start = Duration::from_nanos(now);
            let next = Minute { start, latency: Latencies::new(), ..Minute::default() };
            meter.ended.push(std::mem::replace(&mut meter.minute, next));
        });
    }

    /// Asks the scaler; returns what it wants.
    pub(crate) fn evaluate(&mut self, now: u64) -> Option<u32> {
        let counts = self.counts();
        let minutes = std::mem::take(&mut self.meter.as_mut()?.ended);
        let autoscale = self.settings.autoscale.as_mut()?;
        (autoscale.scaler)(&Evaluation {
            now: Duration::from_nanos(now),
            deployment: &self.settings.name,
            minutes: &minutes,
            counts: &counts,
        })
    }

    fn instance(&mut self, id: InstanceId) -> Option<&mut Instance> {
        let index = self.instances.binary_search_by_key(&id, |instance| instance.id).ok()?;
        self.instances.get_mut(index)
    }

    fn meter(&mut self, now: u64, change: impl FnOnce(&mut Meter)) {
        let Some(meter) = &mut self.meter else { return };
        let span = u128::from(now - std::mem::replace(&mut meter.changed, now));
        meter.busy += span * u128::from(meter.working);
        meter.there += span * u128::from(meter.ready);
        change(meter);
    }
}
