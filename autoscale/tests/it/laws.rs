//! Laws that hold for every rule and every state, each engine by itself.

use plimsoll_autoscale::azure::Parameters;
use plimsoll_autoscale::{Decision, Held, RulesFile, State};
use proptest::prelude::*;
use serde_json::{Value, json};

fn rules(value: &Value) -> RulesFile {
    let text = value.to_string();
    RulesFile::parse("rules.json", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn decide(rules: &Value, state: &Value) -> Decision {
    let state: State = serde_json::from_value(state.clone()).expect("a state");
    let file = self::rules(rules);
    let decision = file.rules.decide(Parameters::default(), &state);
    // The same input gives the same decision, also after a way through JSON.
    let text = serde_json::to_string(&state).expect("it is JSON");
    let again: State = serde_json::from_str(&text).expect("it is a state");
    assert_eq!(decision, file.rules.decide(Parameters::default(), &again));
    decision
}

/// Bounds, of which the first is not above the second.
fn bounds() -> impl Strategy<Value = (u32, u32)> {
    (1_u32..20, 0_u32..30).prop_map(|(min, more)| (min, min + more))
}

/// Each engine's rules between bounds, by the name of the engine.
fn engines(min: u32, max: u32) -> Vec<(&'static str, Value)> {
    let target = json!({"kind": "Deployment", "name": "shop"});
    let spec = |target: Value| {
        json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "shop"},
            "minReplicas": min, "maxReplicas": max,
            "metrics": [{"type": "External", "external": {"metric": {"name": "load"}, "target": target}}]}})
    };
    let keda = |metric: &str| {
        json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "spec": {
            "scaleTargetRef": target, "minReplicaCount": min, "maxReplicaCount": max,
            "triggers": [{"type": "prometheus", "name": "load", "metricType": metric, "metadata": {"threshold": "10"}}]}})
    };
    vec![
        ("hpa", spec(json!({"type": "Value", "value": "10"}))),
        ("hpa", spec(json!({"type": "AverageValue", "averageValue": "10"}))),
        ("keda", keda("Value")),
        ("keda", keda("AverageValue")),
        (
            "knative",
            json!({"apiVersion": "serving.knative.dev/v1", "kind": "Revision", "metadata": {"annotations": {
                "autoscaling.knative.dev/min-scale": min.to_string(),
                "autoscaling.knative.dev/max-scale": max.to_string(),
                "autoscaling.knative.dev/target": "10"}}}),
        ),
        (
            "utilization",
            json!({"type": "kubernetes", "scale_settings": {"type": "target_utilization",
                "min_instances": min, "max_instances": max}}),
        ),
    ]
}

/// A state of any engine, in which all pods are ready; without a load nothing can be read.
fn state(replicas: u32, load: Option<f64>, memory: &Value) -> Value {
    let metrics = match load {
        Some(load) => json!([
            {"name": "load", "value": load}, {"name": "concurrency", "value": load},
            {"name": "busy_replicas", "value": load}, {"name": "queued_requests", "value": 0}]),
        None => json!([{"name": "load"}, {"name": "busy_replicas"}]),
    };
    json!({"now": "2026-01-01T00:00:00Z", "replicas": replicas, "metrics": metrics, "memory": memory})
}

/// What an engine that has run for long, and seen nothing of note, remembers.
fn seasoned() -> Value {
    json!({"hpa": {}, "keda": {}, "knative": {"initialized": true}, "utilization": {}})
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The count is always within the bounds, whatever is measured and remembered.
    #[test]
    fn bounds_hold(
        (min, max) in bounds(),
        replicas in 1_u32..60,
        load in prop::option::of(0.0..5000.0_f64),
        fresh: bool,
    ) {
        let memory = if fresh { json!({}) } else { seasoned() };
        for (name, rules) in engines(min, max) {
            // Knative keeps a count for which there is no data, wherever it is.
            if name == "knative" && load.is_none() {
                continue;
            }
            let decision = decide(&rules, &state(replicas, load, &memory));
            // Nor does KEDA step in: its autoscaler does, at once.
            prop_assert!((min..=max).contains(&decision.replicas), "{name}: {decision:#?}");
        }
    }

    /// Without data the count stays; only the bounds may move it.
    #[test]
    fn without_data_nothing_is_scaled(
        (min, max) in bounds(),
        replicas in 1_u32..60,
        fresh: bool,
    ) {
        let memory = if fresh { json!({}) } else { seasoned() };
        for (name, rules) in engines(min, max) {
            let decision = decide(&rules, &state(replicas, None, &memory));
            let stays = if name == "knative" { replicas } else { replicas.clamp(min, max) };
            prop_assert_eq!(decision.replicas, stays, "{}: {:#?}", name, decision);
            let held = [Some(Held::MissingData), Some(Held::Clamp)];
            prop_assert!(held.contains(&decision.held), "{name}: {decision:#?}");
        }
    }

    /// More load never asks for fewer replicas, where all pods are ready and report.
    #[test]
    fn more_load_never_asks_for_fewer(
        (min, max) in bounds(),
        replicas in 1_u32..60,
        low in 0.0..2000.0_f64,
        more in 0.0..2000.0_f64,
    ) {
        for (name, rules) in engines(min, max) {
            let at = |load: f64| decide(&rules, &state(replicas, Some(load), &seasoned()));
            let (less, most) = (at(low), at(low + more));
            prop_assert!(less.replicas <= most.replicas, "{name}: {less:#?} {most:#?}");
            prop_assert!(less.unguarded <= most.unguarded, "{name}: {less:#?} {most:#?}");
        }
    }

    /// KEDA goes to zero only when no poll for longer than the cooldown found a trigger active; and when
    /// that is so, the next poll does.
    #[test]
    fn keda_goes_to_zero_after_its_cooldown_and_never_before(
        cooldown in 0_u32..200,
        loads in prop::collection::vec(prop_oneof![3 => Just(0.0), 1 => Just(50.0)], 2..40),
    ) {
        let rules = json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "spec": {
            "scaleTargetRef": {"name": "shop"}, "minReplicaCount": 0, "maxReplicaCount": 20,
            "cooldownPeriod": cooldown, "pollingInterval": 15,
            "triggers": [{"type": "prometheus", "name": "load", "metadata": {"threshold": "10"}}]}});
        let start: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().expect("a moment");
        // It begins active, so that there is a last active moment.
        let (mut replicas, mut memory, mut active) = (3_u32, json!({"hpa": {}}), 0_i64);
        for (second, load) in (0_i64..).step_by(15).zip([50.0].into_iter().chain(loads)) {
            let mut state = state(replicas, Some(load), &memory);
            let now = start + jiff::SignedDuration::from_secs(second);
            state["now"] = json!(now.to_string());
            let decision = decide(&rules, &state);
            if load > 0.0 {
                active = second;
            }
            let is_over = load == 0.0 && second - active > i64::from(cooldown);
            let waits = replicas > 0 && !is_over;
            prop_assert!(!waits || decision.replicas > 0, "{second} s: {decision:#?}");
            prop_assert!(!is_over || decision.replicas == 0, "{second} s: {decision:#?}");
            replicas = decision.replicas;
            memory = serde_json::to_value(&decision.memory).expect("it is JSON");
        }
    }

    /// The same of a utilization that pods report.
    #[test]
    fn more_cpu_never_asks_for_fewer(
        cpu in prop::collection::vec(0.0..4.0_f64, 1..12),
        more in 0.0..2.0_f64,
        target in 1_u32..200,
    ) {
        let rules = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "shop"}, "minReplicas": 1, "maxReplicas": 1000,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": target}}}]}});
        let at = |more: f64| {
            let pod = |(index, cpu): (usize, &f64)| json!({"name": format!("pod-{index}"),
                "requests": {"cpu": 1}, "metrics": {"cpu": {"value": cpu + more}}});
            let pods: Vec<Value> = cpu.iter().enumerate().map(pod).collect();
            let state = json!({"now": "2026-01-01T00:00:00Z", "replicas": pods.len(), "instances": pods,
                "memory": seasoned()});
            decide(&rules, &state)
        };
        prop_assert!(at(0.0).replicas <= at(more).replicas);
    }

    /// Rules with something else in them are read or refused, and decide within what a count can be.
    #[test]
    fn no_rules_break_an_engine(
        engine in 0_usize..6,
        at in 0.0..1.0_f64,
        length in 0_usize..12,
        other in r#"[-0-9a-zA-Z{}\[\]:,."' ]{0,8}"#,
        load in prop::option::of(-1e300..1e300_f64),
        replicas: u32,
    ) {
        let (_, rules) = engines(1, 9).swap_remove(engine);
        let mut text = serde_json::to_string_pretty(&rules).expect("it is JSON");
        let start = (at * text.len() as f64) as usize;
        text.replace_range(start..(start + length).min(text.len()), &other);
        if let Ok(file) = RulesFile::parse("rules.json", &text) {
            let state = serde_json::from_value(state(replicas, load, &seasoned()));
            let decision = file.rules.decide(Parameters::default(), &state.expect("a state"));
            prop_assert!(decision.replicas <= replicas.max(i32::MAX as u32));
        }
    }

    /// No step is larger than the policies allow, and the events of a period count together.
    #[test]
    fn policies_limit_all_steps_of_a_period(
        pods in 1_u32..10,
        period in 15_u32..120,
        loads in prop::collection::vec(0.0..3000.0_f64, 2..12),
    ) {
        let policy = json!([{"type": "Pods", "value": pods, "periodSeconds": period}]);
        let direction = json!({"stabilizationWindowSeconds": 0, "policies": policy});
        let rules = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "shop"}, "minReplicas": 1, "maxReplicas": 1000,
            "behavior": {"scaleUp": direction, "scaleDown": direction},
            "metrics": [{"type": "External", "external": {"metric": {"name": "load"},
                "target": {"type": "AverageValue", "averageValue": "10"}}}]}});
        let (mut replicas, mut memory) = (100_u32, seasoned());
        let mut history: Vec<(i64, u32)> = Vec::new();
        let start: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().expect("a moment");
        for (second, load) in (0_i64..).step_by(15).zip(loads) {
            history.push((second, replicas));
            let mut state = state(replicas, Some(load), &memory);
            let now = start + jiff::SignedDuration::from_secs(second);
            state["now"] = json!(now.to_string());
            let decision = decide(&rules, &state);
            replicas = decision.replicas;
            memory = serde_json::to_value(&decision.memory).expect("it is JSON");
            // How many there were when the period began.
            let mut within = history.iter().filter(|(at, _)| second - at < i64::from(period));
            let (_, began) = within.next().expect("this moment is one of them");
            // Where the policies would undo what is there already, it stays.
            let (_, current) = history.last().expect("this moment is in it");
            let least = began.saturating_sub(pods).min(*current);
            let most = (began + pods).max(*current);
            prop_assert!((least..=most).contains(&replicas), "{replicas}: {least} to {most}");
        }
    }
}
