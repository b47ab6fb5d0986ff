//! The checks. Each has a host of its own.

use std::num::NonZeroU32;
use std::time::Duration;

use hyper::{Method, StatusCode};
use plimsoll_deploy::arm::{Container, ProvisioningState, Until};
use secrecy::ExposeSecret;
use tokio::task::JoinHandle;

use super::Subject;
use super::processes::{freeze, gone, tree, words};
use crate::death::kill_now;
use crate::harness::{Answer, Caller, TOKEN, TestHost, call, endpoint, is_alive, until};
use crate::load::Load;

/// Longer than a test waits for anything.
const LONG: Duration = Duration::from_mins(1);

const GUID: usize = 36;

pub(super) async fn an_answer_is_the_models_and_names_the_request(subject: Subject) {
    let host = subject.host().await;
    let caller = host.endpoint_with(&subject.spec).await;
    let mine = [("x-ms-client-request-id", "mine/1"), ("x-request-id", "mine")];
    let mut ids = Vec::new();
    for _ in 0..2 {
        let answer = caller.send(&[&JSON[..], &mine].concat(), &subject.request).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let predictions: Vec<f64> = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(predictions.len(), subject.predictions);
        assert_eq!(answer.header("azureml-model-session"), "blue");
        assert_eq!(answer.header("x-ms-client-request-id"), "mine1");
        let time = |name| answer.header(name).parse::<f64>().unwrap();
        assert!(time("ms-azureml-model-time") >= time("x-ms-run-fn-exec-ms"), "{answer:?}");
        ids.push(answer.header("x-request-id").to_owned());
    }
    assert!(ids[0] != ids[1] && ids.iter().all(|id| id.len() == GUID), "{ids:?}");
    host.stop().await;
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

pub(super) async fn it_is_asked_only_once_it_is_ready(mut subject: Subject) {
    let host = subject.host().await;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    let caller = host.caller().await;
    // It listens long before its first probe.
    subject.spec.readiness_probe.initial_delay = Duration::from_secs(6);
    let mut ignore = |_| {};
    let creating = host.driver.create_deployment(&subject.spec, &mut ignore);
    let named = [("azureml-model-deployment", "blue")];
    let asked = async {
        until("the endpoint knows it", || async {
            caller.score_with(&named).await.status != StatusCode::NOT_FOUND
        })
        .await;
        caller.score_with(&named).await
    };
    let (created, early) = tokio::join!(creating, asked);
    assert_eq!(early.status, StatusCode::FAILED_DEPENDENCY, "{early:?}");
    assert_eq!(early.header("ms-azureml-model-error-reason"), "model_not_ready");
    assert_eq!(early.header("ms-azureml-model-error-statuscode"), "503");
    assert_eq!(created.unwrap().ready(), 1);
    let key = format!("Bearer {}", caller.key.expose_secret());
    let home = caller.uri.replace("/score", "/");
    let headers = [("authorization", key.as_str()), named[0]];
    let healthy = call(Method::GET, &home, &headers, "").await;
    assert_eq!((healthy.status, healthy.body.as_str()), (StatusCode::OK, "Healthy"));
    host.stop().await;
}

pub(super) async fn a_model_error_is_424_with_the_models_own_status(subject: Subject) {
    let host = subject.host().await;
    let (spec, request, status) = &subject.failing;
    let caller = host.endpoint_with(spec).await;
    let answer = caller.ask(request).await;
    assert_eq!(answer.status, StatusCode::FAILED_DEPENDENCY, "{answer:?}");
    assert_eq!(answer.header("ms-azureml-model-error-statuscode"), *status);
    assert_eq!(answer.header("ms-azureml-model-error-reason"), "model_error");
    assert!(!answer.body.is_empty(), "what the model said");
    host.stop().await;
}

/// Of two that come while it has the only slot one waits in vain, the other is refused.
pub(super) async fn a_request_that_timed_out_keeps_its_slot(mut subject: Subject) {
    let host = subject.host().await;
    subject.spec.request_settings.request_timeout = Duration::from_millis(800);
    let caller = host.endpoint_with(&subject.spec).await;
    let frozen = freeze(pid(&host).await).await;
    let timed_out = caller.ask(&subject.request).await;
    assert_eq!(timed_out.status, StatusCode::REQUEST_TIMEOUT, "{timed_out:?}");
    assert_eq!(timed_out.body, "upstream request timeout");
    let (first, second) = tokio::join!(caller.ask(&subject.request), caller.ask(&subject.request));
    let mut both = [first, second];
    both.sort_by_key(|answer| answer.status);
    let statuses = both.each_ref().map(|answer| answer.status.as_u16());
    assert_eq!(statuses, [408, 429], "{both:?}");
    assert_eq!(both[1].header("ms-azureml-model-error-reason"), "too_many_pending_request");
    drop(frozen);
    until("it has done what nobody waits for", || async { in_flight(&host).await == 0 }).await;
    assert_eq!(caller.ask(&subject.request).await.status, StatusCode::OK);
    host.stop().await;
}

pub(super) async fn a_body_beyond_the_limit_never_gets_there(subject: Subject) {
    let host = subject.host().await;
    let caller = host.endpoint_with(&subject.spec).await;
    let most = 1536 * 1024;
    let padded = |size: usize| subject.request.clone() + &" ".repeat(size - subject.request.len());
    assert_eq!(caller.ask(&padded(most)).await.status, StatusCode::OK);
    let beyond = caller.ask(&padded(most + 1)).await;
    assert_eq!(beyond.status, StatusCode::PAYLOAD_TOO_LARGE, "{beyond:?}");
    host.stop().await;
}

pub(super) async fn what_it_writes_is_served(subject: Subject) {
    let host = subject.host().await;
    let (spec, words) = &subject.saying;
    host.endpoint_with(spec).await;
    let log = |container| host.driver.log_of("end", "blue", container, 5000);
    until("what it said is there", || async {
        log(Container::InferenceServer).await.unwrap().contains(words)
    })
    .await;
    let given = log(Container::StorageInitializer).await.unwrap();
    assert_eq!(given.contains("model"), spec.model.is_some(), "{given}");
    host.stop().await;
}

pub(super) async fn a_stop_waits_for_what_is_under_way(mut subject: Subject) {
    let host = subject.host().await;
    subject.spec.request_settings.request_timeout = LONG;
    let caller = host.endpoint_with(&subject.spec).await;
    let pid = pid(&host).await;
    let processes = tree(pid);
    let frozen = freeze(pid).await;
    let asking = ask(&caller, &subject.request);
    until("it works on it", || async { in_flight(&host).await == 1 }).await;
    host.driver.set_traffic("end", &[].into()).await.unwrap();
    host.driver.remove_deployment("end", "blue", Until::Begun).await.unwrap();
    until("it is being deleted", || async {
        state(&host).await == Some(ProvisioningState::Deleting)
    })
    .await;
    assert!(!asking.is_finished() && is_alive(pid));
    drop(frozen);
    let answer = asking.await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    until("it is deleted", || async { state(&host).await.is_none() }).await;
    gone("its processes are gone", &processes).await;
    host.stop().await;
}

pub(super) async fn it_comes_back_after_its_death(mut subject: Subject) {
    let host = subject.host().await;
    subject.spec.request_settings.request_timeout = LONG;
    let caller = host.endpoint_with(&subject.spec).await;
    let pid = pid(&host).await;
    let processes = tree(pid);
    let _frozen = freeze(pid).await;
    let asking = ask(&caller, &subject.request);
    until("it works on it", || async { in_flight(&host).await == 1 }).await;
    kill_now(pid);
    let answer = asking.await.unwrap();
    assert_eq!(answer.status, StatusCode::FAILED_DEPENDENCY, "{answer:?}");
    assert_eq!(answer.header("ms-azureml-model-error-statuscode"), "502");
    gone("what it had started is gone", &processes).await;
    started_again(&host).await;
    assert_eq!(caller.ask(&subject.request).await.status, StatusCode::OK);
    let log = host.driver.logs("end", "blue", 5000).await.unwrap();
    assert!(log.contains("signal: 9") && log.contains("starting again"), "{log}");
    host.stop().await;
}

pub(super) async fn one_that_hangs_is_started_again(mut subject: Subject) {
    let host = subject.host().await;
    let step = Duration::from_millis(200);
    let liveness = &mut subject.spec.liveness_probe;
    (liveness.initial_delay, liveness.period, liveness.timeout) = (subject.start, step, step);
    liveness.failure_threshold = 3;
    let caller = host.endpoint_with(&subject.spec).await;
    let before = pid(&host).await;
    let frozen = freeze(before).await;
    gone("it is ended", &[before]).await;
    drop(frozen);
    started_again(&host).await;
    assert_eq!(caller.ask(&subject.request).await.status, StatusCode::OK);
    let log = host.driver.logs("end", "blue", 5000).await.unwrap();
    assert!(log.contains("its liveness probe failed 3 times in a row"), "{log}");
    host.stop().await;
}

pub(super) async fn an_update_replaces_it_and_loses_nothing(mut subject: Subject) {
    let host = subject.host().await;
    subject.spec.request_settings.max_concurrent_requests_per_instance =
        NonZeroU32::new(60).unwrap();
    subject.spec.request_settings.request_timeout = LONG;
    let caller = host.endpoint_with(&subject.spec).await;
    let before = pid(&host).await;
    let load = Load::start_with(&caller, 20, &subject.request);
    load.goes_on_for(5).await;
    let mut other = subject.spec.clone();
    other.environment_variables.insert("GREETING".into(), "hello".into());
    host.driver.put_deployment(&other, Until::Done, &mut |_| {}).await.unwrap();
    load.goes_on_for(5).await;
    let answers = load.stop().await;
    assert!(answers.iter().all(|each| each.status == StatusCode::OK), "{answers:?}");
    let after = pid(&host).await;
    assert!(after != before && !is_alive(before));
    assert!(words(after).contains("\nGREETING=hello\n"));
    host.stop().await;
}

pub(super) async fn it_scales_out_and_in(mut subject: Subject) {
    let host = subject.host().await;
    subject.spec.request_settings.request_timeout = LONG;
    let caller = host.endpoint_with(&subject.spec).await;
    let two = host.driver.scale("end", "blue", NonZeroU32::new(2).unwrap()).await.unwrap();
    assert_eq!((two.desired, two.ready()), (2, 2));
    let pids: Vec<u32> = two.instances.iter().filter_map(|each| each.pid).collect();
    // Each has one slot: of two requests the stopped one gets one.
    let frozen = freeze(pids[0]).await;
    let both = [ask(&caller, &subject.request), ask(&caller, &subject.request)];
    let done = || both.iter().filter(|asking| asking.is_finished()).count();
    until("the second one has answered", || async { done() == 1 }).await;
    assert_eq!(in_flight(&host).await, 1);
    drop(frozen);
    for asking in both {
        assert_eq!(asking.await.unwrap().status, StatusCode::OK);
    }
    let trees: Vec<u32> = tree(pids[1]);
    let one = host.driver.scale("end", "blue", NonZeroU32::MIN).await.unwrap();
    assert_eq!((one.desired, one.ready(), one.instances[0].pid), (1, 1, Some(pids[0])));
    gone("the second is gone", &trees).await;
    assert_eq!(caller.ask(&subject.request).await.status, StatusCode::OK);
    host.stop().await;
}

pub(super) async fn a_start_that_fails_says_why_and_leaves_nothing(subject: Subject) {
    let host = subject.host().await;
    let (spec, words) = &subject.broken;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    let error = host.driver.create_deployment(spec, &mut |_| {}).await.unwrap_err();
    assert_eq!(error.code(), Some("ResourceNotReady"));
    let text = error.to_string();
    assert!(text.contains("deployment `blue` of endpoint `end`") && text.contains(words), "{text}");
    let shown = host.driver.show_deployment("end", "blue").await.unwrap();
    assert_eq!((shown.state, shown.ready()), (ProvisioningState::Failed, 0));
    assert!(shown.instances.iter().all(|each| each.pid.is_none()), "{shown:?}");
    let log = host.driver.logs("end", "blue", 5000).await.unwrap();
    assert!(log.contains(words), "{log}");
    let left = std::fs::read_dir(host.state_dir().join("end/blue"));
    assert_eq!(left.map_or(0, Iterator::count), 0, "no folder of an instance");
    host.stop().await;
}

pub(super) async fn it_has_its_variables_and_no_key(mut subject: Subject) {
    let host = subject.host().await;
    subject.spec.environment_variables.insert("GREETING".into(), "hello".into());
    let caller = host.endpoint_with(&subject.spec).await;
    assert_eq!(caller.ask(&subject.request).await.status, StatusCode::OK);
    let secondary = host.driver.credentials("end").await.unwrap().secondary;
    let pid = pid(&host).await;
    assert!(words(pid).contains("\nGREETING=hello\n"));
    let mut all: String = tree(pid).into_iter().map(words).collect();
    for container in [Container::InferenceServer, Container::StorageInitializer] {
        all += &host.driver.log_of("end", "blue", container, 5000).await.unwrap();
    }
    for secret in [caller.key.expose_secret(), secondary.expose_secret(), TOKEN] {
        assert!(!all.contains(secret), "a secret got to an instance");
    }
    host.stop().await;
}

/// Asks in the background.
fn ask(caller: &Caller, request: &str) -> JoinHandle<Answer> {
    let (caller, request) = (caller.clone(), request.to_owned());
    tokio::spawn(async move { caller.ask(&request).await })
}

/// The process of the first instance.
async fn pid(host: &TestHost) -> u32 {
    host.driver.show_deployment("end", "blue").await.unwrap().instances[0].pid.unwrap()
}

async fn in_flight(host: &TestHost) -> u32 {
    let used = host.driver.deployment_use("end", "blue").await.unwrap();
    used.instances.iter().map(|each| each.in_flight).sum()
}

async fn state(host: &TestHost) -> Option<ProvisioningState> {
    host.driver.show_deployment("end", "blue").await.ok().map(|shown| shown.state)
}

async fn started_again(host: &TestHost) {
    until("it is back", || async {
        let shown = host.driver.show_deployment("end", "blue").await.unwrap();
        shown.ready() == 1 && shown.instances[0].restarts == 1
    })
    .await;
}
