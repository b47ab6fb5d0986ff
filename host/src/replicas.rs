//! The instances of a deployment: as many as are wanted.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plimsoll_deploy::admission::InstanceId;
use plimsoll_deploy::arm::wire::InstanceStatus;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::fault::Fault;
use super::instance::{Instance, Phase, Template};
use super::pool::Pool;

/// A deployment's instances. One operation at a time changes their number.
#[derive(Debug)]
pub(super) struct Replicas {
    template: Arc<Template>,
    instances: Mutex<Vec<Arc<Instance>>>,
    started: AtomicU32,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Replicas {
    /// No instances yet. `stop` ends all that will be.
    pub(super) fn new(template: Template, stop: CancellationToken, tasks: TaskTracker) -> Self {
        let (instances, started) = (Mutex::default(), AtomicU32::new(0));
        Self { template: Arc::new(template), instances, started, stop, tasks }
    }

    /// What the gateway sees of them.
    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.template.pool
    }

    /// What each does now.
    pub(super) fn status(&self) -> Vec<InstanceStatus> {
        self.lock().iter().map(|instance| instance.status()).collect()
    }

    /// What each does now, with its id in the pool while it is ready.
    pub(super) fn places(&self) -> Vec<(InstanceStatus, Option<InstanceId>)> {
        self.lock().iter().map(|instance| (instance.status(), instance.place())).collect()
    }

    /// The last lines of one instance, the oldest, as Azure answers with one that it chooses.
    pub(super) fn log(&self, lines: usize) -> String {
        self.lock().first().map_or_else(String::new, |instance| instance.log.tail(lines))
    }

    /// Starts or stops instances until there are `wanted`, and waits until the new ones are ready or
    /// the old ones gone. If one of the new ones fails, the new ones are removed again.
    pub(super) async fn scale(&self, wanted: usize) -> Result<(), Fault> {
        let have = self.lock().len();
        if wanted < have {
            let leaving = self.lock().split_off(wanted);
            stop_all(&leaving).await;
            return Ok(());
        }
        let new: Vec<_> = (have..wanted).map(|_| self.start()).collect();
        self.lock().extend(new.iter().cloned());
        for instance in &new {
            if let Err(fault) = self.wait_started(instance).await {
                stop_all(&new).await;
                let mut instances = self.lock();
                // The one that failed stays if it is the only one: its log tells why.
                instances.truncate(have.max(1));
                // None is left when the endpoint was deleted meanwhile.
                if have == 0
                    && let Some(first) = instances.first_mut()
                {
                    *first = Arc::clone(instance);
                }
                return Err(fault);
            }
        }
        Ok(())
    }

    /// Stops all of them.
    pub(super) async fn stop(&self) {
        let all = std::mem::take(&mut *self.lock());
        stop_all(&all).await;
    }

    fn start(&self) -> Arc<Instance> {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let instance = Instance::new(&self.template.deployment, number, self.stop.child_token());
        let instance = Arc::new(instance);
        self.tasks.spawn(Arc::clone(&instance).run(Arc::clone(&self.template)));
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

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Instance>>> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
