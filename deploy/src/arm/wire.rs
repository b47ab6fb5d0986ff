//! Resources as ARM carries them. The driver writes these and the local host reads them, so that
//! both mean the same; the shapes are Azure's, and what Azure does not have is marked.

#![expect(missing_docs, reason = "the fields are Azure's, by Azure's names, and documented there")]

use std::collections::BTreeMap;

use plimsoll_domain::latencies::Latencies;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::spec::{Access, AuthMode, Probe, RequestSettings};

/// The version of the API that is spoken.
pub const API_VERSION: &str = "2025-12-01";

/// Where the properties of what a PUT was asked for name its operation, as its headers do.
pub const ASYNC_OPERATION: &str = "AzureAsyncOperationUri";

/// Where a synthetic deployment's settings travel in `properties.properties`: ours, not Azure's.
pub const SYNTHETIC: &str = "plimsoll.synthetic";

/// The frame that every resource has.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource<P> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<Sku>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_data: Option<SystemData>,
    pub properties: P,
}

impl<P> Resource<P> {
    /// With nothing but properties.
    pub fn new(properties: P) -> Self {
        Self {
            id: None,
            name: None,
            resource_type: None,
            location: None,
            kind: None,
            tags: BTreeMap::new(),
            identity: None,
            sku: None,
            system_data: None,
            properties,
        }
    }
}

/// Who made and who changed a resource, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemData {
    pub created_at: String,
    pub created_by: String,
    pub created_by_type: String,
    pub last_modified_at: String,
    pub last_modified_by: String,
    pub last_modified_by_type: String,
}

/// How many instances a deployment has.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sku {
    pub name: String,
    pub capacity: u32,
}

/// A list of resources.
#[derive(Debug, Serialize, Deserialize)]
pub struct List<T> {
    pub value: Vec<T>,
}

/// The states that operations move a resource through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProvisioningState {
    /// Being created.
    Creating,
    /// Being changed.
    Updating,
    /// Getting more or fewer instances.
    Scaling,
    /// Being removed.
    Deleting,
    /// As it was asked for.
    Succeeded,
    /// Not as it was asked for; the operation's error says why.
    Failed,
    /// The operation was given up.
    Canceled,
}

impl ProvisioningState {
    /// No operation is running.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled)
    }
}

/// What an endpoint is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointProperties {
    pub auth_mode: AuthMode,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default)]
    pub traffic: BTreeMap<String, u8>,
    #[serde(default)]
    pub mirror_traffic: BTreeMap<String, u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_network_access: Option<Access>,
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provisioning_state: Option<ProvisioningState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scoring_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swagger_uri: Option<String>,
}

/// What a deployment is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentProperties {
    pub endpoint_compute_type: String,
    #[serde(default)]
    pub instance_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_configuration: Option<CodeConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_id: Option<String>,
    #[serde(default)]
    pub environment_variables: BTreeMap<String, String>,
    #[serde(default)]
    pub request_settings: RequestSettings,
    #[serde(default)]
    pub liveness_probe: Probe,
    #[serde(default)]
    pub readiness_probe: Probe,
    #[serde(default)]
    pub scale_settings: ScaleSettings,
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provisioning_state: Option<ProvisioningState>,
    /// Ours, not Azure's: why the last operation failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning_error: Option<ArmError>,
    /// Ours, not Azure's: what each instance of a local deployment does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<InstanceStatus>,
    /// All that is none of the above: what only Azure acts on, and what nobody knows.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// One instance of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceStatus {
    /// Its name within the deployment.
    pub name: String,
    /// Whether it is given requests.
    pub ready: bool,
    /// Its process, while there is one.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u32,
    /// The last exception that its scoring script ended a request with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exception: Option<String>,
}

/// Ours, not Azure's: what the instances of a local deployment have used so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentUse {
    /// Of each.
    pub instances: Vec<InstanceUse>,
    /// Requests that wait for a slot.
    pub waiting: u32,
    /// Of its endpoint, over all deployments.
    #[serde(default)]
    pub endpoint: EndpointUse,
}

/// What the limits of an endpoint ([`crate::limits`]) have cost, ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointUse {
    /// Connections that were closed at once.
    pub turned_away: u64,
    /// How long bodies waited for the bandwidth, added up.
    pub delayed_us: u64,
}

/// Ours, not Azure's: what a deployment has answered since it was last asked about, to live requests and to copies.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Answers {
    /// Other statuses than 200, also those of the gateway.
    pub wrong: u64,
    /// Of the right ones, as the gateway took them.
    pub latencies: Latencies,
}

/// What one instance has used since it was started. A process that is started again begins anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceUse {
    /// Its name within the deployment.
    pub name: String,
    /// Whether it is given requests.
    pub ready: bool,
    /// Processor time of its process group, as it was looked at last.
    pub processor_us: u64,
    /// Resident memory of its process group, as it was looked at last.
    pub memory_bytes: u64,
    /// Time that its slots were taken, added up, since it last got ready.
    pub working_us: u64,
    /// Slots that are taken now.
    pub in_flight: u32,
}

/// The scoring script.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CodeConfiguration {
    pub code_id: String,
    pub scoring_script: String,
}

/// Managed deployments have only the default: Azure Monitor scales them from outside.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScaleSettings {
    pub scale_type: String,
}

/// What a PATCH of an endpoint may change.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointPatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Value>,
}

/// Which key is to be made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyType {
    Primary,
    Secondary,
}

/// Asks for a new key: the one that is given, else one that is made up.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegenerateKeys {
    pub key_type: KeyType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_value: Option<String>,
}

/// A token for an endpoint; times are Unix seconds.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    pub access_token: String,
    pub expiry_time_utc: u64,
    pub refresh_after_time_utc: u64,
    pub token_type: String,
}

/// A registered model, code folder or environment.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssetProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conda_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_anonymous: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_archived: Option<bool>,
    /// All that is none of the above: kept as it was sent.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// What a PATCH of a deployment may change.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<Sku>,
}

/// The two keys of an endpoint.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    pub primary_key: String,
    pub secondary_key: String,
}

/// Which log is asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogsRequest {
    #[serde(default)]
    pub container_type: Option<String>,
    #[serde(default)]
    pub tail: Option<usize>,
}

/// A log.
#[derive(Debug, Serialize, Deserialize)]
pub struct Logs {
    pub content: String,
}

/// The state of a long-running operation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationStatus {
    pub id: String,
    pub name: String,
    pub status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ArmError>,
    #[serde(default)]
    pub properties: OperationProgress,
}

/// Ours, in a place that ARM leaves free: what the operation reported lately.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct OperationProgress {
    /// How many lines came before the first of `lines`.
    #[serde(default)]
    pub from: usize,
    #[serde(default)]
    pub lines: Vec<String>,
}

/// The body of every error.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorBody {
    pub error: ArmError,
}

/// What went wrong.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ArmError {
    pub code: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<ArmError>,
}

impl ArmError {
    /// The message, and those of what is behind it: often only these say what is wrong.
    pub fn sentences(&self) -> String {
        let details = self.details.iter().map(Self::sentences).filter(|text| !text.is_empty());
        let all = std::iter::once(self.message.clone()).chain(details);
        all.collect::<Vec<_>>().join("; ")
    }
}

impl Default for ScaleSettings {
    fn default() -> Self {
        Self { scale_type: "Default".to_owned() }
    }
}
