//! What the instances of a site, and the machine, use while a step of a search runs.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use plimsoll_deploy::arm::ArmDriver;
use plimsoll_deploy::arm::wire::DeploymentUse;
use plimsoll_deploy::sku::Sku;
use plimsoll_deploy::spec::DeploymentSpec;
use plimsoll_domain::{Moment, clock};
use plimsoll_host::runtime::Runtime;
use plimsoll_study::capacity::Used;
use tokio::task::JoinSet;

use super::source::LOOK_EVERY;

/// What comes before is not counted: processes are looked at often only once somebody has asked.
const FIRST_AFTER: Duration = Duration::from_secs(2);

/// Looks at the deployments of an endpoint until it is dropped.
pub(super) struct Meter {
    shares: Vec<Share>,
    looks: Arc<Mutex<Vec<Look>>>,
    _task: JoinSet<()>,
}

/// What a deployment can have.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Share {
    /// Cores that its workers can have; `None` where processor time says nothing.
    cores: Option<f64>,
    slots: f64,
}

/// What was used until then.
#[derive(Debug, Clone)]
struct Look {
    at: Moment,
    /// Of each deployment.
    uses: Vec<DeploymentUse>,
    machine: Option<Machine>,
}

/// The machine's processor time, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Machine {
    idle: u64,
    all: u64,
}

impl Meter {
    /// Begins to look.
    pub(super) fn start(driver: &Arc<ArmDriver>, endpoint: &str, specs: &[DeploymentSpec]) -> Self {
        let here = available_parallelism().map_or(1, |cores| cores.get() as u32);
        let looks = Arc::new(Mutex::new(Vec::new()));
        let names = specs.iter().map(|spec| spec.name.clone()).collect();
        let (driver, endpoint, kept) =
            (Arc::clone(driver), endpoint.to_owned(), Arc::clone(&looks));
        let mut task = JoinSet::new();
        task.spawn(async move { watch(&driver, &endpoint, names, &kept).await });
        let shares = specs.iter().map(|spec| Share::of(spec, here)).collect();
        Self { shares, looks, _task: task }
    }

    /// What was used by so many requests a second; `None` if nobody could tell.
    pub(super) fn finish(self, rate_rps: f64) -> Option<Used> {
        let looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, last) = (looks.first()?, looks.last()?);
        between(first, last, &self.shares, rate_rps)
    }
}

impl Share {
    fn of(spec: &DeploymentSpec, here: u32) -> Self {
        let instances = spec.instance_count.get();
        let each = Sku::find(&spec.instance_type).map_or(here, |sku| sku.vcpus);
        let runtime = Runtime::choose(spec).ok();
        let each = match runtime.as_ref().and_then(|runtime| runtime.workers(spec)) {
            Some(workers) => each.min(workers),
            None => each,
        };
        let cores = f64::from((each * instances).min(here));
        let slots = spec.request_settings.max_concurrent_requests_per_instance.get() * instances;
        Self { cores: spec.synthetic.is_none().then_some(cores), slots: f64::from(slots) }
    }
}

/// Keeps the first look that counts, and the newest.
async fn watch(driver: &ArmDriver, endpoint: &str, names: Vec<String>, looks: &Mutex<Vec<Look>>) {
    let start = clock::now();
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let mut uses = Vec::new();
        for name in &names {
            uses.extend(driver.deployment_use(endpoint, name).await.ok());
        }
        let at = clock::now();
        // Without one of them the others would stand under its name.
        if uses.len() < names.len() || at.since(start) < FIRST_AFTER {
            continue;
        }
        let counted = std::fs::read_to_string("/proc/stat").ok();
        let machine = counted.as_deref().and_then(Machine::read);
        let mut looks = looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.truncate(1);
        looks.push(Look { at, uses, machine });
    }
}

fn between(first: &Look, last: &Look, shares: &[Share], rate_rps: f64) -> Option<Used> {
    let took = last.at.since(first.at);
    if took < LOOK_EVERY {
        return None;
    }
    let spent =
        |look: &Look, place: usize, of: fn(&plimsoll_deploy::arm::wire::InstanceUse) -> u64| {
            look.uses[place].instances.iter().map(of).sum::<u64>()
        };
    // Less than before: a process has ended, and taken its time with it.
    let share = |place: usize, of, cores: f64| {
        let micros = spent(last, place, of).saturating_sub(spent(first, place, of));
        micros as f64 / (took.as_micros() as f64 * cores)
    };
    let each = || shares.iter().enumerate();
    let processors =
        each().filter_map(|(place, of)| Some(share(place, |one| one.processor_us, of.cores?)));
    let slots = each().map(|(place, of)| share(place, |one| one.working_us, of.slots));
    let requests = (rate_rps * took.as_secs_f64()).max(1.0);
    let (before, now) = (first.uses.first()?.endpoint, last.uses.first()?.endpoint);
    let idle = first.machine.zip(last.machine).and_then(|(before, now)| now.idle_since(before));
    Some(Used {
        processor: processors.reduce(f64::max).map(|share| share.min(1.0)),
        idle,
        slots: slots.fold(0.0, f64::max).min(1.0),
        delayed_ms: now.delayed_us.saturating_sub(before.delayed_us) as f64 / 1e3 / requests,
        turned_away: now.turned_away.saturating_sub(before.turned_away) as f64 / requests,
    })
}

impl Machine {
    /// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal (proc(5)).
    fn read(stat: &str) -> Option<Self> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
        let idle = ticks.get(3)? + ticks.get(4)?;
        Some(Self { idle, all: ticks.iter().take(8).sum() })
    }

    fn idle_since(self, before: Self) -> Option<f64> {
        let all = self.all.saturating_sub(before.all);
        // What waits for a disk is not always counted upwards.
        (all > 0).then(|| self.idle.saturating_sub(before.idle) as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_deploy::arm::wire::{EndpointUse, InstanceUse};

    use super::*;

    fn look(s: u64, processor_ms: u64, working_ms: u64, endpoint: EndpointUse) -> Look {
        let instance = |part: u64| InstanceUse {
            name: part.to_string(),
            ready: true,
            processor_us: processor_ms * 1000 * part / 4,
            memory_bytes: 0,
            working_us: working_ms * 1000 * part / 4,
            in_flight: 0,
        };
        let uses =
            vec![DeploymentUse { instances: vec![instance(1), instance(3)], waiting: 0, endpoint }];
        let machine = Machine::read(&format!("cpu  {} 0 0 {} {s} 0 0 0 7 7\ncpu0 1", 6 * s, 3 * s));
        Look { at: Moment::from_nanos(s * 1_000_000_000), uses, machine }
    }

    #[test]
    fn use_is_what_came_between_two_looks() {
        let away = EndpointUse { turned_away: 50, delayed_us: 1_000_000 };
        let (first, last) =
            (look(10, 500, 1_000, EndpointUse::default()), look(20, 9_500, 33_000, away));
        let used = between(&first, &last, &[Share { cores: Some(1.0), slots: 4.0 }], 10.0).unwrap();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{used:?}");
        near(used.processor.unwrap(), 0.9);
        near(used.slots, 0.8);
        near(used.idle.unwrap(), 0.4);
        near(used.delayed_ms, 10.0);
        near(used.turned_away, 0.5);
        let drawn = between(&first, &last, &[Share { cores: None, slots: 4.0 }], 10.0).unwrap();
        assert_eq!(drawn.processor, None);
        assert_eq!(between(&first, &first, &[Share { cores: None, slots: 4.0 }], 10.0), None);
    }

    #[test]
    fn workers_cannot_have_more_than_the_machine() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/quickstart");
        let scenario = crate::scenario::read(std::path::Path::new(file)).unwrap();
        let crate::scenario::Place::Deployed(deployed) = scenario.place else { panic!() };
        let spec = &deployed.deployments[0];
        assert_eq!(Share::of(spec, 2), Share { cores: Some(2.0), slots: 32.0 });
        assert_eq!(Share::of(spec, 64).cores, Some(8.0), "two of four");
    }
}
