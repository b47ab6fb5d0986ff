//! Nothing outlives the host, however it ends.

use std::path::{Path, PathBuf};

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

/// A daemon of a scoring script, started with one instance of a host of its own.
struct Strayed {
    host: LocalHost,
    instance: u32,
    stray: u32,
    _folder: tempfile::TempDir,
}

async fn with_a_stray() -> Strayed {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stray");
    let mut spec = deployment("blue", 1, 1.0);
    spec.environment_variables.insert("FIXTURE_STRAY".into(), file.display().to_string());
    let host = LocalHost::start(&fixture(), &Options::default()).await.unwrap();
    let driver = host.driver().unwrap();
    driver.create_endpoint(&endpoint()).await.unwrap();
    let blue = driver.create_deployment(&spec, &mut |_| {}).await.unwrap();
    let stray = || std::fs::read_to_string(&file).ok()?.trim().parse::<u32>().ok();
    until("there is a stray", || async { stray().is_some() }).await;
    let instance = blue.instances[0].pid.unwrap();
    Strayed { host, instance, stray: stray().unwrap(), _folder: folder }
}

/// The control group of this process, if it may divide it: found here in another way than the host does.
fn own_group() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/mounts").ok()?;
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"))?;
    let own = group_of(std::process::id())?;
    let own = Path::new(mount.split(' ').nth(1)?).join(own.trim_start_matches('/'));
    let trial = own.join(format!("plimsoll-test-{}", std::process::id()));
    std::fs::create_dir(&trial).ok()?;
    let can_kill = trial.join("cgroup.kill").exists();
    std::fs::remove_dir(&trial).unwrap();
    can_kill.then_some(own)
}

fn group_of(pid: u32) -> Option<String> {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    groups.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned)
}

/// Groups of that host, whether it lives or not.
fn groups(own: &Path, host: u32) -> Vec<PathBuf> {
    let prefix = format!("plimsoll-host-{host}-");
    let entries = std::fs::read_dir(own).unwrap().flatten();
    let of_host = entries.filter(|entry| entry.file_name().to_str().unwrap().starts_with(&prefix));
    of_host.map(|entry| entry.path()).collect()
}

fn parent_of(pid: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    parent.unwrap().trim().parse().unwrap()
}

pub(super) fn kill_now(pid: u32) {
    kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_group_takes_all_along_whoever_is_killed() {
    let Some(own) = own_group() else {
        println!(
            "skipped: needs a cgroup v2 that this user may divide (root, or systemd-run --user)"
        );
        return;
    };
    let Strayed { host, instance, stray, _folder } = with_a_stray().await;
    let (pid, driver) = (host.pid().unwrap(), host.driver().unwrap());
    let group = group_of(instance).unwrap();
    assert!(group.contains("/plimsoll-host-") && group.ends_with("/blue-0-0"), "{group}");
    assert_eq!(group_of(stray).as_deref(), Some(group.as_str()), "it cannot leave it");
    assert_ne!(group_of(parent_of(instance)).as_deref(), Some(group.as_str()), "the guard is out");

    // Who kills the guard leaves nobody but the host to see to the rest.
    kill_now(parent_of(instance));
    until("its stray is gone", || async { !is_alive(stray) && !is_alive(instance) }).await;
    until("another start has another group", || async {
        let shown = driver.show_deployment("end", "blue").await.unwrap();
        let found = shown.instances[0].pid.and_then(group_of);
        found.is_some_and(|group| group.ends_with("/blue-0-1"))
    })
    .await;
    assert_eq!(
        std::fs::read_dir(&groups(&own, pid)[0]).unwrap().flatten().filter(is_dir).count(),
        1
    );
    assert!(host.stop().await.unwrap().success());
    assert!(groups(&own, pid).is_empty(), "a host that stops leaves none");

    let Strayed { mut host, stray, _folder, .. } = with_a_stray().await;
    let pid = host.pid().unwrap();
    kill_now(pid);
    host.wait().await.unwrap();
    until("a killed host leaves none", || async { groups(&own, pid).is_empty() }).await;
    assert!(!is_alive(stray));

    // Only the next host can know of what host and guard have left.
    let Strayed { mut host, instance, stray, _folder } = with_a_stray().await;
    let pid = host.pid().unwrap();
    let guard = parent_of(instance);
    kill(Pid::from_raw(guard.cast_signed()), Signal::SIGSTOP).unwrap();
    kill_now(pid);
    kill_now(guard);
    host.wait().await.unwrap();
    until("the instance is gone", || async { !is_alive(instance) }).await;
    let next = LocalHost::start(&fixture(), &Options::default()).await.unwrap();
    until("the next one sweeps up", || async { groups(&own, pid).is_empty() }).await;
    assert!(!is_alive(stray));
    next.stop().await.unwrap();
}

fn is_dir(entry: &std::fs::DirEntry) -> bool {
    entry.path().is_dir()
}
