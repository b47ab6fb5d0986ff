//! A host that is started again with the state of one before it.

use std::path::Path;

use hyper::StatusCode;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use plimsoll_deploy::arm::{ArmDriver, ProvisioningState, Until};
use plimsoll_host::local::{LocalHost, Options};
use secrecy::ExposeSecret;

use super::harness::{Caller, deployment, endpoint, fixture_after, traffic, until};

async fn start(program: &Path) -> (LocalHost, ArmDriver) {
    let host = LocalHost::start(program, &Options::default()).await.unwrap();
    let driver = host.driver().unwrap();
    (host, driver)
}

async fn is_up(driver: &ArmDriver, name: &str) -> bool {
    let shown = driver.show_deployment("end", name).await.unwrap();
    shown.state == ProvisioningState::Succeeded
}

async fn crash(mut host: LocalHost) {
    kill(Pid::from_raw(host.pid().unwrap().cast_signed()), Signal::SIGKILL).unwrap();
    host.wait().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_changes_an_endpoint_hears_that_it_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let export = format!("export FIXTURE_STATE='{}'", state.display());
    let (host, driver) = start(&fixture_after(&export, folder.path())).await;
    let mut said = Vec::new();
    driver.put_endpoint(&endpoint(), Until::Done, &mut |line| said.push(line)).await.unwrap();
    assert_eq!(said, Vec::<String>::new());
    // Nothing can be written where there is no folder.
    std::fs::remove_dir_all(&state).unwrap();
    driver.update_endpoint(&endpoint(), Until::Done, &mut |line| said.push(line)).await.unwrap();
    assert!(said.iter().any(|line| line.contains("the state is not kept")), "{said:?}");
    crash(host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_are_found_again_after_a_crash_and_after_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let export = format!("export FIXTURE_STATE='{}'", state.display());
    let program = fixture_after(&export, folder.path());
    let (host, driver) = start(&program).await;
    let made = driver.create_endpoint(&endpoint()).await.unwrap();
    let mut blue = deployment("blue", 2, 1.0);
    blue.tags.insert("team".into(), "vision".into());
    driver.create_deployment(&blue, &mut |_| {}).await.unwrap();
    driver.set_traffic("end", &traffic(&[("blue", 100)])).await.unwrap();
    let mut bad = deployment("bad", 1, 1.0);
    bad.environment_variables.insert("FIXTURE_FAIL".into(), "it never worked".into());
    driver.create_deployment(&bad, &mut |_| {}).await.unwrap_err();
    let keys = driver.credentials("end").await.unwrap();
    let caller = Caller { uri: made.scoring_uri.clone(), key: keys.primary };
    assert_eq!(caller.score().await.status, StatusCode::OK);
    crash(host).await;

    for ending in ["crash", "stop"] {
        let (host, driver) = start(&program).await;
        let found = driver.show_endpoint("end").await.unwrap();
        assert_eq!(found.scoring_uri, made.scoring_uri);
        assert_eq!(found.traffic, traffic(&[("blue", 100)]));
        let again = driver.credentials("end").await.unwrap();
        assert_eq!(again.primary.expose_secret(), caller.key.expose_secret());
        until("it is up again", || is_up(&driver, "blue")).await;
        let shown = driver.show_deployment("end", "blue").await.unwrap();
        assert_eq!((shown.ready(), shown.tags["team"].as_str()), (2, "vision"));
        assert_eq!(caller.score().await.status, StatusCode::OK);
        let bad = driver.show_deployment("end", "bad").await.unwrap();
        assert_eq!((bad.state, bad.instances.len()), (ProvisioningState::Failed, 0));
        match ending {
            "crash" => crash(host).await,
            _ => assert!(host.stop().await.unwrap().success()),
        }
    }

    let (host, driver) = start(&program).await;
    until("it is up again", || is_up(&driver, "blue")).await;
    driver.delete_endpoint("end").await.unwrap();
    crash(host).await;
    let (host, driver) = start(&program).await;
    assert!(driver.list_endpoints().await.unwrap().is_empty(), "what was deleted stays so");
    host.stop().await.unwrap();
}

/// While it lives another one is refused: two would write over each other's words.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_one_hosts_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let export = format!("export FIXTURE_STATE='{}'", state.display());
    let program = fixture_after(&export, folder.path());
    let (host, _) = start(&program).await;
    let error = LocalHost::start(&program, &Options::default()).await.unwrap_err();
    assert!(error.to_string().contains("did not get ready"), "{error}");
    host.stop().await.unwrap();
    start(&program).await.0.stop().await.unwrap();
}
