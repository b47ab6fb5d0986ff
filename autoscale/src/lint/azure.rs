//! Lints of Azure Monitor's autoscale settings.

mod emission;
mod pairs;
mod reach;
mod speed;

use plimsoll_document::Severity;

use super::{Context, Finding};
use crate::azure::{Aggregation, Change, Direction, MOST_INSTANCES, Profile, Rule, Setting};

pub(super) const SETTINGS: &str = "Microsoft, Understand autoscale settings";
pub(super) const PRACTICES: &str = "Microsoft, Best practices for autoscale";
pub(super) const FLAPPING: &str = "Microsoft, Flapping in autoscale";
pub(super) const METRICS: &str =
    "Microsoft, Supported metrics of Microsoft.MachineLearningServices/workspaces/onlineEndpoints";
pub(super) const QUOTAS: &str = "Microsoft, Manage and increase quotas, managed online endpoints";

pub(super) fn lint(setting: &Setting, context: &Context) -> Vec<Finding> {
    let mut found = Vec::new();
    reach::setting(setting, &mut found);
    for profile in &setting.profiles {
        capacity(profile, context, &mut found);
        pairs::opposites(profile, &mut found);
        pairs::flapping(profile, &mut found);
        speed::ramp(profile, context, &mut found);
        for rule in &profile.rules {
            direction(rule, &mut found);
            reach::rule(rule, profile, context, &mut found);
            speed::rule(rule, profile, context, &mut found);
            emission::rule(rule, setting, &mut found);
            last(rule, &mut found);
        }
    }
    // Where a copied profile stands at the same place in the file, one finding is enough.
    let mut told: Vec<Finding> = Vec::new();
    for finding in found {
        if !told.iter().any(|other| other.id == finding.id && other.message == finding.message) {
            told.push(finding);
        }
    }
    told
}

/// A rule that adds instances when there is less to do, or removes them when there is more.
fn direction(rule: &Rule, found: &mut Vec<Finding>) {
    let wrong = match rule.action.direction {
        Direction::Increase if rule.operator.is_lower() => "adds instances when the value is low",
        Direction::Decrease if rule.operator.is_upper() => {
            "removes instances when the value is high"
        }
        _ => return,
    };
    let right = match rule.action.direction {
        Direction::Increase => "Decrease",
        _ => "Increase",
    };
    found.push(Finding {
        id: "wrong-direction",
        severity: Severity::Error,
        at: rule.at.clone(),
        member: "scaleAction/direction",
        message: format!("this rule {wrong}: {}", rule.words()),
        why: "the metrics of endpoints grow with the load, so that this works against it; \
              Microsoft's own Python sample for online endpoints has this mistake in its scale-in \
              rule"
            .to_owned(),
        source: "Microsoft, Autoscale online endpoints, Python sample",
        fix: format!("write `{right}`, or turn the comparison round"),
    });
}

fn last(rule: &Rule, found: &mut Vec<Finding>) {
    if rule.aggregation == Aggregation::Last {
        found.push(Finding {
            id: "last-aggregation",
            severity: Severity::Warning,
            at: rule.at.clone(),
            member: "metricTrigger/timeAggregation",
            message: format!("`Last` looks at one grain only: {}", rule.words()),
            why: "one minute's value decides, so that a single outlier scales, and the window has \
                  no effect"
                .to_owned(),
            source: SETTINGS,
            fix: "write `Average`".to_owned(),
        });
    }
}

fn capacity(profile: &Profile, context: &Context, found: &mut Vec<Finding>) {
    let Profile { name, capacity, .. } = profile;
    let mut push = |id, severity, member, message, why: String, source, fix| {
        let at = profile.at.clone();
        found.push(Finding { id, severity, at, member, message, why, source, fix });
    };
    if capacity.minimum == capacity.maximum {
        let has_rules = !profile.rules.is_empty();
        push(
            "min-is-max",
            if has_rules { Severity::Error } else { Severity::Warning },
            "capacity/maximum",
            format!(
                "`{name}` is fixed at {} instances: minimum and maximum are equal",
                capacity.minimum
            ),
            "no rule can change the count, however the load grows".to_owned(),
            PRACTICES,
            format!(
                "leave room, such as a maximum of {}",
                capacity.maximum.saturating_mul(2).max(2)
            ),
        );
    }
    if capacity.minimum == 0 {
        push(
            "no-instance",
            Severity::Error,
            "capacity/minimum",
            format!("`{name}` may remove every instance"),
            "a managed deployment has at least one instance, and without one no metric tells that \
             there is load"
                .to_owned(),
            QUOTAS,
            "write a minimum of at least 1; Microsoft advises 3 for availability".to_owned(),
        );
    }
    if capacity.maximum > MOST_INSTANCES {
        push(
            "above-limit",
            Severity::Error,
            "capacity/maximum",
            format!("`{name}` asks for up to {} instances", capacity.maximum),
            format!("a managed deployment has at most {MOST_INSTANCES}, unless a ticket raised it"),
            QUOTAS,
            format!("write at most {MOST_INSTANCES}"),
        );
    }
    let quota =
        context.deployment.as_ref().and_then(|deployment| deployment.most_by_quota.as_ref());
    if let Some((most, short)) = quota.filter(|(most, _)| capacity.maximum > *most) {
        push(
            "above-quota",
            Severity::Error,
            "capacity/maximum",
            format!(
                "`{name}` asks for up to {} instances, and the quota has room for {most}",
                capacity.maximum
            ),
            format!(
                "Azure reserves 20 % of instances for upgrades, so that a scale-out fails: {short}"
            ),
            QUOTAS,
            format!("write at most {most}, or ask for more quota"),
        );
    }
}

/// The count that a rule's action leads to from `current`, with the defaults of the parameters.
pub(super) fn after(rule: &Rule, current: u32) -> u32 {
    let percent = |percent: u32| (u64::from(current) * u64::from(percent) / 100).max(1) as u32;
    let step = match rule.action.change {
        Change::ExactCount => return rule.action.value,
        Change::ChangeCount => rule.action.value,
        Change::ServiceAllowedNextValue => 1,
        Change::PercentChangeCount if rule.action.direction == Direction::Increase => {
            let hundredths = u64::from(current) * u64::from(rule.action.value);
            u32::try_from(hundredths.div_ceil(100)).unwrap_or(u32::MAX).max(1)
        }
        Change::PercentChangeCount => percent(rule.action.value),
    };
    match rule.action.direction {
        Direction::Increase => current.saturating_add(step),
        Direction::Decrease => current.saturating_sub(step),
        Direction::None => current,
    }
}

pub(super) fn directed(profile: &Profile, direction: Direction) -> impl Iterator<Item = &Rule> {
    profile.rules.iter().filter(move |rule| rule.action.direction == direction)
}
