//! The load generator's own state over a run, from which its validity was judged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use plimsoll_domain::{Generator, Latencies};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LatencyStats;

/// Shares of a shorter interval say nothing.
const SHORTEST: Duration = Duration::from_millis(500);

/// The load generator's own state over a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GeneratorTotals {
    /// The generator's own part of the send lag: released late, or taken late by its own tasks.
    pub release_lag_ms: LatencyStats,
    /// Connections opened.
    pub connections_opened: u64,
    /// The addresses that they were opened to: a name may have several.
    #[serde(default)]
    pub addresses: BTreeSet<String>,
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
    /// The largest share of a core that one worker used in an interval; a worker is one thread.
    #[serde(default)]
    pub cpu_busiest_max: Option<f64>,
    /// Times in which a worker did not run though it had something to do.
    #[serde(default)]
    pub pauses: u64,
    /// The longest of them, in seconds.
    #[serde(default)]
    pub pause_max_s: f64,
    /// Workers that ended without their last report.
    #[serde(default)]
    pub lost_workers: u64,
    /// The first message of each class of failure.
    pub examples: BTreeMap<String, String>,
}

impl GeneratorTotals {
    /// Adds the state at the end of one interval of this length.
    pub fn observe(&mut self, state: &Generator, length: Duration) {
        self.connections_opened += state.connections_opened;
        self.addresses.extend(state.addresses.iter().map(ToString::to_string));
        self.connections_max = self.connections_max.max(state.connections);
        self.in_flight_max = self.in_flight_max.max(state.in_flight);
        self.backlog_max = self.backlog_max.max(state.backlog);
        // The drain may be a blink, of which a moment of work is a large share.
        if length >= SHORTEST {
            self.cpu_cores_max = larger(self.cpu_cores_max, state.cpu_cores);
            self.cpu_busiest_max = larger(self.cpu_busiest_max, state.cpu_busiest);
            self.cpu_wait_max = larger(self.cpu_wait_max, state.cpu_wait);
        }
        self.pauses += state.pauses.len() as u64;
        let longest = state.pauses.iter().map(|pause| pause.length.as_secs_f64());
        self.pause_max_s = longest.fold(self.pause_max_s, f64::max);
        self.lost_workers += u64::from(state.lost_workers);
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
