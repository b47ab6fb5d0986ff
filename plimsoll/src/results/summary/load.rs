//! How much load there was and how arrivals ended.

use std::time::Duration;

use plimsoll_domain::{Class, Outcomes, Tally};
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
    /// Right answers that were not late, per second.
    pub goodput_rps: f64,
    /// The time measured, in seconds.
    pub duration_s: f64,
}

impl Load {
    pub(super) fn new(tally: &Tally, duration: Duration) -> Self {
        let seconds = duration.as_secs_f64();
        let rate = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        Self {
            offered: tally.offered,
            sent: tally.sent,
            completed: tally.outcomes.answered(),
            dropped: tally.outcomes.dropped(),
            offered_rps: rate(tally.offered),
            achieved_rps: rate(tally.sent),
            goodput_rps: rate(tally.outcomes.of(Class::Ok)),
            duration_s: seconds,
        }
    }
}

/// How arrivals ended. The classes sum to `offered`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutcomeCounts {
    /// Right answers, however late: the classes `ok` and `late`.
    pub ok: u64,
    /// Each class that occurred: `ok`, `late`, `refused_admission`, `refused_rate`, `throttled`,
    /// `server_timeout`, `client_timeout`, `model_error`, `server_error`, `auth`,
    /// `unexpected_status`, `failed_check`, `connect`, `tls`, `closed`, `protocol`, `client_fault`,
    /// `aborted`, and of what was never sent `dropped`, `capped` and `missed`.
    pub classes: Counts,
    /// The class `client_timeout`, also when there is none: as in version 1.
    #[serde(default)]
    pub timeout: u64,
    /// Of the classes those of failed connections (`connect`, `tls`, `closed`, `protocol`): as in
    /// version 1.
    #[serde(default)]
    pub transport_kinds: Counts,
    /// Whole answers, right or wrong, by HTTP status.
    pub status: Counts,
    /// The model's own status behind a 424, where the gateway tells it.
    #[serde(default, skip_serializing_if = "Counts::is_empty")]
    pub model_status: Counts,
}

impl OutcomeCounts {
    pub(super) fn new(outcomes: &Outcomes) -> Self {
        let named = |(class, count): (Class, u64)| (class.name().to_owned(), count);
        let classes = outcomes.classes();
        let transport = classes.iter().filter(|(class, _)| class.is_transport());
        let mut model_status = Counts::new();
        for (outcome, count) in outcomes.iter() {
            if let Some(status) = outcome.model_status {
                *model_status.entry(status.to_string()).or_default() += count;
            }
        }
        Self {
            ok: outcomes.ok(),
            timeout: outcomes.of(Class::ClientTimeout),
            transport_kinds: transport.map(|(class, count)| named((*class, *count))).collect(),
            classes: classes.into_iter().map(named).collect(),
            status: outcomes.statuses().into_iter().map(|(s, n)| (s.to_string(), n)).collect(),
            model_status,
        }
    }

    /// How many ended in this class.
    pub fn of(&self, class: Class) -> u64 {
        self.classes.get(class.name()).copied().unwrap_or_default()
    }

    /// How many ended in a class for which `wanted` holds.
    pub fn sum(&self, wanted: impl Fn(Class) -> bool) -> u64 {
        Class::ALL.into_iter().filter(|class| wanted(*class)).map(|class| self.of(class)).sum()
    }

    /// Arrivals that were never sent.
    pub fn dropped(&self) -> u64 {
        self.sum(|class| !class.is_sent())
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
            failed: tally.infinite() - tally.outcomes.dropped(),
            dropped: tally.outcomes.dropped(),
        })
    }
}
