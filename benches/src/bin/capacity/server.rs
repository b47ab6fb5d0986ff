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
    /// The highest rate at which p99 is within the limit, requests per second.
    pub(crate) truth_rps: f64,
}

impl Server {
    /// All of them.
    ///
    /// Their true rates: M/M/1 by the exponential response time, −ln 0.01 / (250 − 200) s; M/M/4 by Erlang's C;
    /// capped M/M/4 by its stationary distribution, the refused counting as late; M/D/1 by Erlang's series (60
    /// digits); lognormal 1 by the Pollaczek–Khinchine formula (Panjer's recursion on a lattice of 0.1 ms,
    /// 224.53; 224.54 on one of 0.2 ms). The others by [`truth`](crate::truth) from 10⁸ requests, to about
    /// 0.1/s. From 10⁶ requests lognormal 1 came out as 217.9, so no fewer than 2 · 10⁷ will do.
    pub(crate) fn all() -> Vec<Self> {
        let exponential = |mean_ms| ServiceTime::Exponential { mean_ms };
        let constant = |ms| ServiceTime::Constant { ms };
        let lognormal = |p50_ms, p99_ms| ServiceTime::LogNormal { p50_ms, p99_ms };
        let server = |name, slots, service, limit_ms, truth_rps| Self {
            name,
            slots,
            service,
            capped: false,
            limit_ms,
            truth_rps,
        };
        let capped = |name, service, limit_ms, truth_rps| Self {
            capped: true,
            ..server(name, 4, service, limit_ms, truth_rps)
        };
        vec![
            server("M/M/1", 1, exponential(4.0), 100f64.ln() / 50.0 * 1e3, 200.0),
            server("M/M/4", 4, exponential(16.0), 110.0, 199.8055),
            server("M/D/1", 1, constant(4.0), 40.0, 193.3718),
            server("M/D/4", 4, constant(16.0), 40.0, 175.5),
            server("lognormal 1", 1, lognormal(3.0, 15.0), 100.0, 224.53),
            server("lognormal 4", 4, lognormal(12.0, 60.0), 100.0, 217.8),
            capped("M/M/4, capped at 8", exponential(16.0), 110.0, 135.8283),
            capped("M/D/4, capped at 8", constant(16.0), 40.0, 168.3),
            capped("lognormal 4, capped at 8", lognormal(12.0, 60.0), 100.0, 153.2),
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
