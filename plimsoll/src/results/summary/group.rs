//! What was measured by stage, by deployment and by request.

use std::collections::BTreeMap;

use plimsoll_domain::{Key, Snapshot, Tally};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LatencyStats, OutcomeCounts};

/// The same arrivals told apart in three ways.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Groups {
    /// By the stage in which they were due, warm-ups among them.
    pub stages: Vec<GroupResult>,
    /// By the deployment that answered, without warm-up; the first may have no name: nobody told.
    pub deployments: Vec<GroupResult>,
    /// By what was asked, without warm-up.
    pub requests: Vec<GroupResult>,
}

/// What was measured of one stage, deployment or request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupResult {
    /// Its name; empty for requests of which nobody told who answered.
    pub name: String,
    /// Whether it is a warm-up, which is never judged.
    #[serde(default, skip_serializing_if = "is_false")]
    pub warmup: bool,
    /// Arrivals that ended.
    pub ended: u64,
    /// How.
    pub outcomes: OutcomeCounts,
    /// Response time in milliseconds; failures count as infinite in its percentiles.
    pub response_ms: LatencyStats,
    /// Service time in milliseconds.
    pub service_ms: LatencyStats,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl Groups {
    /// What was measured in a whole run.
    pub fn new(whole: &Snapshot) -> Self {
        let names = &whole.names;
        let measured = |key: Key| !names.is_warmup(key.stage);
        let stage = |number: u16| {
            let name = names.stages.get(usize::from(number)).map(|stage| stage.name.clone());
            (name, names.is_warmup(number))
        };
        let deployment = |n: u16| (names.deployments().get(usize::from(n)).cloned(), false);
        let request = |n: u16| (names.requests.get(usize::from(n)).cloned(), false);
        Self {
            stages: groups(whole, |key| Some(key.stage), stage),
            deployments: groups(whole, |k| measured(k).then_some(k.deployment), deployment),
            requests: groups(whole, |k| measured(k).then_some(k.request), request),
        }
    }
}

/// The tallies of a run merged by a part of their keys, of which `named` tells the name and
/// whether it is a warm-up; what has not ended is left out.
fn groups(
    whole: &Snapshot,
    part: impl Fn(Key) -> Option<u16>,
    named: impl Fn(u16) -> (Option<String>, bool),
) -> Vec<GroupResult> {
    let mut groups: BTreeMap<u16, Tally> = BTreeMap::new();
    for (key, tally) in whole.tallies.iter().filter(|(_, tally)| tally.ended() > 0) {
        if let Some(part) = part(*key) {
            groups.entry(part).or_default().merge(tally);
        }
    }
    let result = |(number, tally): (u16, Tally)| {
        let (name, warmup) = named(number);
        GroupResult { name: name.unwrap_or_default(), warmup, ..GroupResult::of(&tally) }
    };
    groups.into_iter().map(result).collect()
}

impl GroupResult {
    fn of(tally: &Tally) -> Self {
        Self {
            ended: tally.ended(),
            outcomes: OutcomeCounts::new(&tally.outcomes),
            response_ms: LatencyStats::new(&tally.response, tally.infinite()),
            service_ms: LatencyStats::new(&tally.service, 0),
            ..Self::default()
        }
    }
}
