use plimsoll_document::Document;

use super::{Hpa, read};
use crate::{Held, State};

fn hpa(text: &str) -> Hpa {
    let document = Document::parse("hpa.yml", text).expect("it is YAML");
    read(&document).unwrap_or_else(|problems| panic!("{problems}"))
}

fn told(text: &str) -> String {
    let document = Document::parse("hpa.yml", text).expect("it is YAML");
    read(&document).expect_err("it is wrong").to_string()
}

fn state(text: &str) -> State {
    serde_json::from_str(text).expect(text)
}

const CPU: &str = "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}
  minReplicas: 2
  maxReplicas: 6
  metrics:
  - type: Resource
    resource:
      name: cpu
      target: {type: Utilization, averageUtilization: 50}
";

/// Three pods at 40, 60 and 80 % of a core each.
fn busy(memory: &str) -> State {
    let pod = |name: &str, cpu: f64| {
        format!(
            r#"{{"name": "{name}", "requests": {{"cpu": 1}}, "metrics": {{"cpu": {{"value": {cpu}}}}}}}"#
        )
    };
    state(&format!(
        r#"{{"now": "2026-01-01T00:00:00Z", "replicas": 3, "instances": [{}, {}, {}], "memory": {memory}}}"#,
        pod("a", 0.4),
        pod("b", 0.6),
        pod("c", 0.8)
    ))
}

#[test]
fn a_decision_says_how_it_came_about() {
    let decision = hpa(CPU).decide(&busy("{}"));
    assert_eq!((decision.replicas, decision.unguarded, decision.held), (4, 4, None));
    let first = &decision.steps[0];
    assert_eq!((first.value, first.against, first.replicas), (Some(60.0), Some(50.0), Some(4)));
    assert!(first.result.contains("1.2000"), "{first:?}");
}

#[test]
fn the_utilization_is_cut_to_a_whole_percent() {
    // 55.9 % is 55 %: within a tenth of 50 %.
    let mut state = busy("{}");
    for pod in &mut state.instances {
        pod.metrics.get_mut("cpu").expect("it reports").value = 0.559;
    }
    let decision = hpa(CPU).decide(&state);
    assert_eq!((decision.replicas, decision.held), (3, Some(Held::Tolerance)));
    assert_eq!(decision.unguarded, 4, "without the tolerance");
}

#[test]
fn a_controller_that_has_just_started_does_not_scale_down() {
    let mut state = busy("{}");
    for pod in &mut state.instances {
        pod.metrics.get_mut("cpu").expect("it reports").value = 0.1;
    }
    let fresh = hpa(CPU).decide(&state);
    assert_eq!((fresh.replicas, fresh.unguarded, fresh.held), (3, 1, Some(Held::Stabilization)));
    state.memory.hpa = Some(super::Memory::default());
    let known = hpa(CPU).decide(&state);
    assert_eq!(
        (known.replicas, known.held),
        (2, Some(Held::Clamp)),
        "nothing higher was recommended"
    );
    // And 300 s after the start, the window is over.
    state.memory = fresh.memory;
    state.now += jiff::SignedDuration::from_secs(301);
    assert_eq!(hpa(CPU).decide(&state).replicas, 2);
}

#[test]
fn what_is_not_finite_is_missing() {
    for value in [f64::NAN, f64::INFINITY] {
        let mut state = busy("{}");
        for pod in &mut state.instances {
            pod.metrics.get_mut("cpu").expect("it reports").value = value;
        }
        let decision = hpa(CPU).decide(&state);
        assert_eq!((decision.replicas, decision.held), (3, Some(Held::MissingData)), "{value}");
    }
}

#[test]
fn a_count_without_a_list_of_pods_costs_nothing() {
    let text =
        CPU.replace("minReplicas: 2", "").replace("maxReplicas: 6", "maxReplicas: 2147483647");
    let external = "  - type: External\n    external: {metric: {name: queue}, target: {type: Value, value: 1}}\n";
    let hpa = hpa(&format!("{text}{external}"));
    let state = state(
        r#"{"now": "2026-01-01T00:00:00Z", "replicas": 2000000000,
            "metrics": [{"name": "queue", "value": 5}]}"#,
    );
    let decision = hpa.decide(&state);
    assert_eq!(decision.steps[0].result, "no pod that counts reports `cpu`");
    assert_eq!(decision.replicas, 2_147_483_647, "{decision:#?}");
}

#[test]
fn a_history_of_instances_is_read_where_they_report_nothing_themselves() {
    let mut state = busy(r#"{"hpa": {}}"#);
    let points: Vec<String> = state
        .instances
        .iter_mut()
        .flat_map(|pod| {
            pod.metrics.clear();
            let point = |time: &str, value: f64| {
                format!(r#"{{"time": "{time}", "value": {value}, "instance": "{}"}}"#, pod.name)
            };
            [
                point("2025-12-31T23:58:00Z", 0.1),
                point("2025-12-31T23:59:00Z", 0.8),
                point("2026-01-01T00:01:00Z", 0.2),
            ]
        })
        .collect();
    let metric = format!(r#"{{"name": "cpu", "points": [{}]}}"#, points.join(","));
    state.metrics.push(serde_json::from_str(&metric).expect("a metric"));
    let decision = hpa(CPU).decide(&state);
    assert_eq!((decision.steps[0].value, decision.replicas), (Some(80.0), 5));
}

#[test]
fn zero_that_was_not_asked_for_switches_off() {
    let mut state = busy("{}");
    state.replicas = 0;
    let decision = hpa(CPU).decide(&state);
    assert_eq!((decision.replicas, decision.held), (0, Some(Held::Disabled)));
}

#[test]
fn the_first_version_is_read_too() {
    let text = CPU.split("  metrics:").next().expect("a head").replace("/v2", "/v1");
    let hpa = hpa(&format!("{text}  targetCPUUtilizationPercentage: 50\n"));
    assert_eq!(hpa.decide(&busy("{}")).replicas, 4);
}

#[test]
fn all_problems_are_told_at_once() {
    let text = told(
        "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  annotations:
    plimsoll/horizontal-pod-autoscaler-tolerence: '0.2'
    plimsoll/horizontal-pod-autoscaler-initial-readiness-delay: soon
spec:
  minReplicas: 7
  maxReplicas: 6
  metrics:
  - type: Resource
    resource: {name: cpu, target: {type: Utilization}}
  - type: Pods
    external: {metric: {name: queue}, target: {type: Value, value: 10K}}
  - type: External
    external: {metric: {name: queue}, target: {type: Value, value: '0'}}
  - type: Object
    object:
      describedObject: {kind: Service, name: shop}
      metric: {name: rps}
      target: {type: Value, averageValue: 5}
  - type: CPU
  behavior:
    scaleUp:
      policies: [{type: Pods, value: 0, periodSeconds: 60}]
      tolerance: -0.1
",
    );
    for part in [
        "`scaleTargetRef` is missing",
        "hpa.yml:6:5",
        "did you mean `plimsoll/horizontal-pod-autoscaler-tolerance`?",
        "`soon` is not a duration",
        "suffix of a thousand is `k`",
        "`CPU`",
        "`value` must be above 0",
        "type and what it wants do not go together",
        "at least 1",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    let text = told(
        &CPU.replace("averageUtilization: 50", "").replace("minReplicas: 2", "minReplicas: 7"),
    );
    for part in ["a resource needs a target", "minimum 7 is above the maximum 6"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    let text = told(&CPU.replace("autoscaling/v2", "autoscaling/v2beta2"));
    assert!(text.contains("no version of it that clusters still serve"), "{text}");
    let text = told(&CPU.replace("minReplicas: 2", "minReplicas: 0"));
    assert!(text.contains("cannot come back from 0"), "{text}");
}
