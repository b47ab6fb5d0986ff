use jiff::SignedDuration;
use plimsoll_document::Document;

use super::{Kpa, read};
use crate::{Decision, Held, State};

fn told(text: &str) -> String {
    let document = Document::parse("service.yml", text).expect("it is YAML");
    read(&document).expect_err("it is wrong").to_string()
}

/// The rules of a Service with these annotations.
fn kpa(annotations: &str) -> Kpa {
    let text = format!(
        "apiVersion: serving.knative.dev/v1
kind: Service
metadata: {{name: shop}}
spec:
  template:
    metadata:
      annotations: {{{annotations}}}
    spec: {{containers: [{{image: shop}}]}}
"
    );
    let document = Document::parse("service.yml", &text).expect("it is YAML");
    read(&document).unwrap_or_else(|problems| panic!("{problems}"))
}

fn state(replicas: u32, metrics: &str) -> State {
    let text = format!(
        r#"{{"now": "2026-01-01T00:01:00Z", "replicas": {replicas}, "metrics": [{metrics}],
            "memory": {{"knative": {{"initialized": true}}}}}}"#
    );
    serde_json::from_str(&text).expect(&text)
}

/// The state after a decision, some seconds later.
fn after(mut state: State, decision: Decision, seconds: i64) -> State {
    state.now += SignedDuration::from_secs(seconds);
    state.replicas = decision.replicas;
    state.memory = decision.memory;
    state
}

const IDLE: &str = r#"{"name": "concurrency", "value": 0}"#;

#[test]
fn a_history_is_averaged_over_both_windows() {
    // 60 s at 100 in flight, the last 6 s of them at 700; 70 are wanted in each.
    let points: Vec<String> = (1..=60)
        .map(|second| {
            let value = if second > 54 { 700 } else { 100 };
            let time = format!("2026-01-01T00:{:02}:{:02}Z", second / 60, second % 60);
            format!(r#"{{"time": "{time}", "value": {value}}}"#)
        })
        .collect();
    let metric = format!(r#"{{"name": "concurrency", "points": [{}]}}"#, points.join(","));
    let decision = kpa("").decide(&state(3, &metric));
    let values: Vec<_> = decision.steps.iter().filter_map(|step| step.value).collect();
    assert_eq!(values, [160.0, 700.0]);
    assert_eq!(decision.replicas, 10, "{decision:#?}");
    assert!(decision.memory.knative.is_some_and(|memory| memory.panic.is_some()));
}

#[test]
fn without_data_the_count_stays() {
    for metrics in ["", r#"{"name": "concurrency"}"#, r#"{"name": "rps", "value": 7}"#] {
        let decision = kpa("").decide(&state(3, metrics));
        assert_eq!((decision.replicas, decision.held), (3, Some(Held::MissingData)), "{metrics}");
    }
    let mut nan = state(3, IDLE);
    nan.metrics[0].value = Some(f64::NAN);
    assert_eq!(kpa("").decide(&nan).held, Some(Held::MissingData));
}

#[test]
fn zero_comes_after_the_stable_window_and_the_grace_period() {
    let kpa = kpa("");
    let busy = state(1, r#"{"name": "concurrency", "value": 20}"#);
    let mut decision = kpa.decide(&busy);
    assert_eq!(decision.replicas, 1);
    decision.memory.knative.as_mut().expect("it remembers").active = Some(busy.now);
    let mut idle = after(busy, decision, 30);
    idle.metrics[0].value = Some(0.0);
    let decision = kpa.decide(&idle);
    assert_eq!((decision.replicas, decision.held), (1, Some(Held::Cooldown)), "active for 30 s");
    let idle = after(idle, decision, 30);
    let decision = kpa.decide(&idle);
    assert_eq!(decision.replicas, 1, "inactive from now on");
    let idle = after(idle, decision, 29);
    let decision = kpa.decide(&idle);
    assert_eq!((decision.replicas, decision.held), (1, Some(Held::Cooldown)));
    let idle = after(idle, decision, 1);
    assert_eq!(kpa.decide(&idle).replicas, 0);
}

#[test]
fn bounds_hold_and_the_initial_scale_is_one_until_it_is_reached() {
    let bounded =
        kpa("autoscaling.knative.dev/min-scale: '2', autoscaling.knative.dev/maxScale: '4'");
    assert_eq!(bounded.decide(&state(3, IDLE)).replicas, 2);
    let busy = state(3, r#"{"name": "concurrency", "value": 5000}"#);
    let decision = bounded.decide(&busy);
    assert_eq!((decision.replicas, decision.unguarded), (4, 72));
    assert_eq!(decision.held, Some(Held::Clamp));
    let initial = kpa("autoscaling.knative.dev/initial-scale: '5'");
    let mut fresh = state(0, IDLE);
    fresh.memory.knative = None;
    assert_eq!(initial.decide(&fresh).replicas, 5);
    let mut grown = state(5, IDLE);
    grown.memory.knative = initial.decide(&fresh).memory.knative;
    let decision = initial.decide(&grown);
    assert!(decision.memory.knative.is_some_and(|memory| memory.initialized));
}

#[test]
fn all_problems_are_told_at_once() {
    let text = told(
        "
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  annotations:
    autoscaling.knative.dev/min-scale: '1'
spec:
  template:
    metadata:
      annotations:
        autoscaling.knative.dev/metric: cpu
        autoscaling.knative.dev/window: 5s
        autoscaling.knative.dev/taget: '10'
        autoscaling.knative.dev/min-scale: '3'
        autoscaling.knative.dev/max-scale: '2'
        plimsoll/max-scale-up-rate: '1'
",
    );
    for part in [
        "service.yml:6:",
        "has no effect here",
        "`cpu` is none of concurrency, rps",
        "`5s` is not from 6 s",
        "did you mean `autoscaling.knative.dev/target`?",
        "minimum 3 is above the maximum 2",
        "max-scale-up-rate",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    assert!(told("kind: Deployment\n").contains("has no rules of Knative"));
}

#[test]
fn the_config_map_alone_is_what_others_get() {
    let text = "kind: ConfigMap\ndata: {container-concurrency-target-default: '50', container-concurrency-target-percentage: '0.5'}\n";
    let document = Document::parse("config.yml", text).expect("it is YAML");
    let kpa = read(&document).unwrap_or_else(|problems| panic!("{problems}"));
    let decision = kpa.decide(&state(1, r#"{"name": "concurrency", "value": 100}"#));
    assert_eq!(decision.replicas, 4);
}
