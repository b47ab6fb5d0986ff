//! The metrics that managed online endpoints and their deployments emit.
//!
//! Source: *Supported metrics* for `Microsoft.MachineLearningServices/workspaces/onlineEndpoints` and
//! `…/deployments` (2026-07); all have a grain of one minute.

/// What emits a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// An endpoint.
    Endpoint,
    /// A deployment.
    Deployment,
}

impl Scope {
    /// Of an ARM id: `None` if it is of something else, or cannot be told.
    pub fn of(id: &str) -> Option<Self> {
        let id = id.to_lowercase();
        let inside = id.split("/onlineendpoints/").nth(1)?;
        Some(if inside.contains("/deployments/") { Self::Deployment } else { Self::Endpoint })
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Endpoint => "an endpoint",
            Self::Deployment => "a deployment",
        }
    }
}

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emitted {
    /// Its name.
    pub name: &'static str,
    /// What emits it.
    pub scope: Scope,
    /// Whether it is a share in per cent.
    pub percent: bool,
    /// Whether it also has a smallest and a largest value, beside the average.
    pub extremes: bool,
    /// Its dimensions.
    pub dimensions: &'static [&'static str],
}

impl Emitted {
    /// Whether it is a latency, in milliseconds.
    pub fn is_latency(&self) -> bool {
        self.name.starts_with("RequestLatency")
    }
}

const fn of(
    scope: Scope,
    name: &'static str,
    percent: bool,
    extremes: bool,
    dimensions: &'static [&'static str],
) -> Emitted {
    Emitted { name, scope, percent, extremes, dimensions }
}

const ENDPOINT: Scope = Scope::Endpoint;
const DEPLOYMENT: Scope = Scope::Deployment;
const CODES: &[&str] = &["deployment", "statusCode", "statusCodeClass", "modelStatusCode"];
const INSTANCE: &[&str] = &["instanceId"];

const EMITTED: &[Emitted] = &[
    of(ENDPOINT, "RequestsPerMinute", false, false, CODES),
    of(ENDPOINT, "RequestLatency", false, false, &["deployment"]),
    of(ENDPOINT, "RequestLatency_P50", false, false, &["deployment"]),
    of(ENDPOINT, "RequestLatency_P90", false, false, &["deployment"]),
    of(ENDPOINT, "RequestLatency_P95", false, false, &["deployment"]),
    of(ENDPOINT, "RequestLatency_P99", false, false, &["deployment"]),
    of(ENDPOINT, "NewConnectionsPerSecond", false, false, &[]),
    of(ENDPOINT, "ConnectionsActive", false, false, &[]),
    of(ENDPOINT, "NetworkBytes", false, false, &[]),
    of(ENDPOINT, "DataCollectionEventsPerMinute", false, true, &["deployment", "type"]),
    of(ENDPOINT, "DataCollectionErrorsPerMinute", false, true, &["deployment", "type", "reason"]),
    of(DEPLOYMENT, "CpuUtilizationPercentage", true, true, INSTANCE),
    of(DEPLOYMENT, "CpuMemoryUtilizationPercentage", true, true, INSTANCE),
    of(DEPLOYMENT, "GpuUtilizationPercentage", true, true, INSTANCE),
    of(DEPLOYMENT, "GpuMemoryUtilizationPercentage", true, true, INSTANCE),
    of(DEPLOYMENT, "GpuEnergyJoules", false, true, INSTANCE),
    of(DEPLOYMENT, "DiskUtilization", true, true, &["instanceId", "disk"]),
    of(DEPLOYMENT, "DeploymentCapacity", false, true, &["instanceId", "State"]),
    of(DEPLOYMENT, "RequestsPerMinute", false, false, &["envoy_response_code"]),
    of(DEPLOYMENT, "RequestLatency_P50", false, false, &[]),
    of(DEPLOYMENT, "RequestLatency_P90", false, false, &[]),
    of(DEPLOYMENT, "RequestLatency_P95", false, false, &[]),
    of(DEPLOYMENT, "RequestLatency_P99", false, false, &[]),
    of(DEPLOYMENT, "DataCollectionEventsPerMinute", false, true, &["instanceId", "type"]),
    of(DEPLOYMENT, "DataCollectionErrorsPerMinute", false, true, &["instanceId", "type", "reason"]),
];

/// All of them.
pub fn emitted() -> &'static [Emitted] {
    EMITTED
}
