//! Rules that belong together: one out and one in, and a margin between them.

use plimsoll_document::Severity;

use super::{FLAPPING, PRACTICES, after, directed};
use crate::azure::{Direction, Profile, Rule};
use crate::lint::Finding;

/// Out without in, and in without out: of a whole profile, and of one metric.
pub(super) fn opposites(profile: &Profile, found: &mut Vec<Finding>) {
    let out: Vec<&Rule> = directed(profile, Direction::Increase).collect();
    let inward: Vec<&Rule> = directed(profile, Direction::Decrease).collect();
    for (ours, theirs, kept, word) in [
        (&out, &inward, "stays at the maximum once it was there", "scale-in"),
        (&inward, &out, "stays at the minimum once it was there", "scale-out"),
    ] {
        if let (Some(first), true) = (ours.first(), theirs.is_empty()) {
            found.push(Finding {
                id: "no-opposite-rule",
                severity: Severity::Error,
                at: first.at.clone(),
                member: "scaleAction/direction",
                message: format!("`{}` has no {word} rule", profile.name),
                why: format!("the deployment {kept}"),
                source: PRACTICES,
                fix: format!("add a {word} rule on the same metric, with a margin"),
            });
            return;
        }
    }
    for (ours, theirs, word, effect) in [
        (&out, &inward, "scale-in", "instances that it added leave only when other metrics say so"),
        (&inward, &out, "scale-out", "what it took away comes back only when other metrics say so"),
    ] {
        for rule in ours {
            if theirs.iter().any(|other| rule.same_metric(other)) {
                continue;
            }
            found.push(Finding {
                id: "no-opposite-rule",
                severity: Severity::Warning,
                at: rule.at.clone(),
                member: "metricTrigger/metricName",
                message: format!("no {word} rule looks at `{}`, as this one does", rule.metric),
                why: format!(
                    "{effect}, and Microsoft's guard against flapping still projects this metric to \
                     fewer instances"
                ),
                source: PRACTICES,
                fix: format!("add a {word} rule on `{}`, with a margin", rule.metric),
            });
        }
    }
}

/// Pairs of which one undoes the other.
pub(super) fn flapping(profile: &Profile, found: &mut Vec<Finding>) {
    for inward in directed(profile, Direction::Decrease).filter(|rule| rule.operator.is_lower()) {
        let pairs = directed(profile, Direction::Increase)
            .filter(|rule| rule.operator.is_upper() && rule.same_metric(inward));
        for out in pairs {
            found.extend(overlap(inward, out).or_else(|| margin(profile, inward, out)));
        }
    }
}

/// Both rules hold for the same value.
fn overlap(inward: &Rule, out: &Rule) -> Option<Finding> {
    let (low, high) = (out.threshold, inward.threshold);
    let both = low < high || inward.operator.holds(low, high) && out.operator.holds(low, low);
    let comparable = inward.aggregation == out.aggregation
        && inward.statistic == out.statistic
        && inward.window_s == out.window_s
        && inward.divide_per_instance == out.divide_per_instance;
    (both && comparable).then(|| Finding {
        id: "overlapping-rules",
        severity: Severity::Error,
        at: inward.at.clone(),
        member: "metricTrigger/threshold",
        message: format!(
            "scale-in at {} {} and scale-out at {} {} hold at the same time",
            inward.operator.sign(),
            inward.threshold,
            out.operator.sign(),
            out.threshold
        ),
        why:
            "the scale-out wins, so that there is no scale-in in between, and the count only grows"
                .to_owned(),
        source: FLAPPING,
        fix: format!("set the scale-in threshold well below {}", out.threshold),
    })
}

/// A scale-in that the guard defers, for some count within the capacity.
fn margin(profile: &Profile, inward: &Rule, out: &Rule) -> Option<Finding> {
    let capacity = profile.capacity;
    let mut worst: Option<(u32, u32, f64)> = None;
    let mut counts = Vec::new();
    for current in capacity.minimum.max(1)..=capacity.maximum {
        let next = after(inward, current).max(capacity.minimum).max(1);
        if next >= current {
            continue;
        }
        // The largest value that scales in, at the count that follows.
        let at = inward.threshold * f64::from(current) / f64::from(next);
        let strict = inward.operator.sign() == "<" && out.operator.sign() == ">=";
        let fires = out.operator.holds(at, out.threshold) && !(strict && at <= out.threshold);
        if fires {
            counts.push(current);
            if worst.is_none_or(|(_, _, most)| at > most) {
                worst = Some((current, next, at));
            }
        }
    }
    let (current, next, at) = worst?;
    let safe = out.threshold * f64::from(next) / f64::from(current);
    let list: Vec<String> = counts.iter().take(6).map(u32::to_string).collect();
    let more = if counts.len() > 6 { " …" } else { "" };
    Some(Finding {
        id: "flapping-pair",
        severity: Severity::Warning,
        at: inward.at.clone(),
        member: "metricTrigger/threshold",
        message: format!(
            "from {current} to {next} instances a value of {} becomes {}, where scale-out at {} {} \
             would fire (also from: {}{more})",
            number(inward.threshold),
            number(at),
            out.operator.sign(),
            out.threshold,
            list.join(", ")
        ),
        why:
            "Azure then defers the scale-in or makes it smaller, so that instances stay though the \
              rule fires"
                .to_owned(),
        source: FLAPPING,
        fix: format!("set the scale-in threshold below {}", number(safe)),
    })
}

fn number(value: f64) -> String {
    let rounded = (value * 100.0).round() / 100.0;
    rounded.to_string()
}
