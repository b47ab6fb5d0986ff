//! From creation to removal.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use hyper::{Method, StatusCode};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use plimsoll_deploy::arm::{Error, ProvisioningState, Until};
use plimsoll_deploy::spec::{Asset, DeploymentSpec, Location, Model};

use plimsoll_domain::clock;
use plimsoll_host::local::{LocalHost, Options};

use super::harness::{TestHost, deployment, endpoint, fixture_after, is_alive, traffic, until};

#[tokio::test(flavor = "multi_thread")]
async fn of_several_who_create_an_endpoint_at_once_one_does() {
    let host = TestHost::start().await;
    let create = async || {
        // Those who have seen that there is none.
        host.driver.put_endpoint(&endpoint(), Until::Done, &mut |_| {}).await
    };
    let made = tokio::join!(create(), create(), create(), create());
    let made = [made.0, made.1, made.2, made.3];
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    for refused in made.iter().filter_map(|made| made.as_ref().err()) {
        assert!(matches!(refused, Error::Exists { .. }), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_lives_from_creation_to_removal() {
    let host = TestHost::start().await;
    let driver = &host.driver;
    let created = driver.create_endpoint(&endpoint()).await.unwrap();
    assert_eq!(created.state, ProvisioningState::Succeeded);
    let again = driver.create_endpoint(&endpoint()).await.unwrap_err();
    assert!(matches!(again, Error::Exists { .. }), "{again}");

    let mut lines = Vec::new();
    let blue = deployment("blue", 2, 1.0);
    let blue = driver.create_deployment(&blue, &mut |line| lines.push(line)).await.unwrap();
    assert_eq!((blue.state, blue.desired, blue.ready()), (ProvisioningState::Succeeded, 2, 2));
    assert!(lines.iter().any(|line| line.contains("starting 2 instances")), "{lines:?}");

    let caller = host.caller().await;
    assert_eq!(caller.score().await.status, StatusCode::NOT_FOUND, "no weight yet");
    let named = caller.score_with(&[("azureml-model-deployment", "blue")]).await;
    assert_eq!(named.status, StatusCode::OK);
    driver.set_traffic("end", &traffic(&[("blue", 100)])).await.unwrap();
    assert_eq!(caller.score().await.status, StatusCode::OK);

    let scaled = driver.scale("end", "blue", NonZeroU32::new(3).unwrap()).await.unwrap();
    assert_eq!((scaled.desired, scaled.ready()), (3, 3));
    let scaled = driver.scale("end", "blue", NonZeroU32::MIN).await.unwrap();
    assert_eq!((scaled.desired, scaled.ready()), (1, 1));
    let left = scaled.instances[0].pid.unwrap();
    let gone = blue.instances[1].pid.unwrap();
    assert!(is_alive(left) && !is_alive(gone));
    assert_eq!(caller.score().await.status, StatusCode::OK);

    let refused = driver.delete_deployment("end", "blue").await.unwrap_err();
    assert!(refused.to_string().contains("live traffic"), "{refused}");
    driver.set_traffic("end", &traffic(&[])).await.unwrap();
    driver.delete_deployment("end", "blue").await.unwrap();
    assert!(!is_alive(left));
    assert!(driver.show_deployment("end", "blue").await.unwrap_err().is_not_found());
    driver.delete_endpoint("end").await.unwrap();
    assert!(driver.show_endpoint("end").await.unwrap_err().is_not_found());
    let left_over = std::fs::read_dir(host.state_dir().join("end/blue"));
    assert_eq!(left_over.map_or(0, Iterator::count), 0, "instances leave no folders");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_instance_comes_back_and_the_others_take_its_requests() {
    let host = TestHost::start().await;
    let caller = host.endpoint_with(&deployment("blue", 2, 1.0)).await;
    let before = host.driver.show_deployment("end", "blue").await.unwrap();
    let victim = before.instances[0].pid.unwrap();
    kill(Pid::from_raw(victim.cast_signed()), Signal::SIGKILL).unwrap();
    let seen = || async {
        let now = host.driver.show_deployment("end", "blue").await.unwrap();
        now.instances[0].pid != Some(victim)
    };
    // Until then a request may reach it and be lost with it.
    until("the host has seen it die", seen).await;
    for _ in 0..50 {
        assert_eq!(caller.score().await.status, StatusCode::OK);
    }
    until("the instance is back", || async {
        let now = host.driver.show_deployment("end", "blue").await.unwrap();
        now.ready() == 2 && now.instances[0].restarts == 1
    })
    .await;
    let now = host.driver.show_deployment("end", "blue").await.unwrap();
    assert_ne!(now.instances[0].pid, Some(victim));
    assert_eq!(now.state, ProvisioningState::Succeeded);
    let log = host.driver.logs("end", "blue", 100).await.unwrap();
    assert!(log.contains("signal: 9") && log.contains("starting again"), "{log}");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_is_explained_by_its_log() {
    let host = TestHost::start().await;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    let mut spec = deployment("blue", 2, 1.0);
    spec.environment_variables.insert("FIXTURE_FAIL".into(), "no such column: age".into());
    let error = host.driver.create_deployment(&spec, &mut |_| {}).await.unwrap_err();
    assert_eq!(error.code(), Some("ResourceNotReady"));
    let text = error.to_string();
    assert!(text.contains("deployment `blue` of endpoint `end`"), "{text}");
    assert!(text.contains("no such column: age") && text.contains("exit status: 3"), "{text}");

    let failed = host.driver.show_deployment("end", "blue").await.unwrap();
    assert_eq!((failed.state, failed.ready()), (ProvisioningState::Failed, 0));
    let log = host.driver.logs("end", "blue", 10).await.unwrap();
    assert!(log.contains("no such column: age"), "{log}");
    host.driver.delete_deployment("end", "blue").await.unwrap();
    host.driver.create_deployment(&deployment("blue", 1, 1.0), &mut |_| {}).await.unwrap();
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_can_be_deleted_while_its_deployment_is_coming_up() {
    let host = TestHost::start().await;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    let mut spec = deployment("blue", 1, 1.0);
    spec.synthetic.as_mut().unwrap().start_ms = 60_000.0;
    let mut ignore = |_| {};
    let mut creating = Box::pin(host.driver.create_deployment(&spec, &mut ignore));
    let has_process = || async {
        let shown = host.driver.show_deployment("end", "blue").await;
        shown.is_ok_and(|shown| shown.instances.iter().any(|each| each.pid.is_some()))
    };
    tokio::select! {
        early = &mut creating => panic!("it cannot be ready yet: {early:?}"),
        () = until("the instance has a process", has_process) => {}
    }
    let pid = host.driver.show_deployment("end", "blue").await.unwrap().instances[0].pid.unwrap();
    host.driver.delete_endpoint("end").await.unwrap();
    assert!(!is_alive(pid));
    assert_eq!(creating.await.unwrap_err().code(), Some("OperationCanceled"));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_on_this_machine_answers_through_the_gateway() {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios").canonicalize();
    let scenarios = scenarios.unwrap();
    let host = TestHost::start().await;
    let mut spec = deployment("blue", 2, 0.0);
    spec.synthetic = None;
    let path = Location::Here(scenarios.join("quickstart/model/diabetes.onnx"));
    spec.model = Some(Asset::Inline(Model { path, ..Model::default() }));
    let caller = host.endpoint_with(&spec).await;
    let read = |file| std::fs::read_to_string(scenarios.join(file)).unwrap();
    let answer = caller.ask(&read("quickstart/sample-request.json")).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let expected: serde_json::Value = serde_json::from_str(&read("models/expected.json")).unwrap();
    let expected = expected["predictions"].as_array().unwrap();
    let predictions: Vec<f64> = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(predictions.len(), expected.len());
    for (got, want) in predictions.iter().zip(expected) {
        let want = want.as_f64().unwrap();
        assert!((got - want).abs() < 1e-4 * want.abs(), "{got} {want}");
    }
    let wrong = caller.ask("no json").await;
    assert_eq!(wrong.status, StatusCode::FAILED_DEPENDENCY);
    assert_eq!(wrong.header("ms-azureml-model-error-statuscode"), "400");
    host.stop().await;
}

/// On Azure a scale-out or a restart costs this.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_requests_are_held_back_as_the_readiness_probe_says() {
    let host = TestHost::start().await;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    let mut spec = deployment("blue", 1, 1.0);
    spec.readiness_probe.initial_delay = Duration::from_millis(800);
    spec.readiness_probe.period = Duration::from_millis(200);
    spec.readiness_probe.success_threshold = 3;
    let began = clock::now();
    host.driver.create_deployment(&spec, &mut |_| {}).await.unwrap();
    let took = clock::now().since(began);
    assert!(took >= Duration::from_millis(1200), "{took:?}");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liveness_probe_that_fails_during_the_start_ends_it() {
    let host = TestHost::start().await;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    let mut spec = deployment("blue", 1, 1.0);
    spec.synthetic.as_mut().unwrap().start_ms = 60_000.0;
    spec.liveness_probe.initial_delay = Duration::ZERO;
    spec.liveness_probe.period = Duration::from_millis(20);
    spec.liveness_probe.failure_threshold = 3;
    let error = host.driver.create_deployment(&spec, &mut |_| {}).await.unwrap_err().to_string();
    let words = "its liveness probe failed 3 times in a row, and the last one (GET /) failed";
    assert!(error.contains(words), "{error}");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_sees_its_own_variables_and_not_the_callers() {
    let folder = tempfile::tempdir().unwrap();
    let program = fixture_after("export A_SECRET=of-the-shell", folder.path());
    let host = LocalHost::start(&program, &Options::default()).await.unwrap();
    let driver = host.driver().unwrap();
    driver.create_endpoint(&endpoint()).await.unwrap();
    let mut spec = deployment("blue", 1, 1.0);
    spec.environment_variables.insert("GREETING".into(), "hello".into());
    let blue = driver.create_deployment(&spec, &mut |_| {}).await.unwrap();
    let pid = blue.instances[0].pid.unwrap();
    let variables = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    host.stop().await.unwrap();
    assert!(variables.contains("GREETING=hello") && variables.contains("PATH="), "{variables}");
    assert!(!variables.contains("of-the-shell"), "{variables}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_fails_changes_nothing() {
    let host = TestHost::start().await;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fail");
    let mut spec = deployment("blue", 1, 1.0);
    spec.environment_variables.insert("FIXTURE_FAIL_IF".into(), file.display().to_string());
    host.driver.create_deployment(&spec, &mut |_| {}).await.unwrap();
    std::fs::write(&file, "").unwrap();
    let change = r#"{"tags": {"build": "7"}, "sku": {"name": "Default", "capacity": 2}}"#;
    let patch = host.ask(Method::PATCH, "/onlineEndpoints/end/deployments/blue", change).await;
    assert_eq!(patch.status, StatusCode::ACCEPTED, "{patch:?}");
    let shown = || host.ask(Method::GET, "/onlineEndpoints/end/deployments/blue", "");
    until("the change has failed", || async { shown().await.body.contains("\"Failed\"") }).await;
    let body = shown().await.body;
    assert!(body.contains("\"tags\":{}") && body.contains("\"capacity\":1"), "{body}");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_that_are_none_or_never_end_are_refused_by_name() {
    let host = TestHost::start().await;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    let refused = async |change: &dyn Fn(&mut DeploymentSpec)| {
        let mut spec = deployment("blue", 1, 1.0);
        change(&mut spec);
        host.driver.create_deployment(&spec, &mut |_| {}).await.unwrap_err().to_string()
    };
    let forever = Duration::from_secs(1 << 63);
    let text = refused(&|spec| spec.readiness_probe.period = forever).await;
    assert!(text.contains("readinessProbe.period"), "{text}");
    let text = refused(&|spec| spec.request_settings.request_timeout = forever).await;
    assert!(text.contains("requestSettings.requestTimeout"), "{text}");
    let text = refused(&|spec| spec.liveness_probe.period = Duration::ZERO).await;
    assert!(text.contains("livenessProbe.period is 0ns"), "{text}");
    host.stop().await;
}
