//! What an engine answers: the wanted count, and how it came about.

use schemars::JsonSchema;
use serde::Serialize;

use crate::Memory;

/// What an engine wants, with every value that led to it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Decision {
    /// How many instances are wanted from now on.
    pub replicas: u32,
    /// How many would be wanted if no guard had held the rules back.
    pub unguarded: u32,
    /// The guard that decided in the end, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// The evaluation, step by step, in the engine's own order and words.
    pub steps: Vec<Step>,
    /// What to ask with the next time.
    pub memory: Memory,
}

impl Decision {
    /// The count that it would have come to without its guards, if that is another than `current`.
    pub(crate) fn needed(&self, current: u32) -> Option<u32> {
        // What lies within a tolerance is no need.
        let is_tolerated = self.held == Some(Held::Tolerance);
        let unguarded = if is_tolerated { self.replicas } else { self.unguarded };
        let most = unguarded.max(self.replicas);
        if most > current {
            return Some(most);
        }
        // Nor is a wish for fewer than the minimum, or one of metrics that are not there.
        let is_bound = matches!(self.held, Some(Held::Clamp | Held::Disabled | Held::MissingData));
        let least = if is_bound { self.replicas } else { unguarded.min(self.replicas) };
        (least < current).then_some(least)
    }
}

/// A guard that held a decision back or changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// A cooldown has not passed yet.
    Cooldown,
    /// A scale-in would have been undone at once by a scale-out rule.
    Flapping,
    /// The minimum or maximum.
    Clamp,
    /// A stabilization window.
    Stabilization,
    /// A policy of how fast the count may change.
    Policy,
    /// The ratio lies within the tolerance.
    Tolerance,
    /// Metrics were missing.
    MissingData,
    /// The last change is still under way.
    InProgress,
    /// The rules are switched off.
    Disabled,
}

impl Held {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Cooldown => "cooldown",
            Self::Flapping => "flapping",
            Self::Clamp => "minimum or maximum",
            Self::Stabilization => "stabilization",
            Self::Policy => "policy",
            Self::Tolerance => "tolerance",
            Self::MissingData => "missing metrics",
            Self::InProgress => "last change under way",
            Self::Disabled => "not in force",
        }
    }
}

/// One step of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Step {
    /// What was looked at: a rule, a metric, a policy, a guard.
    pub what: String,
    /// The value that was observed or computed, in the unit of the metric or in instances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What it was compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<f64>,
    /// The count that this step alone asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// What came of it, in a sentence.
    pub result: String,
}
