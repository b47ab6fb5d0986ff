//! Nothing outlives the host, however it ends.

use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use plimsoll_host::local::{LocalHost, Options};

use super::harness::{deployment, endpoint, fixture, fixture_after, is_alive, until};

async fn host_with_instances() -> (LocalHost, Vec<u32>) {
    with_instances(&fixture()).await
}

async fn with_instances(program: &Path) -> (LocalHost, Vec<u32>) {
    let host = LocalHost::start(program, &Options::default()).await.unwrap();
    let driver = host.driver().unwrap();
    driver.create_endpoint(&endpoint()).await.unwrap();
    let blue = driver.create_deployment(&deployment("blue", 2, 1.0), &mut |_| {}).await.unwrap();
    let pids: Vec<u32> = blue.instances.iter().filter_map(|each| each.pid).collect();
    assert_eq!(pids.len(), 2);
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    (host, pids)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_host_takes_its_instances_along() {
    let (host, pids) = host_with_instances().await;
    let state_dir = host.state_dir().to_owned();
    assert!(state_dir.join("end/blue").exists());
    assert!(host.stop().await.unwrap().success());
    assert!(!state_dir.exists());
    assert!(!pids.into_iter().any(is_alive));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_host_takes_its_instances_along() {
    // Hosts of other tests sweep up as well, but not here.
    let folder = tempfile::tempdir().unwrap();
    let temporary = format!("export TMPDIR='{}'", folder.path().display());
    let program = fixture_after(&temporary, folder.path());
    let (mut host, pids) = with_instances(&program).await;
    let pid = host.pid().unwrap().cast_signed();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    assert!(!host.wait().await.unwrap().success());
    until("the instances are gone", || async { !pids.iter().any(|pid| is_alive(*pid)) }).await;
    let left_behind = host.state_dir().to_owned();
    assert!(left_behind.starts_with(folder.path()) && left_behind.exists());
    let next = LocalHost::start(&program, &Options::default()).await.unwrap();
    assert!(!left_behind.exists(), "the next host sweeps it up");
    next.stop().await.unwrap();
}

/// A scoring script may start a daemon.
#[tokio::test(flavor = "multi_thread")]
async fn what_left_an_instances_session_ends_with_it_and_with_a_killed_host() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stray");
    let mut spec = deployment("blue", 1, 1.0);
    spec.environment_variables.insert("FIXTURE_STRAY".into(), file.display().to_string());
    let stray = || std::fs::read_to_string(&file).ok()?.trim().parse::<u32>().ok();
    let mut host = LocalHost::start(&fixture(), &Options::default()).await.unwrap();
    let driver = host.driver().unwrap();
    driver.create_endpoint(&endpoint()).await.unwrap();
    let blue = driver.create_deployment(&spec, &mut |_| {}).await.unwrap();
    until("there is a stray", || async { stray().is_some() }).await;
    let first = stray().unwrap();
    assert!(is_alive(first));
    let instance = blue.instances[0].pid.unwrap().cast_signed();
    kill(Pid::from_raw(instance), Signal::SIGKILL).unwrap();
    until("its stray is gone", || async { !is_alive(first) }).await;
    until("there is another", || async { stray().is_some_and(|pid| pid != first) }).await;
    let second = stray().unwrap();
    assert!(is_alive(second));
    kill(Pid::from_raw(host.pid().unwrap().cast_signed()), Signal::SIGKILL).unwrap();
    host.wait().await.unwrap();
    until("the other is gone too", || async { !is_alive(second) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_ends_when_its_parent_forgets_it() {
    let (host, pids) = host_with_instances().await;
    let (pid, state_dir) = (host.pid().unwrap(), host.state_dir().to_owned());
    drop(host);
    let alive = || is_alive(pid) || pids.iter().any(|pid| is_alive(*pid)) || state_dir.exists();
    until("host and instances are gone", || async { !alive() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_no_host_is_reported() {
    let error = LocalHost::start("/bin/true".as_ref(), &Options::default()).await.unwrap_err();
    assert!(error.to_string().contains("`/bin/true`"), "{error}");
    let missing = LocalHost::start("/no/such/program".as_ref(), &Options::default()).await;
    assert!(missing.unwrap_err().to_string().contains("cannot be started"));
}
