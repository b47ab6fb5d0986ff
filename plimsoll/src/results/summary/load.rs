//! How much load there was and how arrivals ended.

use std::time::Duration;

use plimsoll_domain::{Outcomes, Tally};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Counts;

/// How much load there was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Load {
    /// Arrivals that became due.
    pub offered: u64,
    /// Arrivals that were sent.
    pub sent: u64,
    /// Whole answers, with whatever status.
    pub completed: u64,
    /// Arrivals that found no connection within the limits.
    pub dropped: u64,
    /// Arrivals due per second.
    pub offered_rps: f64,
    /// Arrivals sent per second.
    pub achieved_rps: f64,
    /// Right answers within the objective, per second.
    pub goodput_rps: f64,
    /// The time measured, in seconds.
    pub duration_s: f64,
}

impl Load {
    pub(super) fn new(tally: &Tally, good: u64, duration: Duration) -> Self {
        let seconds = duration.as_secs_f64();
        let rate = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        Self {
            offered: tally.offered,
            sent: tally.sent,
            completed: tally.outcomes.answered(),
            dropped: tally.outcomes.dropped,
            offered_rps: rate(tally.offered),
            achieved_rps: rate(tally.sent),
            goodput_rps: rate(good),
            duration_s: seconds,
        }
    }
}

/// How arrivals ended. The numbers, with those in `status` and without `transport_kinds`, sum to
/// `offered`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutcomeCounts {
    /// Right answers: a 2xx status.
    pub ok: u64,
    /// Other answers, by HTTP status.
    pub status: Counts,
    /// No whole answer within the request timeout.
    pub timeout: u64,
    /// Failed connections.
    pub transport: u64,
    /// `transport` again, by where the connection failed: `connect`, `tls`, `closed`, `protocol`.
    pub transport_kinds: Counts,
    /// In flight when the run stopped waiting.
    pub aborted: u64,
    /// Never sent: no connection within the limits.
    pub dropped: u64,
}

impl OutcomeCounts {
    pub(super) fn new(outcomes: &Outcomes) -> Self {
        let wrong = outcomes.status.iter().filter(|(status, _)| !(200..300).contains(*status));
        Self {
            ok: outcomes.ok(),
            status: wrong.map(|(status, count)| (status.to_string(), *count)).collect(),
            timeout: outcomes.timeout,
            transport: outcomes.transport_total(),
            transport_kinds: outcomes
                .transport
                .iter()
                .map(|(kind, count)| (kind.name().to_owned(), *count))
                .collect(),
            aborted: outcomes.aborted,
            dropped: outcomes.dropped,
        }
    }
}

/// Arrivals of the warm-up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WarmupCounts {
    /// Arrivals that became due.
    pub offered: u64,
    /// Arrivals that were sent.
    pub sent: u64,
    /// Right answers.
    pub ok: u64,
    /// Wrong answers, timeouts, failed connections and requests aborted in flight.
    pub failed: u64,
    /// Arrivals that found no connection within the limits.
    pub dropped: u64,
}

impl WarmupCounts {
    /// The counts of the warm-up's tally; `None` if nothing was due in one.
    pub fn new(tally: &Tally) -> Option<Self> {
        (tally.offered > 0).then(|| Self {
            offered: tally.offered,
            sent: tally.sent,
            ok: tally.outcomes.ok(),
            failed: tally.infinite() - tally.outcomes.dropped,
            dropped: tally.outcomes.dropped,
        })
    }
}
