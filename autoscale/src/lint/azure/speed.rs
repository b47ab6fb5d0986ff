//! Rules that are too slow, or too fast.

use plimsoll_document::Severity;

use super::{PRACTICES, SETTINGS, after, directed};
use crate::azure::{Direction, Profile, Rule};
use crate::lint::{Context, Finding};

/// What is assumed of the time until a metric can be read: none is published for online endpoints.
const METRIC_DELAY_S: u32 = 180;

pub(super) fn rule(rule: &Rule, profile: &Profile, context: &Context, found: &mut Vec<Finding>) {
    let delay = context.metric_delay_s.unwrap_or(METRIC_DELAY_S);
    if rule.window_s <= delay {
        found.push(Finding {
            id: "window-below-delay",
            severity: Severity::Error,
            at: rule.at.clone(),
            member: "metricTrigger/timeWindow",
            message: format!(
                "the window of {} s is not longer than the metric's delay of {delay} s",
                rule.window_s
            ),
            why: "all of the window may be without a sample, and then the rule does nothing"
                .to_owned(),
            source: SETTINGS,
            fix: format!("write a window of at least {} minutes", (delay / 60 + 2).max(5)),
        });
    }
    let capacity = profile.capacity;
    if rule.action.direction == Direction::Decrease && capacity.maximum > capacity.minimum + 1 {
        let next = after(rule, capacity.maximum);
        if next <= capacity.minimum {
            found.push(Finding {
                id: "removes-all",
                severity: Severity::Warning,
                at: rule.at.clone(),
                member: "scaleAction/value",
                message: format!(
                    "one scale-in goes from {} to the minimum of {}",
                    capacity.maximum, capacity.minimum
                ),
                why:
                    "a short lull takes away all that a peak needs, and instances come back within \
                      minutes only"
                        .to_owned(),
                source: PRACTICES,
                fix: "remove 1 at a time".to_owned(),
            });
        }
    }
}

/// The largest scale-out rule, again and again, takes longer than the load to grow.
pub(super) fn ramp(profile: &Profile, context: &Context, found: &mut Vec<Finding>) {
    let Some(ramp_s) = context.ramp_s else { return };
    let capacity = profile.capacity;
    let slow = directed(profile, Direction::Increase).map(|rule| {
        let (mut count, mut steps) = (capacity.minimum, 0u32);
        while count < capacity.maximum {
            let next = after(rule, count).min(capacity.maximum);
            if next <= count {
                return (rule, steps, u64::MAX);
            }
            (count, steps) = (next, steps + 1);
        }
        // The first comes at once, each further one after a cooldown.
        let waits = u64::from(steps.saturating_sub(1)) * u64::from(rule.action.cooldown_s);
        (rule, steps, waits)
    });
    let Some((rule, steps, needs)) = slow.min_by_key(|(_, _, needs)| *needs) else { return };
    if needs <= u64::from(ramp_s) || needs == u64::MAX {
        return;
    }
    found.push(Finding {
        id: "cooldown-too-long",
        severity: Severity::Error,
        at: rule.at.clone(),
        member: "scaleAction/cooldown",
        message: format!(
            "from {} to {} instances takes {steps} steps and {needs} s of cooldown, and the load grows \
             in {ramp_s} s",
            capacity.minimum, capacity.maximum
        ),
        why: "one cooldown holds all rules back, so that the count stays behind the load".to_owned(),
        source: SETTINGS,
        fix: "shorten the cooldown, or add more instances at once".to_owned(),
    });
}
