//! How many requests a second one core simulates, with everything recorded and autoscale rules that
//! are asked: 10 instances of 4 slots, exponential service times, 80 % of the slots at work, one limit,
//! snapshots of a second, a `HorizontalPodAutoscaler` that looks at processor time.
//!
//! The bar is 5 M a second on a quiet core. On a shared machine, take the instructions of
//! `valgrind --tool=callgrind` with `--bench` for one pass instead.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use plimsoll_autoscale::azure::Parameters;
use plimsoll_autoscale::controller::{Controller, Plan};
use plimsoll_autoscale::pipeline::{InstanceUse, Machine, Named, Processor, Subject, Usage};
use plimsoll_autoscale::{Compression, RuleTime, RulesFile};
use plimsoll_deploy::spec::ServiceTime;
use plimsoll_domain::schedule::{ArrivalProcess, Arrivals, Mix, Profile};
use plimsoll_domain::{Latency, Limit, Limits, Names};
use plimsoll_simulate::{Client, Deployment, Happening, Model, Service, Simulation};

const REQUESTS: u64 = 1_000_000;
const RATE: f64 = 1600.0;
const LOOK: Duration = Duration::from_millis(500);
const RULES: &str = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: blue}\n\
                     spec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: blue}\n  \
                     minReplicas: 10\n  maxReplicas: 10\n  metrics:\n    - type: Resource\n      \
                     resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}\n";

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("above 0")
}

fn simulation() -> Simulation {
    let profile = Profile::hold(RATE, Duration::from_secs_f64(REQUESTS as f64 / RATE));
    let service = Service::given(&ServiceTime::Exponential { mean_ms: 20.0 }).expect("a time");
    let limit = Limit { of: Latency::Response, at: Duration::from_millis(200) };
    let model = Model {
        arrivals: Arrivals::new(&profile, ArrivalProcess::Poisson, &Mix::default(), 7),
        length: profile.duration(),
        names: Names::new(profile.names(), vec!["score".to_owned()], []),
        counted: Limits::new([limit], Some(limit.at)),
        routes: vec![None],
        client: Client {
            max_connections: 10_000,
            timeout: Duration::from_secs(10),
            drain: Duration::from_secs(10),
            ceiling_rps: None,
        },
        deployments: vec![Deployment::new("blue", count(10), count(4), service)],
        interval: Duration::from_secs(1),
        seed: 7,
    };
    Simulation::new(model).expect("a model")
}

fn controller() -> Controller {
    let plan = Plan {
        rules: RulesFile::parse("hpa.yaml", RULES).expect("rules").rules,
        parameters: Parameters::default(),
        subject: Subject {
            endpoint: "scores".to_owned(),
            deployment: "blue".to_owned(),
            machine: Machine {
                cores: 4.0,
                memory_bytes: 1e9,
                slots: 4,
                processor: Processor::SlotsAtWork,
            },
            metric_delay: Duration::ZERO,
            named: Named::new(),
        },
        time: RuleTime::new(<_>::default(), Compression::NONE),
        quota: None,
        provisioning: Box::new(|| Duration::ZERO),
        instances: 10,
    };
    Controller::new(plan).expect("its metrics are measured")
}

/// As `plimsoll run --simulate` does it; returns how many requests ended.
fn run() -> u64 {
    let (mut simulation, mut controller) = (simulation(), controller());
    let (mut ended, mut look) = (0, Duration::ZERO);
    loop {
        let now = simulation.now();
        if now >= look {
            look = now + LOOK;
            let looked = simulation.look(0);
            let instance = |one: plimsoll_simulate::InstanceLook| InstanceUse {
                name: one.number.to_string(),
                ready: one.ready,
                processor: Duration::ZERO,
                memory_bytes: 0,
                working: one.working,
                in_flight: one.in_flight,
            };
            let instances = looked.instances.into_iter().map(instance).collect();
            controller.usage(Usage { at: now, instances, waiting: looked.waiting as u32 });
        }
        if let Some(target) = controller.step(now).target {
            simulation.want(0, target);
        }
        match simulation.advance_to(controller.next_wake().min(look)) {
            Some(Happening::Interval(snapshot)) => {
                controller.observe(&snapshot);
                ended += snapshot.tallies.values().map(plimsoll_domain::Tally::ended).sum::<u64>();
            }
            Some(Happening::Ended) => return ended,
            Some(Happening::Instances { .. }) | None => {}
        }
    }
}

fn simulate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("simulate");
    group.sample_size(10);
    group.throughput(Throughput::Elements(run()));
    group.bench_function("10_instances_autoscaled_recorded", |bencher| {
        bencher.iter(|| black_box(run()));
    });
    group.finish();
}

criterion_group!(benches, simulate);
criterion_main!(benches);
