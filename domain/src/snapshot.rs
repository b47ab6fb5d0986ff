//! What one interval of a run measured: handed from the load generator to the monitor.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Tally, Transport};

/// One interval (one second, as a rule). Requests are counted in the interval in which they became
/// due (`offered`), were sent (`sent`) and ended (everything else).
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Consecutive, from 0.
    pub index: u64,
    /// Since the run's first due time.
    pub start: Duration,
    /// Since the run's first due time.
    pub end: Duration,
    /// Arrivals that were due in a warm-up stage: shown, never judged.
    pub warmup: Tally,
    /// All other arrivals.
    pub measured: Tally,
    /// The generator's own state.
    pub generator: Generator,
}

/// The state of the load generator itself, from which the run's validity is judged.
#[derive(Debug, Clone, Default)]
pub struct Generator {
    /// Requests in flight at the interval's end.
    pub in_flight: u64,
    /// Arrivals due that wait for a connection at the interval's end.
    pub backlog: u64,
    /// Open connections at the interval's end.
    pub connections: u64,
    /// Connections opened in the interval.
    pub connections_opened: u64,
    /// The workers' share of the processors in the interval, 1.0 being one whole core.
    /// `None` where it cannot be measured.
    pub cpu_cores: Option<f64>,
    /// The longest time that a worker's thread waited for a processor in the interval, summed
    /// over its waits, as a share of the interval. `None` where it cannot be measured.
    pub cpu_wait: Option<f64>,
    /// Arrivals held back by the safety ceiling on the send rate (they are among the dropped).
    pub capped: u64,
    /// Arrivals for which this machine had no socket, port or file descriptor left.
    pub socket_exhausted: u64,
    /// The first message of each kind of failed connection seen in the interval.
    pub examples: BTreeMap<Transport, String>,
}

impl Snapshot {
    /// Warm-up and measured together: what the timeline shows.
    pub fn all(&self) -> Tally {
        let mut all = self.warmup.clone();
        all.merge(&self.measured);
        all
    }
}
