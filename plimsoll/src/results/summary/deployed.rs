//! What the load was sent to, what it costs in quota, and where metrics went.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A deployment behind the endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Deployment {
    /// Its name.
    pub name: String,
    /// The machine size (SKU).
    pub instance_type: String,
    /// Instances that were asked for.
    pub instance_count: u32,
    /// What ran it: `builtin`, `python`, `docker`.
    pub runtime: String,
    /// Its share of the traffic in percent.
    #[serde(default)]
    pub traffic_percent: Option<u8>,
}

/// The quota that the deployments take, with the reserve for upgrades.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quota {
    /// The region.
    pub region: String,
    /// Whether it fits; `null` if the subscription's limits are not known.
    pub fits: Option<bool>,
    /// By SKU family.
    pub families: Vec<QuotaFamily>,
}

/// The quota of one SKU family.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuotaFamily {
    /// The family's name.
    pub family: String,
    /// Instances that were asked for.
    pub instances: u32,
    /// Instances that count against the quota: with the 20 % that Azure holds back for upgrades.
    pub reserved_instances: u32,
    /// vCPUs that count against the quota.
    pub vcpus: u64,
    /// vCPUs in use before the run; `null` if not known.
    pub used: Option<u64>,
    /// vCPUs that the subscription may use; `null` if not known or not limited.
    pub limit: Option<u64>,
}

/// What was exported over OTLP.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Otlp {
    /// Where to, and by which protocol; without secrets.
    pub receiver: String,
    /// Whether the receiver has the whole totals of the run, whatever was lost on the way.
    pub complete: bool,
    /// Data points that arrived.
    pub points_sent: u64,
    /// Data points that were lost.
    pub points_lost: u64,
    /// Log records that arrived.
    pub logs_sent: u64,
    /// Log records that were lost.
    pub logs_lost: u64,
    /// Points and records that arrived and were refused.
    pub rejected: u64,
    /// The last different errors.
    pub errors: Vec<String>,
}
