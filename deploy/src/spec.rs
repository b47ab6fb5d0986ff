//! Endpoints and deployments as Azure ML describes them, checked: what the YAML files become, what
//! the drivers create.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

/// An online endpoint: a stable address with authentication and traffic weights.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointSpec {
    /// 3 to 32 letters, digits and hyphens.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// For people and policies.
    pub tags: BTreeMap<String, String>,
    /// Free properties.
    pub properties: BTreeMap<String, String>,
    /// How callers prove who they are.
    pub auth_mode: AuthMode,
    /// Percent of the requests per deployment; the sum is 0 or 100.
    pub traffic: BTreeMap<String, u8>,
    /// Percent of the requests that are copied to one deployment.
    pub mirror_traffic: BTreeMap<String, u8>,
}

/// How callers of an endpoint prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// One of two keys that never expire.
    Key,
    /// A token of the workspace.
    AmlToken,
    /// A Microsoft Entra token.
    AadToken,
}

/// A deployment: one version of a model behind an endpoint, on a number of instances.
#[derive(Debug, Clone, PartialEq)]
pub struct DeploymentSpec {
    /// 3 to 32 letters, digits and hyphens.
    pub name: String,
    /// The endpoint it is behind.
    pub endpoint_name: String,
    /// For people.
    pub description: Option<String>,
    /// For people and policies.
    pub tags: BTreeMap<String, String>,
    /// Free properties.
    pub properties: BTreeMap<String, String>,
    /// What is served.
    pub model: Option<Asset<Model>>,
    /// The scoring script, for the `python` runtime.
    pub code: Option<Code>,
    /// What the scoring script needs.
    pub environment: Option<Asset<Environment>>,
    /// Given to the scoring script.
    pub environment_variables: BTreeMap<String, String>,
    /// The machine size (SKU).
    pub instance_type: String,
    /// Running replicas.
    pub instance_count: NonZeroU32,
    /// Timeout and concurrency.
    pub request_settings: RequestSettings,
    /// When an instance is restarted.
    pub liveness_probe: Probe,
    /// When an instance gets requests.
    pub readiness_probe: Probe,
    /// Serve synthetic service times instead of a model.
    pub synthetic: Option<Synthetic>,
}

/// Something registered in a workspace, or described in place.
#[derive(Debug, Clone, PartialEq)]
pub enum Asset<T> {
    /// `azureml:<name>:<version>`, an ARM id or a registry address.
    Reference(String),
    /// Files on this machine.
    Inline(T),
}

/// A model on this machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Given name, if any.
    pub name: Option<String>,
    /// Given version, if any.
    pub version: Option<String>,
    /// File or folder, absolute.
    pub path: PathBuf,
}

/// The scoring script.
#[derive(Debug, Clone, PartialEq)]
pub struct Code {
    /// Its folder, absolute.
    pub folder: PathBuf,
    /// The script, relative to the folder.
    pub scoring_script: PathBuf,
}

/// A software environment on this machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    /// Given name, if any.
    pub name: Option<String>,
    /// Given version, if any.
    pub version: Option<String>,
    /// Container image, for Azure and the `docker` runtime.
    pub image: Option<String>,
    /// The text of the conda file.
    pub conda: Option<String>,
}

/// Timeout and concurrency of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSettings {
    /// After which the gateway answers 408.
    pub request_timeout: Duration,
    /// Requests that one instance works on at a time.
    pub max_concurrent_requests_per_instance: NonZeroU32,
    /// Deprecated by Azure for managed endpoints; kept as it is given.
    pub max_queue_wait: Duration,
}

/// A liveness or readiness probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Before the first probe.
    pub initial_delay: Duration,
    /// Between probes.
    pub period: Duration,
    /// For one probe.
    pub timeout: Duration,
    /// Consecutive successes that make it ready.
    pub success_threshold: u32,
    /// Consecutive failures that make it unready, or restart it.
    pub failure_threshold: u32,
}

/// A synthetic scoring server: answers after a drawn service time.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Synthetic {
    /// The service time of one request.
    pub service_time: ServiceTime,
    /// Share of requests answered with status 500, 0 to 1.
    pub error_rate: f64,
    /// From start until the instance is ready, in milliseconds.
    pub start_ms: f64,
}

/// A distribution of service times, in milliseconds.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceTime {
    /// Always the same.
    Constant {
        /// The service time.
        ms: f64,
    },
    /// Exponential.
    Exponential {
        /// The mean.
        mean_ms: f64,
    },
    /// Log-normal, by two of its percentiles.
    LogNormal {
        /// The median.
        p50_ms: f64,
        /// The 99th percentile.
        p99_ms: f64,
    },
}

impl Default for RequestSettings {
    /// Azure's defaults: 5 s, one request at a time, 500 ms.
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(5),
            max_concurrent_requests_per_instance: NonZeroU32::MIN,
            max_queue_wait: Duration::from_millis(500),
        }
    }
}

impl Default for Probe {
    /// Azure's defaults: first after 10 s, every 10 s, 2 s each, ready after 1, failed after 30.
    fn default() -> Self {
        Self {
            initial_delay: Duration::from_secs(10),
            period: Duration::from_secs(10),
            timeout: Duration::from_secs(2),
            success_threshold: 1,
            failure_threshold: 30,
        }
    }
}
