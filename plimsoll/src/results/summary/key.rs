//! What was measured of one stage, request and deployment.

use plimsoll_domain::{Snapshot, Tally};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LatencyStats, OutcomeCounts};

/// What was measured of one stage, request and deployment.
///
/// Arrivals are offered and sent before anybody has answered, so `offered` and `sent` stand where
/// `deployment` is absent, unless the request names its deployment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KeyResult {
    /// The stage in which it was due.
    pub stage: String,
    /// Whether that is a warm-up.
    #[serde(default)]
    pub warmup: bool,
    /// The request's name.
    pub request: String,
    /// The deployment that answered, as the answer says; absent where none told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// Arrivals that became due.
    pub offered: u64,
    /// Arrivals that were sent.
    pub sent: u64,
    /// How they ended.
    pub outcomes: OutcomeCounts,
    /// Response time in milliseconds; failures count as infinite in its percentiles.
    pub response_ms: LatencyStats,
    /// Service time in milliseconds.
    pub service_ms: LatencyStats,
}

impl KeyResult {
    /// What was measured under every key of a whole run.
    pub fn all(whole: &Snapshot) -> Vec<Self> {
        let keys = whole.tallies.iter().map(|(key, tally)| {
            let (stage, request, deployment) = whole.names.of(*key);
            Self {
                stage: stage.to_owned(),
                warmup: whole.names.is_warmup(key.stage),
                request: request.to_owned(),
                deployment: (!deployment.is_empty()).then(|| deployment.to_owned()),
                ..Self::of(tally)
            }
        });
        keys.collect()
    }

    fn of(tally: &Tally) -> Self {
        Self {
            offered: tally.offered,
            sent: tally.sent,
            outcomes: OutcomeCounts::new(&tally.outcomes),
            response_ms: LatencyStats::new(&tally.response, tally.infinite()),
            service_ms: LatencyStats::new(&tally.service, 0),
            ..Self::default()
        }
    }
}
