//! The file as it is written: `autoscaling/v2`, and what is left of `autoscaling/v1`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// A `HorizontalPodAutoscaler` object.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawHpa {
    /// `autoscaling/v2` or `autoscaling/v1`.
    #[schemars(required)]
    pub api_version: Option<String>,
    /// `HorizontalPodAutoscaler`.
    #[schemars(required)]
    pub kind: Option<String>,
    pub metadata: Option<RawMetadata>,
    #[schemars(required)]
    pub spec: Option<RawSpec>,
    /// What `kubectl get -o yaml` prints beside; not looked at.
    #[expect(dead_code, reason = "a cluster writes it, and it is no rule")]
    pub status: Option<Value>,
}

/// An object's metadata; whatever else it has is the cluster's own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct RawMetadata {
    pub name: Option<String>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawSpec {
    #[schemars(required)]
    pub scale_target_ref: Option<RawReference>,
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub min_replicas: Option<u32>,
    #[schemars(required, range(min = 1, max = 2_147_483_647))]
    pub max_replicas: Option<u32>,
    #[serde(default)]
    pub metrics: Vec<RawMetric>,
    pub behavior: Option<RawBehavior>,
    /// Only in `autoscaling/v1`.
    #[serde(rename = "targetCPUUtilizationPercentage")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub target_cpu_utilization_percentage: Option<i32>,
}

/// Which object.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawReference {
    pub api_version: Option<String>,
    #[schemars(required)]
    pub kind: Option<String>,
    #[schemars(required)]
    pub name: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawMetric {
    #[serde(rename = "type")]
    #[schemars(required)]
    pub kind: Option<SourceType>,
    pub resource: Option<RawResource>,
    pub container_resource: Option<RawContainerResource>,
    pub pods: Option<RawPods>,
    pub object: Option<RawObject>,
    pub external: Option<RawExternal>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(super) enum SourceType {
    /// CPU or memory of the pods.
    Resource,
    /// CPU or memory of one container of the pods.
    ContainerResource,
    /// A metric that each pod reports.
    Pods,
    /// A metric of one Kubernetes object.
    Object,
    /// A metric from outside the cluster.
    External,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawResource {
    #[schemars(required)]
    pub name: Option<String>,
    #[schemars(required)]
    pub target: Option<RawTarget>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawContainerResource {
    #[schemars(required)]
    pub name: Option<String>,
    #[schemars(required)]
    pub container: Option<String>,
    #[schemars(required)]
    pub target: Option<RawTarget>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPods {
    #[schemars(required)]
    pub metric: Option<RawNamed>,
    #[schemars(required)]
    pub target: Option<RawTarget>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawObject {
    #[schemars(required)]
    pub described_object: Option<RawReference>,
    #[schemars(required)]
    pub metric: Option<RawNamed>,
    #[schemars(required)]
    pub target: Option<RawTarget>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExternal {
    #[schemars(required)]
    pub metric: Option<RawNamed>,
    #[schemars(required)]
    pub target: Option<RawTarget>,
}

/// A metric's name, and which of its series.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNamed {
    #[schemars(required)]
    pub name: Option<String>,
    pub selector: Option<RawSelector>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawSelector {
    #[serde(default)]
    pub match_labels: BTreeMap<String, String>,
    #[serde(default)]
    pub match_expressions: Vec<RawRequirement>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRequirement {
    #[schemars(required)]
    pub key: Option<String>,
    #[schemars(required)]
    pub operator: Option<SelectorOperator>,
    #[serde(default)]
    pub values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(super) enum SelectorOperator {
    /// The label is one of the values.
    In,
    /// The label is none of the values, or not there.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RawTarget {
    #[serde(rename = "type")]
    #[schemars(required)]
    pub kind: Option<TargetType>,
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub average_utilization: Option<i32>,
    #[schemars(extend("format" = "amount"))]
    pub average_value: Option<String>,
    #[schemars(extend("format" = "amount"))]
    pub value: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(super) enum TargetType {
    /// Percent of what the pods request.
    Utilization,
    /// The metric as a whole.
    Value,
    /// The metric divided by the number of pods.
    AverageValue,
}

/// How fast the count may change; KEDA's `advanced.horizontalPodAutoscalerConfig` has it, too.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct RawBehavior {
    pub scale_up: Option<RawRules>,
    pub scale_down: Option<RawRules>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct RawRules {
    #[schemars(range(min = 0, max = 3600))]
    pub stabilization_window_seconds: Option<u32>,
    pub select_policy: Option<Select>,
    #[schemars(length(min = 1))]
    pub policies: Option<Vec<RawPolicy>>,
    #[schemars(extend("format" = "amount"))]
    pub tolerance: Option<String>,
}

/// Which of several policies counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
pub(crate) enum Select {
    /// The one that allows the largest change.
    #[default]
    Max,
    /// The one that allows the smallest change.
    Min,
    /// None: no change in this direction.
    Disabled,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct RawPolicy {
    #[serde(rename = "type")]
    #[schemars(required)]
    pub kind: Option<PolicyType>,
    #[schemars(required, range(min = 1, max = 2_147_483_647))]
    pub value: Option<u32>,
    #[schemars(required, range(min = 1, max = 1800))]
    pub period_seconds: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum PolicyType {
    /// So many pods.
    Pods,
    /// So many percent of the pods at the period's start.
    Percent,
}
