use jiff::SignedDuration;
use plimsoll_document::Document;

use super::{ScaledObject, read};
use crate::{Decision, Held, State};

fn told(text: &str) -> String {
    let document = Document::parse("so.yml", text).expect("it is YAML");
    read(&document).expect_err("it is wrong").to_string()
}

/// A `ScaledObject` with these lines under `spec`.
fn object(spec: &str) -> ScaledObject {
    let text = format!(
        "apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {{name: shop}}
spec:
  scaleTargetRef: {{name: shop}}
{spec}"
    );
    let document = Document::parse("so.yml", &text).expect("it is YAML");
    read(&document).unwrap_or_else(|problems| panic!("{problems}"))
}

const QUEUE: &str = "  triggers:
  - type: prometheus
    name: queue
    metadata: {serverAddress: http://p, query: q, threshold: '10', activationThreshold: '5'}
";

/// What KEDA is asked with; nothing was recommended lately.
fn state(replicas: u32, queue: Option<f64>) -> State {
    let value = queue.map_or_else(String::new, |value| format!(r#", "value": {value}"#));
    let text = format!(
        r#"{{"now": "2026-01-05T12:00:00Z", "replicas": {replicas},
            "metrics": [{{"name": "queue"{value}}}], "memory": {{"hpa": {{}}}}}}"#
    );
    serde_json::from_str(&text).expect(&text)
}

/// The state after a decision, some seconds later, with another value.
fn after(mut state: State, decision: Decision, seconds: i64, queue: Option<f64>) -> State {
    state.now += SignedDuration::from_secs(seconds);
    state.replicas = decision.replicas;
    state.memory = decision.memory;
    state.metrics[0].value = queue;
    state
}

#[test]
fn it_is_active_strictly_above_the_activation_threshold() {
    let object = object(QUEUE);
    assert_eq!(object.decide(&state(0, Some(5.0))).replicas, 0);
    assert_eq!(object.decide(&state(0, Some(5.1))).replicas, 1);
}

#[test]
fn between_minimum_and_maximum_the_written_autoscaler_decides() {
    let object = object(&format!("  minReplicaCount: 2\n  maxReplicaCount: 8\n{QUEUE}"));
    let decision = object.decide(&state(3, Some(55.0)));
    assert_eq!((decision.replicas, decision.unguarded), (6, 6));
    let decision = object.decide(&state(3, Some(500.0)));
    assert_eq!(decision.held, Some(Held::Policy), "it at most doubles: {decision:#?}");
    assert_eq!((decision.replicas, decision.unguarded), (6, 50));
}

#[test]
fn the_cooldown_counts_from_the_last_active_moment_and_only_to_zero() {
    let object = object(&format!("  cooldownPeriod: 60\n{QUEUE}"));
    let active = state(1, Some(9.0));
    let decision = object.decide(&active);
    let mut now = after(active, decision, 30, Some(0.0));
    let decision = object.decide(&now);
    assert_eq!((decision.replicas, decision.held), (1, Some(Held::Cooldown)));
    now = after(now, decision, 30, Some(0.0));
    let decision = object.decide(&now);
    assert_eq!(decision.replicas, 1, "60 s are not more than 60 s");
    now = after(now, decision, 30, Some(0.0));
    assert_eq!(object.decide(&now).replicas, 0);
}

#[test]
fn keda_looks_only_every_polling_interval() {
    let object = object(&format!("  pollingInterval: 45\n{QUEUE}"));
    let idle = state(0, Some(0.0));
    let decision = object.decide(&idle);
    let early = after(idle, decision, 15, Some(50.0));
    let decision = object.decide(&early);
    assert_eq!(decision.replicas, 0, "not asked yet");
    let due = after(early, decision, 30, Some(50.0));
    assert_eq!(object.decide(&due).replicas, 1);
}

#[test]
fn cached_metrics_are_those_of_the_last_poll() {
    let cached = QUEUE.replace("    name:", "    useCachedMetrics: true\n    name:");
    let object = object(&format!("  minReplicaCount: 1\n{cached}"));
    let first = state(3, Some(30.0));
    let decision = object.decide(&first);
    assert_eq!(decision.replicas, 3);
    let next = after(first, decision, 15, Some(60.0));
    let decision = object.decide(&next);
    assert_eq!(decision.replicas, 3, "still 30");
    let polled = after(next, decision, 15, Some(60.0));
    assert_eq!(object.decide(&polled).replicas, 6);
}

#[test]
fn a_cron_trigger_asks_for_its_replicas_in_its_time() {
    let object = object(
        "  minReplicaCount: 0
  triggers:
  - type: cron
    metadata: {timezone: Europe/Berlin, start: 0 8 * * *, end: 0 18 * * *, desiredReplicas: '4'}
",
    );
    let mut now = state(0, None);
    let decision = object.decide(&now);
    assert_eq!(decision.replicas, 1, "KEDA's step from zero");
    now = after(now, decision, 15, None);
    assert_eq!(object.decide(&now).replicas, 4);
    now.now = "2026-01-05T17:00:00Z".parse().expect("a moment");
    assert_eq!(object.decide(&now).steps[0].result, "outside of its time");
}

#[test]
fn processor_load_alone_never_goes_to_zero() {
    let object = object(
        "  minReplicaCount: 0
  triggers:
  - {type: cpu, metricType: Utilization, metadata: {value: '50'}}
",
    );
    let text = r#"{"now": "2026-01-05T12:00:00Z", "replicas": 2, "memory": {"hpa": {}},
        "instances": [{"name": "a", "requests": {"cpu": 1}, "metrics": {"cpu": {"value": 0}}},
                      {"name": "b", "requests": {"cpu": 1}, "metrics": {"cpu": {"value": 0}}}]}"#;
    let decision = object.decide(&serde_json::from_str(text).expect("a state"));
    assert_eq!(decision.replicas, 1);
}

#[test]
fn what_cannot_be_read_never_scales_to_zero() {
    let object = object(QUEUE);
    for value in [None, Some(f64::NAN), Some(f64::INFINITY)] {
        let mut now = state(2, Some(1.0));
        now.metrics[0].value = value;
        let decision = object.decide(&now);
        assert_eq!((decision.replicas, decision.held), (2, Some(Held::MissingData)), "{value:?}");
    }
}

#[test]
fn the_fallback_begins_after_more_failures_than_the_threshold() {
    let object = object(&format!(
        "  minReplicaCount: 1\n  fallback: {{failureThreshold: 2, replicas: 6}}\n{QUEUE}"
    ));
    let mut now = state(2, None);
    for failure in 1..=3 {
        let decision = object.decide(&now);
        let stands_in = failure > 2;
        assert_eq!(decision.steps[0].value.is_some(), stands_in, "failure {failure}");
        assert_eq!(decision.replicas, if stands_in { 4 } else { 2 }, "failure {failure}");
        now = after(now, decision, 15, None);
    }
    // One reading, and the count begins anew.
    now.metrics[0].value = Some(20.0);
    let decision = object.decide(&now);
    now = after(now, decision, 15, None);
    assert_eq!(object.decide(&now).steps[0].value, None);
}

#[test]
fn a_fallback_of_a_total_is_divided_by_the_ready_pods() {
    let total = QUEUE.replace("    name:", "    metricType: Value\n    name:");
    let object = object(&format!(
        "  minReplicaCount: 1\n  fallback: {{failureThreshold: 0, replicas: 6}}\n{total}"
    ));
    let decision = object.decide(&state(4, None));
    assert_eq!(decision.steps[0].value, Some(15.0), "10 x 6 / 4");
    assert_eq!(decision.replicas, 6);
}

#[test]
fn all_problems_are_told_at_once() {
    let text = told(
        "
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
spec:
  scaleTargetRef: {name: shop}
  minReplicaCount: 5
  maxReplicaCount: 4
  idleReplicaCount: 5
  fallback: {failureThreshold: -1, replicas: 2}
  advanced: {scalingModifiers: {formula: a + b, target: '1'}}
  triggers:
  - {type: promtheus, metadata: {}}
  - {type: kafka, metadata: {}}
  - {type: prometheus, metadata: {threshold: many}}
  - {type: azure-monitor, metadata: {targetValue: '0'}}
  - {type: cpu, metadata: {value: '50'}}
  - {type: cron, metadata: {timezone: Mars/Olympus, start: 0 8 * *, end: 0 9 * * *}}
",
    );
    for part in [
        "minimum 5 is above the maximum 4",
        "must be below `minReplicaCount`",
        "failureThreshold",
        "formulas over triggers are not evaluated",
        "did you mean `prometheus`?",
        "`kafka` are not evaluated",
        "`many` is not a number",
        "`targetValue` must be above 0",
        "needs `metricType`",
        "`Mars/Olympus` is no time zone",
        "has 4 fields, not 5",
        "`desiredReplicas` is missing",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}
