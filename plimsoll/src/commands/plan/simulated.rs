//! The plan checks itself: its instances at the peak, in virtual time.

use std::num::NonZeroU32;
use std::time::Duration;

use plimsoll_deploy::spec::ServiceTime;
use plimsoll_domain::schedule::{ArrivalProcess, Arrivals, Mix, Profile, Stage};
use plimsoll_domain::{Class, Names};
use plimsoll_monitor::{DEFAULT_CONFIDENCE, Monitor, MonitorConfig, Objective, Verdict};
use plimsoll_simulate::{Client, Deployment, Happening, Model, Service, Simulation};
use plimsoll_study::plan::Demand;
use serde::Serialize;

/// Requests that are simulated at most.
const MOST_REQUESTS: f64 = 2e6;

/// What the simulation said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Simulated {
    pub(super) verdict: Verdict,
    /// What was asked.
    pub(super) objective: String,
    pub(super) requests: u64,
    /// The share refused.
    pub(super) refused: f64,
    /// Of response time; `None` where infinite.
    pub(super) p99_ms: Option<f64>,
}

/// Exponential service times on so many instances: whether as few are refused as may be.
pub(super) fn run(demand: &Demand, instances: u32, seed: u64) -> Simulated {
    let span = (MOST_REQUESTS / demand.rate_rps).min(4.0 * 3600.0).max(1_000.0 * demand.service_s);
    let settle = (20.0 * demand.service_s).max(10.0);
    let profile = Profile::new(vec![
        Stage::hold("settle", demand.rate_rps, Duration::from_secs_f64(settle)).as_warmup(),
        Stage::hold("peak", demand.rate_rps, Duration::from_secs_f64(span)),
    ]);
    let objective: Objective = format!("error rate < {:.6}%", demand.refused * 100.0)
        .parse()
        .expect("the share is above 0 and below 1");
    let service = Service::given(&ServiceTime::Exponential { mean_ms: demand.service_s * 1e3 })
        .expect("the service time is above 0");
    let instances = NonZeroU32::new(instances).unwrap_or(NonZeroU32::MIN);
    let never = Duration::from_hours(24);
    let deployment = Deployment {
        timeout: never,
        ..Deployment::new("plan", instances, demand.concurrency, service)
    };
    let model = Model {
        arrivals: Arrivals::new(&profile, ArrivalProcess::Poisson, &Mix::default(), seed),
        length: profile.duration(),
        names: Names::new(profile.names(), vec!["score".to_owned()], []),
        counted: plimsoll_monitor::limits([&objective], []),
        routes: vec![None],
        client: Client {
            max_connections: usize::MAX,
            timeout: never,
            drain: never,
            ceiling_rps: None,
        },
        deployments: vec![deployment],
        interval: Duration::from_secs(1),
        seed,
    };
    let mut simulation = Simulation::new(model).expect("what is sized can be simulated");
    let mut monitor = Monitor::new(MonitorConfig {
        objectives: vec![objective.clone()],
        alerts: Vec::new(),
        confidence: DEFAULT_CONFIDENCE,
        profile,
    });
    loop {
        match simulation.advance() {
            Happening::Interval(snapshot) => drop(monitor.observe(&snapshot)),
            Happening::Instances { .. } => {}
            Happening::Ended => break,
        }
    }
    let report = monitor.finish();
    let totals = &report.totals;
    let p99 = totals.response_quantile(0.99).and_then(plimsoll_domain::Quantile::finite);
    Simulated {
        verdict: report.verdict.unwrap_or(Verdict::Inconclusive),
        objective: objective.to_string(),
        requests: totals.ended(),
        refused: totals.outcomes.of(Class::RefusedAdmission) as f64 / totals.ended().max(1) as f64,
        p99_ms: p99.map(|p99| p99.as_secs_f64() * 1e3),
    }
}
