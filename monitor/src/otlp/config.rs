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
//!   an endpoint are.
//! - Where no protocol variable is set, port 4317 means gRPC; any other port means HTTP/protobuf.
//! - A value that the specification lets an exporter ignore with a warning is refused here.

use std::fmt;
use std::time::Duration;

use hyper::Uri;
use hyper::http::uri::{PathAndQuery, Scheme};

use self::signal::Signal;
use self::value::{Environment, attributes, boolean, choice, millis};
use super::Error;

pub(super) mod signal;
mod value;

/// What a metric's points count: everything since the run began, or since the last export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temporality {
    /// Since the run began: a lost export costs resolution, not requests.
    Cumulative,
    /// Since the last export: a lost export loses its requests.
    Delta,
}

/// The way to the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP with protobuf bodies.
    HttpProtobuf,
}

/// A checked configuration. Its `Debug` and `Display` show no header value.
#[derive(Debug, Clone)]
pub struct Config {
    pub(super) metrics: Option<Signal>,
    pub(super) logs: Option<Signal>,
    pub(super) temporality: Temporality,
    pub(super) interval: Duration,
    pub(super) service_name: Option<String>,
    pub(super) attributes: Vec<(String, String)>,
}

/// Snapshots are collected for this long before they are exported.
const INTERVAL: Duration = Duration::from_secs(5);

impl Config {
    /// Reads the flag and the environment; `None` when nothing asks for an export.
    ///
    /// # Errors
    /// Names the flag or variable with a value that cannot be used, and the remedy.
    pub fn resolve(
        flag: Option<&str>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Error> {
        let env = Environment(env);
        if boolean(&env, "OTEL_SDK_DISABLED")? {
            return if flag.is_some() { Err(Error::Disabled) } else { Ok(None) };
        }
        let metrics = Signal::resolve("METRICS", "/v1/metrics", flag, &env)?;
        let logs = Signal::resolve("LOGS", "/v1/logs", flag, &env)?;
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
        for (name, signal) in signals {
            if let Some(signal) = signal {
                write!(f, "{before}{name} to {signal}")?;
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
    let name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    Ok(choice(env, name, &known)?.unwrap_or(Temporality::Cumulative))
}

fn check_aggregation(env: &Environment<'_>) -> Result<(), Error> {
    // The one aggregation there is; the fixed buckets of the other cannot carry a percentile.
    let name = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
    choice(env, name, &[("base2_exponential_bucket_histogram", ())]).map(|_| ())
}

/// Checks an endpoint and, for a base over HTTP, appends the signal's path.
fn endpoint(
    source: &str,
    text: &str,
    asked: Option<Protocol>,
    append: Option<&str>,
) -> Result<(Uri, Protocol), Error> {
    let refuse = |problem: &str, remedy: &str| Err(Error::setting(source, problem, remedy));
    let example = "write for example `http://localhost:4317`";
    let Ok(uri) = text.trim().parse::<Uri>() else {
        return refuse("is not a URL", example);
    };
    if !uri.scheme().is_some_and(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS) {
        return refuse("has neither the scheme http nor https", example);
    }
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        let remedy = "send them as a header: OTEL_EXPORTER_OTLP_HEADERS";
        return refuse("has a user name or password in the URL", remedy);
    }
    if uri.host().is_none_or(str::is_empty) {
        return refuse("names no host", example);
    }
    if uri.query().is_some() {
        return refuse("has a query (`?…`)", "leave it out");
    }
    let protocol = asked.unwrap_or_else(|| by_port(&uri));
    match (protocol, append) {
        (Protocol::Grpc, _) if uri.path() != "/" => {
            let remedy =
                "leave the path out, or ask for HTTP: OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf";
            refuse("has a path, which gRPC does not take", remedy)
        }
        (Protocol::HttpProtobuf, Some(path)) => {
            if ["/v1/metrics", "/v1/logs", "/v1/traces"].iter().any(|own| uri.path().ends_with(own))
            {
                return refuse("ends in a signal's path", "leave that path out: it is appended");
            }
            let whole = format!("{}{path}", uri.path().trim_end_matches('/'));
            let mut parts = uri.into_parts();
            parts.path_and_query =
                Some(PathAndQuery::try_from(whole).expect("a valid path with a valid suffix"));
            Ok((Uri::from_parts(parts).expect("only the path changed"), protocol))
        }
        _ => Ok((uri, protocol)),
    }
}

fn by_port(endpoint: &Uri) -> Protocol {
    match endpoint.port_u16() {
        Some(4317) => Protocol::Grpc,
        _ => Protocol::HttpProtobuf,
    }
}

#[cfg(test)]
mod tests;
