//! Which metrics there are: Azure's names, units, dimensions and aggregations.

use super::Sample;

/// What a metric is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    Endpoint,
    Deployment,
}

/// How the values that series have in one minute become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
    /// Numbers of things: they add up.
    Sum,
    /// Sizes and times: their mean.
    Mean,
}

/// A metric.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) scope: Scope,
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) dimensions: &'static [&'static str],
    pub(crate) aggregations: &'static [&'static str],
    pub(crate) join: Join,
}

impl Join {
    /// A minute's first value.
    pub(super) fn begin(self, sample: &Sample) -> Sample {
        match self {
            Self::Sum => Sample::of(sample.average()),
            Self::Mean => *sample,
        }
    }

    /// With another one of the same minute.
    pub(super) fn join(self, all: &mut Sample, sample: &Sample) {
        match self {
            Self::Sum => *all = Sample::of(all.average() + sample.average()),
            Self::Mean => all.add(sample),
        }
    }
}

/// Metrics of a minute's latencies, and which quantile each is.
pub(super) const PERCENTILES: [(&str, f64); 4] = [
    ("RequestLatency_P50", 0.5),
    ("RequestLatency_P90", 0.9),
    ("RequestLatency_P95", 0.95),
    ("RequestLatency_P99", 0.99),
];

const AVERAGE: &[&str] = &["Average"];
const ALL: &[&str] = &["Minimum", "Maximum", "Average"];

const fn latency(
    scope: Scope,
    name: &'static str,
    dimensions: &'static [&'static str],
) -> Definition {
    let (unit, aggregations, join) = ("Milliseconds", AVERAGE, Join::Mean);
    Definition { scope, name, unit, dimensions, aggregations, join }
}

const fn percent(name: &'static str) -> Definition {
    let (scope, unit, join) = (Scope::Deployment, "Percent", Join::Mean);
    Definition { scope, name, unit, dimensions: &["instanceId"], aggregations: ALL, join }
}

/// Of the endpoint as a whole, looked at now and then.
const fn at_the_gate(name: &'static str, unit: &'static str) -> Definition {
    let (scope, aggregations, join) = (Scope::Endpoint, AVERAGE, Join::Mean);
    Definition { scope, name, unit, dimensions: &[], aggregations, join }
}

static DEFINITIONS: [Definition; 17] = [
    Definition {
        scope: Scope::Endpoint,
        name: "RequestsPerMinute",
        unit: "Count",
        dimensions: &["deployment", "statusCode", "statusCodeClass", "modelStatusCode"],
        aggregations: AVERAGE,
        join: Join::Sum,
    },
    latency(Scope::Endpoint, "RequestLatency", &["deployment"]),
    latency(Scope::Endpoint, PERCENTILES[0].0, &["deployment"]),
    latency(Scope::Endpoint, PERCENTILES[1].0, &["deployment"]),
    latency(Scope::Endpoint, PERCENTILES[2].0, &["deployment"]),
    latency(Scope::Endpoint, PERCENTILES[3].0, &["deployment"]),
    at_the_gate("NewConnectionsPerSecond", "CountPerSecond"),
    at_the_gate("ConnectionsActive", "Count"),
    at_the_gate("NetworkBytes", "BytesPerSecond"),
    Definition {
        scope: Scope::Deployment,
        name: "RequestsPerMinute",
        unit: "Count",
        dimensions: &["envoy_response_code"],
        aggregations: AVERAGE,
        join: Join::Sum,
    },
    latency(Scope::Deployment, PERCENTILES[0].0, &[]),
    latency(Scope::Deployment, PERCENTILES[1].0, &[]),
    latency(Scope::Deployment, PERCENTILES[2].0, &[]),
    latency(Scope::Deployment, PERCENTILES[3].0, &[]),
    percent("CpuUtilizationPercentage"),
    percent("CpuMemoryUtilizationPercentage"),
    Definition {
        scope: Scope::Deployment,
        name: "DeploymentCapacity",
        unit: "Count",
        dimensions: &["instanceId", "State"],
        aggregations: ALL,
        join: Join::Sum,
    },
];

/// All of a scope.
pub(crate) fn definitions(scope: Scope) -> impl Iterator<Item = &'static Definition> {
    DEFINITIONS.iter().filter(move |definition| definition.scope == scope)
}

/// The metric by that name, in any case.
pub(crate) fn find(scope: Scope, name: &str) -> Option<&'static Definition> {
    definitions(scope).find(|definition| definition.name.eq_ignore_ascii_case(name))
}
