//! The instances of a deployment: as many as are wanted, made from the description that is wanted.
//!
//! [`plimsoll_deploy::rollout`] decides how instances of one description are replaced by those of another; here the
//! steps are executed. The gateway sees one pool of instances all the while, so that no request meets one that is not
//! ready, and none waits for one that is leaving.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plimsoll_deploy::admission::InstanceId;
use plimsoll_deploy::arm::Container;
use plimsoll_deploy::arm::wire::InstanceStatus;
use plimsoll_deploy::rollout::{Rollout, Step};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cgroup::Group;
use super::fault::Fault;
use super::instance::{Instance, Phase, Template};
use super::logs;
use super::pool::Pool;

/// A deployment's instances. One operation at a time changes them.
#[derive(Debug)]
pub(super) struct Replicas {
    pool: Arc<Pool>,
    state: Mutex<State>,
    started: AtomicU32,
    stop: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Debug)]
struct State {
    /// What instances are made from, and how often that was another before.
    template: Arc<Template>,
    revision: u32,
    /// In the order of their start.
    instances: Vec<Arc<Instance>>,
    /// Those that the last operation could not bring up. Their logs tell why.
    failed: Vec<Arc<Instance>>,
}

impl Replicas {
    /// No instances yet. `stop` ends all that will be.
    pub(super) fn new(template: Template, stop: CancellationToken, tasks: TaskTracker) -> Self {
        let pool = Arc::clone(&template.pool);
        let template = Arc::new(template);
        let state = State { template, revision: 0, instances: Vec::new(), failed: Vec::new() };
        Self { pool, state: Mutex::new(state), started: AtomicU32::new(0), stop, tasks }
    }

    /// What the gateway sees of them.
    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// What each does now. Those that failed are shown if there are no others.
    pub(super) fn status(&self) -> Vec<InstanceStatus> {
        let state = self.lock();
        let shown = if state.instances.is_empty() { &state.failed } else { &state.instances };
        shown.iter().map(|instance| instance.status()).collect()
    }

    /// The same of those that are not given up, each with its control group.
    pub(super) fn seen(&self) -> Vec<(InstanceStatus, Option<Arc<Group>>)> {
        let state = self.lock();
        state.instances.iter().map(|instance| (instance.status(), instance.group())).collect()
    }

    /// The same, each with its id in the pool while it is ready.
    pub(super) fn places(&self) -> Vec<(InstanceStatus, Option<InstanceId>)> {
        let state = self.lock();
        state.instances.iter().map(|instance| (instance.status(), instance.place())).collect()
    }

    /// The last lines of each instance's log, in the order of their numbers.
    pub(super) fn log(&self, container: Container, lines: usize) -> String {
        let state = self.lock();
        let mut all: Vec<_> = state.instances.iter().chain(&state.failed).cloned().collect();
        drop(state);
        all.sort_by_key(|instance| instance.number);
        let log = |instance: &Arc<Instance>| match container {
            Container::InferenceServer => instance.log.clone(),
            Container::StorageInitializer => instance.storage.clone(),
        };
        logs::together(all.iter().map(log), lines)
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        self.lock().instances.len() as u32
    }

    /// Whether an update stopped half-way, so that there are instances of two descriptions.
    pub(super) fn are_mixed(&self) -> bool {
        let state = self.lock();
        state.instances.iter().any(|instance| instance.revision != state.revision)
    }

    /// Starts or stops instances until there are `wanted`, and waits until the new ones are ready or
    /// the old ones gone. If one of the new ones fails, the new ones are removed again.
    pub(super) async fn scale(&self, wanted: usize) -> Result<(), Fault> {
        let (have, template, revision) = {
            let mut state = self.lock();
            state.failed.clear();
            (state.instances.len(), Arc::clone(&state.template), state.revision)
        };
        if wanted < have {
            let leaving = self.lock().instances.split_off(wanted);
            stop_all(&leaving).await;
            return Ok(());
        }
        self.start(wanted - have, &template, revision).await
    }

    /// Replaces all instances by `wanted` of another description, step by step; `told` hears of each. If a new one
    /// fails, those of its step are removed again, and what serves goes on.
    pub(super) async fn update(
        &self,
        template: Template,
        wanted: NonZeroU32,
        told: impl Fn(String),
    ) -> Result<(), Fault> {
        let template = Arc::new(template);
        // Those of an update that stopped half-way count as old ones, whatever they were made from.
        let newest = |state: &State| state.instances.iter().map(|i| i.revision).max();
        let revision = {
            let state = self.lock();
            newest(&state).unwrap_or(0).max(state.revision) + 1
        };
        let rollout = Rollout::to(wanted);
        loop {
            let (old, new) = self.old_and_new(revision);
            match rollout.next(old, new) {
                Step::Scale(count) => {
                    told(format!("scaling from {old} to {count} instances before the update"));
                    self.scale(count as usize).await?;
                }
                Step::Start(count) => {
                    told(format!("starting {count} new instances beside the {old} that serve"));
                    self.lock().failed.clear();
                    let started = self.start(count as usize, &template, revision).await;
                    started.map_err(|fault| stopped(fault, old, new))?;
                }
                Step::Retire(count) => {
                    told(format!("draining {count} instances: {new} of {wanted} are new"));
                    stop_all(&self.leaving(count as usize, revision)).await;
                }
                Step::Done => break,
            }
        }
        let mut state = self.lock();
        (state.template, state.revision) = (template, revision);
        Ok(())
    }

    /// Stops all of them.
    pub(super) async fn stop(&self) {
        let all = {
            let mut state = self.lock();
            state.failed.clear();
            std::mem::take(&mut state.instances)
        };
        stop_all(&all).await;
    }

    /// Instances of other descriptions, and of this one.
    fn old_and_new(&self, revision: u32) -> (u32, u32) {
        let state = self.lock();
        let new = state.instances.iter().filter(|each| each.revision == revision).count();
        ((state.instances.len() - new) as u32, new as u32)
    }

    /// Takes out so many of other descriptions: first those that serve nobody, then the oldest.
    fn leaving(&self, count: usize, revision: u32) -> Vec<Arc<Instance>> {
        let instances = &mut self.lock().instances;
        let old = instances.iter().filter(|instance| instance.revision != revision);
        let mut old: Vec<_> = old.map(|each| (each.status().ready, each.number)).collect();
        old.sort_unstable();
        old.truncate(count);
        let leaves =
            |each: &mut Arc<Instance>| old.iter().any(|(_, number)| *number == each.number);
        instances.extract_if(.., leaves).collect()
    }

    /// Starts so many, and waits until they are ready. If one fails, all of them are removed.
    async fn start(
        &self,
        count: usize,
        template: &Arc<Template>,
        revision: u32,
    ) -> Result<(), Fault> {
        let new: Vec<_> = (0..count).map(|_| self.start_one(template, revision)).collect();
        self.lock().instances.extend(new.iter().cloned());
        for instance in &new {
            let Err(fault) = self.wait_started(instance).await else { continue };
            let started_now = |each: &Arc<Instance>| new.iter().any(|new| Arc::ptr_eq(new, each));
            self.lock().instances.retain(|each| !started_now(each));
            stop_all(&new).await;
            self.lock().failed.push(Arc::clone(instance));
            return Err(fault);
        }
        Ok(())
    }

    fn start_one(&self, template: &Arc<Template>, revision: u32) -> Arc<Instance> {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let stop = self.stop.child_token();
        let instance = Arc::new(Instance::new(&template.deployment, number, revision, stop));
        self.tasks.spawn(Arc::clone(&instance).run(Arc::clone(template)));
        instance
    }

    async fn wait_started(&self, instance: &Instance) -> Result<(), Fault> {
        let mut phase = instance.phase.subscribe();
        let phase = phase.wait_for(|phase| *phase != Phase::Starting).await;
        match phase.as_deref() {
            Ok(Phase::Started) => Ok(()),
            Ok(Phase::Failed(reason)) => Err(Fault::not_ready(format!(
                "instance {} did not become ready: {}",
                instance.status().name,
                reason.trim_end()
            ))),
            _ => Err(Fault::canceled()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why an update did not go on, and what serves now.
fn stopped(fault: Fault, old: u32, new: u32) -> Fault {
    let serves = match (old, new) {
        (0, 0) => return fault,
        (old, 0) => format!("the {old} instances from before go on serving"),
        (old, new) => format!("{new} new and {old} old instances go on serving"),
    };
    Fault { message: format!("{}\nthe update stopped: {serves}", fault.message), ..fault }
}

/// Asks all at once, then waits for each.
async fn stop_all(instances: &[Arc<Instance>]) {
    for instance in instances {
        instance.stop.cancel();
    }
    for instance in instances {
        let over = |phase: &Phase| matches!(phase, Phase::Gone | Phase::Failed(_));
        // The sender is part of the instance, so it cannot be gone before it has said so.
        let _ = instance.phase.subscribe().wait_for(over).await;
    }
}
