//! Scenarios with rules: what is read, and every problem with its place.

use std::fs;

use plimsoll_monitor::Severity;

use super::*;
use crate::scenario::{Scenario, read};

const DEPLOYMENT: &str = "name: blue\nendpoint_name: scaled\ninstance_type: Standard_DS3_v2\n\
    instance_count: 2\nsynthetic: {service_time: {constant: {ms: 50}}}\n";
const RULES: &str = "az monitor autoscale create --count 2 --min-count 2 --max-count 9\n\
    az monitor autoscale rule create --condition \"CpuUtilizationPercentage > 70 avg 5m\" --scale out 1\n";

/// A scenario with this value of `autoscale`, beside these rules.
fn scenario(autoscale: &str, rules: &str) -> Result<Scenario, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect(name);
    write("endpoint.yml", "name: scaled\nauth_mode: key\n");
    write("blue.yml", DEPLOYMENT);
    write("rules.sh", rules);
    let text = format!(
        "name: scaled\nendpoint: endpoint.yml\ndeployments: [blue.yml]\nrequest: {{method: GET}}\n\
         load: {{stages: [{{duration: 5s, rps: 1}}]}}\nautoscale: {autoscale}\n"
    );
    write("scenario.yml", &text);
    read(folder.path()).map_err(|problems| problems.to_string())
}

#[test]
fn what_is_not_said_is_taken_as_documented() {
    let read = scenario("{rules: rules.sh, provisioning: 4m}", RULES).expect("it is fine");
    let autoscale = read.autoscale.expect("it is there");
    assert_eq!(autoscale.subject.metric_delay, Duration::from_mins(3));
    assert_eq!((autoscale.compression, autoscale.begins), (Compression::NONE, None));
    let machine = autoscale.subject.machine;
    assert_eq!((machine.cores, machine.processor), (4.0, Processor::SlotsAtWork));
    let all = "{rules: rules.sh, deployment: blue, provisioning: {log_normal: {p50: 3m, p99: 8m}}, \
        metric_delay: 1m, time_compression: 12, assume: [interval_s=30, percent_in=up], \
        begins: '2026-11-28T08:00:00Z'}";
    let autoscale = scenario(all, RULES).expect("it is fine").autoscale.expect("it is there");
    assert_eq!((autoscale.parameters.interval_s, autoscale.compression.factor()), (30, 12));
    assert!(autoscale.begins.is_some());
}

#[test]
fn every_problem_is_told_with_its_place() {
    let told = scenario(
        "\n  rules: rules.sh\n  deployment: green\n  provisioning: {exponential: {mean: soon}}\n  \
         time_compression: 7\n  assume: [speed=1, metric_delay_s=3]\n  metrics: {depth: width}\n  \
         begins: today",
        RULES,
    );
    let told = told.expect_err("it is wrong");
    for words in [
        "no deployment named `green`",
        "soon",
        "7 does not divide 60",
        "`speed` is no parameter",
        "write this as `metric_delay`",
        "`width` is not measured",
        "`today` is no moment",
        "scenario.yml:8:",
    ] {
        assert!(told.contains(words), "{words} is not in:\n{told}");
    }
    let told = scenario("{rules: none.json, time_compression: 2}", RULES).expect_err("no file");
    assert!(told.contains("there is no file") && told.contains("provisioning"), "{told}");
    let gpu = RULES.replace("CpuU", "GpuU");
    let told = scenario("{rules: rules.sh, provisioning: 1m}", &gpu).expect_err("no GPU here");
    assert!(told.contains("rules.sh:2") && told.contains("not measured on this machine"), "{told}");
}

/// What the rules would never look at.
#[test]
fn what_means_nothing_to_the_rules_is_refused() {
    let hpa = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec:\n  \
        scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}\n  maxReplicas: 5\n  metrics:\n  \
        - type: Pods\n    pods: {metric: {name: depth}, target: {type: AverageValue, averageValue: 2}}\n";
    let named = "{rules: rules.sh, provisioning: 1m, metrics: {depth: queued_requests}}";
    assert!(scenario(named, hpa).is_ok());
    let told = scenario(named, RULES).expect_err("Azure's metrics have their names");
    assert!(told.contains("no rule looks at `depth`") && told.contains("scenario.yml:6"), "{told}");
    let other = named.replace("depth:", "depth: busy_replicas, width:");
    let told = scenario(&other, hpa).expect_err("nobody looks at width");
    assert!(told.contains("no rule looks at `width`"), "{told}");
    let assumed = named.replace("metrics:", "assume: [percent_in=up], metrics:");
    let told = scenario(&assumed, hpa).expect_err("it has no such parameters");
    assert!(told.contains("assumptions on Azure Monitor"), "{told}");
}

#[test]
fn alerts_may_look_at_rules() {
    let alerts = "{rules: rules.sh, provisioning: 4m}\nalerts:\n  - {name: late, objective: time back \
                  under < 5m, for: 3s, severity: critical}\n  - {name: p, objective: p99 < 1s in every 5s}";
    let read = scenario(alerts, RULES).expect("it is fine");
    let rules = read.autoscale.expect("it is there").alerts;
    assert_eq!((read.alerts.len(), rules.len()), (1, 1));
    let terms = &rules[0].terms;
    assert_eq!((terms.name.as_str(), terms.objective.as_str()), ("late", "time back under < 5m"));
    assert_eq!((terms.hold, terms.severity), (Duration::from_secs(3), Severity::Critical));
    assert_eq!(terms.threshold.duration(), Some(Duration::from_mins(5)));
    let twice = alerts.replace("{name: p,", "{name: late,");
    let told = scenario(&twice, RULES).expect_err("one name for two");
    assert!(told.contains("two alerts named `late`") && told.contains("scenario.yml:9"), "{told}");
    let wrong = alerts.replace("< 5m,", "< soon,");
    assert!(scenario(&wrong, RULES).expect_err("no time").contains("scenario.yml:8"));
    let text = "name: a\ntarget: {url: 'http://127.0.0.1:1/'}\nrequest: {method: GET}\n\
        load: {stages: [{duration: 5s, rps: 1}]}\nalerts: [{name: f, objective: flaps <= 0}]\n";
    let told = crate::scenario::read_text(text).unwrap_err().to_string();
    assert!(told.contains("would never be judged") && told.contains("scenario.yml:5"), "{told}");
}

#[test]
fn rules_of_what_exists_are_not_judged_and_what_can_be_is_named() {
    let judged = |objective: &str| {
        let text = format!(
            "name: a\ntarget: {{url: 'http://127.0.0.1:1/'}}\nrequest: {{method: GET}}\n\
             load: {{stages: [{{duration: 5s, rps: 1}}]}}\nobjectives: ['{objective}']\n"
        );
        crate::scenario::read_text(&text).map_err(|problems| problems.to_string())
    };
    for objective in
        ["flaps <= 0", "time back under < 5m", "refused share < 1%", "violation time < 10s"]
    {
        let told = judged(objective).expect_err(objective);
        assert!(
            told.contains("would never be judged") && told.contains("scenario.yml:5"),
            "{told}"
        );
        assert!(told.contains("error rate < 1% in every 10s"), "{told}");
    }
    assert!(judged("error rate < 1% in every 1s").is_ok(), "what it offers is judged");
}

#[test]
fn what_exists_is_only_observed() {
    let text = "name: a\ntarget: {url: 'http://127.0.0.1:1/'}\nrequest: {method: GET}\n\
        load: {stages: [{duration: 5s, rps: 1}]}\nautoscale: {rules: r.sh, provisioning: 1m}\n";
    let told = crate::scenario::read_text(text).unwrap_err().to_string();
    assert!(told.contains("only observed") && told.contains("scenario.yml:5"), "{told}");
}
