//! Updates in place, a fifth of the instances at a time, under load.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use hyper::{Method, StatusCode};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use plimsoll_deploy::arm::Until;
use plimsoll_deploy::spec::{DeploymentSpec, ServiceTime};
use plimsoll_domain::clock;
use plimsoll_host::Rehearsal;

use super::harness::{Answer, TestHost, deployment, endpoint, is_alive, until};
use super::load::Load;

/// Five instances that take 5 ms, with room for callers that come late together.
fn five(slots: u32) -> DeploymentSpec {
    let mut spec = deployment("blue", 5, 5.0);
    let slots = NonZeroU32::new(slots).unwrap();
    spec.request_settings.max_concurrent_requests_per_instance = slots;
    spec
}

fn changed(mut spec: DeploymentSpec) -> DeploymentSpec {
    spec.synthetic.as_mut().unwrap().service_time = ServiceTime::Constant { ms: 4.0 };
    spec
}

fn statuses(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut statuses = BTreeMap::new();
    for answer in answers {
        *statuses.entry(answer.status.as_u16()).or_default() += 1;
    }
    statuses
}

async fn names(host: &TestHost) -> Vec<String> {
    let shown = host.driver.show_deployment("end", "blue").await.unwrap();
    assert_eq!(shown.ready(), shown.instances.len(), "{shown:?}");
    shown.instances.into_iter().map(|instance| instance.name).collect()
}

/// As `update --set` gets it: slots of an instance, instances, state.
async fn described(host: &TestHost) -> (u64, u64, String) {
    let answer = host.ask(Method::GET, "/onlineEndpoints/end/deployments/blue", "").await;
    let shown: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let properties = &shown["properties"];
    assert_eq!(
        properties["provisioningState"] == "Failed",
        !properties["provisioningError"].is_null()
    );
    (
        properties["requestSettings"]["maxConcurrentRequestsPerInstance"].as_u64().unwrap(),
        shown["sku"]["capacity"].as_u64().unwrap(),
        properties["provisioningState"].as_str().unwrap().to_owned(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_of_five_instances_loses_no_request() {
    let host = TestHost::start().await;
    let spec = five(60);
    let caller = host.endpoint_with(&spec).await;
    let load = Load::start(&caller, 300);
    load.goes_on_for(100).await;
    let mut lines = Vec::new();
    let mut told = |line| lines.push(line);
    // Another concurrency, too: for a while there are instances with either.
    let mut other = changed(spec);
    other.request_settings.max_concurrent_requests_per_instance = NonZeroU32::new(70).unwrap();
    // Nobody may leave before it is there.
    other.synthetic.as_mut().unwrap().start_ms = 300.0;
    host.driver.put_deployment(&other, Until::Done, &mut told).await.unwrap();
    load.goes_on_for(100).await;
    let answers = load.stop().await;
    assert_eq!(statuses(&answers), BTreeMap::from([(200, answers.len())]));
    let steps = |word| lines.iter().filter(|line| line.starts_with(word)).count();
    assert_eq!((steps("starting 1 new"), steps("draining 1")), (5, 5), "{lines:?}");
    assert_eq!(names(&host).await, ["5", "6", "7", "8", "9"]);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_instance_costs_only_what_was_in_flight_on_it() {
    let host = TestHost::start().await;
    let caller = host.endpoint_with(&five(40)).await;
    let load = Load::start(&caller, 300);
    load.goes_on_for(100).await;
    let shown = host.driver.show_deployment("end", "blue").await.unwrap();
    let victim = shown.instances[2].pid.unwrap();
    kill(Pid::from_raw(victim.cast_signed()), Signal::SIGKILL).unwrap();
    until("it is dead", || async { !is_alive(victim) }).await;
    let dead = clock::now();
    until("it is back", || async {
        let shown = host.driver.show_deployment("end", "blue").await.unwrap();
        shown.ready() == 5 && shown.instances[2].restarts == 1
    })
    .await;
    let answers = load.stop_timed().await;
    let lost: Vec<_> = answers.iter().filter(|(_, a)| a.status != StatusCode::OK).collect();
    assert!(answers.iter().any(|(began, _)| *began > dead));
    for (began, answer) in &lost {
        let status = answer.header("ms-azureml-model-error-statuscode");
        assert_eq!(status, "502", "it was at work: {answer:?}");
        assert!(*began < dead, "asked {:?} after its death: {answer:?}", began.since(dead));
    }
    assert!(lost.len() <= 40, "no more than it may work on: {}", lost.len());
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_instance_that_fails_stops_the_update_and_all_others_serve_on() {
    let failing_instance = NonZeroU32::new(8);
    let host =
        TestHost::start_rehearsing(Rehearsal { failing_instance, ..Rehearsal::default() }).await;
    let spec = five(60);
    let caller = host.endpoint_with(&spec).await;
    let load = Load::start(&caller, 100);
    let mut other = changed(spec.clone());
    other.request_settings.max_concurrent_requests_per_instance = NonZeroU32::new(61).unwrap();
    let error = host.driver.put_deployment(&other, Until::Done, &mut |_| {}).await.unwrap_err();
    let answers = load.stop().await;
    assert_eq!(statuses(&answers), BTreeMap::from([(200, answers.len())]));
    let text = error.to_string();
    assert_eq!(error.code(), Some("ResourceNotReady"), "{text}");
    assert!(text.contains("2 new and 3 old instances go on serving"), "{text}");
    assert_eq!(names(&host).await, ["2", "3", "4", "5", "6"], "the oldest went first");
    let log = host.driver.logs("end", "blue", 1).await.unwrap();
    assert!(log.contains("==> blue/7 <==\nplimsoll: the host was told"), "{log}");
    // Two are of the one description, three of the other: it is shown as it was asked for, and that it is not that.
    assert_eq!(described(&host).await, (61, 5, "Failed".to_owned()));
    host.driver.scale("end", "blue", NonZeroU32::new(4).unwrap()).await.unwrap();
    assert_eq!(described(&host).await, (61, 4, "Failed".to_owned()), "scaling does not mend it");

    // What it was before is not what is there: going back is an update, too.
    host.driver.put_deployment(&spec, Until::Done, &mut |_| {}).await.unwrap();
    assert_eq!(described(&host).await, (60, 5, "Succeeded".to_owned()));
    assert_eq!(names(&host).await, ["9", "10", "11", "12", "13"]);
    host.driver.put_deployment(&spec, Until::Done, &mut |_| {}).await.unwrap();
    assert_eq!(names(&host).await, ["9", "10", "11", "12", "13"], "nothing is left to change");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_also_scales_scales_first() {
    let host = TestHost::start().await;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    let mut spec = deployment("blue", 1, 1.0);
    host.driver.create_deployment(&spec, &mut |_| {}).await.unwrap();
    spec.instance_count = NonZeroU32::new(2).unwrap();
    let mut lines = Vec::new();
    let mut told = |line| lines.push(line);
    host.driver.put_deployment(&changed(spec), Until::Done, &mut told).await.unwrap();
    let words: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(words, ["scaling", "starting", "draining", "starting", "draining"], "{lines:?}");
    let shown = host.driver.show_deployment("end", "blue").await.unwrap();
    assert_eq!((shown.desired, names(&host).await), (2, vec!["2".into(), "3".into()]));
    host.stop().await;
}
