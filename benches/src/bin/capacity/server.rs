//! Servers whose capacity is known, and the load on them.

use std::num::NonZeroU32;
use std::time::Duration;

use plimsoll_deploy::spec::ServiceTime;
use plimsoll_domain::Names;
use plimsoll_domain::schedule::{ArrivalProcess, Arrivals, Mix, Profile};
use plimsoll_monitor::{Monitor, MonitorConfig, Objective};
use plimsoll_simulate::{Client, Deployment, Model, Service, Simulation};

const LONG: Duration = Duration::from_hours(1);
const SECOND: Duration = Duration::from_secs(1);

/// A server with slots in parallel and one queue, and the limit on p99 that it is held to.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) slots: u32,
    pub(crate) service: ServiceTime,
    /// Whether only as many requests again as there are slots may wait.
    pub(crate) capped: bool,
    pub(crate) limit_ms: f64,
}

impl Server {
    /// All of them.
    pub(crate) fn all() -> Vec<Self> {
        let exponential = |mean_ms| ServiceTime::Exponential { mean_ms };
        let constant = |ms| ServiceTime::Constant { ms };
        let lognormal = |p50_ms, p99_ms| ServiceTime::LogNormal { p50_ms, p99_ms };
        let server = |name, slots, service, capped, limit_ms| Self {
            name,
            slots,
            service,
            capped,
            limit_ms,
        };
        vec![
            // −ln 0.01 / (250 − 200) seconds: exactly 200/s.
            server("M/M/1", 1, exponential(4.0), false, 100f64.ln() / 50.0 * 1e3),
            server("M/M/4", 4, exponential(16.0), false, 110.0),
            server("M/D/1", 1, constant(4.0), false, 40.0),
            server("M/D/4", 4, constant(16.0), false, 40.0),
            server("lognormal 1", 1, lognormal(3.0, 15.0), false, 100.0),
            server("lognormal 4", 4, lognormal(12.0, 60.0), false, 100.0),
            server("M/M/4, capped at 8", 4, exponential(16.0), true, 110.0),
            server("M/D/4, capped at 8", 4, constant(16.0), true, 40.0),
            server("lognormal 4, capped at 8", 4, lognormal(12.0, 60.0), true, 100.0),
        ]
    }

    pub(crate) fn objective(&self) -> Objective {
        format!("p99 < {:.6}ms", self.limit_ms).parse().expect("an objective")
    }

    pub(crate) fn monitor(&self, profile: &Profile, confidence: f64) -> Monitor {
        Monitor::new(MonitorConfig {
            objectives: vec![self.objective()],
            alerts: Vec::new(),
            confidence,
            profile: profile.clone(),
        })
    }

    /// The server under this load. Without a cap requests wait for a connection, of which there are as many
    /// as slots; with one they wait at the endpoint.
    pub(crate) fn simulation(&self, profile: &Profile, seed: u64) -> Simulation {
        let slots = NonZeroU32::new(self.slots).expect("servers have slots");
        let service = Service::given(&self.service).expect("times that can be drawn");
        let model = Model {
            arrivals: Arrivals::new(profile, ArrivalProcess::Poisson, &Mix::default(), seed),
            length: profile.duration(),
            names: Names::new(profile.names(), vec!["score".to_owned()], []),
            counted: plimsoll_monitor::limits([&self.objective()], []),
            routes: vec![None],
            client: Client {
                max_connections: if self.capped { 10_000 } else { self.slots as usize },
                timeout: LONG,
                drain: LONG,
                ceiling_rps: None,
            },
            deployments: vec![Deployment {
                timeout: LONG,
                ..Deployment::new("blue", NonZeroU32::MIN, slots, service)
            }],
            interval: SECOND,
            seed,
        };
        Simulation::new(model).expect("a model that can be simulated")
    }
}
