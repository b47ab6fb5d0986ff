//! Scenarios with rules: what is read, and every problem with its place.

use std::fs;

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

#[test]
fn what_exists_is_only_observed() {
    let text = "name: a\ntarget: {url: 'http://127.0.0.1:1/'}\nrequest: {method: GET}\n\
        load: {stages: [{duration: 5s, rps: 1}]}\nautoscale: {rules: r.sh, provisioning: 1m}\n";
    let told = crate::scenario::read_text(text).unwrap_err().to_string();
    assert!(told.contains("only observed") && told.contains("scenario.yml:5"), "{told}");
}
