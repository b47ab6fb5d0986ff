//! A whole run of load: what to send where, when and within which limits; starting it, and what
//! it is while it runs.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use plimsoll_domain::schedule::{ArrivalProcess, Arrivals, Profile};
use plimsoll_domain::{Moment, Snapshot, clock};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::collector::Collector;
use crate::request::Head;
use crate::worker::Worker;
use crate::{Error, Limits, Request, Target};

/// Between the moment when all workers are ready and the first arrival.
const LEAD: Duration = Duration::from_millis(10);

/// Everything that a run of load needs to know.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    /// Where to.
    pub target: Target,
    /// What.
    pub request: Request,
    /// How much, when.
    pub profile: Profile,
    /// How spaced.
    pub process: ArrivalProcess,
    /// Of everything random.
    pub seed: u64,
    /// Within which limits.
    pub limits: Limits,
    /// Worker threads. If not given: one on up to two cores, else half as many as there are cores.
    pub workers: Option<NonZeroUsize>,
}

/// What all connections read and none changes.
pub(crate) struct Shared {
    pub(crate) target: Target,
    pub(crate) request: Request,
    /// Everything of the request but its body.
    pub(crate) head: Head,
    pub(crate) timeout: Duration,
    pub(crate) ceiling: Option<DefaultDirectRateLimiter>,
}

impl LoadPlan {
    /// Starts the run and returns when its first moment is known.
    ///
    /// A snapshot is sent for each second, and one for the rest after the drain; the channel is
    /// closed after the last. Cancelling `stop` ends the schedule: arrivals not yet due are not
    /// offered, and what is under way is drained.
    ///
    /// # Errors
    /// A plan that contradicts itself; a thread or timer that this machine does not give.
    pub async fn start(
        self,
        snapshots: mpsc::Sender<Snapshot>,
        stop: CancellationToken,
    ) -> Result<Running, Error> {
        let shared = Arc::new(self.shared()?);
        raise_descriptor_limit();
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let workers = self.workers(cores);
        let arrivals = Arrivals::new(&self.profile, self.process, self.seed);
        let abort = CancellationToken::new();
        // If the start fails half way, those that have begun must end too.
        let guard = abort.clone().drop_guard();
        let (ready, mut readies) = mpsc::channel(workers);
        let (begin, begins) = watch::channel(None);
        let (reports, received) = mpsc::channel(4 * workers);
        for index in 0..workers {
            let worker = Worker {
                index,
                shared: Arc::clone(&shared),
                arrivals: arrivals.clone().shard(index as u64, workers as u64),
                length: self.profile.duration(),
                max_connections: self.limits.connections_each(index, workers),
                drain: self.limits.drain,
                may_spin: cores >= 4 && 2 * workers <= cores,
                stop: stop.child_token(),
                abort: abort.child_token(),
                ready: ready.clone(),
                begin: begins.clone(),
                reports: reports.clone(),
            };
            let thread = thread::Builder::new().name(format!("load-{index}"));
            let failed = |source| Error::Worker { step: "starting its thread", source };
            thread.spawn(move || worker.run()).map_err(failed)?;
        }
        drop((ready, reports));
        for _ in 0..workers {
            let said = readies.recv().await.ok_or(Error::WorkerLost)?;
            let failed = |source| Error::Worker { step: "preparing its timer", source };
            said.map_err(failed)?;
        }
        let t0 = clock::now() + LEAD;
        begin.send_replace(Some(t0));
        let collector = tokio::spawn(Collector::new(workers, snapshots).run(received));
        Ok(Running { t0, abort: guard.disarm(), collector })
    }

    fn workers(&self, cores: usize) -> usize {
        let default = if cores <= 2 { 1 } else { cores / 2 };
        let wanted = self.workers.map_or(default, NonZeroUsize::get);
        wanted.min(self.limits.max_connections.unwrap_or(usize::MAX))
    }

    fn shared(&self) -> Result<Shared, Error> {
        let refuse = |reason: String| Err(Error::Plan(reason));
        if self.profile.duration().is_zero() {
            return refuse("the profile has no stage, or only stages of no duration".to_owned());
        }
        let is_rate = |rps: f64| rps.is_finite() && rps >= 0.0;
        let mut stages = self.profile.stages.iter();
        if let Some(stage) = stages.find(|s| !is_rate(s.from_rps) || !is_rate(s.to_rps)) {
            return refuse(format!("stage `{}` has a rate that is no number from 0", stage.name));
        }
        if self.limits.request_timeout.is_zero() {
            return refuse("a request timeout of 0 lets nothing be answered".to_owned());
        }
        if self.limits.max_connections == Some(0) {
            return refuse("at most 0 connections let nothing be sent".to_owned());
        }
        let head = self.request.head(&self.target)?;
        let ceiling = self.limits.max_rps.map(|rps| {
            // A tenth of a second's worth may go at once, so that the timer's own lateness does
            // not cost arrivals of a schedule that keeps below the ceiling.
            let burst = rps.get().div_ceil(10).try_into().expect("at least 1");
            RateLimiter::direct(Quota::per_second(rps).allow_burst(burst))
        });
        Ok(Shared {
            target: self.target.clone(),
            request: self.request.clone(),
            head,
            timeout: self.limits.request_timeout,
            ceiling,
        })
    }
}

/// A run under way. Dropping it aborts the run.
#[derive(Debug)]
pub struct Running {
    t0: Moment,
    abort: CancellationToken,
    collector: JoinHandle<Option<bool>>,
}

/// What a run was, beside its snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// The schedule's first moment.
    pub t0: Moment,
    /// Whether it ended before its schedule.
    pub stopped_early: bool,
}

impl Running {
    /// The schedule's first moment, from which snapshots count.
    pub fn t0(&self) -> Moment {
        self.t0
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
    /// channel's queue or put into it.
    ///
    /// # Errors
    /// A worker that ended early.
    pub async fn finished(mut self) -> Result<Finished, Error> {
        let ended = (&mut self.collector).await.ok().flatten();
        let stopped_early = ended.ok_or(Error::WorkerLost)?;
        Ok(Finished { t0: self.t0, stopped_early })
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
