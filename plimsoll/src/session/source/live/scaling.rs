//! The executor of autoscale rules: asks the host what its instances use, tells the controller, and
//! sets the counts that it wants, one after the other, as Azure's autoscale does.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_autoscale::controller::{Controller, Happening};
use plimsoll_autoscale::pipeline::{InstanceUse, Usage};
use plimsoll_deploy::arm::ArmDriver;
use plimsoll_deploy::arm::wire::DeploymentUse;
use plimsoll_domain::{Moment, Snapshot, clock, with_causes};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::Event;
use crate::session::source::{Instances, LOOK_EVERY};

/// Between a change that failed and the next attempt.
const AGAIN: Duration = Duration::from_secs(5);
/// Failures that may wait for the session; of more, nobody learns more.
const FAILURES: usize = 4;

/// A look at the instances, and when.
type Look = Option<(Moment, DeploymentUse)>;

/// A controller, and the tasks that look and do for it. They end with it.
pub(in crate::session) struct Scaling {
    controller: Controller,
    deployment: String,
    looks: watch::Receiver<Look>,
    target: watch::Sender<u32>,
    failures: mpsc::Receiver<String>,
    _tasks: JoinSet<()>,
}

impl Scaling {
    /// Begins to look at a deployment of a local host. Nothing is changed before the controller says so.
    pub(in crate::session) fn new(
        controller: Controller,
        driver: &Arc<ArmDriver>,
        endpoint: &str,
        deployment: &str,
    ) -> Self {
        let (looked, looks) = watch::channel(None);
        let (target, wanted) = watch::channel(controller.there());
        let (failed, failures) = mpsc::channel(FAILURES);
        let mut tasks = JoinSet::new();
        let names = || (Arc::clone(driver), endpoint.to_owned(), deployment.to_owned());
        let (eyes, endpoint_name, name) = names();
        tasks.spawn(async move { look(&eyes, &endpoint_name, &name, &looked).await });
        let (hands, endpoint_name, name) = names();
        tasks.spawn(async move { set(&hands, &endpoint_name, &name, wanted, &failed).await });
        let deployment = deployment.to_owned();
        Self { controller, deployment, looks, target, failures, _tasks: tasks }
    }

    /// An interval is over.
    pub(super) fn observe(&mut self, snapshot: &Snapshot) {
        self.controller.observe(snapshot);
    }

    /// Instances as they were counted, with as many wanted as the rules want: the host knows only of
    /// those that have a machine.
    pub(super) fn count(&self, instances: &mut [Instances]) {
        for one in instances.iter_mut().filter(|one| one.deployment == self.deployment) {
            one.wanted = self.controller.wanted();
        }
    }

    /// Does what is due, and tells of it.
    pub(super) fn turn(&mut self, t0: Moment) -> Vec<Happening> {
        let turn = self.controller.step(clock::now().since(t0));
        if let Some(target) = turn.target {
            self.target.send_replace(target);
        }
        turn.happenings
    }

    /// Waits until something may be due, or has failed. May be cancelled at any time.
    pub(super) async fn wait(&mut self, t0: Moment) -> Option<Event> {
        let now = clock::now().since(t0);
        let pause = self.controller.next_wake().saturating_sub(now).max(Duration::from_millis(1));
        tokio::select! {
            Ok(()) = self.looks.changed() => {
                let look = self.looks.borrow_and_update().clone();
                if let Some((at, look)) = look {
                    self.controller.usage(usage(at.since(t0), look));
                }
                None
            }
            Some(why) = self.failures.recv() => Some(Event::NotScaled { at: now, why }),
            () = tokio::time::sleep(pause) => None,
        }
    }
}

fn usage(at: Duration, look: DeploymentUse) -> Usage {
    let instances = look.instances.into_iter().map(|one| InstanceUse {
        name: one.name,
        ready: one.ready,
        processor: Duration::from_micros(one.processor_us),
        memory_bytes: one.memory_bytes,
        working: Duration::from_micros(one.working_us),
        in_flight: one.in_flight,
    });
    Usage { at, instances: instances.collect(), waiting: look.waiting }
}

async fn look(driver: &ArmDriver, endpoint: &str, name: &str, looked: &watch::Sender<Look>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    while !looked.is_closed() {
        ticks.tick().await;
        // A host that does not answer has no look; the metrics lack it, as they should.
        let asked = clock::now();
        if let Ok(used) = driver.deployment_use(endpoint, name).await {
            // The counts are those of a moment between the question and the answer.
            let at = asked + clock::now().since(asked) / 2;
            looked.send_replace(Some((at, used)));
        }
    }
}

/// Sets the newest target, one change at a time: a deployment takes the next when the last is done.
async fn set(
    driver: &ArmDriver,
    endpoint: &str,
    name: &str,
    mut wanted: watch::Receiver<u32>,
    failed: &mpsc::Sender<String>,
) {
    let mut has = *wanted.borrow_and_update();
    loop {
        let target = *wanted.borrow_and_update();
        if target == has {
            if wanted.changed().await.is_err() {
                return;
            }
            continue;
        }
        match driver.scale(endpoint, name, NonZeroU32::new(target).unwrap_or(NonZeroU32::MIN)).await
        {
            Ok(_) => has = target,
            Err(error) => {
                // Who is full has been told as much already.
                let _ = failed.try_send(with_causes(&error));
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}
