//! `synthetic`: drawn service times instead of a model. The one key that Azure does not know.

use plimsoll_document::Wrong;
use schemars::JsonSchema;
use serde::Deserialize;

use super::reader::Reader;
use crate::spec::{ServiceTime, Synthetic};

/// Serve drawn service times instead of a model.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSynthetic {
    /// The distribution of the service time.
    #[schemars(required)]
    service_time: Option<RawServiceTime>,
    /// Share of requests answered with status 500, 0 to 1; 0 without it.
    #[schemars(range(min = 0, max = 1))]
    error_rate: Option<f64>,
    /// Milliseconds from start until the instance is ready; 0 without it.
    #[schemars(range(min = 0))]
    start_ms: Option<f64>,
}

/// A distribution of service times.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum RawServiceTime {
    /// Always the same.
    Constant(RawConstant),
    /// Exponential.
    Exponential(RawExponential),
    /// Log-normal, by two of its percentiles.
    LogNormal(RawLogNormal),
}

/// Always the same.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawConstant {
    /// The service time.
    #[schemars(required, range(min = 0))]
    ms: Option<f64>,
}

/// Exponential.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawExponential {
    /// The mean.
    #[schemars(required, extend("exclusiveMinimum" = 0))]
    mean_ms: Option<f64>,
}

/// Log-normal, by two of its percentiles.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawLogNormal {
    /// The median.
    #[schemars(required, extend("exclusiveMinimum" = 0))]
    p50_ms: Option<f64>,
    /// The 99th percentile.
    #[schemars(required, extend("exclusiveMinimum" = 0))]
    p99_ms: Option<f64>,
}

pub(super) fn check(reader: &mut Reader, raw: RawSynthetic) -> Option<Synthetic> {
    let service_time = match raw.service_time? {
        RawServiceTime::Constant(RawConstant { ms }) => ServiceTime::Constant { ms: ms? },
        RawServiceTime::Exponential(RawExponential { mean_ms }) => {
            ServiceTime::Exponential { mean_ms: mean_ms? }
        }
        RawServiceTime::LogNormal(RawLogNormal { p50_ms, p99_ms }) => {
            let (p50_ms, p99_ms) = (p50_ms?, p99_ms?);
            if p99_ms < p50_ms {
                let text = format!("`p99_ms` is {p99_ms}, below `p50_ms`, which is {p50_ms}");
                reader.wrong("/synthetic/service_time/log_normal/p99_ms", Wrong::new(text));
                return None;
            }
            ServiceTime::LogNormal { p50_ms, p99_ms }
        }
    };
    Some(Synthetic {
        service_time,
        error_rate: raw.error_rate.unwrap_or(0.0),
        start_ms: raw.start_ms.unwrap_or(0.0),
    })
}
