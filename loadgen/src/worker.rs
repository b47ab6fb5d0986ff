//! A worker: one thread with its own runtime, its share of the schedule, its connections and its
//! recorder. In the path of a request nothing is shared with another thread but the ceiling on the
//! send rate, if there is one.
//!
//! Its loop lets arrivals go when they are due and never waits for anything but the clock; the
//! connections run as tasks beside it. The loop is a task like them and takes its turn with them,
//! [`BATCH`] arrivals at a time: a worker that has more to send than its processor can do falls
//! behind its schedule, and that is in the release lags. A loop that always went first would
//! release on time what then waits for the tasks.
//!
//! Once a second it hands what was recorded to the collector. If the collector's queue is full, all
//! of it stays and grows until the next second: nothing is lost, and the loop does not wait.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use plimsoll_domain::schedule::{Arrival, Arrivals};
use plimsoll_domain::{Key, Limits, Moment, Names, Recorder, clock};
use tokio::runtime::LocalOptions;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) use desk::Ceiling;
use desk::Desk;
use pacer::Pacer;
use pauses::Pauses;
use queue::Rules;
use slot::Setup;
use usage::Usage;

use crate::limits::MAX_BACKLOG;
use crate::report::{Farewell, Message, Report};
use crate::request::Template;
use crate::{NamedRequest, Target};

mod attribution;
mod desk;
mod pacer;
mod pauses;
mod queue;
mod slot;
mod usage;

/// The length of an interval.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);

/// How long a worker waits for the connections that it opens ahead.
const WARM_UP: Duration = Duration::from_secs(1);

/// How long an aborted connection may take to notice.
const ABORT: Duration = Duration::from_secs(1);

/// Arrivals let go before the connections get their turn.
const BATCH: usize = 32;

/// What a worker needs to begin.
pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) target: Target,
    pub(crate) requests: Vec<NamedRequest>,
    pub(crate) names: Names,
    pub(crate) counted: Limits,
    pub(crate) ceiling: Ceiling,
    pub(crate) arrivals: Arrivals,
    /// The length of the schedule.
    pub(crate) length: Duration,
    pub(crate) timeout: Duration,
    pub(crate) max_connections: usize,
    pub(crate) warm_connections: usize,
    pub(crate) drain: Duration,
    pub(crate) may_spin: bool,
    pub(crate) stop: CancellationToken,
    pub(crate) abort: CancellationToken,
    /// Told by the plan when all can begin: the first moment of the schedule.
    pub(crate) begin: watch::Receiver<Option<Moment>>,
    pub(crate) messages: mpsc::Sender<Message>,
    /// Where a test has the worker panic.
    #[cfg(test)]
    pub(crate) panics: Option<Panics>,
}

/// Where a test has a worker panic.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Panics {
    BeforeReady,
    /// When it has reported so many intervals.
    After(u64),
}

impl Worker {
    /// The thread's whole life. `ready` is told once, when the worker can begin or why it cannot.
    pub(crate) fn run(self, farewell: Farewell, ready: oneshot::Sender<io::Result<()>>) {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = match builder.enable_all().build_local(LocalOptions::default()) {
            Ok(runtime) => runtime,
            Err(error) => return drop(ready.send(Err(error))),
        };
        // As a task, the loop takes its turn with the others; what is blocked on goes first.
        let lived = runtime.block_on(runtime.spawn_local(self.live(ready)));
        match lived {
            Ok(Ok(Some(stopped_early))) => farewell.done(stopped_early),
            Ok(Ok(None)) => farewell.done(true),
            Ok(Err(error)) => tracing::error!(%error, "a worker's timer failed"),
            Err(error) => tracing::error!(%error, "a worker failed; this is a bug"),
        }
    }

    /// Whether the run was stopped early; `None` if it never began.
    async fn live(mut self, ready: oneshot::Sender<io::Result<()>>) -> io::Result<Option<bool>> {
        #[cfg(test)]
        assert_ne!(self.panics, Some(Panics::BeforeReady), "as the test wants it");
        let (pacer, setup) = match self.prepare().await {
            Ok(prepared) => prepared,
            Err(error) => return Ok(ready.send(Err(error)).err().map(|_| true)),
        };
        let rules = Rules {
            max_connections: self.max_connections,
            max_backlog: MAX_BACKLOG,
            timeout: self.timeout,
        };
        let recorder = Recorder::new(self.names.clone(), self.counted.clone());
        let desk = Rc::new(Desk::new(rules, recorder, self.ceiling.clone()));
        let mut slots =
            Slots { setup: Rc::new(setup), desk: Rc::clone(&desk), tasks: JoinSet::new() };
        self.warm_up(&mut slots).await?;
        if ready.send(Ok(())).is_err() {
            return Ok(None);
        }
        let Some(t0) = self.begin.wait_for(Option::is_some).await.ok().and_then(|t0| *t0) else {
            return Ok(None);
        };
        desk.begin();
        for (token, asked) in [(&self.stop, true), (&self.abort, false)] {
            let (token, desk) = (token.clone(), Rc::clone(&desk));
            let flag = move |desk: &Desk| {
                if asked { &desk.stop_asked } else { &desk.abort_asked }.set(true);
            };
            // The loop may have its first turn before the task has.
            if token.is_cancelled() {
                flag(&desk);
            }
            slots.tasks.spawn_local(async move {
                token.cancelled().await;
                flag(&desk);
                desk.poke();
            });
        }
        Run::new(self, pacer, desk, slots, t0).go().await.map(Some)
    }

    async fn prepare(&mut self) -> io::Result<(Pacer, Setup)> {
        let pacer = Pacer::new(self.may_spin).await?;
        let ready = self.requests.iter().map(|named| Template::new(&named.request, &self.target));
        // The plan was checked before the worker was started.
        let templates: Result<Vec<_>, _> = ready.collect();
        let setup = Setup {
            target: self.target.clone(),
            templates: templates.map_err(io::Error::other)?,
            timeout: self.timeout,
            address: Cell::new(0),
        };
        Ok((pacer, setup))
    }

    /// Opens the connections that the plan asks for ahead of any arrival. What is not open in time
    /// will be in its own time; a target that refuses is for the run to find out.
    async fn warm_up(&self, slots: &mut Slots) -> io::Result<()> {
        let desk = Rc::clone(&slots.desk);
        desk.warm_up(self.warm_connections, clock::now());
        slots.open()?;
        let settled = async {
            while desk.is_opening() {
                poll_fn(|cx| desk.poll_poked(cx)).await;
            }
        };
        let _ = tokio::time::timeout(WARM_UP, settled).await;
        Ok(())
    }
}

/// The tasks of the slots.
struct Slots {
    setup: Rc<Setup>,
    desk: Rc<Desk>,
    tasks: JoinSet<()>,
}

impl Slots {
    /// Begins those that the desk wants.
    ///
    /// # Errors
    /// A task that failed: what it had in flight would never end.
    fn open(&mut self) -> io::Result<()> {
        for slot in self.desk.take_openings() {
            let (setup, desk) = (Rc::clone(&self.setup), Rc::clone(&self.desk));
            self.tasks.spawn_local(slot::run(setup, desk, slot));
        }
        while let Some(ended) = self.tasks.try_join_next() {
            ended.map_err(io::Error::other)?;
        }
        Ok(())
    }
}

/// A worker under way.
struct Run {
    worker: Worker,
    pacer: Pacer,
    desk: Rc<Desk>,
    slots: Slots,
    t0: Moment,
    next: Option<Arrival>,
    ends: Moment,
    /// When what is in flight will be aborted; set when the schedule has ended.
    gives_up: Option<Moment>,
    aborted: bool,
    stopped_early: bool,
    interval: u64,
    reported: (Moment, Option<Usage>),
    pauses: Pauses,
}

impl Run {
    fn new(mut worker: Worker, pacer: Pacer, desk: Rc<Desk>, slots: Slots, t0: Moment) -> Self {
        let next = worker.arrivals.next();
        let ends = t0 + worker.length;
        Self {
            worker,
            pacer,
            desk,
            slots,
            t0,
            next,
            ends,
            gives_up: None,
            aborted: false,
            stopped_early: false,
            interval: 0,
            reported: (t0, Usage::read()),
            pauses: Pauses::new(clock::now()),
        }
    }

    /// Whether it was stopped early.
    async fn go(mut self) -> io::Result<bool> {
        loop {
            let now = clock::now();
            if let Some(pause) = self.pauses.back(now, self.t0) {
                self.desk.pause(pause);
                // What has happened in the meantime is to be seen before anything is sent: servers
                // may have closed connections.
                tokio::task::yield_now().await;
            }
            self.step(clock::now());
            self.slots.open()?;
            if self.gives_up.is_some() && self.desk.is_empty() {
                break;
            }
            if self.aborted && self.gives_up.is_some_and(|end| now >= end) {
                tracing::error!("a connection did not notice the abort; this is a bug");
                break;
            }
            self.wait().await?;
        }
        let report = self.report(clock::now());
        // The collector outlives its workers; if it is gone, so is everyone who wants to know.
        let _ = self.worker.messages.send(Message::Report(report)).await;
        Ok(self.stopped_early)
    }

    /// Does all that is due by `now`.
    fn step(&mut self, now: Moment) {
        if self.desk.abort_asked.get() && !self.aborted {
            self.abort(now);
        }
        if self.desk.stop_asked.get() {
            self.stop(now);
        }
        self.desk.tick(now);
        for _ in 0..BATCH {
            let due = |arrival: &Arrival| self.t0 + arrival.due;
            // What is due in the next interval waits until this one is reported.
            let is_due = |next: &Arrival| due(next) <= now && due(next) < self.interval_end();
            let Some(arrival) = self.next.filter(is_due) else { break };
            let Arrival { number, stage, request, .. } = arrival;
            let key = Key { stage, request, deployment: 0 };
            self.desk.release(number, key, due(&arrival), now);
            self.next = self.worker.arrivals.next();
        }
        if now >= self.interval_end() {
            self.tick(now);
        }
        match self.gives_up {
            None if now >= self.ends && self.next.is_none() => self.drain(now),
            Some(end) if now >= end && !self.aborted => self.abort(now),
            _ => {}
        }
    }

    /// Waits until there is something to do, or something has happened.
    async fn wait(&mut self) -> io::Result<()> {
        let now = clock::now();
        let next = self.next.map(|arrival| self.t0 + arrival.due);
        let heartbeat = self.desk.is_in_flight().then(|| now + pauses::HEARTBEAT);
        let ends = self.gives_up.unwrap_or(self.ends).min(self.interval_end());
        let all = [next, self.desk.next_tick(), heartbeat];
        let at = all.into_iter().flatten().fold(ends, Moment::min);
        self.pauses.ask(at, now);
        self.desk.sleep_until(at);
        let desk = Rc::clone(&self.desk);
        tokio::select! {
            biased;
            () = poll_fn(|cx| desk.poll_poked(cx)) => {
                // It may have come back before its time.
                self.pauses.ask(clock::now(), now);
                Ok(())
            }
            woken = self.pacer.wait(at) => woken,
        }
    }

    fn drain(&mut self, now: Moment) {
        self.gives_up = Some(now + self.worker.drain);
        self.desk.drain();
    }

    fn stop(&mut self, now: Moment) {
        if self.gives_up.is_none() {
            self.stopped_early = true;
            self.next = None;
            self.drain(now);
        }
    }

    fn abort(&mut self, now: Moment) {
        self.stop(now);
        self.aborted = true;
        self.gives_up = Some(now + ABORT);
        self.desk.abort(now);
    }

    fn interval_end(&self) -> Moment {
        self.t0 + INTERVAL * u32::try_from(self.interval + 1).unwrap_or(u32::MAX)
    }

    /// Hands over what was recorded in the interval that has just ended.
    fn tick(&mut self, now: Moment) {
        #[cfg(test)]
        if let Some(Panics::After(intervals)) = self.worker.panics {
            assert!(self.interval < intervals, "as the test wants it");
        }
        let passed = now.since(self.t0).as_nanos() / INTERVAL.as_nanos();
        self.interval = passed as u64 - 1;
        match self.worker.messages.clone().try_reserve() {
            Ok(permit) => permit.send(Message::Report(self.report(now))),
            Err(mpsc::error::TrySendError::Full(())) => {}
            // Nobody will ever know the result: stop loading.
            Err(mpsc::error::TrySendError::Closed(())) => self.abort(now),
        }
        self.interval += 1;
    }

    /// Everything since the last report, up to `now`.
    fn report(&mut self, now: Moment) -> Report {
        let usage = Usage::read();
        let (then, before) = std::mem::replace(&mut self.reported, (now, usage));
        let (start, end) = (then.since(self.t0), now.since(self.t0));
        let mut snapshot = self.desk.take(self.interval, start, end, now);
        if let Some((now_used, used)) = usage.zip(before) {
            let (ran, waited) = now_used.shares(used, now.since(then));
            let generator = &mut snapshot.generator;
            (generator.cpu_cores, generator.cpu_busiest) = (Some(ran), Some(ran));
            generator.cpu_wait = Some(waited);
        }
        Report { worker: self.worker.index, interval: self.interval, snapshot: Box::new(snapshot) }
    }
}
