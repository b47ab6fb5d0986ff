//! A run: its start, and what it is while it runs.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use governor::{Quota, RateLimiter};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use plimsoll_domain::{Moment, Snapshot, clock};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::collector::{Collected, Collector};
use crate::report::Farewell;
use crate::worker::{Ceiling, Worker};
use crate::{Error, LoadPlan, Target};

#[cfg(test)]
mod tests;

/// Between the moment when all workers are ready and the first arrival.
const LEAD: Duration = Duration::from_millis(10);

/// Reports of each worker that may wait for the collector, beside its farewell.
const REPORTS: usize = 4;

impl LoadPlan {
    /// Starts the run against the plan's target, which was resolved before, and returns when its
    /// first moment is known.
    ///
    /// A snapshot is sent for each second, and one for the rest after the drain; the channel is
    /// closed after the last. Cancelling `stop` ends the schedule: arrivals not yet due are not
    /// offered, and what is under way is drained.
    ///
    /// # Errors
    /// A plan that contradicts itself; a thread or timer that this machine does not give.
    pub async fn start(
        self,
        target: Target,
        snapshots: mpsc::Sender<Snapshot>,
        stop: CancellationToken,
    ) -> Result<Running, Error> {
        self.check()?;
        raise_descriptor_limit();
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let workers = self.workers(cores);
        let ceiling = self.ceiling();
        let arrivals = self.arrivals()?;
        let abort = CancellationToken::new();
        // If the start fails half way, those that have begun must end too.
        let guard = abort.clone().drop_guard();
        // Stopped by the caller, or when a worker is lost.
        let halt = stop.child_token();
        let (begin, begins) = watch::channel(None);
        let (messages, received) = mpsc::channel((REPORTS + 1) * workers);
        let mut readies = Vec::new();
        for index in 0..workers {
            let worker = Worker {
                index,
                target: target.clone(),
                requests: self.requests.clone(),
                names: self.names(),
                counted: self.counted.clone(),
                ceiling: ceiling.clone(),
                arrivals: arrivals.clone().shard(index as u64, workers as u64),
                length: self.profile.duration(),
                timeout: self.limits.request_timeout,
                max_connections: self.limits.connections_each(index, workers),
                warm_connections: self.limits.warm_each(index, workers),
                drain: self.limits.drain,
                may_spin: cores >= 4 && 2 * workers <= cores,
                stop: halt.clone(),
                abort: abort.child_token(),
                begin: begins.clone(),
                messages: messages.clone(),
                #[cfg(test)]
                panics: tests::panics(self.seed, index),
            };
            let (ready, told) = oneshot::channel();
            readies.push(told);
            let farewell = Farewell::new(index, messages.clone()).ok_or(Error::WorkerLost)?;
            let thread = thread::Builder::new().name(format!("load-{index}"));
            let failed = |source| Error::Worker { step: "starting its thread", source };
            thread.spawn(move || worker.run(farewell, ready)).map_err(failed)?;
        }
        drop(messages);
        for told in readies {
            let failed = |source| Error::Worker { step: "preparing its timer", source };
            told.await.map_err(|_| Error::WorkerLost)?.map_err(failed)?;
        }
        let (t0, first_due) = (clock::now() + LEAD, clock::wall() + LEAD);
        begin.send_replace(Some(t0));
        let collector = tokio::spawn(Collector::new(workers, snapshots, halt).run(received));
        Ok(Running { t0, first_due, abort: guard.disarm(), collector })
    }

    fn ceiling(&self) -> Ceiling {
        self.limits.max_rps.map(|rps| {
            // A tenth of a second's worth may go at once, so that the timer's own lateness does
            // not cost arrivals of a schedule that keeps below the ceiling.
            let burst = rps.get().div_ceil(10).try_into().expect("at least 1");
            Arc::new(RateLimiter::direct(Quota::per_second(rps).allow_burst(burst)))
        })
    }
}

/// A run under way. Dropping it aborts the run.
#[derive(Debug)]
pub struct Running {
    t0: Moment,
    first_due: SystemTime,
    abort: CancellationToken,
    collector: JoinHandle<Collected>,
}

/// What a run was, beside its snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// The schedule's first moment.
    pub t0: Moment,
    /// The same by the wall clock.
    pub first_due: SystemTime,
    /// Whether it ended before its schedule.
    pub stopped_early: bool,
    /// Workers that ended without their last report. What they had not reported is lost, and the
    /// run was stopped early because of it.
    pub lost_workers: u32,
}

impl Running {
    /// The schedule's first moment, from which snapshots count.
    pub fn t0(&self) -> Moment {
        self.t0
    }

    /// The same by the wall clock, read together: the beginning of every exported time.
    pub fn first_due(&self) -> SystemTime {
        self.first_due
    }

    /// Ends the run at once: what waits is dropped, what is in flight is aborted.
    pub fn abort(&self) {
        self.abort.cancel();
    }

    /// A handle that ends the run at once when it is cancelled.
    pub fn aborter(&self) -> CancellationToken {
        self.abort.clone()
    }

    /// Waits for the end of the run, which comes after its last snapshot was taken from the
    /// channel's queue or put into it. A lost worker is no error: what the others measured is whole.
    ///
    /// # Errors
    /// The collector ended early: a bug.
    pub async fn finished(mut self) -> Result<Finished, Error> {
        let ended = (&mut self.collector).await.map_err(|_| Error::WorkerLost)?;
        let Collected { stopped_early, lost_workers } = ended;
        Ok(Finished { t0: self.t0, first_due: self.first_due, stopped_early, lost_workers })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.abort.cancel();
    }
}

/// Each connection takes a descriptor, and the usual limit of 1,024 is there for old programs only.
fn raise_descriptor_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}
