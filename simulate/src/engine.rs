//! The engine: takes what happens next, in the order of virtual time.
//!
//! Of things at the same time, work that ends comes first, then those who give up, then what the
//! simulation itself does (snapshots, scaling), and arrivals last: an arrival on a boundary belongs
//! to what begins there.

mod work;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use plimsoll_deploy::admission::InstanceId;
use plimsoll_domain::schedule::{Arrival, Arrivals};
use plimsoll_domain::{Class, Key, Recorder, Snapshot};
use rand::RngExt;
use rand_pcg::Pcg64;

use crate::calendar::{Calendar, Due};
use crate::fleet::Fleet;
use crate::flight::Flights;
use crate::sender::{Release, Sender, Unsent, nanos};
use crate::{Counts, Error, Looked, Model};

/// The stream of random numbers that the traffic's weights draw from.
const ROUTES: u128 = 0x726f_7574_6573;

/// Something that a simulation tells.
#[derive(Debug)]
pub enum Happening {
    /// An interval is over.
    Interval(Box<Snapshot>),
    /// The instances are not as they were.
    Instances {
        /// When.
        at: Duration,
        /// Of every deployment.
        counts: Vec<Counts>,
    },
    /// The last interval was told.
    Ended,
}

/// What the simulation itself does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Control {
    Snapshot,
    Ready { fleet: usize, serial: u64 },
    Fail { fleet: usize, instance: InstanceId },
}

/// A run in virtual time.
#[derive(Debug)]
pub struct Simulation {
    now: u64,
    arrivals: Arrivals,
    next: Option<Arrival>,
    /// When it is due; never, if there is none.
    next_at: u64,
    /// When the schedule ends.
    length: u64,
    interval: u64,
    /// The interval that goes on.
    index: u64,
    since: u64,
    routes: Vec<Option<usize>>,
    /// The weights of the deployments, and the sum of them.
    weights: u32,
    random: Pcg64,
    sender: Sender,
    fleets: Vec<Fleet>,
    flights: Flights,
    calendar: Calendar,
    agenda: BinaryHeap<Reverse<(u64, Control)>>,
    recorder: Recorder,
    told: VecDeque<Happening>,
    is_over: bool,
}

impl Simulation {
    /// A simulation that has not begun.
    ///
    /// # Errors
    /// What of the model cannot be simulated.
    pub fn new(model: Model) -> Result<Self, Error> {
        model.check()?;
        let Model { arrivals, length, names, counted, routes, client, deployments, .. } = model;
        let mut recorder = Recorder::new(names, counted);
        let mut fleet = |settings: crate::Deployment| {
            let number = recorder.deployment(&settings.name);
            Fleet::new(settings, number, model.seed)
        };
        let fleets: Vec<Fleet> = deployments.into_iter().map(&mut fleet).collect();
        let interval = nanos(model.interval);
        let mut simulation = Self {
            now: 0,
            next: None,
            next_at: u64::MAX,
            arrivals,
            length: nanos(length),
            interval,
            index: 0,
            since: 0,
            routes,
            weights: fleets.iter().map(Fleet::weight).sum(),
            random: Pcg64::new(model.seed.into(), ROUTES),
            sender: Sender::new(&client),
            fleets,
            flights: Flights::default(),
            calendar: Calendar::default(),
            agenda: BinaryHeap::new(),
            recorder,
            told: VecDeque::new(),
            is_over: false,
        };
        simulation.take_next();
        simulation.plan(interval, Control::Snapshot);
        for index in 0..simulation.fleets.len() {
            let open: Vec<_> = simulation.fleets[index].open().collect();
            for instance in open {
                simulation.give_lifetime(index, instance);
            }
        }
        simulation.tell_instances();
        Ok(simulation)
    }

    /// Nothing more becomes due: what is under way is waited for, and then it ends.
    pub fn stop(&mut self) {
        (self.next, self.next_at) = (None, u64::MAX);
        self.length = self.length.min(self.now);
    }

    /// Since the first due time.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.now)
    }

    /// Moves on to the next thing to tell. After the end there is only the end.
    pub fn advance(&mut self) -> Happening {
        loop {
            // There is no time after that.
            if let Some(told) = self.advance_to(Duration::MAX) {
                return told;
            }
        }
    }

    /// Moves on to the next thing to tell by `until`; if there is none, to `until` itself: of that
    /// moment everything has happened then but its arrivals.
    pub fn advance_to(&mut self, until: Duration) -> Option<Happening> {
        let until = nanos(until);
        loop {
            if let Some(told) = self.told.pop_front() {
                return Some(told);
            }
            if self.is_over {
                return Some(Happening::Ended);
            }
            if !self.step(until) {
                self.now = self.now.max(until);
                return None;
            }
        }
    }

    /// The deployment, by its place in the model, is to have so many instances, and one at least. It
    /// takes one change after the other: this one begins when the one before is done, unless another
    /// count is wanted until then.
    pub fn want(&mut self, deployment: usize, count: u32) {
        self.fleets[deployment].target = count.max(1);
        self.pursue(deployment);
    }

    /// The instances of the deployment at this place in the model, as who looks at them sees them.
    pub fn look(&self, deployment: usize) -> Looked {
        self.fleets[deployment].look(self.now)
    }

    fn take_next(&mut self) {
        self.next = self.arrivals.next();
        self.next_at = self.next.map_or(u64::MAX, |next| nanos(next.due));
    }

    /// Does what happens next, if that is by `until`; whether it was.
    fn step(&mut self, until: u64) -> bool {
        let work = self.calendar.next_at();
        let patience = self.patience_ends_at();
        let control = self.agenda.peek().map_or(u64::MAX, |Reverse((at, _))| *at);
        let at = work.min(patience).min(control).min(self.next_at);
        if self.next.is_none() {
            let end = self.ends_at();
            if at >= end && !(at == end && (work == end || patience == end)) {
                if end <= until {
                    self.finish(end);
                }
                return end <= until;
            }
        }
        let is_arrival = at < work.min(patience).min(control);
        if at > until || is_arrival && at == until {
            return false;
        }
        self.now = at;
        if at == work {
            match self.calendar.take().expect("it has an entry at this time") {
                Due::Worked(flight) => self.worked(flight),
                Due::Expired(flight) => self.expired(flight),
            }
        } else if at == patience {
            self.lose_patience();
        } else if at == control {
            let Reverse((_, control)) = self.agenda.pop().expect("it has an entry at this time");
            self.control(control);
        } else {
            let arrival = self.next.take().expect("it is due at this time");
            self.arrive(arrival);
            self.take_next();
        }
        while let Some(unsent) = self.sender.next_to_send() {
            self.recorder.send(unsent.key);
            self.serve(unsent);
        }
        true
    }

    /// When the run ends if nothing else becomes due: with its schedule, or when nothing is under
    /// way any more, or when that is no longer waited for.
    fn ends_at(&self) -> u64 {
        if self.sender.is_idle() {
            self.length.max(self.now)
        } else {
            self.length.saturating_add(self.sender.drain).max(self.now)
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        let key = Key { stage: arrival.stage, request: arrival.request, deployment: 0 };
        let unsent = Unsent { key, due: self.now };
        let release = self.sender.release(unsent, self.now);
        if release == Release::Send {
            self.recorder.offer_and_send(key);
        } else {
            self.recorder.offer(key);
        }
        match release {
            Release::Send => self.serve(unsent),
            Release::Wait => {}
            Release::Capped => {
                self.recorder.drop(key, Class::Capped);
                self.recorder.example(Class::Capped, || {
                    "the schedule exceeds the ceiling on the send rate".to_owned()
                });
            }
            Release::Dropped => self.drop(unsent),
        }
    }

    fn drop(&mut self, unsent: Unsent) {
        self.recorder.drop(unsent.key, Class::Dropped);
        self.recorder.example(Class::Dropped, || "no connection was free in time".to_owned());
    }

    /// The deployment that a request goes to.
    fn route(&mut self, request: u16) -> usize {
        if let Some(Some(named)) = self.routes.get(usize::from(request)) {
            return *named;
        }
        if let [_] = *self.fleets {
            return 0;
        }
        let mut left = self.random.random_range(0..self.weights);
        for (index, fleet) in self.fleets.iter().enumerate() {
            match left.checked_sub(fleet.weight()) {
                Some(rest) => left = rest,
                None => return index,
            }
        }
        unreachable!("a number below the sum of the weights falls within one of them")
    }

    fn plan(&mut self, at: u64, control: Control) {
        self.agenda.push(Reverse((at, control)));
    }

    fn control(&mut self, control: Control) {
        let now = self.now;
        match control {
            Control::Snapshot => {
                self.snapshot(now);
                self.plan(now + self.interval, Control::Snapshot);
            }
            Control::Ready { fleet, serial } => {
                let instance = self.fleets[fleet].ready(serial);
                self.give_lifetime(fleet, instance);
                self.serve_backlog(fleet);
                self.tell_instances();
                self.pursue(fleet);
            }
            Control::Fail { fleet, instance } => self.fail(fleet, instance),
        }
    }

    /// Begins with the change that is wanted, unless another is under way.
    #[inline]
    fn pursue(&mut self, index: usize) {
        if self.fleets[index].is_as_wanted() {
            return;
        }
        let Some(started) = self.fleets[index].change() else { return };
        for (serial, takes) in started {
            self.plan(self.now.saturating_add(takes), Control::Ready { fleet: index, serial });
        }
        self.tell_instances();
    }

    fn give_lifetime(&mut self, fleet: usize, instance: InstanceId) {
        if let Some(lifetime) = self.fleets[fleet].lifetime() {
            self.plan(self.now.saturating_add(lifetime), Control::Fail { fleet, instance });
        }
    }

    fn tell_instances(&mut self) {
        let counts = self.fleets.iter().map(Fleet::counts).collect();
        self.told.push_back(Happening::Instances { at: self.now(), counts });
    }

    fn snapshot(&mut self, end: u64) {
        let at = Duration::from_nanos;
        if let Some(age) = self.recorder.overdue_after().map(nanos) {
            let recorder = &mut self.recorder;
            let mut tell = |key, due| {
                let old = end.saturating_sub(due);
                if old >= age {
                    recorder.overdue(key, at(old));
                }
            };
            self.sender.waiting().for_each(|unsent| tell(unsent.key, unsent.due));
            self.flights.awaited().for_each(|(_, flight)| tell(flight.key, flight.due));
        }
        let mut snapshot = self.recorder.take(self.index, at(self.since), at(end));
        self.sender.tell(&mut snapshot.generator);
        (self.index, self.since) = (self.index + 1, end);
        self.told.push_back(Happening::Interval(Box::new(snapshot)));
    }

    fn finish(&mut self, end: u64) {
        self.now = end;
        self.abort();
        if end > self.since {
            self.snapshot(end);
        }
        self.is_over = true;
    }
}
