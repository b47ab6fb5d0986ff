//! Stabilization and rate limits: how fast a count may follow what the metrics ask for
//! (`pkg/controller/podautoscaler/horizontal.go` of Kubernetes v1.37.2; KEP-853).

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::raw::{PolicyType, Select};
use super::spec::{Behavior, Rules};
use crate::time::seconds_between;

/// What the controller remembers of one `HorizontalPodAutoscaler`.
///
/// Left out, the controller has just started, and takes the present count for its first
/// recommendation (`recordInitialRecommendation`): for one stabilization window it will not go below.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// What the metrics asked for lately.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recommendations: Vec<Count>,
    /// Instances that were added lately.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<Count>,
    /// Instances that were removed lately.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Count>,
    /// Whether it was this autoscaler that scaled to zero, not somebody who meant to switch it off.
    #[serde(default)]
    pub scaled_to_zero: bool,
}

/// A number of instances at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// When.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// How many.
    pub instances: u32,
}

impl Count {
    fn age(&self, now: Timestamp) -> f64 {
        seconds_between(self.time, now)
    }
}

/// Puts `new` where the last one lies that is too old, or at the end.
fn keep(counts: &mut Vec<Count>, new: Count, too_old: impl Fn(&Count) -> bool) {
    match counts.iter_mut().rev().find(|count| too_old(count)) {
        Some(old) => *old = new,
        None => counts.push(new),
    }
}

impl Memory {
    /// `stabilizeRecommendation`, without `behavior`: the largest of the window.
    pub(super) fn stabilize(&mut self, now: Timestamp, window: f64, desired: u32) -> u32 {
        let recent = self.recommendations.iter().filter(|count| count.age(now) <= window);
        let largest = recent.map(|count| count.instances).max().unwrap_or(0);
        let new = Count { time: now, instances: desired };
        keep(&mut self.recommendations, new, |count| count.age(now) > window);
        desired.max(largest)
    }

    /// `stabilizeRecommendationWithBehaviors`: not above the smallest of the window for up, not
    /// below the largest of the window for down.
    pub(super) fn stabilize_with(
        &mut self,
        now: Timestamp,
        behavior: &Behavior,
        default_window: f64,
        current: u32,
        desired: u32,
    ) -> u32 {
        let up_window = behavior.up.window.map_or(0.0, f64::from);
        let down_window = behavior.down.window.map_or(default_window, f64::from);
        let within = |window: f64| {
            let recent = self.recommendations.iter().filter(move |count| count.age(now) < window);
            recent.map(|count| count.instances)
        };
        let lowest = within(up_window).min().map_or(desired, |lowest| lowest.min(desired));
        let highest = within(down_window).max().map_or(desired, |highest| highest.max(desired));
        let new = Count { time: now, instances: desired };
        keep(&mut self.recommendations, new, |count| count.age(now) > up_window.max(down_window));
        // In this order: raised first, lowered then.
        current.max(lowest).min(highest)
    }

    /// `storeScaleEvent`: a change, for the policies to count.
    pub(super) fn changed(&mut self, now: Timestamp, behavior: &Behavior, from: u32, to: u32) {
        let new = Count { time: now, instances: from.abs_diff(to) };
        let (events, rules) = if to > from {
            (&mut self.added, &behavior.up)
        } else {
            (&mut self.removed, &behavior.down)
        };
        let longest = f64::from(rules.longest_period());
        keep(events, new, |event| event.age(now) > longest);
    }

    /// The count up or down to which the policies let the count change now
    /// (`calculateScaleUpLimitWithScalingRules`, `calculateScaleDownLimitWithBehaviors`); never on
    /// the wrong side of the present one.
    pub(super) fn limit(&self, now: Timestamp, rules: &Rules, current: u32, up: bool) -> u32 {
        let change = |events: &[Count], period: u32| -> i64 {
            let recent = events.iter().filter(|event| event.age(now) < f64::from(period));
            recent.map(|event| i64::from(event.instances)).sum()
        };
        let limits = rules.policies.iter().map(|policy| {
            let added = change(&self.added, policy.period);
            let removed = change(&self.removed, policy.period);
            // How many there were when the period began.
            let start = i64::from(current) - added + removed;
            let value = f64::from(policy.value) / 100.0;
            match (policy.kind, up) {
                (PolicyType::Pods, true) => start + i64::from(policy.value),
                (PolicyType::Pods, false) => start - i64::from(policy.value),
                (PolicyType::Percent, true) => (start as f64 * (1.0 + value)).ceil() as i64,
                (PolicyType::Percent, false) => (start as f64 * (1.0 - value)) as i64,
            }
        });
        let limit = match (rules.select, up) {
            (Select::Disabled, _) => None,
            (Select::Max, true) | (Select::Min, false) => limits.max(),
            (Select::Min, true) | (Select::Max, false) => limits.min(),
        };
        let current = i64::from(current);
        let limit = limit.unwrap_or(current);
        let limit = if up { limit.max(current) } else { limit.min(current) };
        limit.clamp(0, i32::MAX.into()) as u32
    }
}
