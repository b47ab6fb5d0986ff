//! The load generator's own state over a run, from which its validity was judged.

use std::collections::BTreeMap;

use plimsoll_domain::{Generator, Latencies};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LatencyStats;

/// The load generator's own state over a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GeneratorTotals {
    /// The generator's own part of the send lag: released − due.
    pub release_lag_ms: LatencyStats,
    /// Connections opened.
    pub connections_opened: u64,
    /// The most connections open at the end of an interval.
    pub connections_max: u64,
    /// The most requests in flight at the end of an interval.
    pub in_flight_max: u64,
    /// The most arrivals that waited for a connection at the end of an interval.
    pub backlog_max: u64,
    /// The most processor cores used in an interval; `null` where not measured.
    pub cpu_cores_max: Option<f64>,
    /// The largest share of an interval spent waiting for a processor; `null` where not measured.
    pub cpu_wait_max: Option<f64>,
    /// Arrivals held back by the safety ceiling on the send rate.
    pub capped: u64,
    /// Arrivals for which this machine had no socket, port or file descriptor left.
    pub socket_exhausted: u64,
    /// The first message of each kind of failed connection.
    pub examples: BTreeMap<String, String>,
}

impl GeneratorTotals {
    /// Adds the state at the end of one interval.
    pub fn observe(&mut self, state: &Generator) {
        self.connections_opened += state.connections_opened;
        self.connections_max = self.connections_max.max(state.connections);
        self.in_flight_max = self.in_flight_max.max(state.in_flight);
        self.backlog_max = self.backlog_max.max(state.backlog);
        self.cpu_cores_max = larger(self.cpu_cores_max, state.cpu_cores);
        self.cpu_wait_max = larger(self.cpu_wait_max, state.cpu_wait);
        self.capped += state.capped;
        self.socket_exhausted += state.socket_exhausted;
        for (kind, message) in &state.examples {
            self.examples.entry(kind.name().to_owned()).or_insert_with(|| message.clone());
        }
    }

    /// Sets the release lag of everything sent.
    pub fn set_release_lag(&mut self, lag: &Latencies) {
        self.release_lag_ms = LatencyStats::new(lag, 0);
    }
}

fn larger(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}
