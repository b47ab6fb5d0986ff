//! The steps of an evaluation, in words; and what an evaluation leaves for the next.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Change, Direction, Operator, Rule};
use crate::Step;

/// What the engine carries on: the last action of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// When a rule acted last.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub acted: Timestamp,
    /// The cooldown of that rule, in seconds. It holds every rule back, in both directions.
    pub cooldown_s: u32,
}

impl Memory {
    /// When rules may act again.
    pub fn until(&self) -> Timestamp {
        let until = self.acted.as_second().saturating_add(i64::from(self.cooldown_s));
        Timestamp::from_second(until).unwrap_or(Timestamp::MAX)
    }
}

/// A step without numbers.
pub(super) fn said(what: &str, result: String) -> Step {
    Step { what: what.to_owned(), value: None, against: None, replicas: None, result }
}

/// A step that names a count.
pub(super) fn counted(what: &str, replicas: u32, result: String) -> Step {
    Step { replicas: Some(replicas), ..said(what, result) }
}

/// The step of one rule.
pub(super) fn of_rule(rule: &Rule, value: Option<f64>, asked: Option<u32>, current: u32) -> Step {
    let sign = rule.operator.sign();
    let result = match (value, asked) {
        (None, _) => "unknown: there is no sample in its window".to_owned(),
        (Some(_), None) => format!("not triggered: not {sign} {}", rule.threshold),
        (Some(_), Some(asked)) => {
            format!("triggered: {}, from {current} to {asked}", action(rule))
        }
    };
    Step { what: rule.words(), value, against: Some(rule.threshold), replicas: asked, result }
}

/// What a rule does, in words.
pub(crate) fn action(rule: &Rule) -> String {
    let action = rule.action;
    let sign = match action.direction {
        Direction::Increase => "+",
        Direction::Decrease => "−",
        Direction::None => "±",
    };
    match action.change {
        Change::ChangeCount => format!("{sign}{}", action.value),
        Change::PercentChangeCount => format!("{sign}{} %", action.value),
        Change::ExactCount => format!("exactly {}", action.value),
        Change::ServiceAllowedNextValue => format!("{sign}1 step"),
    }
}

/// Whether the comparison can be made of a value at all.
pub(super) fn holds(operator: Operator, value: Option<f64>, threshold: f64) -> bool {
    value.is_some_and(|value| operator.holds(value, threshold))
}
