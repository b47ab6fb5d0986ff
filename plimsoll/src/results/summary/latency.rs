//! Latencies in a summary: a few percentiles of each histogram.

use std::time::Duration;

use plimsoll_domain::units::millis;
use plimsoll_domain::{Lags, Latencies, Quantile, Tally};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Latencies in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyMs {
    /// Response time, done − due: the headline. Failures count as infinite in its percentiles.
    pub response: LatencyStats,
    /// Service time, done − sent, of every answer but refusals (429, 401, 403, 503 with
    /// `Retry-After`).
    pub service: LatencyStats,
    /// Send lag, sent − due, of everything sent.
    pub send_lag: LatencyStats,
    /// Response time of what failed, as it was; `null` if nothing failed.
    #[serde(default)]
    pub failed: Option<LatencyStats>,
    /// The time that the inference server says its model took; `null` if it does not say.
    #[serde(default)]
    pub model: Option<LatencyStats>,
    /// Service time less model time; `null` if the server does not say.
    #[serde(default)]
    pub overhead: Option<LatencyStats>,
}

/// One histogram in a few numbers.
///
/// `min`, `mean`, `max` and `sum` are exact, and of the finite values alone. A percentile is `null`
/// where it is infinite (it falls among the `infinite` ones), and where `count` and `infinite` are
/// both 0.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyStats {
    /// Finite values.
    pub count: u64,
    /// Arrivals that ended without a right answer; they count as infinite in the percentiles.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub infinite: u64,
    /// The sum of the finite values.
    pub sum: f64,
    /// The smallest; `null` if there is none.
    pub min: Option<f64>,
    /// The mean of the finite values; `null` if there is none.
    pub mean: Option<f64>,
    /// The median.
    pub p50: Option<f64>,
    /// The 90th percentile.
    pub p90: Option<f64>,
    /// The 95th percentile.
    pub p95: Option<f64>,
    /// The 99th percentile.
    pub p99: Option<f64>,
    /// The 99.9th percentile.
    pub p99_9: Option<f64>,
    /// The largest finite value; `null` if there is none.
    pub max: Option<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl LatencyMs {
    pub(super) fn new(tally: &Tally, lags: &Lags) -> Self {
        let some = |latencies: &Latencies| {
            (!latencies.is_empty()).then(|| LatencyStats::new(latencies, 0))
        };
        Self {
            response: LatencyStats::new(&tally.response, tally.infinite()),
            service: LatencyStats::new(&tally.service, 0),
            send_lag: LatencyStats::new(&lags.send, 0),
            failed: some(&tally.failed),
            model: some(&tally.model),
            overhead: some(&tally.overhead),
        }
    }
}

impl LatencyStats {
    /// The numbers of `latencies` and `infinite` failures beside them.
    pub fn new(latencies: &Latencies, infinite: u64) -> Self {
        let at = |quantile: f64| {
            latencies
                .quantile_with_infinite(quantile, infinite)
                .and_then(Quantile::finite)
                .map(millis)
        };
        let ms = |value: Option<Duration>| value.map(millis);
        Self {
            count: latencies.count(),
            infinite,
            sum: latencies.sum_ns() as f64 / 1e6,
            min: ms(latencies.min()),
            mean: ms(latencies.mean()),
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p99_9: at(0.999),
            max: ms(latencies.max()),
        }
    }

    /// Whether nothing ended at all, so that an absent percentile is no value rather than infinite.
    pub fn is_empty(&self) -> bool {
        self.count == 0 && self.infinite == 0
    }
}
