//! Which arrival goes to which connection, and when connections are opened and closed. Pure: it
//! takes `now` and says what to do; its owner does it.
//!
//! A *slot* is the place of one connection, from the attempt to open it to its end. The rules:
//!
//! - **Work-conserving.** An arrival goes to an idle connection. With none idle it waits in the
//!   *backlog*, and a connection is opened on its behalf if the limit allows; but whichever
//!   connection is free first, old or new, takes the oldest arrival that waits.
//! - **Fewest connections.** Of the idle connections that have answered, the one used last is used
//!   next, so that those which the load does not need stay idle until their server closes them.
//!   None is opened without an arrival that waits, unless the plan asks for warm ones.
//! - **Order of accepting.** A connection that no request has been sent on (the arrival that it was
//!   opened for found another) is used before all others, the oldest first, and closed if nothing
//!   is due within [`SILENCE`]: a server that takes one connection at a time may have accepted it,
//!   and waits for its request while we send on another. What follows from such servers for
//!   connections in use says [`sharing`].
//! - **One timeout.** An arrival is dropped when it is not sent within the request timeout from its
//!   due time; one that an attempt to open a connection has kept waiting for most of that time
//!   fails with the attempt. A request has one timeout more for its answer.
//!
//! An arrival is also dropped when the backlog is full, when the ceiling on the send rate forbids
//! it, and when the run is aborted. Everything is O(log connections) or better.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use plimsoll_domain::Moment;

use alarms::Alarms;
use idle::Idle;
pub(super) use pending::{Pending, Why};
use sharing::Sharing;
pub(super) use slot::{Next, Order, SlotId};
use slot::{Slot, State};

mod alarms;
mod idle;
mod pending;
mod sharing;
mod slot;
#[cfg(test)]
mod tests;

/// How long a connection that no request has been sent on stays open.
pub(super) const SILENCE: Duration = Duration::from_millis(5);

/// How often an arrival may come back from a connection that turned out to be closed.
const MAX_RETURNS: u8 = 3;

/// What one worker's queue may do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) max_connections: usize,
    pub(super) max_backlog: usize,
    pub(super) timeout: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    Draining,
    Aborting,
}

/// Arrivals and connections of one worker.
pub(super) struct Queue {
    rules: Rules,
    phase: Phase,
    /// By due time.
    backlog: VecDeque<Pending>,
    slots: Vec<Slot>,
    vacant: Vec<SlotId>,
    /// Attempts to open a connection, by their beginning.
    opening: BTreeSet<(u64, SlotId)>,
    /// Idle connections without a request so far, by when they were opened.
    silent: BTreeSet<(u64, SlotId)>,
    /// Idle connections that have answered, the one that did last on top.
    idle: Idle,
    /// Counts up, to keep things in order.
    turn: u64,
    in_flight: usize,
    given_up: usize,
    sharing: Sharing,
    alarms: Alarms,
    unsent: Vec<(Pending, Why)>,
}

impl Queue {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            phase: Phase::Running,
            backlog: VecDeque::new(),
            slots: Vec::new(),
            vacant: Vec::new(),
            opening: BTreeSet::new(),
            silent: BTreeSet::new(),
            idle: Idle::default(),
            turn: 0,
            in_flight: 0,
            given_up: 0,
            sharing: Sharing::new(rules.timeout),
            alarms: Alarms::default(),
            unsent: Vec::new(),
        }
    }

    // What the schedule does.

    /// An arrival became due, or came back: the idle connection that takes it, if there is one.
    pub(super) fn arrive(
        &mut self,
        mut pending: Pending,
        now: Moment,
        may_send: impl FnMut() -> bool,
    ) -> Option<SlotId> {
        if self.phase == Phase::Aborting {
            self.unsent.push((pending, Why::Aborted));
        } else if self.is_expired(&pending, now) {
            let late = self.is_expired(&pending, pending.released);
            self.unsent.push((pending, if late { Why::Late } else { Why::NoConnection }));
        } else if let Some(slot) = self.next_idle() {
            if self.permit(&mut pending, may_send) {
                self.unlist(slot);
                self.fly(slot, pending, now);
                return Some(slot);
            }
        } else if self.backlog.len() >= self.rules.max_backlog {
            self.unsent.push((pending, Why::Full));
        } else {
            let place = match self.backlog.back() {
                Some(last) if last.due > pending.due => {
                    self.backlog.partition_point(|other| other.due <= pending.due)
                }
                _ => self.backlog.len(),
            };
            self.backlog.insert(place, pending);
        }
        None
    }

    /// The next connection to open for an arrival that waits; to be asked until there is none.
    pub(super) fn open_next(&mut self, now: Moment) -> Option<SlotId> {
        let wanted = self.phase != Phase::Aborting && self.opening.len() < self.backlog.len();
        (wanted && self.connections() < self.rules.max_connections).then(|| self.open(now, false))
    }

    /// A connection to open ahead of any arrival.
    pub(super) fn open_warm(&mut self, now: Moment) -> SlotId {
        self.open(now, true)
    }

    /// Drops what has waited too long, and says which slots are to be told what.
    pub(super) fn tick(&mut self, now: Moment, mut tell: impl FnMut(SlotId, Order)) {
        while let Some(first) = self.backlog.front().copied() {
            if !self.is_expired(&first, now) {
                break;
            }
            self.backlog.pop_front();
            match self.attempt_that_kept(&first) {
                Some((turn, slot)) => {
                    self.opening.remove(&(turn, slot));
                    self.slots[slot].state = State::GivenUp { pending: first };
                    self.given_up += 1;
                    tell(slot, Order::TimeOut);
                }
                None => self.unsent.push((first, Why::NoConnection)),
            }
        }
        while let Some(slot) = self.alarms.pop(now) {
            self.alarm(slot, now, &mut tell);
        }
    }

    /// When [`Queue::tick`] will have something to do.
    pub(super) fn next_tick(&self) -> Option<Moment> {
        let expiry = self.backlog.front().map(|first| first.due + self.rules.timeout);
        expiry.into_iter().chain(self.alarms.next()).min()
    }

    /// From now on connections with nothing to do are closed.
    pub(super) fn drain(&mut self, mut tell: impl FnMut(SlotId, Order)) {
        if self.phase == Phase::Running {
            self.phase = Phase::Draining;
        }
        self.close_idle(&mut tell);
        for (_, slot) in std::mem::take(&mut self.silent) {
            self.slots[slot].state = State::Closing;
            tell(slot, Order::Close);
        }
    }

    /// Nothing is sent any more; what waits is dropped. The slots find out by
    /// [`Queue::is_aborting`].
    pub(super) fn abort(&mut self) {
        self.phase = Phase::Aborting;
        self.unsent.extend(self.backlog.drain(..).map(|pending| (pending, Why::Aborted)));
    }

    // What connections do.

    /// A connection is open.
    pub(super) fn opened(
        &mut self,
        slot: SlotId,
        now: Moment,
        may_send: impl FnMut() -> bool,
    ) -> Next {
        match self.slots[slot].state {
            State::Opening { turn, .. } => self.opening.remove(&(turn, slot)),
            // It opened just as it was given up: the arrival is sent after all.
            State::GivenUp { pending } => {
                self.given_up -= 1;
                self.fly(slot, pending, now);
                return Next::Send(pending);
            }
            _ => unreachable!("only an attempt can succeed"),
        };
        self.free(slot, now, may_send)
    }

    /// A connection could not be opened: the arrival that fails with it, which is the one that has
    /// waited longest.
    pub(super) fn open_failed(&mut self, slot: SlotId) -> Option<Pending> {
        match std::mem::replace(&mut self.slots[slot].state, State::Closing) {
            State::GivenUp { pending } => {
                self.given_up -= 1;
                Some(pending)
            }
            State::Opening { turn, .. } => {
                self.opening.remove(&(turn, slot));
                self.backlog.pop_front()
            }
            _ => unreachable!("only an attempt can fail"),
        }
    }

    /// The slot's arrival has ended; `answered` is the service time of a whole answer.
    pub(super) fn finished(&mut self, slot: SlotId, answered: Option<Duration>) {
        let State::InFlight { taken, .. } = self.slots[slot].state else {
            unreachable!("only what is in flight can end");
        };
        let Slot { state, first_answer, .. } = &mut self.slots[slot];
        *state = State::Finishing;
        self.in_flight -= 1;
        self.sharing.ended(slot, taken);
        if let Some(service) = answered {
            self.sharing.answered(first_answer, service);
        }
    }

    /// The slot's connection turned out to be closed before anything was sent: the arrival, to
    /// arrive again; `None` if that has happened to it too often.
    pub(super) fn give_back(&mut self, slot: SlotId) -> Option<Pending> {
        let State::InFlight { pending, .. } = self.slots[slot].state else {
            unreachable!("only what is in flight can come back");
        };
        let pending = Pending { returns: pending.returns + 1, ..pending };
        (pending.returns <= MAX_RETURNS).then(|| {
            self.finished(slot, None);
            pending
        })
    }

    /// The slot's connection can take another arrival.
    pub(super) fn free(
        &mut self,
        slot: SlotId,
        now: Moment,
        may_send: impl FnMut() -> bool,
    ) -> Next {
        let Slot { first_answer, warm, .. } = self.slots[slot];
        let gives_way = first_answer.is_some() && self.sharing.someone_waits(now);
        if self.phase != Phase::Aborting && !gives_way {
            if let Some(pending) = self.take_oldest(now, may_send) {
                self.fly(slot, pending, now);
                return Next::Send(pending);
            }
            if self.phase == Phase::Running {
                if first_answer.is_some() {
                    self.slots[slot].state = State::Idle;
                    self.idle.push(slot);
                } else {
                    let turn = self.next_turn();
                    self.slots[slot].state = State::Silent { since: now, turn };
                    self.silent.insert((turn, slot));
                    if !warm {
                        self.alarms.set(slot, now + SILENCE);
                    }
                }
                return Next::Wait;
            }
        }
        self.slots[slot].state = State::Closing;
        Next::Close
    }

    /// The slot's connection is gone.
    pub(super) fn closed(&mut self, slot: SlotId) {
        self.unlist(slot);
        match std::mem::replace(&mut self.slots[slot].state, State::Vacant) {
            State::Opening { turn, .. } => drop(self.opening.remove(&(turn, slot))),
            // Only an abort ends it before it has failed.
            State::GivenUp { pending } => {
                self.given_up -= 1;
                self.unsent.push((pending, Why::Aborted));
            }
            _ => {}
        }
        self.vacant.push(slot);
    }

    // What others ask.

    pub(super) fn is_aborting(&self) -> bool {
        self.phase == Phase::Aborting
    }

    /// Whether every arrival has ended.
    pub(super) fn is_empty(&self) -> bool {
        self.backlog.is_empty() && self.in_flight + self.given_up == 0
    }

    /// Arrivals that a connection has taken and not finished.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Arrivals that wait.
    pub(super) fn backlog(&self) -> usize {
        self.backlog.len()
    }

    /// Slots in use: open connections, and attempts to open one.
    pub(super) fn connections(&self) -> usize {
        self.slots.len() - self.vacant.len()
    }

    /// Attempts to open a connection.
    pub(super) fn opening(&self) -> usize {
        self.opening.len()
    }

    /// The arrivals dropped since the last call.
    pub(super) fn unsent(&mut self) -> impl Iterator<Item = (Pending, Why)> {
        self.unsent.drain(..)
    }

    /// The arrivals that became due at least `age` ago and have not ended.
    pub(super) fn overdue(&self, now: Moment, age: Duration) -> impl Iterator<Item = &Pending> {
        let is_old = move |pending: &&Pending| now.since(pending.due) >= age;
        let waiting = self.backlog.iter().take_while(is_old);
        waiting.chain(self.slots.iter().filter_map(Slot::pending).filter(is_old))
    }

    // How it is done.

    fn next_idle(&self) -> Option<SlotId> {
        self.silent.first().map(|(_, slot)| *slot).or_else(|| self.idle.top())
    }

    /// The slot is idle no more, if it was.
    fn unlist(&mut self, slot: SlotId) {
        match self.slots[slot].state {
            State::Silent { turn, .. } => drop(self.silent.remove(&(turn, slot))),
            State::Idle => self.idle.remove(slot),
            _ => {}
        }
    }

    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    fn open(&mut self, now: Moment, warm: bool) -> SlotId {
        let turn = self.next_turn();
        let state = State::Opening { began: now, turn };
        let new = Slot { state, first_answer: None, warm };
        let slot = self.vacant.pop().unwrap_or(self.slots.len());
        match self.slots.get_mut(slot) {
            Some(vacant) => *vacant = new,
            None => self.slots.push(new),
        }
        self.opening.insert((turn, slot));
        self.alarms.set(slot, now + self.rules.timeout);
        slot
    }

    fn fly(&mut self, slot: SlotId, pending: Pending, now: Moment) {
        self.in_flight += 1;
        let first_answer = self.slots[slot].first_answer;
        self.slots[slot].state = State::InFlight { pending, taken: now };
        self.sharing.sent(slot, first_answer, now);
        self.set_alarm(slot, now, first_answer, now);
    }

    fn take_oldest(&mut self, now: Moment, mut may_send: impl FnMut() -> bool) -> Option<Pending> {
        loop {
            let mut pending = self.backlog.pop_front()?;
            if self.is_expired(&pending, now) {
                self.unsent.push((pending, Why::NoConnection));
            } else if self.permit(&mut pending, &mut may_send) {
                return Some(pending);
            }
        }
    }

    /// Asks the ceiling on the send rate, once per arrival.
    fn permit(&mut self, pending: &mut Pending, mut may_send: impl FnMut() -> bool) -> bool {
        pending.permitted = pending.permitted || may_send();
        if !pending.permitted {
            self.unsent.push((*pending, Why::Capped));
        }
        pending.permitted
    }

    fn is_expired(&self, pending: &Pending, now: Moment) -> bool {
        now >= pending.due + self.rules.timeout
    }

    /// The oldest attempt to open a connection, if it has kept this arrival waiting for at least
    /// half of the time that it had.
    fn attempt_that_kept(&self, pending: &Pending) -> Option<(u64, SlotId)> {
        let (turn, slot) = *self.opening.first()?;
        let State::Opening { began, .. } = self.slots[slot].state else { return None };
        (began <= pending.released + self.rules.timeout / 2).then_some((turn, slot))
    }

    fn alarm(&mut self, slot: SlotId, now: Moment, tell: &mut impl FnMut(SlotId, Order)) {
        let Slot { state, first_answer, warm } = self.slots[slot];
        match state {
            State::Opening { began: since, .. } | State::InFlight { taken: since, .. }
                if now >= since + self.rules.timeout =>
            {
                tell(slot, Order::TimeOut);
            }
            State::Opening { began, .. } => self.alarms.set(slot, began + self.rules.timeout),
            State::InFlight { taken, .. } => {
                self.set_alarm(slot, taken, first_answer, now);
                if self.sharing.someone_waits(now) {
                    self.close_idle(tell);
                }
            }
            State::Silent { since, turn } if !warm => {
                if now < since + SILENCE {
                    return self.alarms.set(slot, since + SILENCE);
                }
                self.silent.remove(&(turn, slot));
                self.slots[slot].state = State::Closing;
                tell(slot, Order::Close);
            }
            _ => {}
        }
    }

    /// Sets the alarm of a slot with something in flight.
    fn set_alarm(&mut self, slot: SlotId, taken: Moment, first_answer: Option<u64>, now: Moment) {
        let patience = first_answer.map_or_else(|| self.sharing.patience(), |_| None);
        let patient_until = patience.map(|span| taken + span).filter(|until| *until > now);
        self.alarms.set(slot, patient_until.unwrap_or(taken + self.rules.timeout));
    }

    /// Closes the idle connections that have answered.
    fn close_idle(&mut self, tell: &mut impl FnMut(SlotId, Order)) {
        while let Some(slot) = self.idle.pop() {
            self.slots[slot].state = State::Closing;
            tell(slot, Order::Close);
        }
    }
}
