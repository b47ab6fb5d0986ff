//! The instances of one deployment: at work, starting, leaving.

use std::collections::VecDeque;
use std::time::Duration;

use plimsoll_deploy::admission::{Admission, InstanceId, Ticket};
use rand::RngExt;
use rand_distr::{Distribution, Exp1};
use rand_pcg::Pcg64;

use crate::flight::FlightId;
use crate::sender::nanos;
use crate::{Counts, Deployment, InstanceLook, Looked};

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
    number: u64,
    open: bool,
    working: u32,
    queue: VecDeque<FlightId>,
    taken: Taking,
}

/// The slots that are taken, and for how long they were.
#[derive(Debug, Clone, Copy, Default)]
struct Taking {
    now: u32,
    /// The times at which slots were freed less those at which they were taken: so a request costs
    /// two additions. What the sum of those under way lacks is added when somebody looks.
    nanos: u64,
}

impl Taking {
    fn take(&mut self, now: u64) {
        self.now += 1;
        self.nanos = self.nanos.wrapping_sub(now);
    }

    fn free(&mut self, now: u64) {
        self.now -= 1;
        self.nanos = self.nanos.wrapping_add(now);
    }

    fn by(self, now: u64) -> Duration {
        Duration::from_nanos(self.nanos.wrapping_add(now.wrapping_mul(self.now.into())))
    }
}

impl Instance {
    fn ready(id: InstanceId, number: u64) -> Self {
        let (queue, taken) = <_>::default();
        Self { id, number, open: true, working: 0, queue, taken }
    }
}

/// A deployment's instances.
#[derive(Debug)]
pub(crate) struct Fleet {
    settings: Deployment,
    /// Its number in results' keys.
    pub(crate) number: u16,
    pub(crate) timeout: u64,
    /// What an answer takes beyond work and wait.
    pub(crate) overhead: u64,
    pub(crate) admission: Admission,
    /// Those who wait for a slot, in the order of the admission's backlog.
    pub(crate) backlog: VecDeque<(Ticket, FlightId)>,
    /// By id, ascending: ids only grow.
    instances: Vec<Instance>,
    /// Those that are not ready yet, by number.
    starting: Vec<u64>,
    started: u64,
    /// So many it has, or will have when the change that is under way is done.
    wanted: u32,
    /// So many it is to have.
    pub(crate) target: u32,
    /// The service times are drawn in the order of the arrivals, whoever serves them, so that two
    /// runs with other instance counts have the same work to do.
    service: Pcg64,
    start: Pcg64,
    failure: Pcg64,
}

impl Fleet {
    pub(crate) fn new(settings: Deployment, number: u16, seed: u64) -> Self {
        let stream = |purpose: u128| Pcg64::new(seed.into(), purpose | u128::from(number));
        let mut admission = Admission::new(settings.max_concurrent);
        let wanted = settings.instances.get();
        let ready = |number: u32| Instance::ready(admission.add(), number.into());
        Self {
            number,
            timeout: nanos(settings.timeout),
            overhead: nanos(settings.overhead),
            instances: (0..wanted).map(ready).collect(),
            admission,
            backlog: VecDeque::new(),
            starting: Vec::new(),
            started: wanted.into(),
            wanted,
            target: wanted,
            service: stream(SERVICE),
            start: stream(START),
            failure: stream(FAILURE),
            settings,
        }
    }

    /// Its part of the traffic.
    pub(crate) fn weight(&self) -> u32 {
        self.settings.weight
    }

    /// How long the next request takes, and whether it is answered right.
    pub(crate) fn draw(&mut self) -> (u64, bool) {
        let work = self.settings.service.draw(&mut self.service);
        let rate = self.settings.error_rate;
        (work, rate == 0.0 || self.service.random::<f64>() >= rate)
    }

    /// How long an instance works on a request that it begins with, beside the others that it has.
    pub(crate) fn slowed(&mut self, id: Option<InstanceId>, work: u64) -> u64 {
        let slowdown = self.settings.slowdown;
        if slowdown == 0.0 {
            return work;
        }
        let instance = id.and_then(|id| self.instance(id));
        let others = instance.map_or(0, |instance| instance.working.saturating_sub(1));
        (work as f64 * (1.0 + slowdown * f64::from(others))) as u64
    }

    /// A request that was admitted comes to its instance.
    pub(crate) fn take_on(&mut self, id: InstanceId, flight: FlightId, now: u64) -> Taken {
        let most = self.settings.max_concurrent.get();
        let instance =
            self.instance(id).expect("a request is admitted to an instance that is there");
        instance.taken.take(now);
        if instance.working < most {
            instance.working += 1;
            Taken::Begun
        } else if instance.queue.len() < MOST_WAITING {
            instance.queue.push_back(flight);
            Taken::Queued
        } else {
            Taken::Full
        }
    }

    /// The slot of a request that was admitted is free again.
    pub(crate) fn free(&mut self, id: InstanceId, now: u64) {
        if let Some(instance) = self.instance(id) {
            instance.taken.free(now);
        }
        self.admission.free(id);
    }

    /// An instance has finished a request; returns the one that waited there, which it begins now.
    pub(crate) fn finished(&mut self, id: InstanceId) -> Option<FlightId> {
        let instance = self.instance(id)?;
        if let Some(next) = instance.queue.pop_front() {
            return Some(next);
        }
        instance.working -= 1;
        let is_gone = !instance.open && instance.working == 0;
        if is_gone {
            self.instances.retain(|instance| instance.id != id);
        }
        None
    }

    /// An instance that was starting is ready.
    pub(crate) fn ready(&mut self, number: u64) -> InstanceId {
        self.starting.retain(|starting| *starting != number);
        let id = self.admission.add();
        self.instances.push(Instance::ready(id, number));
        id
    }

    /// An instance is gone at once, with all that it worked on, and another is started in its place.
    /// Returns those who waited in it; `None` if it is not there any more, or leaving anyway.
    pub(crate) fn fail(&mut self, id: InstanceId) -> Option<VecDeque<FlightId>> {
        let index = self.instances.iter().position(|each| each.id == id && each.open)?;
        Some(self.instances.remove(index).queue)
    }

    /// Starts another instance; returns its number and how long it takes.
    pub(crate) fn start(&mut self) -> (u64, u64) {
        let number = self.started;
        self.started += 1;
        self.starting.push(number);
        (number, self.settings.provisioning.draw(&mut self.start))
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

    /// Whether it has, or will have, as many instances as it is to have.
    #[inline]
    pub(crate) fn is_as_wanted(&self) -> bool {
        self.target == self.wanted
    }

    /// Begins to have as many instances as it is to have; `None` if it has, or if a change is under
    /// way. Those that are too many leave, the youngest first, and finish what they have. Returns those
    /// to start.
    pub(crate) fn change(&mut self) -> Option<Vec<(u64, u64)>> {
        let is_changing =
            || !self.starting.is_empty() || self.instances.iter().any(|instance| !instance.open);
        if self.is_as_wanted() || is_changing() {
            return None;
        }
        self.wanted = self.target;
        let wanted = self.wanted as usize;
        let ready: Vec<_> = self.open().collect();
        ready.iter().skip(wanted).for_each(|leaving| self.close(*leaving));
        Some((ready.len()..wanted).map(|_| self.start()).collect())
    }

    /// The instances as they are at `now`.
    pub(crate) fn look(&self, now: u64) -> Looked {
        let ready = self.instances.iter().filter(|instance| instance.open);
        let ready = ready.map(|instance| InstanceLook {
            number: instance.number,
            ready: true,
            working: instance.taken.by(now),
            in_flight: instance.taken.now,
        });
        let starting = self.starting.iter().map(|&number| InstanceLook {
            number,
            ready: false,
            working: Duration::ZERO,
            in_flight: 0,
        });
        Looked { instances: ready.chain(starting).collect(), waiting: self.backlog.len() }
    }

    fn close(&mut self, id: InstanceId) {
        let refused = self.admission.remove(id);
        assert!(refused.is_empty(), "one instance at least stays, or starts");
        if let Some(instance) = self.instance(id) {
            instance.open = false;
            if instance.working == 0 {
                self.instances.retain(|instance| instance.id != id);
            }
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            deployment: self.settings.name.clone(),
            ready: self.open().count() as u32,
            wanted: self.wanted,
            starting: self.starting.len() as u32,
        }
    }

    fn instance(&mut self, id: InstanceId) -> Option<&mut Instance> {
        let all = &mut self.instances;
        // Mostly none is gone.
        let mut place = id.since(all.first()?.id)?;
        if all.get(place).is_none_or(|instance| instance.id != id) {
            place = all.binary_search_by_key(&id, |instance| instance.id).ok()?;
        }
        all.get_mut(place)
    }
}
