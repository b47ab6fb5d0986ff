//! One poll of the router.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::read::{Stride, TargetUtilization};
use crate::time::seconds_between;
use crate::{Decision, Held, Phase, State, Step};

/// What the router remembers of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Since when the utilization has been below the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub below: Option<Timestamp>,
    /// The largest load since then: busy replicas and queued requests.
    #[serde(default)]
    pub largest: f64,
}

impl TargetUtilization {
    /// One poll.
    pub fn decide(&self, state: &State) -> Decision {
        let mut memory = state.memory.utilization.unwrap_or_default();
        let mut steps = Vec::new();
        let (replicas, unguarded, held) = self.wanted(state, &mut memory, &mut steps);
        let mut kept = state.memory.clone();
        kept.utilization = Some(memory);
        Decision { replicas, unguarded, held, steps, memory: kept }
    }

    fn wanted(
        &self,
        state: &State,
        memory: &mut Memory,
        steps: &mut Vec<Step>,
    ) -> (u32, u32, Option<Held>) {
        let current = state.replicas;
        let bounded = current.clamp(self.min.min(self.max), self.max);
        if bounded != current {
            steps.push(said(
                "bounds",
                bounded,
                format!("{current} is outside of {} to {}", self.min, self.max),
            ));
            return (bounded, bounded, Some(Held::Clamp));
        }
        let Some(load) = load(state) else {
            let text = "`busy_replicas` or `queued_requests` cannot be read: the count stays";
            steps.push(said("utilization", current, text.to_owned()));
            *memory = Memory::default();
            return (current, current, Some(Held::MissingData));
        };
        let target = f64::from(self.target) / 100.0;
        let utilization = load / f64::from(current);
        let asked = self.count(load);
        let mut step =
            said("utilization", asked, format!("{load} busy or queued, for {current} replicas"));
        (step.value, step.against) = (Some(utilization * 100.0), Some(f64::from(self.target)));
        steps.push(step);
        if utilization > target {
            *memory = Memory::default();
            let wanted = match self.up {
                Stride::ToTarget => asked.max(current),
                Stride::One => current.saturating_add(1),
            };
            return self.within(wanted, asked, steps);
        }
        if utilization < target {
            return self.down(state, load, memory, steps);
        }
        *memory = Memory::default();
        (current, current, None)
    }

    /// The count at which the utilization is the target: `ceil(load / target)`.
    fn count(&self, load: f64) -> u32 {
        let count = load * 100.0 / f64::from(self.target);
        // A quotient that is whole but for its last bit is whole.
        (count - 1e-9).ceil().clamp(0.0, f64::from(i32::MAX)) as u32
    }

    fn down(
        &self,
        state: &State,
        load: f64,
        memory: &mut Memory,
        steps: &mut Vec<Step>,
    ) -> (u32, u32, Option<Held>) {
        let (now, current) = (state.now, state.replicas);
        let since = *memory.below.get_or_insert(now);
        memory.largest = memory.largest.max(load);
        let asked = self.count(load).clamp(self.min, current);
        let wait = f64::from(self.down_polls) * f64::from(self.polling_interval);
        if seconds_between(since, now) < wait {
            let held = (asked < current).then_some(Held::Stabilization);
            if held.is_some() {
                steps.push(said(
                    "scale down",
                    current,
                    format!("below the target for less than {wait} s"),
                ));
            }
            return (current, asked, held);
        }
        let wanted = match self.down {
            Stride::ToTarget => self.count(memory.largest).min(current),
            Stride::One => current.saturating_sub(u32::from(self.count(memory.largest) < current)),
        };
        if wanted < current {
            *memory = Memory::default();
        } else {
            // The load of that time still needs them; the next period begins.
            *memory = Memory { below: Some(now), largest: load };
        }
        self.within(wanted, asked, steps)
    }

    fn within(
        &self,
        wanted: u32,
        unguarded: u32,
        steps: &mut Vec<Step>,
    ) -> (u32, u32, Option<Held>) {
        let replicas = wanted.clamp(self.min, self.max);
        if replicas == wanted {
            return (replicas, unguarded, None);
        }
        steps.push(said(
            "bounds",
            replicas,
            format!("{wanted} is outside of {} to {}", self.min, self.max),
        ));
        (replicas, unguarded, Some(Held::Clamp))
    }
}

fn said(what: &str, replicas: u32, result: String) -> Step {
    Step { what: what.to_owned(), value: None, against: None, replicas: Some(replicas), result }
}

/// Busy replicas and queued requests; `None` if one of them is not known. A value that is
/// negative or not finite is none.
fn load(state: &State) -> Option<f64> {
    let usable = |value: &f64| value.is_finite() && *value >= 0.0;
    let metric = |name: &str| {
        let mut of = state.metrics.iter().filter(|m| m.name == name && m.resource.is_none());
        of.find_map(|metric| metric.value_at(state.now)).filter(usable)
    };
    let reported = || {
        let there = |phase: Phase| !matches!(phase, Phase::Deleted | Phase::Failed);
        let busy = state.instances.iter().filter(|instance| there(instance.phase));
        let values: Vec<f64> =
            busy.filter_map(|i| i.metrics.get("busy")).map(|r| r.value).filter(usable).collect();
        (!values.is_empty()).then(|| values.iter().sum())
    };
    Some(metric("busy_replicas").or_else(reported)? + metric("queued_requests")?)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use plimsoll_document::Document;

    use super::super::read;
    use super::*;

    fn rules(text: &str) -> Result<TargetUtilization, String> {
        let text = format!("type: kubernetes\nname: blue\nscale_settings: {text}");
        let document = Document::parse("blue.yml", &text).expect("it is YAML");
        read(&document).map_err(|problems| problems.to_string())
    }

    fn state(replicas: u32, busy: f64, queued: f64) -> State {
        let text = format!(
            r#"{{"now": "2026-01-01T00:00:00Z", "replicas": {replicas}, "metrics": [
                {{"name": "busy_replicas", "value": {busy}}},
                {{"name": "queued_requests", "value": {queued}}}]}}"#
        );
        serde_json::from_str(&text).expect(&text)
    }

    const RULES: &str =
        "{type: target_utilization, min_instances: 2, max_instances: 10, polling_interval: 2}\n";

    #[test]
    fn above_the_target_replicas_are_added_at_once() {
        let rules = rules(RULES).expect("they are right");
        // 4 busy, 3 queued, 4 replicas: 175 %; 7 / 0.7 are 10.
        let decision = rules.decide(&state(4, 4.0, 3.0));
        assert_eq!((decision.replicas, decision.held), (10, None));
        assert_eq!(decision.steps[0].value, Some(175.0));
        let decision = rules.decide(&state(4, 4.0, 30.0));
        assert_eq!(
            (decision.replicas, decision.unguarded, decision.held),
            (10, 49, Some(Held::Clamp))
        );
        assert_eq!(rules.decide(&state(10, 7.0, 0.0)).replicas, 10, "just at the target");
    }

    #[test]
    fn below_it_they_are_removed_after_twenty_polls() {
        let rules = rules(RULES).expect("they are right");
        let mut now = state(8, 2.0, 0.0);
        for poll in 0..20 {
            // Once in between the load was 3.
            now.metrics[0].value = Some(if poll == 7 { 3.0 } else { 1.0 });
            let decision = rules.decide(&now);
            assert_eq!(
                (decision.replicas, decision.held),
                (8, Some(Held::Stabilization)),
                "{poll}"
            );
            now.memory = decision.memory;
            now.now += SignedDuration::from_secs(2);
        }
        let decision = rules.decide(&now);
        assert_eq!((decision.replicas, decision.unguarded), (5, 2), "3 / 0.7, rounded up");
        // A moment above the target begins the wait anew.
        let mut above = now.clone();
        above.metrics[0].value = Some(6.0);
        now.memory = rules.decide(&above).memory;
        assert_eq!(rules.decide(&now).held, Some(Held::Stabilization));
    }

    #[test]
    fn what_is_not_documented_can_be_set() {
        let one = format!(
            "{RULES}tags: {{plimsoll/scale-up: one, plimsoll/scale-down: one, plimsoll/scale-down-polls: '0'}}\n"
        );
        let rules = rules(&one).expect("they are right");
        assert_eq!(rules.decide(&state(4, 4.0, 3.0)).replicas, 5);
        assert_eq!(rules.decide(&state(8, 1.0, 0.0)).replicas, 7);
    }

    #[test]
    fn without_data_the_count_stays() {
        let rules = rules(RULES).expect("they are right");
        for value in [None, Some(f64::NAN), Some(f64::INFINITY), Some(-1.0)] {
            for metric in 0..2 {
                let mut state = state(4, 4.0, 3.0);
                state.metrics[metric].value = value;
                let decision = rules.decide(&state);
                assert_eq!((decision.replicas, decision.held), (4, Some(Held::MissingData)));
            }
        }
        assert_eq!(rules.decide(&state(1, 0.0, 0.0)).replicas, 2, "the minimum holds");
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let told = rules(
            "{type: target_utilization, min_instances: 3, target_utilization_percentage: 0}\ntags: {plimsoll/scale-up: two}\n",
        );
        let told = told.expect_err("they are wrong");
        for part in
            ["minimum 3 is above the maximum 1", "at least 1", "`two` is none of to-target, one"]
        {
            assert!(told.contains(part), "{part} is not in:\n{told}");
        }
        let told = rules("{type: default}\n").expect_err("they are none");
        assert!(told.contains("nothing to decide"), "{told}");
    }
}
