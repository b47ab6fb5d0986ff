//! Parts of a run that die while it goes on.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::{A_SCENARIO, events};
use crate::started::{Folder, SOON, nothing_is_left};
use crate::support::{adds_up, count, eventually, summary};

/// Two instances that take a while to start, so that a missing one is seen.
fn two_instances(seconds: u32) -> Folder {
    let stages = format!("    - {{name: hold, duration: {seconds}s, rps: 20}}");
    Folder::copy("breach")
        .replace(
            "blue-deployment.yml",
            "log_normal: {p50_ms: 60, p99_ms: 120}",
            "constant: {ms: 5}",
        )
        .replace("blue-deployment.yml", "synthetic:", "synthetic:\n  start_ms: 2500")
        .load(&stages, &["error rate < 60%"])
}

#[test]
fn an_instance_that_is_killed_comes_back_and_the_run_goes_on() {
    let folder = two_instances(10);
    let mut run = folder.start(&[]);
    run.until_rows(2);
    let instances = run.instances(2);
    instances[0].signal(Signal::SIGKILL);
    let now = run.until("a new instance", |run| {
        let mut now = run.family();
        now.retain(|process| process.is_instance() && *process != instances[0]);
        (now.len() == 2).then_some(now)
    });
    assert!(now.contains(&instances[1]), "the other one is left alone: {now:?}");
    let ran = run.ended(A_SCENARIO);
    assert!([0, 3, 4].contains(&ran.code), "a verdict: {}", ran.text());
    nothing_is_left(&ran);
    let summary = ran.summary();
    adds_up(&summary);
    assert_eq!(summary["run"]["interrupted"], false);
    assert!(count(&summary, "/load/offered") > 150, "to the end: {summary:#}");
    assert!(count(&summary, "/outcomes/ok") > 100, "the other one answered: {summary:#}");
    let events = events(&ran);
    let scales = |words: &str| {
        let is = |event: &&Value| {
            event["kind"] == "scale"
                && event["message"].as_str().is_some_and(|text| text.starts_with(words))
        };
        events.iter().find(is).unwrap_or_else(|| panic!("no `{words}` in {events:#?}"))["t_s"]
            .as_f64()
    };
    assert!(scales("2 → 1 of 2") < scales("1 → 2 of 2"), "{events:#?}");
}

#[test]
fn a_host_that_is_killed_ends_the_run_with_what_was_measured() {
    let folder = two_instances(60);
    let mut run = folder.start(&[]);
    run.until_rows(3);
    run.host().signal(Signal::SIGKILL);
    let ran = run.ended(SOON).must_exit(5);
    nothing_is_left(&ran);
    let summary = ran.summary();
    adds_up(&summary);
    assert!(count(&summary, "/outcomes/ok") > 30, "{summary:#}");
    assert!(count(&summary, "/load/offered") < 1000, "{summary:#}");
    assert!(ran.stdout.contains("the local host went away in mid-run"), "{}", ran.stdout);
    assert_eq!(summary["validity"]["state"], "invalid");
    assert!(summary["validity"]["reasons"].to_string().contains("went away"), "{summary:#}");
    assert!(ran.folder().join("report.html").is_file());
}

// Its end closes the connections, and the load ends with them, before anybody can wait for it.
#[test]
fn a_host_that_is_killed_while_answers_are_waited_for_fails_the_deployment() {
    let folder = two_instances(1)
        .replace("blue-deployment.yml", "constant: {ms: 5}", "constant: {ms: 60000}")
        .replace("blue-deployment.yml", "request_timeout_ms: 2000", "request_timeout_ms: 90000")
        .replace("blue-deployment.yml", "_per_instance: 8", "_per_instance: 100")
        .replace("scenario.yml", "timeout: 2s", "timeout: 80s")
        .load("    - {name: hold, duration: 1s, rps: 20}", &["error rate < 60%"]);
    let mut run = folder.start(&[]);
    run.until_rows(2);
    run.host().signal(Signal::SIGKILL);
    let ran = run.ended(SOON).must_exit(5);
    nothing_is_left(&ran);
    let summary = ran.summary();
    adds_up(&summary);
    assert_eq!(summary["exit_code"], 5);
    assert_eq!(summary["validity"]["state"], "invalid");
}

#[test]
fn a_killed_run_leaves_results_and_no_process() {
    let folder = two_instances(60);
    let mut run = folder.start(&[]);
    run.until_rows(2);
    run.kill();
    let gone = || run.is_gone().then_some(());
    eventually(SOON, "the end of host and instances, and of their folder", gone);
    let summary = summary(&run.results());
    assert_eq!(summary["run"]["complete"], false);
    assert!(count(&summary, "/outcomes/ok") > 0, "{summary:#}");
}

#[test]
fn a_run_that_is_killed_while_it_deploys_leaves_no_process() {
    let folder = two_instances(1).replace("blue-deployment.yml", "2500", "60000");
    let mut run = folder.start(&[]);
    run.instances(2);
    run.kill();
    eventually(SOON, "the end of host and instances", || run.is_gone().then_some(()));
}

#[test]
fn instances_that_never_get_ready_end_the_run() {
    let folder =
        two_instances(1).replace("blue-deployment.yml", "start_ms: 2500", "start_ms: 60000");
    let folder =
        folder.replace("blue-deployment.yml", "period: 1", "period: 1\n  failure_threshold: 1");
    let ran = folder.start(&[]).ended(Duration::from_secs(45)).must_exit(5);
    assert!(ran.stderr.contains("did not become ready"), "{}", ran.stderr);
    nothing_is_left(&ran);
}
