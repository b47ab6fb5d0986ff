//! The limits of a run: what it may use, and how long it waits.

use std::num::NonZeroU32;
use std::time::Duration;

/// Connections that a run opens at most, unless told otherwise.
pub const DEFAULT_MAX_CONNECTIONS: usize = 10_000;

/// Arrivals that one worker lets wait for a connection; one more is dropped. Waiting ends after
/// the request timeout anyway, so this is reached only at very high rates with long timeouts.
pub const MAX_BACKLOG: usize = 262_144;

/// What a run may use, and how long it waits.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections open at once, over all workers; [`DEFAULT_MAX_CONNECTIONS`] if not given. Each
    /// worker has its share, and at least one.
    pub max_connections: Option<usize>,
    /// From the sending of a request to the end of its answer; also how long an arrival may wait
    /// for a connection, and a connection may take to open.
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
        (all / workers + usize::from(worker < all % workers)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_the_whole() {
        let limits = Limits { max_connections: Some(20), ..Limits::default() };
        let shares: Vec<_> = (0..3).map(|worker| limits.connections_each(worker, 3)).collect();
        assert_eq!(shares, [7, 7, 6]);
        let one = Limits { max_connections: Some(1), ..Limits::default() };
        assert_eq!(one.connections_each(1, 2), 1);
    }
}
