//! What is never in force, and what can never fire.

use plimsoll_document::Severity;

use super::{PRACTICES, SETTINGS, after};
use crate::azure::{Direction, Profile, Rule, Setting, When};
use crate::lint::{Context, Emitted, Finding, emitted};

pub(super) fn setting(setting: &Setting, found: &mut Vec<Finding>) {
    let mut push = |id, severity, at: &str, member, message, why: &str, fix: &str| {
        let (at, why, fix) = (at.to_owned(), why.to_owned(), fix.to_owned());
        found.push(Finding { id, severity, at, member, message, why, source: SETTINGS, fix });
    };
    if !setting.enabled {
        push(
            "not-enabled",
            Severity::Error,
            "",
            "enabled",
            "the setting is switched off".to_owned(),
            "`enabled` is false, which is also the API's default, so that nothing is scaled",
            "write `\"enabled\": true`",
        );
    }
    let defaults: Vec<&Profile> =
        setting.profiles.iter().filter(|profile| profile.when == When::Default).collect();
    let weekly = setting.profiles.iter().find(|p| matches!(p.when, When::Weekly { .. }));
    match defaults.as_slice() {
        [] if weekly.is_none() => {
            let at = setting.profiles.first().map_or("", |profile| profile.at.as_str());
            push(
                "no-default-profile",
                Severity::Error,
                at,
                "name",
                "outside its fixed dates nothing is in force".to_owned(),
                "no rule and no capacity holds then",
                "add a profile without `fixedDate` and `recurrence`",
            );
        }
        [first, ..] => {
            for other in &defaults[1..] {
                push(
                    "unreachable-profile",
                    Severity::Error,
                    &other.at,
                    "name",
                    format!("`{}` is never in force: `{}` comes first", other.name, first.name),
                    "of two profiles for the same time the first in the file is taken",
                    "keep one of them, or give it a time",
                );
            }
            let copied = setting.profiles.iter().any(|profile| profile.name.contains("\"for\""));
            if let Some(weekly) = weekly.filter(|_| !copied) {
                push(
                    "unreachable-profile",
                    Severity::Error,
                    &first.at,
                    "name",
                    format!("`{}` is never in force beside `{}`", first.name, weekly.name),
                    "a recurring profile has no end: it lasts until the next recurring one starts",
                    "give this profile a recurrence that starts where the other should end",
                );
            }
        }
        [] => {}
    }
    overlapping(setting, found);
}

/// Two profiles for one moment.
fn overlapping(setting: &Setting, found: &mut Vec<Finding>) {
    for (index, profile) in setting.profiles.iter().enumerate() {
        let earlier = setting.profiles[..index].iter().find(|other| overlap(other, profile));
        if let Some(earlier) = earlier {
            found.push(Finding {
                id: "overlapping-profiles",
                severity: Severity::Warning,
                at: profile.at.clone(),
                member: "name",
                message: format!("`{}` and `{}` are for the same time", profile.name, earlier.name),
                why: "the first in the file is taken, and the other has no effect then".to_owned(),
                source: SETTINGS,
                fix: "give them times apart".to_owned(),
            });
        }
    }
}

fn overlap(one: &Profile, other: &Profile) -> bool {
    match (&one.when, &other.when) {
        (When::Fixed { start, end }, When::Fixed { start: from, end: to }) => {
            start <= to && from <= end
        }
        (
            When::Weekly { zone, days, times },
            When::Weekly { zone: other_zone, days: other_days, times: other_times },
        ) => {
            zone == other_zone
                && days.iter().any(|day| other_days.contains(day))
                && times.iter().any(|time| other_times.contains(time))
        }
        _ => false,
    }
}

pub(super) fn rule(rule: &Rule, profile: &Profile, context: &Context, found: &mut Vec<Finding>) {
    never_acts(rule, profile, found);
    let upper = rule.operator.is_upper();
    let metric = emitted().iter().find(|metric| metric.name.eq_ignore_ascii_case(&rule.metric));
    if let Some(metric) = metric.filter(|metric| metric.percent && !rule.divide_per_instance) {
        let above = upper && !rule.operator.holds(100.0, rule.threshold);
        let below = rule.operator.is_lower() && !rule.operator.holds(0.0, rule.threshold);
        if above || below {
            found.push(never(
                rule,
                format!(
                    "`{}` is a share of 0 to 100 %, and never {} {}",
                    metric.name,
                    rule.operator.sign(),
                    rule.threshold
                ),
                "the rule can never fire".to_owned(),
                super::METRICS,
                "write a threshold between 0 and 100".to_owned(),
            ));
        }
    }
    if metric.is_some_and(Emitted::is_latency) && upper {
        latency(rule, context, found);
    }
}

/// Waiting is bounded: of N instances with C requests each and W workers, `2 · C · N` requests are
/// admitted, and W · N worked on, so that a request takes at most `2 · C / W` times its service time.
fn latency(rule: &Rule, context: &Context, found: &mut Vec<Finding>) {
    let threshold_s = rule.threshold / 1000.0;
    let source = "Microsoft, Troubleshoot online endpoints: 429 beyond 2 · \
                  max_concurrent_requests_per_instance · instance_count, 408 after request_timeout_ms";
    if let Some(deployment) = &context.deployment
        && threshold_s >= deployment.request_timeout_s
    {
        found.push(never(
            rule,
            format!("no request takes {} ms: it is answered with 408 before", rule.threshold),
            format!("`request_timeout_ms` is {} ms", deployment.request_timeout_s * 1000.0),
            source,
            "write a threshold well below the request timeout".to_owned(),
        ));
        return;
    }
    let Some(service_s) = context.service_time_s else { return };
    let (admitted, workers) = context.deployment.as_ref().map_or((1, 1), |deployment| {
        (deployment.max_concurrent, deployment.workers.clamp(1, deployment.max_concurrent.max(1)))
    });
    let times = 2.0 * f64::from(admitted) / f64::from(workers);
    let most = times * service_s * 1000.0;
    if rule.threshold >= most {
        found.push(never(
            rule,
            format!("requests of {} ms alone never take {} ms", service_s * 1000.0, rule.threshold),
            format!(
                "beyond 2 · C · N requests the rest is refused with 429, so that a request takes at \
                 most {times} times as long as alone, {most} ms: under overload this metric stops \
                 growing, and the refused are not in it"
            ),
            source,
            format!("write a threshold below {most}, or scale on CpuUtilizationPercentage"),
        ));
    }
}

fn never(rule: &Rule, message: String, why: String, source: &'static str, fix: String) -> Finding {
    let at = rule.at.clone();
    let (id, severity, member) = ("never-fires", Severity::Error, "metricTrigger/threshold");
    Finding { id, severity, at, member, message, why, source, fix }
}

/// Rules whose action changes nothing within the capacity.
fn never_acts(rule: &Rule, profile: &Profile, found: &mut Vec<Finding>) {
    let capacity = profile.capacity;
    if capacity.minimum == capacity.maximum {
        return;
    }
    let changes = (capacity.minimum..=capacity.maximum).any(|current| {
        let next = after(rule, current).clamp(capacity.minimum, capacity.maximum);
        match rule.action.direction {
            Direction::Increase => next > current,
            Direction::Decrease => next < current,
            Direction::None => next != current,
        }
    });
    if !changes {
        found.push(Finding {
            id: "unreachable-rule",
            severity: Severity::Error,
            at: rule.at.clone(),
            member: "scaleAction",
            message: format!(
                "this rule changes no count of {} to {}",
                capacity.minimum, capacity.maximum
            ),
            why: "its action leads outside of the capacity, or nowhere".to_owned(),
            source: PRACTICES,
            fix: "check direction, type and value".to_owned(),
        });
    }
}
