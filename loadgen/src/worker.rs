//! A worker: one thread with its own runtime, its share of the schedule, its connections and its
//! recorder. Nothing in the path of a request is shared with another thread.
//!
//! Its loop lets arrivals go when they are due and never waits for anything but the clock; the
//! connections run as tasks beside it. Once a second it hands what was recorded to the collector.
//! If the collector's queue is full, the part stays and grows until the next second: nothing is
//! lost, and the loop does not wait.

use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_domain::schedule::{Arrival, Arrivals};
use plimsoll_domain::{Moment, clock};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

use crate::plan::Shared;
use pacer::Pacer;
use pool::Pool;
use recorder::{Report, State};
use usage::Usage;

mod pacer;
pub(crate) mod pool;
pub(crate) mod recorder;
mod usage;

/// The length of an interval.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);

/// Connections that each worker opens before the run, so that its first arrivals do not all wait
/// for a handshake; and how long it waits for them.
const WARM: usize = 4;
const WARM_UP: Duration = Duration::from_secs(1);

/// How long an aborted connection may take to notice.
const ABORT: Duration = Duration::from_secs(1);

/// Arrivals let go at one reading of the clock, and before the connections get their turn.
const BATCH: usize = 64;

/// What a worker needs to begin.
pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) arrivals: Arrivals,
    /// The length of the schedule.
    pub(crate) length: Duration,
    pub(crate) max_connections: usize,
    pub(crate) drain: Duration,
    pub(crate) may_spin: bool,
    pub(crate) stop: CancellationToken,
    pub(crate) abort: CancellationToken,
    /// Told once, when the worker can begin or why it cannot.
    pub(crate) ready: mpsc::Sender<io::Result<()>>,
    /// Told by the plan when all can: the first moment of the schedule.
    pub(crate) begin: watch::Receiver<Option<Moment>>,
    pub(crate) reports: mpsc::Sender<Report>,
}

impl Worker {
    /// The thread's whole life.
    pub(crate) fn run(self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => LocalSet::new().block_on(&runtime, self.live()),
            Err(error) => drop(self.ready.try_send(Err(error))),
        }
    }

    async fn live(mut self) {
        let pacer = match Pacer::new(self.may_spin).await {
            Ok(pacer) => pacer,
            Err(error) => return drop(self.ready.send(Err(error)).await),
        };
        let pool = Pool::new(Arc::clone(&self.shared), self.max_connections);
        pool.warm_up(WARM);
        let settled = async {
            while pool.is_connecting() {
                pool.changed.notified().await;
            }
        };
        // What is not open by then will be in its own time; a target that refuses is for the run
        // to find out.
        let _ = tokio::time::timeout(WARM_UP, settled).await;
        if self.ready.send(Ok(())).await.is_err() {
            return;
        }
        let Some(t0) = self.begin.wait_for(Option::is_some).await.ok().and_then(|t0| *t0) else {
            return;
        };
        pool.take_part();
        let run = Run::new(self, pacer, pool, t0);
        if let Err(error) = run.go().await {
            tracing::error!(%error, "a worker's timer failed");
        }
    }
}

/// A worker under way.
struct Run {
    worker: Worker,
    pacer: Pacer,
    pool: Rc<Pool>,
    t0: Moment,
    next: Option<Arrival>,
    ends: Moment,
    /// When what is in flight will be aborted; set when the schedule has ended.
    gives_up: Option<Moment>,
    aborted: bool,
    stopped_early: bool,
    interval: u64,
    reported: (Moment, Option<Usage>),
}

impl Run {
    fn new(mut worker: Worker, pacer: Pacer, pool: Rc<Pool>, t0: Moment) -> Self {
        let next = worker.arrivals.next();
        let ends = t0 + worker.length;
        Self {
            worker,
            pacer,
            pool,
            t0,
            next,
            ends,
            gives_up: None,
            aborted: false,
            stopped_early: false,
            interval: 0,
            reported: (t0, Usage::read()),
        }
    }

    async fn go(mut self) -> io::Result<()> {
        let (stop, abort) = (self.worker.stop.clone(), self.worker.abort.clone());
        let mut stopped = pin!(stop.cancelled());
        let mut aborted = pin!(abort.cancelled());
        let mut stop_seen = false;
        loop {
            let now = clock::now();
            self.step(now);
            if self.gives_up.is_some() && self.pool.is_empty() {
                break;
            }
            if self.aborted && self.gives_up.is_some_and(|end| now >= end) {
                tracing::error!("a connection did not notice the abort; this is a bug");
                break;
            }
            tokio::select! {
                biased;
                () = &mut aborted, if !self.aborted => self.abort(clock::now()),
                () = &mut stopped, if !stop_seen => {
                    stop_seen = true;
                    self.stop(clock::now());
                }
                () = self.pool.changed.notified(), if self.gives_up.is_some() => {}
                woken = self.pacer.wait(self.wake_at()) => woken?,
            }
        }
        let mut report = self.report(clock::now());
        report.last = Some(self.stopped_early);
        // The collector outlives its workers; if it is gone, so is everyone who wants to know.
        let _ = self.worker.reports.send(report).await;
        Ok(())
    }

    /// Does all that is due by `now`.
    fn step(&mut self, now: Moment) {
        for _ in 0..BATCH {
            let due = |arrival: &Arrival| self.t0 + arrival.due;
            // What is due in the next interval waits until this one is reported.
            let is_due = |next: &Arrival| due(next) <= now && due(next) < self.interval_end();
            let Some(arrival) = self.next.filter(is_due) else { break };
            self.pool.release(arrival, due(&arrival), now);
            self.next = self.worker.arrivals.next();
        }
        self.pool.expire(now);
        if now >= self.interval_end() {
            self.tick(now);
        }
        match self.gives_up {
            None if now >= self.ends && self.next.is_none() => self.drain(now),
            Some(end) if now >= end && !self.aborted => self.abort(now),
            _ => {}
        }
    }

    fn wake_at(&self) -> Moment {
        let next = self.next.map(|arrival| self.t0 + arrival.due);
        let end = self.gives_up.unwrap_or(self.ends);
        let others = [next, self.pool.next_expiry().map(|at| at + Duration::from_nanos(1))];
        others.into_iter().flatten().fold(end.min(self.interval_end()), Moment::min)
    }

    fn drain(&mut self, now: Moment) {
        self.gives_up = Some(now + self.worker.drain);
        self.pool.drain();
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
        self.pool.abort();
    }

    fn interval_end(&self) -> Moment {
        self.t0 + INTERVAL * u32::try_from(self.interval + 1).unwrap_or(u32::MAX)
    }

    /// Hands over what was recorded in the interval that has just ended.
    fn tick(&mut self, now: Moment) {
        let passed = now.since(self.t0).as_nanos() / INTERVAL.as_nanos();
        self.interval = passed as u64 - 1;
        match self.worker.reports.clone().try_reserve() {
            Ok(permit) => permit.send(self.report(now)),
            Err(mpsc::error::TrySendError::Full(())) => {}
            // Nobody will ever know the result: stop loading.
            Err(mpsc::error::TrySendError::Closed(())) => self.abort(now),
        }
        self.interval += 1;
    }

    fn report(&mut self, now: Moment) -> Report {
        let usage = Usage::read();
        let (then, before) = std::mem::replace(&mut self.reported, (now, usage));
        let cpu = usage.zip(before).map(|(now_used, used)| now_used.shares(used, now.since(then)));
        Report {
            worker: self.worker.index,
            interval: self.interval,
            at: now.since(self.t0),
            part: self.pool.take_part(),
            state: State { cpu, ..self.pool.state() },
            last: None,
        }
    }
}
