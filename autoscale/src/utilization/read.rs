//! From a deployment's YAML to the rules. Keys that are no scale settings are the deployment's own.

use std::collections::BTreeMap;

use plimsoll_document::{Document, Problems};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{OURS, Settings};

/// The rules of a deployment, ready to decide.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TargetUtilization {
    /// The smallest count.
    pub min: u32,
    /// The largest count.
    pub max: u32,
    /// In percent.
    pub(super) target: u32,
    /// Seconds from one decision to the next.
    pub polling_interval: u32,
    pub(super) down_polls: u32,
    pub(super) up: Stride,
    pub(super) down: Stride,
}

/// How far one step goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stride {
    ToTarget,
    One,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct RawDeployment {
    #[schemars(required)]
    scale_settings: Option<RawScale>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawScale {
    #[serde(rename = "type")]
    #[schemars(required)]
    kind: Option<ScaleType>,
    #[schemars(range(min = 1, max = 2_147_483_647))]
    min_instances: Option<u32>,
    #[schemars(range(min = 1, max = 2_147_483_647))]
    max_instances: Option<u32>,
    #[schemars(range(min = 1, max = 100))]
    target_utilization_percentage: Option<u32>,
    #[schemars(range(min = 1, max = 86_400))]
    polling_interval: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ScaleType {
    /// A fixed count.
    Default,
    /// As many as the utilization asks for.
    TargetUtilization,
}

/// Reads the rules.
///
/// # Errors
/// All that is wrong with them.
pub fn read(document: &Document) -> Result<TargetUtilization, Problems> {
    let mut problems = Problems::new();
    let raw: Option<RawDeployment> = document.read(&[], &mut problems);
    let rules = raw.and_then(|raw| rules(document, raw, &mut problems));
    problems.or(rules)
}

fn rules(
    document: &Document,
    raw: RawDeployment,
    problems: &mut Problems,
) -> Option<TargetUtilization> {
    let scale = raw.scale_settings?;
    if scale.kind? == ScaleType::Default {
        problems.push(
            document
                .problem_at("/scale_settings/type", "`default` keeps the count that `instance_count` says: there is nothing to decide")
                .hint("write `target_utilization`; a managed deployment is scaled by Azure Monitor"),
        );
        return None;
    }
    let (min, max) = (scale.min_instances.unwrap_or(1), scale.max_instances.unwrap_or(1));
    if min > max {
        let path = "/scale_settings/min_instances";
        problems.push(
            document
                .problem_at(path, format!("the minimum {min} is above the maximum {max}"))
                .hint("set `max_instances`, which is 1 if left out"),
        );
    }
    let mut rules = TargetUtilization {
        min,
        max,
        target: scale.target_utilization_percentage.unwrap_or(70),
        polling_interval: scale.polling_interval.unwrap_or(1),
        down_polls: 20,
        up: Stride::ToTarget,
        down: Stride::ToTarget,
    };
    let mut given = Settings::new(document, &raw.tags, "/tags", OURS, problems);
    let strides = [("to-target", Stride::ToTarget), ("one", Stride::One)];
    given.count("scale-down-polls", 0, &mut rules.down_polls);
    given.choice("scale-up", &strides, &mut rules.up);
    given.choice("scale-down", &strides, &mut rules.down);
    given.end();
    Some(rules)
}
