//! The limits of a run: what it may use, and how long it waits.
//!
//! They are not the limits that objectives name: those are [`plimsoll_domain::Limits`], which a
//! plan has as `counted`.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Connections that a run opens at most, unless told otherwise.
pub const DEFAULT_MAX_CONNECTIONS: usize = 10_000;

/// Arrivals that one worker lets wait for a connection; one more is dropped. Waiting ends after
/// the request timeout anyway, so this is reached only at very high rates with long timeouts.
pub const MAX_BACKLOG: usize = 262_144;

/// What a run may use, and how long it waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections open at once, over all workers; [`DEFAULT_MAX_CONNECTIONS`] if not given. Each
    /// worker has its share, and at least one.
    pub max_connections: Option<usize>,
    /// Connections opened before the run, over all workers and within `max_connections`. By default
    /// none: a server that takes one connection at a time waits for a request on the first, and
    /// lets those on the others wait.
    pub warm_connections: usize,
    /// From the sending of a request to the end of its answer; also how long an arrival may wait
    /// from its due time until it is sent, and how long a connection may take to open.
    pub request_timeout: Duration,
    /// After the last arrival (or an early stop), how long to wait for what is under way.
    pub drain: Duration,
    /// A ceiling on the send rate, whatever the schedule says: it protects the target. An arrival
    /// above it is dropped and counted as capped; it is never delayed.
    pub max_rps: Option<NonZeroU32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: None,
            warm_connections: 0,
            request_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(10),
            max_rps: None,
        }
    }
}

impl Limits {
    /// The connections that each of `workers` may have open.
    pub(crate) fn connections_each(&self, worker: usize, workers: usize) -> usize {
        let all = self.max_connections.unwrap_or(DEFAULT_MAX_CONNECTIONS);
        share(all, worker, workers).max(1)
    }

    /// The connections that each of `workers` opens before the run.
    pub(crate) fn warm_each(&self, worker: usize, workers: usize) -> usize {
        share(self.warm_connections, worker, workers).min(self.connections_each(worker, workers))
    }
}

fn share(all: usize, worker: usize, workers: usize) -> usize {
    all / workers + usize::from(worker < all % workers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_the_whole() {
        let limits = Limits { max_connections: Some(20), warm_connections: 4, ..Limits::default() };
        let shares: Vec<_> = (0..3).map(|worker| limits.connections_each(worker, 3)).collect();
        assert_eq!(shares, [7, 7, 6]);
        let warm: Vec<_> = (0..3).map(|worker| limits.warm_each(worker, 3)).collect();
        assert_eq!(warm, [2, 1, 1]);
        let one = Limits { max_connections: Some(1), warm_connections: 9, ..Limits::default() };
        assert_eq!((one.connections_each(1, 2), one.warm_each(1, 2)), (1, 1));
    }

    #[test]
    fn what_a_plan_leaves_out_has_its_default() {
        let limits: Limits = serde_json::from_str("{\"warm_connections\": 2}").unwrap();
        assert_eq!(limits, Limits { warm_connections: 2, ..Limits::default() });
    }
}
