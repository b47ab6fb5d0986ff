//! What each instance uses of its machine: processor time and memory of its control group, or else of its process group,
//! looked at now and then; and what goes through the endpoints' gates.
//!
//! An instance on Azure has a machine of its own; here it shares this one. So its processor time is a percentage of the cores
//! that it can have: those of its machine size, or those of this machine if it has fewer. Memory is a percentage of its
//! machine size's.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, UNIX_EPOCH};

use hyper::StatusCode;
use plimsoll_deploy::admission::InstanceId;
use plimsoll_deploy::arm::wire::{DeploymentUse, EndpointUse, InstanceStatus, InstanceUse};
use plimsoll_deploy::sku::Sku;
use plimsoll_domain::clock::{self, Moment};
use tokio::sync::Notify;

use super::Host;
use super::cgroup::{Group, Used, read_memory};
use super::control::{self, Answer};
use super::gate::Passed;
use super::metrics::Meter;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(10);

/// Between two looks while somebody asks for what instances use.
const EVERY_WHEN_ASKED: Duration = Duration::from_millis(500);
/// How long after the last question that is.
const ASKED_FOR: Duration = Duration::from_secs(5);

/// Of the times in `/proc`: the kernel's word to programs, whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;

/// What every instance that has a process uses.
#[derive(Debug, Clone)]
struct Look {
    at: Moment,
    /// By process id.
    used: BTreeMap<u32, Used>,
}

/// What had gone through the endpoints' gates at some time.
#[derive(Debug)]
struct AtGates {
    at: Moment,
    passed: BTreeMap<String, Passed>,
}

/// The newest look, and who wants to know.
#[derive(Debug, Default)]
pub(super) struct Watch {
    last: Mutex<Option<Look>>,
    /// When somebody asked last.
    asked: Mutex<Option<Moment>>,
    wake: Notify,
}

impl Watch {
    fn ask(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(clock::now());
        self.wake.notify_one();
    }

    fn is_asked(&self) -> bool {
        let asked = *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.is_some_and(|at| clock::now().since(at) < ASKED_FOR)
    }

    fn last(&self) -> MutexGuard<'_, Option<Look>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An instance to look at.
struct Watched {
    meter: Arc<Meter>,
    deployment: String,
    instance_type: String,
    status: InstanceStatus,
    group: Option<Arc<Group>>,
}

/// The minute since 1970.
pub(super) fn minute() -> u64 {
    clock::wall().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / 60
}

impl Host {
    /// Looks until the host stops.
    pub(super) async fn watch_usage(self: Arc<Self>) {
        let mut before: Option<Look> = None;
        let mut at_gates = AtGates { at: clock::now(), passed: BTreeMap::new() };
        loop {
            let is_asked = self.usage.is_asked();
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = tokio::time::sleep(if is_asked { EVERY_WHEN_ASKED } else { EVERY }) => {}
                () = self.usage.wake.notified(), if !is_asked => {}
            }
            let watched = self.watched();
            let looking = tokio::task::spawn_blocking(move || (look(&watched), watched));
            let Ok((now, watched)) = looking.await else { continue };
            *self.usage.last() = Some(now.clone());
            // Metrics are of as many looks as ever.
            if now.at.since(at_gates.at) < EVERY {
                continue;
            }
            at_gates = self.note_gates(&at_gates);
            for watched in watched {
                note(&watched, before.as_ref(), &now);
            }
            before = Some(now);
        }
    }

    /// What went through the endpoints' gates since the look before.
    fn note_gates(&self, before: &AtGates) -> AtGates {
        let at = clock::now();
        let (took, minute) = (at.since(before.at).as_secs_f64(), minute());
        let mut passed = BTreeMap::new();
        for (name, endpoint) in &self.store().endpoints {
            let (now, meter) = (endpoint.gateway.gate().passed(), endpoint.gateway.meter());
            // One of the same name may be another one, which began from zero.
            let old = before.passed.get(name).copied().unwrap_or_default();
            let per_second = |now: u64, old: u64| now.saturating_sub(old) as f64 / took;
            meter.seen("ConnectionsActive", now.active as f64, minute);
            let connections = per_second(now.connections, old.connections);
            meter.seen("NewConnectionsPerSecond", connections, minute);
            meter.seen("NetworkBytes", per_second(now.bytes, old.bytes), minute);
            passed.insert(name.clone(), now);
        }
        AtGates { at, passed }
    }

    /// What the instances of a deployment have used so far. Processes are looked at more often from
    /// now on, unless nobody looks at their use: that of synthetic instances says nothing.
    pub(super) fn show_use(&self, endpoint: &str, name: &str) -> Answer {
        let mut store = self.store();
        let deployment = store.deployment(endpoint, name)?;
        let is_synthetic = deployment.spec.synthetic.is_some();
        let replicas = deployment.replicas.clone();
        let passed = store.endpoint(endpoint)?.gateway.gate().passed();
        drop(store);
        if !is_synthetic {
            self.usage.ask();
        }
        let last = self.usage.last();
        let used = |pid: Option<u32>| {
            let look = last.as_ref().filter(|_| !is_synthetic);
            look.and_then(|look| look.used.get(&pid?).copied()).unwrap_or_default()
        };
        let of = replicas.as_ref();
        let each = |(status, place): (InstanceStatus, Option<InstanceId>)| {
            let used = used(status.pid);
            let taken = of.zip(place).and_then(|(of, place)| of.pool().taken(place));
            InstanceUse {
                name: status.name,
                ready: status.ready,
                processor_us: used.cpu.as_micros() as u64,
                memory_bytes: used.memory_kib * 1024,
                working_us: taken.map_or(0, |taken| taken.time.as_micros() as u64),
                in_flight: taken.map_or(0, |taken| taken.now),
            }
        };
        let instances = of.map_or_else(Vec::new, |of| of.places().into_iter().map(each).collect());
        let waiting = of.map_or(0, |of| of.pool().waiting() as u32);
        let endpoint = EndpointUse {
            turned_away: passed.turned_away,
            delayed_us: passed.delayed.as_micros() as u64,
        };
        Ok(control::json(StatusCode::OK, &DeploymentUse { instances, waiting, endpoint }))
    }

    fn watched(&self) -> Vec<Watched> {
        let store = self.store();
        let mut all = Vec::new();
        for endpoint in store.endpoints.values() {
            for deployment in endpoint.deployments.values() {
                let seen = deployment.replicas.iter().flat_map(|replicas| replicas.seen());
                all.extend(seen.map(|(status, group)| Watched {
                    meter: Arc::clone(endpoint.gateway.meter()),
                    deployment: deployment.spec.name.clone(),
                    instance_type: deployment.spec.instance_type.clone(),
                    status,
                    group,
                }));
            }
        }
        all
    }
}

fn note(watched: &Watched, before: Option<&Look>, now: &Look) {
    let Watched { meter, deployment, instance_type, status, .. } = watched;
    let minute = minute();
    let id = &status.name;
    let state = if status.ready { "Ready" } else { "NotReady" };
    let capacity = vec![id.clone(), state.to_owned()];
    meter.sampled("DeploymentCapacity", deployment, capacity, 1.0, minute);
    let Some(used) = status.pid.and_then(|pid| now.used.get(&pid)) else { return };
    let sku = Sku::find(instance_type);
    if let Some(sku) = sku {
        let percent = memory_percent(used.memory_kib, sku.memory_gib);
        meter.sampled(
            "CpuMemoryUtilizationPercentage",
            deployment,
            vec![id.clone()],
            percent,
            minute,
        );
    }
    let earlier = before.and_then(|before| Some((before.at, before.used.get(&status.pid?)?)));
    if let Some((at, earlier)) = earlier {
        let here = available_parallelism().map_or(1, |cores| cores.get() as u32);
        let cores = sku.map_or(here, |sku| sku.vcpus.min(here));
        let percent = cpu_percent(*earlier, *used, now.at.since(at), cores);
        meter.sampled("CpuUtilizationPercentage", deployment, vec![id.clone()], percent, minute);
    }
}

fn cpu_percent(before: Used, now: Used, took: Duration, cores: u32) -> f64 {
    // Less than before: a process has ended that no control group counts, and taken its time with it.
    let seconds = now.cpu.saturating_sub(before.cpu).as_secs_f64();
    (100.0 * seconds / (took.as_secs_f64() * f64::from(cores))).min(100.0)
}

fn memory_percent(kib: u64, gib: f64) -> f64 {
    100.0 * kib as f64 / (gib * f64::from(1 << 20))
}

/// What each uses now: by its control group, or else by its process group.
fn look(watched: &[Watched]) -> Look {
    let by_group =
        |watched: &Watched| Some((watched.status.pid?, watched.group.as_ref()?.used().ok()?));
    let mut used: BTreeMap<u32, Used> = watched.iter().filter_map(by_group).collect();
    if watched.iter().any(|watched| watched.group.is_none()) {
        for (group, sum) in process_groups() {
            used.entry(group).or_insert(sum);
        }
    }
    Look { at: clock::now(), used }
}

/// All process groups. A process that ends meanwhile is left out.
fn process_groups() -> BTreeMap<u32, Used> {
    let mut groups: BTreeMap<u32, Used> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let text = |name: &str| fs::read_to_string(entry.path().join(name)).ok();
        let Some((group, cpu)) = text("stat").and_then(|stat| read_stat(&stat)) else { continue };
        let sum = groups.entry(group).or_default();
        sum.cpu += cpu;
        sum.memory_kib += text("status").and_then(|status| read_memory(&status)).unwrap_or(0);
    }
    groups
}

/// Process group and processor time in `/proc/PID/stat`. The name, in parentheses, may hold anything.
fn read_stat(stat: &str) -> Option<(u32, Duration)> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
    // Counted from the state, which is the third field of the line.
    let (group, user, system) = (number(2)?, number(11)?, number(12)?);
    let seconds = (user + system) as f64 / TICKS_PER_SECOND;
    Some((u32::try_from(group).ok()?, Duration::from_secs_f64(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        let stat =
            "42 (a) S 7 (b)) S 1 40 40 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 1 0 99 1000 777 0";
        assert_eq!(read_stat(stat), Some((40, Duration::from_secs(2))));
        assert_eq!(read_stat("42 (x) S 1"), None);
        assert!(process_groups().values().any(|used| used.memory_kib > 0));
    }

    #[test]
    fn use_is_a_share_of_the_machine_that_an_instance_has() {
        let (before, now) = (Used::default(), Used { cpu: Duration::from_secs(1), memory_kib: 0 });
        let two = Duration::from_secs(2);
        assert!((cpu_percent(before, now, two, 1) - 50.0).abs() < 1e-9);
        assert!((cpu_percent(before, now, two, 2) - 25.0).abs() < 1e-9);
        assert!(cpu_percent(now, before, two, 1).abs() < 1e-9);
        assert!((memory_percent(1 << 20, 2.0) - 50.0).abs() < 1e-9);
    }
}
