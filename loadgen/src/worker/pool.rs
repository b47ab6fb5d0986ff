//! One worker's waiting arrivals and its connections, and who takes what.
//!
//! The rule is work-conserving: an arrival goes to the connection that has been idle longest; with
//! none idle it waits in line, and a connection is opened on its behalf if the limit allows. But
//! whichever connection is free first, old or new, takes the oldest arrival in line. So no arrival
//! is tied to a slow connection, and no connection idles while an arrival waits.
//!
//! Idle connections are taken first in, first out, because servers that handle one connection at a
//! time accept them in that order and would otherwise wait for a request on one connection while
//! we send it on another.
//!
//! An arrival leaves the line undone, and is counted as dropped, when it has waited for longer than
//! the request timeout, when the line is full, when the ceiling on the send rate forbids it, or
//! when the run is aborted.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use plimsoll_domain::schedule::Arrival;
use plimsoll_domain::{Moment, Outcome, Sample, clock};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::recorder::{Part, State};
use crate::connection::{self, Failure};
use crate::limits::MAX_BACKLOG;
use crate::plan::Shared;

/// How often an arrival may be given back by a connection that turned out to be closed.
const MAX_RETURNS: u8 = 3;

/// An arrival whose time has come.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "due is what the field of a sample is called")]
pub(crate) struct Due {
    pub(crate) number: u64,
    pub(crate) warmup: bool,
    pub(crate) due: Moment,
    pub(crate) released: Moment,
    permitted: bool,
    returns: u8,
}

/// What a connection does next.
pub(crate) enum Job {
    Send(Due),
    Park,
    Close,
}

/// A connection's place in the pool: where a parked one finds its next job.
#[derive(Default)]
pub(crate) struct Seat {
    id: u64,
    job: Cell<Option<Job>>,
    waker: OnceCell<Waker>,
}

impl Seat {
    /// Remembers how to wake the connection's task.
    pub(crate) fn register(&self, waker: &Waker) {
        self.waker.get_or_init(|| waker.clone());
    }

    pub(crate) fn take_job(&self) -> Option<Job> {
        self.job.take()
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    fn give(&self, job: Job) {
        self.job.set(Some(job));
        self.wake();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    Draining,
    Aborting,
}

/// Everything that a worker's connections share with it. One thread only.
pub(crate) struct Pool {
    pub(crate) shared: Arc<Shared>,
    max_connections: usize,
    part: RefCell<Part>,
    line: RefCell<VecDeque<Due>>,
    idle: RefCell<VecDeque<Rc<Seat>>>,
    /// Open connections and those being opened.
    seats: RefCell<BTreeMap<u64, Rc<Seat>>>,
    next_id: Cell<u64>,
    connecting: Cell<usize>,
    /// Arrivals that a connection has taken and not finished.
    in_flight: Cell<u64>,
    phase: Cell<Phase>,
    tasks: RefCell<JoinSet<()>>,
    /// Of the target's addresses, the one that last answered.
    pub(crate) address: Cell<usize>,
    /// Told when a connection attempt ends and, while draining, when nothing is left to do.
    pub(super) changed: Notify,
}

impl Pool {
    pub(super) fn new(shared: Arc<Shared>, max_connections: usize) -> Rc<Self> {
        Rc::new(Self {
            shared,
            max_connections,
            part: RefCell::default(),
            line: RefCell::default(),
            idle: RefCell::default(),
            seats: RefCell::default(),
            next_id: Cell::new(0),
            connecting: Cell::new(0),
            in_flight: Cell::new(0),
            phase: Cell::new(Phase::Running),
            tasks: RefCell::default(),
            address: Cell::new(0),
            changed: Notify::new(),
        })
    }

    // What the schedule does.

    /// Opens up to `count` connections ahead of any arrival.
    pub(super) fn warm_up(self: &Rc<Self>, count: usize) {
        (0..count.min(self.max_connections)).for_each(|_| self.open());
    }

    pub(super) fn is_connecting(&self) -> bool {
        self.connecting.get() > 0
    }

    /// Lets an arrival go.
    pub(super) fn release(self: &Rc<Self>, arrival: Arrival, due: Moment, now: Moment) {
        let Arrival { number, warmup, .. } = arrival;
        self.part.borrow_mut().offer(warmup);
        let due = Due { number, warmup, due, released: now, permitted: false, returns: 0 };
        self.place(due, false);
    }

    /// Drops the arrivals that have waited too long. Those that a connection is being opened for
    /// are left to it: if it cannot be opened, that is how they fail.
    pub(super) fn expire(&self, now: Moment) {
        let mut line = self.line.borrow_mut();
        while line.len() > self.connecting.get() {
            let first = line.front().copied().filter(|first| self.is_expired(first, now));
            let Some(first) = first else { break };
            line.pop_front();
            self.drop_one(first);
        }
    }

    /// When the next arrival in line will have waited too long.
    pub(super) fn next_expiry(&self) -> Option<Moment> {
        let line = self.line.borrow();
        let waits = line.len() > self.connecting.get();
        line.front().filter(|_| waits).map(|first| first.released + self.shared.timeout)
    }

    /// From now on connections with nothing to do are closed.
    pub(super) fn drain(&self) {
        if self.phase.get() == Phase::Running {
            self.phase.set(Phase::Draining);
            self.idle.borrow_mut().drain(..).for_each(|seat| seat.give(Job::Close));
        }
    }

    /// Ends everything: what waits is dropped, what is in flight is aborted by its connection.
    pub(super) fn abort(&self) {
        self.phase.set(Phase::Aborting);
        self.line.borrow_mut().drain(..).for_each(|due| self.drop_one(due));
        self.seats.borrow().values().for_each(|seat| seat.wake());
    }

    /// Whether every arrival has ended.
    pub(super) fn is_empty(&self) -> bool {
        self.line.borrow().is_empty() && self.in_flight.get() == 0
    }

    /// What was recorded since the last call.
    pub(super) fn take_part(&self) -> Box<Part> {
        Box::new(self.part.take())
    }

    pub(super) fn state(&self) -> State {
        State {
            in_flight: self.in_flight.get(),
            backlog: self.line.borrow().len() as u64,
            connections: (self.seats.borrow().len() - self.connecting.get()) as u64,
            cpu: None,
        }
    }

    // What connections do.

    pub(crate) fn is_aborting(&self) -> bool {
        self.phase.get() == Phase::Aborting
    }

    /// The next job of a free connection.
    pub(crate) fn next_job(&self, seat: &Rc<Seat>) -> Job {
        if let Some(due) = self.take_from_line() {
            self.in_flight.update(|n| n + 1);
            return Job::Send(due);
        }
        if self.phase.get() != Phase::Running {
            return Job::Close;
        }
        self.idle.borrow_mut().push_back(Rc::clone(seat));
        Job::Park
    }

    /// A parked connection was closed by its server.
    pub(crate) fn unpark(&self, seat: &Rc<Seat>) {
        self.idle.borrow_mut().retain(|other| !Rc::ptr_eq(other, seat));
    }

    pub(crate) fn connected(&self) {
        self.part.borrow_mut().connections_opened += 1;
        self.end_connecting();
    }

    /// A connection could not be opened: the arrival that has waited longest fails with it.
    pub(crate) fn connect_failed(&self, began: Moment, failure: &Failure) {
        self.end_connecting();
        let Some(due) = self.line.borrow_mut().pop_front() else { return };
        if failure.exhausted {
            self.part.borrow_mut().socket_exhausted += 1;
        }
        self.in_flight.update(|n| n + 1);
        self.sent(&due);
        self.fail(&due, began.max(due.released), failure);
    }

    /// The attempt to open a connection was given up, because the run is aborted.
    pub(crate) fn end_connecting(&self) {
        self.connecting.update(|n| n - 1);
        self.changed.notify_one();
    }

    /// The connection is gone; another is opened if arrivals wait for it.
    pub(crate) fn closed(self: &Rc<Self>, seat: &Seat) {
        self.seats.borrow_mut().remove(&seat.id);
        self.grow();
    }

    pub(crate) fn sent(&self, due: &Due) {
        self.part.borrow_mut().send(due.warmup);
    }

    /// The arrival has ended.
    pub(crate) fn finish(&self, due: &Due, sample: &Sample) {
        self.part.borrow_mut().record(due.warmup, sample);
        self.end_flight();
    }

    /// The arrival's connection failed.
    pub(crate) fn fail(&self, due: &Due, sent: Moment, failure: &Failure) {
        self.part.borrow_mut().example(failure.kind, &failure.message);
        let outcome = Outcome::Transport(failure.kind);
        self.finish(due, &due.ended(sent, clock::now(), outcome));
    }

    /// The arrival was never sent and cannot be any more.
    pub(crate) fn abandon(&self, due: Due) {
        self.drop_one(due);
        self.end_flight();
    }

    /// Gives back an arrival that was not sent, because its connection turned out to be closed;
    /// `false` if that has happened to it too often.
    pub(crate) fn give_back(self: &Rc<Self>, mut due: Due) -> bool {
        due.returns += 1;
        if due.returns > MAX_RETURNS {
            return false;
        }
        self.place(due, true);
        self.end_flight();
        true
    }

    // How it is done.

    fn place(self: &Rc<Self>, mut due: Due, first: bool) {
        let seat = self.idle.borrow_mut().pop_front();
        if let Some(seat) = seat {
            if self.permit(&mut due) {
                self.in_flight.update(|n| n + 1);
                seat.give(Job::Send(due));
            } else {
                self.idle.borrow_mut().push_front(seat);
            }
            return;
        }
        if self.line.borrow().len() >= MAX_BACKLOG || self.is_aborting() {
            return self.drop_one(due);
        }
        let mut line = self.line.borrow_mut();
        if first {
            line.push_front(due);
        } else {
            line.push_back(due);
        }
        drop(line);
        self.grow();
    }

    fn take_from_line(&self) -> Option<Due> {
        let now = clock::now();
        loop {
            let mut due = self.line.borrow_mut().pop_front()?;
            if self.is_expired(&due, now) {
                self.drop_one(due);
            } else if self.permit(&mut due) {
                return Some(due);
            }
        }
    }

    /// Asks the ceiling on the send rate, once per arrival; counts the arrival if it says no.
    fn permit(&self, due: &mut Due) -> bool {
        let ceiling = self.shared.ceiling.as_ref().filter(|_| !due.permitted);
        if ceiling.is_some_and(|ceiling| ceiling.check().is_err()) {
            self.part.borrow_mut().capped += 1;
            self.drop_one(*due);
            return false;
        }
        due.permitted = true;
        true
    }

    fn is_expired(&self, due: &Due, now: Moment) -> bool {
        now > due.released + self.shared.timeout
    }

    fn drop_one(&self, due: Due) {
        self.part.borrow_mut().drop_one(due.warmup);
    }

    fn end_flight(&self) {
        self.in_flight.update(|n| n - 1);
        if self.phase.get() != Phase::Running && self.is_empty() {
            self.changed.notify_one();
        }
    }

    /// Opens connections for the arrivals in line that have none being opened for them.
    fn grow(self: &Rc<Self>) {
        while !self.is_aborting()
            && self.connecting.get() < self.line.borrow().len()
            && self.seats.borrow().len() < self.max_connections
        {
            self.open();
        }
    }

    fn open(self: &Rc<Self>) {
        self.connecting.update(|n| n + 1);
        self.next_id.update(|n| n + 1);
        let seat = Rc::new(Seat { id: self.next_id.get(), ..Seat::default() });
        self.seats.borrow_mut().insert(seat.id, Rc::clone(&seat));
        let mut tasks = self.tasks.borrow_mut();
        while let Some(ended) = tasks.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "a connection's task failed; this is a bug");
            }
        }
        tasks.spawn_local(connection::run(Rc::clone(self), seat));
    }
}

impl Due {
    /// The sample of this arrival.
    pub(crate) fn ended(&self, sent: Moment, done: Moment, outcome: Outcome) -> Sample {
        let Self { due, released, .. } = *self;
        Sample { due, released, sent: sent.max(released), done, outcome, model_time: None }
    }
}
