//! The life of one instance: started, ready by probe, watched, started again when it dies, drained.
//!
//! The first start must succeed; if it does not, the instance gives up and says why. Once it was
//! ready, it is kept alive: each end is logged, and it is started again after a back-off that
//! doubles up to ten seconds. While it is away, the other instances get its requests. Both probes begin anew with
//! each start, as on Azure: what the file says of `initial_delay` and thresholds is what a scale-out or a crash costs.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use plimsoll_deploy::admission::InstanceId;
use plimsoll_deploy::arm::wire::InstanceStatus;
use plimsoll_deploy::spec::Probe;
use plimsoll_domain::clock;
use tokio::process::Command;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::cgroup::{Group, Groups};
use super::guard::GROUP;
use super::logs::{Failure, Log};
use super::pool::Pool;
use super::process::Process;
use super::spawner::Spawner;
use super::{Rehearsal, ports, probe, surroundings};
use crate::runtime::{Launch, Prepared, Program};

/// Between an end and the next start, at first and at most.
const BACK_OFF: Duration = Duration::from_millis(100);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(10);

/// Starts on another port when the first one was lost to somebody else.
const OTHER_PORTS: u32 = 3;

/// Lines of its output that a failed start is explained with.
const EXPLAIN_LINES: usize = 20;

/// What is said of an instance whose task is gone.
const LOST: &str = "its task ended, which is a fault of the local host, whose messages say more";

/// What all instances of a deployment share.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) prepared: Prepared,
    pub(super) executable: PathBuf,
    /// The deployment's name, and the seed of what its instances draw.
    pub(super) deployment: String,
    pub(super) seed: u64,
    /// The deployment's folder; each instance gets one in it.
    pub(super) folder: PathBuf,
    pub(super) liveness: Probe,
    pub(super) readiness: Probe,
    /// How long a request under way may hold up a drain.
    pub(super) drain: Duration,
    /// Requests that an instance works on at a time.
    pub(super) slots: NonZeroU32,
    /// What an instance is given before its start, line by line.
    pub(super) storage: Vec<String>,
    /// What is slow, or fails, as on Azure.
    pub(super) rehearsal: Rehearsal,
    /// The host is stopping: nothing is drained any more.
    pub(super) shutdown: CancellationToken,
    pub(super) pool: Arc<Pool>,
    pub(super) spawner: Spawner,
    /// Where its control groups are made; nothing where there are none.
    pub(super) groups: Option<Arc<Groups>>,
}

/// How far an instance has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// It was not ready yet.
    Starting,
    /// It was ready at least once.
    Started,
    /// It ended before it was ever ready; why.
    Failed(String),
    /// It was removed.
    Gone,
}

/// One instance, to those who look at it.
#[derive(Debug)]
pub(super) struct Instance {
    /// What its process writes.
    pub(super) log: Log,
    /// What it was given before its start.
    pub(super) storage: Log,
    pub(super) stop: CancellationToken,
    pub(super) phase: watch::Sender<Phase>,
    status: Mutex<InstanceStatus>,
    /// Its id in the pool while it is ready.
    place: Mutex<Option<InstanceId>>,
    /// Of its present process.
    group: Mutex<Option<Arc<Group>>>,
    /// Among all that the deployment ever started, from 0.
    pub(super) number: u32,
    /// Of the description that it was made from: greater for a later one.
    pub(super) revision: u32,
}

/// Says the last phase on drop: who waits for an instance to start or to go must not wait for ever,
/// whatever became of its task.
struct Ending<'a> {
    instance: &'a Instance,
    last: Phase,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.instance.lock().pid = None;
        *self.instance.group.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.instance.phase.send_replace(self.last.clone());
    }
}

/// Why an instance's process is no more.
enum End {
    Asked,
    /// It ended, or was never there.
    Died(String),
    /// Its probes found it unfit.
    Unfit(String),
    /// Somebody else listens on the port that it was given.
    LostPort(u16),
}

impl Instance {
    /// An instance that [`run`](Self::run) will start.
    pub(super) fn new(
        deployment: &str,
        number: u32,
        revision: u32,
        stop: CancellationToken,
    ) -> Self {
        let name = number.to_string();
        let logs = format!("{deployment}/{name}");
        let (log, storage) = (Log::new(&logs), Log::new(&logs));
        let status = InstanceStatus { name, ready: false, pid: None, restarts: 0, exception: None };
        let phase = watch::Sender::new(Phase::Starting);
        let (status, place, group) = (Mutex::new(status), Mutex::default(), Mutex::default());
        Self { log, storage, stop, phase, status, place, group, number, revision }
    }

    /// What it does now.
    pub(super) fn status(&self) -> InstanceStatus {
        let exception = self.log.last_exception();
        InstanceStatus { exception, ..self.lock().clone() }
    }

    /// Its id in the pool while it is ready.
    pub(super) fn place(&self) -> Option<InstanceId> {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, place: Option<InstanceId>) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }

    /// The control group of its present process.
    pub(super) fn group(&self) -> Option<Arc<Group>> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lives until it is stopped or its first start fails, and cleans up behind itself.
    pub(super) async fn run(self: Arc<Self>, template: Arc<Template>) {
        let mut ending = Ending { instance: &self, last: Phase::Failed(LOST.to_owned()) };
        let folder = template.folder.join(&self.lock().name);
        let last = match self.live(&template, &folder).await {
            Ok(()) => Phase::Gone,
            Err(reason) => Phase::Failed(reason),
        };
        let _ = tokio::fs::remove_dir_all(&folder).await;
        ending.last = last;
    }

    /// Starts over and over; an error is a first start that failed.
    async fn live(&self, template: &Template, folder: &std::path::Path) -> Result<(), String> {
        let explain = |what: &dyn std::fmt::Display| format!("`{}`: {what}", folder.display());
        tokio::fs::create_dir_all(folder).await.map_err(|error| explain(&error))?;
        tokio::select! {
            () = self.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(template.rehearsal.provisioning) => {}
        }
        template.storage.iter().for_each(|line| self.storage.push(line.clone()));
        if let Some(reason) = template.rehearsal.fails(self.number) {
            self.log.push(format!("plimsoll: {reason}"));
            return Err(reason);
        }
        let mut back_off = pauses();
        let mut lost_ports = 0;
        loop {
            let began = clock::now();
            let reason = match self.live_once(template, folder).await {
                End::Asked => return Ok(()),
                End::LostPort(_) if lost_ports < OTHER_PORTS => {
                    lost_ports += 1;
                    continue;
                }
                End::LostPort(port) => format!("port {port} was taken by another program"),
                End::Died(reason) | End::Unfit(reason) => reason,
            };
            if *self.phase.borrow() == Phase::Starting {
                return Err(reason);
            }
            if clock::now().since(began) > LONGEST_BACK_OFF {
                back_off = pauses();
            }
            let pause = back_off.next().unwrap_or(LONGEST_BACK_OFF);
            let name = {
                let mut status = self.lock();
                status.pid = None;
                status.restarts += 1;
                status.name.clone()
            };
            tracing::warn!(instance = name, reason, ?pause, "an instance is started again");
            self.log.push(format!("plimsoll: {reason}; starting again in {pause:?}"));
            tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One process, from its start to its end.
    async fn live_once(&self, template: &Template, folder: &std::path::Path) -> End {
        let port = match ports::free() {
            Ok(port) => port,
            Err(error) => return End::Died(error.to_string()),
        };
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let group = template.group(&self.log.name);
        let launch = template.launch(port, folder, &self.lock().name);
        let command = template.command(&launch, group.as_deref());
        self.group.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&group);
        let started = Process::start(&template.spawner, command, group, &self.log).await;
        let mut process = match started {
            Ok(process) => process,
            Err(error) => return End::Died(format!("it cannot be started: {error}")),
        };
        self.lock().pid = process.id();
        let mut open = None;
        let end = tokio::select! {
            () = self.stop.cancelled() => End::Asked,
            status = process.ended() => End::Died(self.explained(Failure::Ended, match status {
                Ok(status) => format!("its process ended with {status}"),
                Err(error) => format!("its process was lost: {error}"),
            })),
            reason = self.serve(template, address, &mut open) => {
                End::Unfit(self.explained(Failure::NotReady, reason))
            }
        };
        self.lock().ready = false;
        self.put(None);
        let Some(id) = open else {
            process.stop().await;
            let lost = !matches!(end, End::Asked) && ports::is_taken(port);
            return if lost { End::LostPort(port) } else { end };
        };
        template.pool.close(id);
        if matches!(end, End::Asked) {
            tokio::select! {
                () = template.shutdown.cancelled() => {}
                _ = tokio::time::timeout(template.drain, template.pool.drained(id)) => {}
            }
        }
        process.stop().await;
        end
    }

    /// Why the first start failed, with what its log says before the end of the process adds to it. Later the log
    /// is there to be looked at.
    fn explained(&self, failure: Failure, reason: String) -> String {
        let first = *self.phase.borrow() == Phase::Starting;
        let log = first.then(|| self.log.explanation(failure, EXPLAIN_LINES));
        reason + &log.unwrap_or_default()
    }

    /// Probes until the process is unfit to live; `open` is its id in the pool while it is ready.
    async fn serve(
        &self,
        template: &Template,
        address: SocketAddr,
        open: &mut Option<InstanceId>,
    ) -> String {
        let liveness = watch_liveness(&template.liveness, address);
        tokio::select! {
            reason = liveness => reason,
            reason = self.watch_readiness(template, address, open) => reason,
        }
    }

    /// Opens and closes it to requests; returns if it is not ready in time for the first of them.
    async fn watch_readiness(
        &self,
        template: &Template,
        address: SocketAddr,
        open: &mut Option<InstanceId>,
    ) -> String {
        let (readiness, patience) = (&template.readiness, probe::patience(&template.readiness));
        let mut judge = probe::Judge::new(readiness, false);
        let began = clock::now();
        let mut was_ready = false;
        probe::watch(readiness, address, |answer| {
            if let Some(ready) = judge.hear(answer.is_ok()) {
                self.set_ready(template, address, open, ready);
                if was_ready {
                    let word = if ready { "ready" } else { "not ready" };
                    self.log.push(format!("plimsoll: the readiness probe finds it {word}"));
                }
                was_ready = true;
                self.phase.send_if_modified(|phase| {
                    let first = *phase == Phase::Starting;
                    *phase = Phase::Started;
                    first
                });
            }
            match answer {
                Err(failure) if !was_ready && clock::now().since(began) >= patience => {
                    ControlFlow::Break(format!(
                        "it was not ready after {patience:?}, and the last probe (GET /) {failure}"
                    ))
                }
                _ => ControlFlow::Continue(()),
            }
        })
        .await
    }

    fn set_ready(
        &self,
        template: &Template,
        address: SocketAddr,
        open: &mut Option<InstanceId>,
        ready: bool,
    ) {
        match (ready, open.take()) {
            (true, None) => *open = Some(template.pool.open(address, template.slots)),
            (true, Some(id)) => *open = Some(id),
            (false, Some(id)) => template.pool.close(id),
            (false, None) => {}
        }
        self.lock().ready = ready;
        self.put(*open);
    }

    fn lock(&self) -> MutexGuard<'_, InstanceStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Template {
    fn launch(&self, port: u16, folder: &std::path::Path, instance: &str) -> Launch {
        self.prepared.launch(port, folder, self.seed, &format!("{}/{instance}", self.deployment))
    }

    /// A control group for a start of this instance. Without one the guard does what it can.
    fn group(&self, instance: &str) -> Option<Arc<Group>> {
        let made = self.groups.as_ref()?.group(instance);
        if let Err(error) = &made {
            tracing::warn!(instance, %error, "an instance has no control group");
        }
        made.ok().map(Arc::new)
    }

    /// The launch, through the guard.
    fn command(&self, launch: &Launch, group: Option<&Group>) -> Command {
        let mut command = Command::new(&self.executable);
        command.arg("guard").arg(std::process::id().to_string());
        command.args(group.iter().flat_map(|group| [Path::new(GROUP), &group.path]));
        command.arg(match &launch.program {
            Program::Plimsoll => self.executable.as_os_str(),
            Program::Path(path) => path.as_os_str(),
        });
        command.args(&launch.args).current_dir(&launch.cwd);
        command.env_clear().envs(surroundings::inherited()).envs(&launch.env);
        command
    }
}

/// Between an end and the next start, over and over.
fn pauses() -> ExponentialBackoff {
    let pauses = ExponentialBuilder::default().with_min_delay(BACK_OFF);
    pauses.with_max_delay(LONGEST_BACK_OFF).without_max_times().build()
}

/// Returns when the probe has failed as often in a row as it may.
async fn watch_liveness(liveness: &Probe, address: SocketAddr) -> String {
    let mut judge = probe::Judge::new(liveness, true);
    probe::watch(liveness, address, |answer| match (judge.hear(answer.is_ok()), answer) {
        (Some(false), Err(failure)) => ControlFlow::Break(format!(
            "its liveness probe failed {} times in a row, and the last one (GET /) {failure}",
            liveness.failure_threshold
        )),
        _ => ControlFlow::Continue(()),
    })
    .await
}
