//! Endpoints and deployments as Azure ML describes them, checked: what the YAML files become, what
//! the drivers create.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::iso8601;

/// Azure's limit of instances per deployment.
pub const MOST_INSTANCES: u32 = 50;

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
    /// What only Azure acts on.
    pub azure: AzureEndpoint,
}

impl EndpointSpec {
    /// Keys of its file that have no effect on this machine: said to the user, never dropped
    /// in silence.
    pub fn only_azure(&self) -> Vec<&'static str> {
        let azure = &self.azure;
        given([
            ("compute", azure.compute.is_some()),
            ("identity", azure.identity.is_some()),
            ("public_network_access", azure.public_network_access.is_some()),
        ])
    }
}

/// The names that are marked.
fn given<const N: usize>(keys: [(&'static str, bool); N]) -> Vec<&'static str> {
    keys.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect()
}

/// Settings of an endpoint that only Azure acts on: sent there as they are given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AzureEndpoint {
    /// `azureml:<compute>`: makes it a Kubernetes endpoint.
    pub compute: Option<String>,
    /// Who the endpoint is, to other services.
    pub identity: Option<Identity>,
    /// Whether it can be reached from outside its network.
    pub public_network_access: Option<Access>,
}

/// A managed identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// None.
    None,
    /// Made and removed with the endpoint.
    SystemAssigned,
    /// An existing one: its ARM id, or its client id where no ARM id is given.
    UserAssigned(String),
}

/// Whether a network is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// Open.
    #[serde(alias = "enabled")]
    Enabled,
    /// Closed.
    #[serde(alias = "disabled")]
    Disabled,
}

/// How callers of an endpoint prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthMode {
    /// One of two keys that never expire.
    #[serde(alias = "key")]
    Key,
    /// A token of the workspace.
    #[serde(rename = "AMLToken", alias = "amltoken", alias = "aml_token")]
    AmlToken,
    /// A Microsoft Entra token.
    #[serde(rename = "AADToken", alias = "aadtoken", alias = "aad_token")]
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
    /// What runs the instances.
    pub platform: Platform,
    /// What only Azure acts on.
    pub azure: AzureDeployment,
}

impl DeploymentSpec {
    /// A deployment with Azure's defaults for everything else.
    pub fn new(
        name: impl Into<String>,
        endpoint_name: impl Into<String>,
        instance_type: impl Into<String>,
        instance_count: NonZeroU32,
    ) -> Self {
        Self {
            name: name.into(),
            endpoint_name: endpoint_name.into(),
            description: None,
            tags: BTreeMap::new(),
            properties: BTreeMap::new(),
            model: None,
            code: None,
            environment: None,
            environment_variables: BTreeMap::new(),
            instance_type: instance_type.into(),
            instance_count,
            request_settings: RequestSettings::default(),
            liveness_probe: Probe::default(),
            readiness_probe: Probe::default(),
            synthetic: None,
            platform: Platform::default(),
            azure: AzureDeployment::default(),
        }
    }

    /// Keys of its file that have no effect on this machine: said to the user, never dropped
    /// in silence.
    pub fn only_azure(&self) -> Vec<&'static str> {
        let azure = &self.azure;
        let environment = match &self.environment {
            Some(Asset::Inline(environment)) => Some(environment),
            Some(Asset::Reference(_)) | None => None,
        };
        let scaled = |k: &Kubernetes| k.scale.is_some();
        let limited = |k: &Kubernetes| k.requests.is_some() || k.limits.is_some();
        let kubernetes = |has: &dyn Fn(&Kubernetes) -> bool| match &self.platform {
            Platform::Managed => false,
            Platform::Kubernetes(settings) => has(settings),
        };
        given([
            ("environment", self.environment.is_some() && self.code.is_none()),
            (
                "environment.build",
                environment.is_some_and(|environment| environment.build.is_some()),
            ),
            (
                "environment.inference_config",
                environment.is_some_and(|environment| environment.routes.is_some()),
            ),
            (
                "request_settings.max_queue_wait_ms",
                self.request_settings.max_queue_wait != RequestSettings::default().max_queue_wait,
            ),
            ("type", self.platform != Platform::Managed),
            ("scale_settings", kubernetes(&scaled)),
            ("resources", kubernetes(&limited)),
            ("model_mount_path", azure.model_mount_path.is_some()),
            ("app_insights_enabled", azure.app_insights_enabled),
            ("egress_public_network_access", azure.egress_public_network_access.is_some()),
            ("private_network_connection", azure.private_network_connection),
            ("data_collector", azure.data_collector.is_some()),
        ])
    }
}

/// What runs the instances of a deployment.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Platform {
    /// Machines that Azure looks after, or this machine in their place.
    #[default]
    Managed,
    /// A Kubernetes cluster.
    Kubernetes(Kubernetes),
}

/// Settings that only a Kubernetes deployment has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kubernetes {
    /// What the container asks for; without it, what the instance type gives.
    pub requests: Option<Resources>,
    /// What the container may use.
    pub limits: Option<Resources>,
    /// Scaling by the cluster's router; without it, `instance_count` instances.
    pub scale: Option<TargetUtilization>,
}

/// Resources of a container, in the spelling of Kubernetes: `0.5`, `500m`, `1Gi`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    /// Cores.
    pub cpu: Option<String>,
    /// Memory.
    pub memory: Option<String>,
    /// GPUs.
    pub gpu: Option<String>,
}

/// Scaling by the share of busy instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetUtilization {
    /// Never fewer.
    pub min_instances: NonZeroU32,
    /// Never more.
    pub max_instances: NonZeroU32,
    /// Percent of the instances that should be busy.
    pub percent: u8,
    /// Between two looks.
    pub polling_interval: Duration,
}

/// Settings of a deployment that only Azure acts on: sent there as they are given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AzureDeployment {
    /// Where a custom container wants the model.
    pub model_mount_path: Option<String>,
    /// Send telemetry to Application Insights.
    pub app_insights_enabled: bool,
    /// Whether instances may reach the outside.
    pub egress_public_network_access: Option<Access>,
    /// Whether it is reached through a private network.
    pub private_network_connection: bool,
    /// Keep a sample of what is asked and answered.
    pub data_collector: Option<DataCollector>,
}

/// Keeps a sample of what a deployment is asked and answers.
#[derive(Debug, Clone, PartialEq)]
pub struct DataCollector {
    /// Share of the requests that is kept, 0 to 1.
    pub sampling_rate: f64,
    /// How often a new folder is begun: `minute`, `hour`, `day`.
    pub rolling_rate: String,
    /// What is kept, by name; `request` and `response` are the payloads.
    pub collections: BTreeMap<String, Collection>,
    /// Request headers that are kept too.
    pub capture_headers: Vec<String>,
}

/// One of the things that a data collector keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// Whether it is kept at all.
    pub enabled: bool,
    /// Name of the data asset it goes to.
    pub name: Option<String>,
    /// Version of the data asset.
    pub version: Option<String>,
    /// Where it goes.
    pub path: Option<String>,
    /// The data asset as a reference, instead of name and version.
    pub reference: Option<String>,
    /// Of the identity that writes it.
    pub client_id: Option<String>,
}

/// Something registered in a workspace, or described in place.
#[derive(Debug, Clone, PartialEq)]
pub enum Asset<T> {
    /// `azureml:<name>:<version>`, an ARM id or a registry address.
    Reference(String),
    /// Described in the file.
    Inline(T),
}

/// Where files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// On this machine: an absolute path.
    Here(PathBuf),
    /// In Azure or on the web: an address, or the id of something registered. Never looked at.
    Elsewhere(String),
}

impl Default for Location {
    /// No files at all.
    fn default() -> Self {
        Self::Here(PathBuf::new())
    }
}

impl Location {
    /// The path, if it is on this machine.
    pub fn here(&self) -> Option<&Path> {
        match self {
            Self::Here(path) => Some(path),
            Self::Elsewhere(_) => None,
        }
    }
}

/// A model described in place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Model {
    /// Given name, if any.
    pub name: Option<String>,
    /// Given version, if any.
    pub version: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// For people and policies.
    pub tags: BTreeMap<String, String>,
    /// Free properties.
    pub properties: BTreeMap<String, String>,
    /// File or folder.
    pub path: Location,
    /// How it is packed.
    pub kind: ModelKind,
}

/// How a model is packed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ModelKind {
    /// In a way that only its scoring script knows.
    #[default]
    Custom,
    /// By `MLflow`.
    Mlflow,
    /// For NVIDIA Triton.
    Triton,
}

/// The scoring script.
#[derive(Debug, Clone, PartialEq)]
pub struct Code {
    /// Its folder.
    pub folder: Location,
    /// The script, relative to the folder.
    pub scoring_script: PathBuf,
}

/// A software environment described in place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Environment {
    /// Given name, if any.
    pub name: Option<String>,
    /// Given version, if any.
    pub version: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// For people and policies.
    pub tags: BTreeMap<String, String>,
    /// Container image, for Azure and the `docker` runtime.
    pub image: Option<String>,
    /// The text of the conda file.
    pub conda: Option<String>,
    /// Folder and file that an image is built from, instead of `image`.
    pub build: Option<Build>,
    /// Routes of a container that brings its own server.
    pub routes: Option<InferenceRoutes>,
}

/// What a container image is built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Its folder.
    pub folder: Location,
    /// The Dockerfile, relative to the folder.
    pub dockerfile: PathBuf,
}

/// Routes of a container that brings its own server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InferenceRoutes {
    /// Alive?
    pub liveness: Route,
    /// Ready?
    pub readiness: Route,
    /// Requests.
    pub scoring: Route,
}

/// A port and a path on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Port of the container.
    pub port: u16,
    /// Path, with its leading slash.
    pub path: String,
}

/// Timeout and concurrency of a deployment. As JSON it has ARM's shape, as have the others here that
/// are JSON: what is left out has Azure's default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RequestSettings {
    /// After which the gateway answers 408.
    #[serde(with = "iso8601")]
    pub request_timeout: Duration,
    /// Requests that one instance works on at a time.
    pub max_concurrent_requests_per_instance: NonZeroU32,
    /// Deprecated by Azure for managed endpoints; kept as it is given.
    #[serde(with = "iso8601")]
    pub max_queue_wait: Duration,
}

/// A liveness or readiness probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Probe {
    /// Before the first probe.
    #[serde(with = "iso8601")]
    pub initial_delay: Duration,
    /// Between probes.
    #[serde(with = "iso8601")]
    pub period: Duration,
    /// For one probe.
    #[serde(with = "iso8601")]
    pub timeout: Duration,
    /// Consecutive successes that make it ready.
    pub success_threshold: u32,
    /// Consecutive failures that make it unready, or restart it.
    pub failure_threshold: u32,
}

/// A synthetic scoring server: answers after a drawn service time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Synthetic {
    /// The service time of one request.
    pub service_time: ServiceTime,
    /// Share of requests answered with status 500, 0 to 1.
    pub error_rate: f64,
    /// From start until the instance is ready, in milliseconds.
    pub start_ms: f64,
}

/// A distribution of service times, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_arms_shape_and_azures_defaults() {
        let settings = RequestSettings::default();
        let text = serde_json::to_string(&settings).unwrap();
        let arm = r#"{"requestTimeout":"PT5S","maxConcurrentRequestsPerInstance":1,"maxQueueWait":"PT0.5S"}"#;
        assert_eq!(text, arm);
        let read: RequestSettings = serde_json::from_str("{}").unwrap();
        assert_eq!(read, settings);
        let read: Probe =
            serde_json::from_str(r#"{"period":"PT1M30S","failureThreshold":3}"#).unwrap();
        let period = Duration::from_secs(90);
        assert_eq!(read, Probe { period, failure_threshold: 3, ..Probe::default() });
        assert_eq!(serde_json::to_string(&AuthMode::AmlToken).unwrap(), r#""AMLToken""#);
    }
}
