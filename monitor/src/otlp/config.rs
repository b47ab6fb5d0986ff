//! Where to export to, and how: from `--otlp URL` and the standard `OTEL_*` variables.
//!
//! The rules are those of the OpenTelemetry specification ("OTLP Exporter Configuration"): a
//! variable of one signal wins over the general one, an empty variable is an unset one, a base
//! endpoint gets `/v1/metrics` or `/v1/logs` appended and a signal's own endpoint is used as it
//! is. Three rules are plimsoll's own, because a load test must not export by accident, nor
//! silently differently from what was asked:
//!
//! - `--otlp` is a base endpoint for both signals and wins over every endpoint variable. Without
//!   the flag and without an endpoint variable nothing is exported, and only the signals that have
//!   an endpoint are. The off switches win over all of them, see `config/switch.rs`.
//! - Where no protocol variable is set, port 4317 means gRPC; any other port means HTTP/protobuf.
//! - A value that the specification lets an exporter ignore with a warning is refused here.

use std::fmt;
use std::time::Duration;

use opentelemetry_otlp::OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE;

pub use self::endpoint::Protocol;
use self::receiver::{LOGS, METRICS, Receiver};
use self::value::{Environment, attributes, choice, millis};
use super::error::Error;

mod endpoint;
pub(super) mod receiver;
mod switch;
mod value;

/// What a metric's points count: everything since the run began, or since the last export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temporality {
    /// Since the run began: a lost export costs resolution, not requests.
    Cumulative,
    /// Since the last export: a lost export loses its requests.
    Delta,
}

/// A checked configuration. Its `Debug` and `Display` show no header value.
#[derive(Debug, Clone)]
pub struct Config {
    pub(super) metrics: Option<Receiver>,
    pub(super) logs: Option<Receiver>,
    pub(super) temporality: Temporality,
    pub(super) interval: Duration,
    pub(super) service_name: Option<String>,
    pub(super) attributes: Vec<(String, String)>,
}

/// Snapshots are collected for this long before they are exported.
const INTERVAL: Duration = Duration::from_secs(5);

impl Config {
    /// Reads the flag and the environment; `None` when nothing asks for an export, or when the
    /// environment switches it off.
    ///
    /// # Errors
    /// Names the flag or variable with a value that cannot be used, and the remedy.
    pub fn resolve(
        flag: Option<&str>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Error> {
        let env = Environment(env);
        let metrics = Receiver::resolve(&METRICS, flag, &env)?;
        let logs = Receiver::resolve(&LOGS, flag, &env)?;
        if metrics.is_none() && logs.is_none() {
            return Ok(None);
        }
        check_aggregation(&env)?;
        Ok(Some(Self {
            metrics,
            logs,
            temporality: temporality(&env)?,
            interval: millis(&env, "OTEL_METRIC_EXPORT_INTERVAL")?.unwrap_or(INTERVAL),
            service_name: env.get("OTEL_SERVICE_NAME"),
            attributes: attributes(&env, "OTEL_RESOURCE_ATTRIBUTES")?,
        }))
    }

    /// What of an export that the flag or the scenario asks for the environment switches off, in
    /// words; `None` if nothing is asked for or nothing is off.
    pub fn switched_off(
        flag: Option<&str>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Option<String> {
        let off = switch::switched_off(&Environment(env))?;
        flag.map(|_| format!("the environment switches off what is to be exported: {off}"))
    }

    /// What the points count.
    pub fn temporality(&self) -> Temporality {
        self.temporality
    }

    /// The same with another export interval.
    #[must_use]
    pub fn with_interval(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signals = [("metrics", &self.metrics), ("logs", &self.logs)];
        let mut before = "";
        for (name, receiver) in signals {
            if let Some(receiver) = receiver {
                write!(f, "{before}{name} to {receiver}")?;
                before = ", ";
            }
        }
        Ok(())
    }
}

fn temporality(env: &Environment<'_>) -> Result<Temporality, Error> {
    // `lowmemory` means delta for what a program counts itself; all our sums are that.
    let known = [
        ("cumulative", Temporality::Cumulative),
        ("delta", Temporality::Delta),
        ("lowmemory", Temporality::Delta),
    ];
    let name = OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE;
    Ok(choice(env, name, &known)?.unwrap_or(Temporality::Cumulative))
}

fn check_aggregation(env: &Environment<'_>) -> Result<(), Error> {
    // The one aggregation there is; the fixed buckets of the other cannot carry a percentile.
    let name = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
    choice(env, name, &[("base2_exponential_bucket_histogram", ())]).map(|_| ())
}

#[cfg(test)]
mod tests;
