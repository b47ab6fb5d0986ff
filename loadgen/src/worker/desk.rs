//! What a worker's loop and its connections share: the queue, the recorder, and what each slot is
//! told. It carries out what the queue decides and counts what happens. One thread only.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use governor::DefaultDirectRateLimiter;
use plimsoll_domain::{Class, Key, Moment, Outcome, Pause, Recorder, Sample, Snapshot};

use super::attribution::Attribution;
use super::pauses;
use super::queue::{Next, Order, Pending, Queue, Rules, SlotId};
use crate::connection::{Answer, Failure};

#[cfg(test)]
mod tests;

/// A ceiling on the send rate, over all workers.
pub(crate) type Ceiling = Option<Arc<DefaultDirectRateLimiter>>;

/// What a slot finds when it is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mail {
    /// An arrival, given at this moment.
    Send(Pending, Moment),
    Close,
    TimeOut,
}

#[derive(Debug, Default)]
struct Mailbox {
    mail: Option<Mail>,
    waker: Option<Waker>,
}

/// What the loop waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Connections that are opened ahead.
    Warming,
    /// The clock only.
    Running,
    /// The end of the last arrival.
    Draining,
}

/// See above.
pub(super) struct Desk {
    ceiling: Ceiling,
    queue: RefCell<Queue>,
    recorder: RefCell<Recorder>,
    who: RefCell<Attribution>,
    mailboxes: RefCell<Vec<Mailbox>>,
    /// Slots whose connections are to be opened by the loop.
    to_open: RefCell<Vec<SlotId>>,
    /// Open connections.
    connections: Cell<usize>,
    /// Whether the loop has something to look at, and how to wake it.
    poked: Cell<bool>,
    looper: RefCell<Option<Waker>>,
    /// When the loop will look at the queue.
    wakes_at: Cell<Moment>,
    phase: Cell<Phase>,
    pub(super) stop_asked: Cell<bool>,
    pub(super) abort_asked: Cell<bool>,
}

impl Desk {
    pub(super) fn new(rules: Rules, recorder: Recorder, ceiling: Ceiling) -> Self {
        Self {
            ceiling,
            queue: RefCell::new(Queue::new(rules)),
            recorder: RefCell::new(recorder),
            who: RefCell::default(),
            mailboxes: RefCell::default(),
            to_open: RefCell::default(),
            connections: Cell::new(0),
            poked: Cell::new(false),
            looper: RefCell::default(),
            wakes_at: Cell::default(),
            phase: Cell::new(Phase::Warming),
            stop_asked: Cell::new(false),
            abort_asked: Cell::new(false),
        }
    }

    // What the loop does.

    /// Lets an arrival go.
    pub(super) fn release(&self, number: u64, key: Key, due: Moment, now: Moment) {
        self.recorder.borrow_mut().offer(key);
        self.arrive(Pending::new(number, key, due, now), now);
    }

    /// Opens connections ahead of any arrival.
    pub(super) fn warm_up(&self, count: usize, now: Moment) {
        let mut queue = self.queue.borrow_mut();
        self.to_open.borrow_mut().extend((0..count).map(|_| queue.open_warm(now)));
    }

    /// The slots whose connections are to be opened.
    pub(super) fn take_openings(&self) -> Vec<SlotId> {
        std::mem::take(&mut *self.to_open.borrow_mut())
    }

    /// Does what is due by `now` but the arrivals.
    pub(super) fn tick(&self, now: Moment) {
        let mut queue = self.queue.borrow_mut();
        if queue.next_tick().is_some_and(|at| at <= now) {
            queue.tick(now, |slot, order| self.tell(slot, mail(order)));
            self.count_unsent(&mut queue, now);
        }
    }

    pub(super) fn next_tick(&self) -> Option<Moment> {
        self.queue.borrow().next_tick()
    }

    /// From now on connections with nothing to do are closed.
    pub(super) fn drain(&self) {
        self.phase.set(Phase::Draining);
        self.queue.borrow_mut().drain(|slot, order| self.tell(slot, mail(order)));
    }

    /// Ends everything: what waits is dropped, what is in flight is aborted by its connection.
    pub(super) fn abort(&self, now: Moment) {
        let mut queue = self.queue.borrow_mut();
        queue.abort();
        self.count_unsent(&mut queue, now);
        self.mailboxes.borrow().iter().for_each(Mailbox::wake);
    }

    /// Whether every arrival has ended.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.borrow().is_empty()
    }

    /// Whether an answer could come at any time.
    pub(super) fn is_in_flight(&self) -> bool {
        self.queue.borrow().in_flight() > 0
    }

    pub(super) fn is_opening(&self) -> bool {
        self.queue.borrow().opening() > 0
    }

    pub(super) fn pause(&self, pause: Pause) {
        self.recorder.borrow_mut().pause(pause);
    }

    /// The run begins: what was recorded before is forgotten.
    pub(super) fn begin(&self) {
        self.phase.set(Phase::Running);
        let _ = self.recorder.borrow_mut().take(0, Duration::ZERO, Duration::ZERO);
    }

    /// Everything recorded since the last call, with the state at its end.
    pub(super) fn take(&self, index: u64, start: Duration, end: Duration, now: Moment) -> Snapshot {
        let (queue, mut recorder) = (self.queue.borrow(), self.recorder.borrow_mut());
        if let Some(age) = recorder.overdue_after() {
            queue
                .overdue(now, age)
                .for_each(|pending| recorder.overdue(pending.key, now.since(pending.due)));
        }
        let mut snapshot = recorder.take(index, start, end);
        snapshot.generator.in_flight = queue.in_flight() as u64;
        snapshot.generator.backlog = queue.backlog() as u64;
        snapshot.generator.connections = self.connections.get() as u64;
        snapshot
    }

    /// Wakes the loop.
    pub(super) fn poke(&self) {
        self.poked.set(true);
        if let Some(looper) = &*self.looper.borrow() {
            looper.wake_by_ref();
        }
    }

    /// The loop will look at the queue at this moment, unless it is poked.
    pub(super) fn sleep_until(&self, at: Moment) {
        self.wakes_at.set(at);
    }

    /// Waits until the loop is poked.
    pub(super) fn poll_poked(&self, cx: &Context<'_>) -> Poll<()> {
        if self.poked.take() {
            return Poll::Ready(());
        }
        self.looper.borrow_mut().get_or_insert_with(|| cx.waker().clone());
        Poll::Pending
    }

    // What slots do.

    /// Remembers how to wake the slot's task. There may be mail already: on a busy worker a slot waits for its task
    /// longer than its arrival waits for a connection.
    pub(super) fn move_in(&self, slot: SlotId, waker: &Waker) {
        self.with_mailbox(slot, |mailbox| mailbox.waker = Some(waker.clone()));
    }

    pub(super) fn mail(&self, slot: SlotId) -> Option<Mail> {
        self.with_mailbox(slot, |mailbox| mailbox.mail.take())
    }

    pub(super) fn is_aborting(&self) -> bool {
        self.queue.borrow().is_aborting()
    }

    /// A connection is open.
    pub(super) fn opened(&self, slot: SlotId, address: SocketAddr, now: Moment) -> Next {
        self.recorder.borrow_mut().opened(address);
        self.connections.update(|count| count + 1);
        self.change(now, |queue, may_send| queue.opened(slot, now, may_send))
    }

    /// A connection could not be opened.
    pub(super) fn open_failed(&self, slot: SlotId, began: Moment, now: Moment, failure: Failure) {
        let failed = self.change(now, |queue, _| queue.open_failed(slot));
        let Some(pending) = failed else { return };
        self.sent(&pending);
        let sent = began.max(pending.released);
        let read = (now, self.unread(sent, now));
        let sample = pending.sample(Duration::ZERO, sent, read, Outcome::of(failure.class));
        let mut recorder = self.recorder.borrow_mut();
        recorder.record(pending.key, &sample);
        recorder.example(failure.class, || failure.message);
    }

    /// The first bytes of a request went to the kernel, or it was at least attempted.
    pub(super) fn sent(&self, pending: &Pending) {
        self.recorder.borrow_mut().send(pending.key);
    }

    /// The slot's arrival was answered.
    pub(super) fn answered(&self, slot: SlotId, key: Key, sample: &Sample, answer: &Answer) {
        let service = sample.service_time();
        self.queue.borrow_mut().finished(slot, Some(service));
        let mut recorder = self.recorder.borrow_mut();
        let (by, copy) = (answer.deployment(), answer.session());
        let deployment = self.who.borrow_mut().of(by, copy, &mut recorder);
        recorder.record(Key { deployment, ..key }, sample);
        if !answer.outcome.is_ok() {
            recorder.example(sample.outcome.class, || answer.words());
        }
    }

    /// The slot's arrival ended without an answer.
    pub(super) fn ended(&self, slot: SlotId, key: Key, sample: &Sample, why: Option<String>) {
        self.queue.borrow_mut().finished(slot, None);
        let mut recorder = self.recorder.borrow_mut();
        recorder.record(key, sample);
        if let Some(why) = why {
            recorder.example(sample.outcome.class, || why);
        }
    }

    /// The slot's arrival was not sent and never will be.
    pub(super) fn abandoned(&self, slot: SlotId, key: Key, class: Class) {
        self.queue.borrow_mut().finished(slot, None);
        self.recorder.borrow_mut().drop(key, class);
    }

    /// The slot's arrival was not sent because its connection turned out to be closed: it arrives
    /// again. `false` if that has happened to it too often.
    pub(super) fn give_back(&self, slot: SlotId, now: Moment) -> bool {
        let given = self.queue.borrow_mut().give_back(slot);
        if let Some(pending) = given {
            self.arrive(pending, now);
        }
        given.is_some()
    }

    /// The slot's connection can take another arrival.
    pub(super) fn free(&self, slot: SlotId, now: Moment) -> Next {
        self.change(now, |queue, may_send| queue.free(slot, now, may_send))
    }

    /// The slot's attempt to open a connection, or its connection, is over: another slot whose
    /// connection is to be opened.
    pub(super) fn closed(&self, slot: SlotId, was_open: bool, now: Moment) -> Option<SlotId> {
        self.connections.update(|count| count - usize::from(was_open));
        // What was meant for this one is nothing to the next one in its place.
        self.with_mailbox(slot, |mailbox| *mailbox = Mailbox::default());
        let next = self.change_only(now, |queue, _| {
            queue.closed(slot);
            queue.open_next(now)
        });
        self.grow(now);
        next
    }

    /// How long the loop has wanted to run and did not; that long an answer to what was `sent` may
    /// have lain if it is read now.
    pub(super) fn unread(&self, sent: Moment, now: Moment) -> Duration {
        let late = now.since(self.wakes_at.get());
        if late < pauses::SHORTEST { Duration::ZERO } else { late.min(now.since(sent)) }
    }

    // How it is done.

    fn arrive(&self, pending: Pending, now: Moment) {
        let slot = self.change(now, |queue, may_send| queue.arrive(pending, now, may_send));
        if let Some(slot) = slot {
            self.tell(slot, Mail::Send(pending, now));
        }
    }

    /// Changes the queue, and does what follows from it.
    fn change<T>(&self, now: Moment, how: impl FnOnce(&mut Queue, &dyn Fn() -> bool) -> T) -> T {
        let changed = self.change_only(now, how);
        self.grow(now);
        changed
    }

    fn change_only<T>(
        &self,
        now: Moment,
        how: impl FnOnce(&mut Queue, &dyn Fn() -> bool) -> T,
    ) -> T {
        let may_send = || self.ceiling.as_ref().is_none_or(|ceiling| ceiling.check().is_ok());
        let mut queue = self.queue.borrow_mut();
        let changed = how(&mut queue, &may_send);
        self.count_unsent(&mut queue, now);
        // The loop may have to look at the queue sooner than it thinks, or has nothing left to do.
        let is_sooner = queue.next_tick().is_some_and(|at| at < self.wakes_at.get());
        let is_awaited = match self.phase.get() {
            Phase::Warming => queue.opening() == 0,
            Phase::Running => false,
            Phase::Draining => queue.is_empty(),
        };
        if is_sooner || is_awaited {
            self.poke();
        }
        changed
    }

    /// Has the loop open connections for the arrivals that wait.
    fn grow(&self, now: Moment) {
        let mut queue = self.queue.borrow_mut();
        while let Some(slot) = queue.open_next(now) {
            self.to_open.borrow_mut().push(slot);
            self.poke();
        }
    }

    fn count_unsent(&self, queue: &mut Queue, now: Moment) {
        for (pending, why) in queue.unsent() {
            let mut recorder = self.recorder.borrow_mut();
            let class = why.class(&pending);
            recorder.drop(pending.key, class);
            recorder.example(class, || why.sentence(now.since(pending.due)));
        }
    }

    fn tell(&self, slot: SlotId, mail: Mail) {
        self.with_mailbox(slot, |mailbox| {
            // What has not taken an arrival for a whole timeout sees that from the arrival itself.
            if mail != Mail::TimeOut || mailbox.mail.is_none() {
                mailbox.mail = Some(mail);
            }
            mailbox.wake();
        });
    }

    /// A slot has one from when it is first told something or moved into.
    fn with_mailbox<T>(&self, slot: SlotId, change: impl FnOnce(&mut Mailbox) -> T) -> T {
        let mut mailboxes = self.mailboxes.borrow_mut();
        if mailboxes.len() <= slot {
            mailboxes.resize_with(slot + 1, Mailbox::default);
        }
        change(&mut mailboxes[slot])
    }
}

impl Mailbox {
    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

impl Pending {
    /// The sample of this arrival.
    pub(super) fn sample(
        &self,
        handover: Duration,
        sent: Moment,
        (done, unread): (Moment, Duration),
        outcome: Outcome,
    ) -> Sample {
        let Self { due, released, .. } = *self;
        let sent = sent.max(released);
        Sample { due, released, handover, sent, done, unread, outcome, model_time: None }
    }
}

fn mail(order: Order) -> Mail {
    match order {
        Order::Close => Mail::Close,
        Order::TimeOut => Mail::TimeOut,
    }
}
