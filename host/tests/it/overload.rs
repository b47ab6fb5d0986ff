//! More callers than usual limits allow: what is measured must be the deployment.

use std::time::Duration;

use hyper::StatusCode;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use plimsoll_host::local::{LocalHost, Options};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::harness::{Caller, TestHost, deployment, endpoint, fixture, fixture_after, traffic};

/// The kernel answers at once; a caller that finds no place tries again after a second.
const AT_ONCE: Duration = Duration::from_millis(900);

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stalls_keeps_callers_waiting_without_turning_them_away() {
    let host = LocalHost::start(&fixture(), &Options::default()).await.unwrap();
    let uri = host.driver().unwrap().create_endpoint(&endpoint()).await.unwrap().scoring_uri;
    let address = uri.trim_start_matches("http://").trim_end_matches("/score");
    let pid = Pid::from_raw(host.pid().unwrap().cast_signed());
    kill(pid, Signal::SIGSTOP).unwrap();
    let mut callers = Vec::new();
    for _ in 0..300 {
        match tokio::time::timeout(AT_ONCE, TcpStream::connect(address)).await {
            Ok(Ok(caller)) => callers.push(caller),
            _ => break,
        }
    }
    kill(pid, Signal::SIGCONT).unwrap();
    host.stop().await.unwrap();
    assert_eq!(callers.len(), 300);
}

/// With 256 descriptors, that is more than there are.
#[tokio::test(flavor = "multi_thread")]
async fn callers_that_never_end_what_they_began_lock_out_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let limited = fixture_after("ulimit -n 256", folder.path());
    let host = LocalHost::start(&limited, &Options::default()).await.unwrap();
    let driver = host.driver().unwrap();
    let uri = driver.create_endpoint(&endpoint()).await.unwrap().scoring_uri;
    driver.create_deployment(&deployment("blue", 1, 1.0), &mut |_| {}).await.unwrap();
    driver.set_traffic("end", &traffic(&[("blue", 100)])).await.unwrap();
    let key = driver.credentials("end").await.unwrap().primary;
    let mut half = Vec::new();
    for address in [&uri, host.url()] {
        let address = address.trim_start_matches("http://").trim_end_matches("/score");
        for _ in 0..250 {
            let mut caller = TcpStream::connect(address).await.unwrap();
            caller.write_all(b"POST /score HTTP/1.1\r\nhost: a\r\n").await.unwrap();
            half.push(caller);
        }
    }
    let caller = Caller { uri, key };
    let asked = async {
        assert_eq!(caller.score().await.status, StatusCode::OK);
        host.driver().unwrap().show_deployment("end", "blue").await.unwrap().ready()
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(30), asked).await.unwrap(), 1);
    drop(half);
    host.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_may_open_as_many_files_as_the_system_lets_it() {
    let folder = tempfile::tempdir().unwrap();
    let limited = fixture_after("ulimit -Sn 64", folder.path());
    let host = LocalHost::start(&limited, &Options::default()).await.unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", host.pid().unwrap())).unwrap();
    host.stop().await.unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let words: Vec<_> = files.split_whitespace().collect();
    assert_eq!(words[3], words[4], "{files}");
}

/// As ARM allows. What cannot be started at once waits.
#[tokio::test(flavor = "multi_thread")]
async fn large_deployments_that_begin_together_all_get_ready() {
    let host = TestHost::start().await;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    let ready = async |name| {
        let spec = deployment(name, 40, 1.0);
        host.driver.create_deployment(&spec, &mut |_| {}).await.map(|shown| shown.ready())
    };
    let (blue, green) = tokio::join!(ready("blue"), ready("green"));
    assert_eq!((blue.unwrap(), green.unwrap()), (40, 40));
    host.stop().await;
}
