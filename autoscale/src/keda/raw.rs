//! The file as it is written: `keda.sh/v1alpha1`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::hpa::{RawBehavior, RawMetadata};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawScaledObject {
    #[schemars(required)]
    pub(super) api_version: Option<String>,
    #[schemars(required)]
    pub(super) kind: Option<String>,
    pub(super) metadata: Option<RawMetadata>,
    #[schemars(required)]
    pub(super) spec: Option<RawSpec>,
    #[expect(dead_code, reason = "a cluster writes it, and it is no rule")]
    pub(super) status: Option<Value>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawSpec {
    #[schemars(required)]
    pub(super) scale_target_ref: Option<RawTarget>,
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub(super) polling_interval: Option<u32>,
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub(super) initial_cooldown_period: Option<u32>,
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub(super) cooldown_period: Option<u32>,
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub(super) idle_replica_count: Option<u32>,
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub(super) min_replica_count: Option<u32>,
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub(super) max_replica_count: Option<u32>,
    pub(super) advanced: Option<RawAdvanced>,
    #[schemars(required, length(min = 1))]
    pub(super) triggers: Option<Vec<RawTrigger>>,
    pub(super) fallback: Option<RawFallback>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawTarget {
    pub(super) api_version: Option<String>,
    pub(super) kind: Option<String>,
    #[schemars(required)]
    pub(super) name: Option<String>,
    #[expect(dead_code, reason = "where secrets are looked up, which nothing here does")]
    pub(super) env_source_container_name: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawAdvanced {
    pub(super) horizontal_pod_autoscaler_config: Option<RawHpaConfig>,
    #[expect(dead_code, reason = "what happens when the object is deleted")]
    pub(super) restore_to_original_replica_count: Option<bool>,
    pub(super) scaling_modifiers: Option<Value>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHpaConfig {
    pub(super) behavior: Option<RawBehavior>,
    #[expect(dead_code, reason = "a name decides nothing")]
    pub(super) name: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawTrigger {
    #[serde(rename = "type")]
    #[schemars(required)]
    pub(super) kind: Option<String>,
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, String>,
    #[expect(dead_code, reason = "who may read the metric, not what it says")]
    pub(super) authentication_ref: Option<Value>,
    pub(super) use_cached_metrics: Option<bool>,
    pub(super) metric_type: Option<MetricType>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(super) enum MetricType {
    /// Percent of what the pods request; of `cpu` and `memory` only.
    Utilization,
    /// For each pod.
    AverageValue,
    /// In total.
    Value,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawFallback {
    #[schemars(required, range(min = 0, max = 2_147_483_647))]
    pub(super) failure_threshold: Option<u32>,
    #[schemars(required, range(min = 0, max = 2_147_483_647))]
    pub(super) replicas: Option<u32>,
    pub(super) behavior: Option<FallbackBehavior>,
}

/// Which count a fallback leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum FallbackBehavior {
    /// That of `replicas`.
    #[default]
    Static,
    /// The present one.
    CurrentReplicas,
    /// The present one, if it is higher.
    CurrentReplicasIfHigher,
    /// The present one, if it is lower.
    CurrentReplicasIfLower,
    /// What a formula makes of it.
    ScalingModifiers,
}
