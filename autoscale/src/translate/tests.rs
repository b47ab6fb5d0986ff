//! What is said to be equal is; what is not is named.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::azure::Parameters;
use crate::{RulesFile, State};

fn parse(value: &serde_json::Value) -> Rules {
    let text = value.to_string();
    RulesFile::parse("rules.json", &text).unwrap_or_else(|wrong| panic!("{wrong}\n{text}")).rules
}

/// A setting of one metric: out above `out` by one, in below `in` by one.
fn azure(min: u32, max: u32, out: f64, low: f64) -> serde_json::Value {
    let rule = |operator: &str, threshold: f64, direction: &str| {
        json!({"metricTrigger": {"metricName": "CpuUtilizationPercentage", "timeGrain": "PT1M",
            "statistic": "Average", "timeWindow": "PT5M", "timeAggregation": "Average",
            "operator": operator, "threshold": threshold},
            "scaleAction": {"direction": direction, "type": "ChangeCount", "value": "1", "cooldown": "PT5M"}})
    };
    json!({"properties": {"name": "shop", "enabled": true, "profiles": [{"name": "default",
        "capacity": {"minimum": min.to_string(), "maximum": max.to_string(), "default": min.to_string()},
        "rules": [rule("GreaterThan", out, "Increase"), rule("LessThan", low, "Decrease")]}]}})
}

/// What both engines make of so many instances at this per cent.
fn counts(one: &Rules, other: &Rules, replicas: u32, percent: u32) -> (u32, u32) {
    let pod = |n: u32| {
        json!({"name": format!("pod-{n}"), "requests": {"cpu": 1},
            "metrics": {"cpu": {"value": f64::from(percent) / 100.0},
                "CpuUtilizationPercentage": {"value": percent}}})
    };
    let state = |memory: serde_json::Value| -> State {
        let all: Vec<_> = (0..replicas).map(pod).collect();
        let state = json!({"now": "2026-01-01T00:00:00Z", "replicas": replicas, "instances": all, "memory": memory});
        serde_json::from_value(state).expect("a state")
    };
    let count = |rules: &Rules| {
        let memory = if rules.kind() == Kind::Hpa { json!({"hpa": {}}) } else { json!({}) };
        rules.decide(Parameters::default(), &state(memory)).replicas
    };
    (count(one), count(other))
}

/// Thresholds, of which the second is below the first.
fn thresholds() -> impl Strategy<Value = (u32, u32)> {
    (10_u32..100).prop_flat_map(|out| (Just(out), 1..out))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Azure's steps of one, as an HPA: the same count in every state that is said to be equal.
    #[test]
    fn steps_of_one_decide_alike(
        (out, low) in thresholds(),
        min in 1_u32..5,
        more in 0_u32..20,
        at in 0.0..1.0_f64,
        percent in 0_u32..130,
    ) {
        let max = min + more;
        let replicas = min + (f64::from(more + 1) * at) as u32;
        let before = parse(&azure(min, max, out.into(), low.into()));
        let translated = translate(&before).expect("it has an equivalent");
        prop_assert_eq!(translated.equal, Some(EQUAL));
        let hpa = parse(&translated.rules);
        let (own, theirs) = counts(&before, &hpa, replicas, percent);
        prop_assert_eq!(own, theirs, "{} at {} %: {}", replicas, percent, &translated.rules);
        // And back again: the same rules, but for what is named.
        let again = translate(&hpa).expect("it has an equivalent");
        prop_assert_eq!(again.equal, Some(EQUAL));
        let (own, theirs) = counts(&before, &parse(&again.rules), replicas, percent);
        prop_assert_eq!(own, theirs, "{} at {} %: {}", replicas, percent, &again.rules);
    }
}

#[test]
fn what_is_equal_comes_back_as_it_was() {
    let before = azure(2, 9, 70.0, 30.0);
    let hpa = translate(&parse(&before)).expect("it has an equivalent");
    assert_eq!(hpa.rules["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"], 70);
    let again = translate(&parse(&hpa.rules)).expect("it has an equivalent").rules;
    let (profile, own) =
        (&again["properties"]["profiles"][0], &before["properties"]["profiles"][0]);
    assert_eq!(profile["capacity"], own["capacity"]);
    for (rule, own) in [0, 1].map(|n| (&profile["rules"][n], &own["rules"][n])) {
        assert_eq!(rule["scaleAction"], own["scaleAction"]);
        assert_eq!(rule["metricTrigger"]["operator"], own["metricTrigger"]["operator"]);
    }
    // 29.5 for 30: between the whole per cents, as a tolerance in thousandths can say it.
    let low = profile["rules"][1]["metricTrigger"]["threshold"].as_f64().expect("a number");
    assert!((29.0..30.0).contains(&low), "{low}");
    assert_eq!(profile["rules"][0]["metricTrigger"]["threshold"], 70.0);
}

#[test]
fn a_tolerance_upwards_is_not_equal_and_is_named() {
    let hpa = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "shop"}, "spec": {
        "scaleTargetRef": {"kind": "Deployment", "name": "shop"}, "minReplicas": 1, "maxReplicas": 9,
        "metrics": [
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}},
            {"type": "External", "external": {"metric": {"name": "depth"}, "target": {"type": "Value", "value": "10"}}}],
        "behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 90}]},
            "scaleDown": {"stabilizationWindowSeconds": 300, "policies": [{"type": "Percent", "value": 50, "periodSeconds": 60}]}}}});
    let translated = translate(&parse(&hpa)).expect("the processor has an equivalent");
    assert_eq!((translated.equal, translated.kind()), (None, Kind::Azure));
    let rules = &translated.rules["properties"]["profiles"][0]["rules"];
    assert_eq!(rules[0]["metricTrigger"]["threshold"], 77.0, "{rules}");
    assert_eq!(rules[0]["scaleAction"]["cooldown"], "PT2M");
    assert_eq!(rules[1]["scaleAction"]["type"], "PercentChangeCount");
    assert_eq!(rules[1]["metricTrigger"]["timeAggregation"], "Maximum");
    assert!(matches!(parse(&translated.rules), Rules::Azure(_)));
    let told = |part: &str| translated.differences.iter().any(|one| one.what.contains(part));
    for part in [
        "external metric `depth`",
        "tolerance of 0.1 upwards",
        "policy of 4 pods",
        "policy of 50 %",
        "periodSeconds 90",
        "stabilization of 300 s",
        "scaleTargetRef",
        "unready",
        "per cent",
        "samples of some 15 s",
    ] {
        assert!(told(part), "{part}: {:#?}", translated.differences);
    }
}

#[test]
fn nothing_of_a_setting_is_dropped_in_silence() {
    let mut setting = azure(2, 9, 70.0, 30.0);
    let mut wrong = |at: usize, key: &str, value: serde_json::Value| {
        let rules = &mut setting["properties"]["profiles"][0]["rules"];
        let mut rule = rules[at].clone();
        let part = if key == "value" || key == "cooldown" || key == "type" {
            "scaleAction"
        } else {
            "metricTrigger"
        };
        rule[part][key] = value;
        rules.as_array_mut().expect("a list").push(rule);
    };
    wrong(0, "metricName", json!("RequestLatency"));
    wrong(0, "threshold", json!(85));
    wrong(1, "type", json!("ExactCount"));
    wrong(0, "dividePerInstance", json!(true));
    let properties = &mut setting["properties"];
    properties["enabled"] = json!(false);
    properties["profiles"][0]["capacity"]["default"] = json!("3");
    let translated = translate(&parse(&setting)).expect("the processor has an equivalent");
    let told = |what: &str, why: &str| {
        let fits = |one: &Difference| one.what.contains(what) && one.why.contains(why);
        translated.differences.iter().any(fits)
    };
    for (what, why) in [
        ("RequestLatency", "no metric of pods"),
        ("> 85", "one target"),
        ("< 30", "no step to a fixed count"),
        ("per instance", "divided again"),
        ("enabled", "an HPA that exists acts"),
        ("default: 3", "keeps the count"),
        ("cooldown", "both directions"),
    ] {
        assert!(told(what, why), "{what}: {:#?}", translated.differences);
    }
    // With the first step alone, and steps of one, it is equal all the same: what is left is.
    assert_eq!(translated.equal, None, "a rule that is left out is missing in one evaluation");
}

#[test]
fn what_has_no_equivalent_at_all_is_refused_with_its_reasons() {
    let mut setting = azure(2, 9, 70.0, 30.0);
    for rule in setting["properties"]["profiles"][0]["rules"].as_array_mut().expect("a list") {
        rule["metricTrigger"]["metricName"] = json!("RequestsPerMinute");
    }
    let told = translate(&parse(&setting)).expect_err("no metric of pods");
    assert!(told.contains("RequestsPerMinute") && told.contains("no metric of pods"), "{told}");
    let keda = json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "spec": {
        "scaleTargetRef": {"name": "shop"}, "triggers": [{"type": "prometheus", "name": "load",
            "metadata": {"threshold": "10"}}]}});
    let told = translate(&parse(&keda)).expect_err("another kind");
    assert!(told.contains("ScaledObject of KEDA"), "{told}");
}
