//! A generator that is stopped notices. It has to be another process, because stopping one stops
//! all of it: this very program, started once more for one test.

use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use plimsoll_domain::schedule::{ArrivalProcess, Profile};
use plimsoll_domain::{Class, Latency, Limit, LimitCounts, Limits, Pause, Tally};
use serde::de::DeserializeOwned;

use crate::run::{plan, run};
use crate::server::{Mode, Server};

/// Where the second process finds the server.
const URL: &str = "PLIMSOLL_TEST_PAUSED_URL";

const STOPPED: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_stop_of_the_process_is_a_pause() {
    let server = Server::start(Mode::CloseIdle(Duration::from_millis(250)));
    let pauses: Vec<Pause> = stopped("pauses::second_process", &server, 50).await;
    // It may have wanted to run a little later than it was stopped.
    let least = STOPPED.mul_f64(0.8);
    assert!(pauses.iter().any(|pause| pause.length > least), "{pauses:?}");
}

#[tokio::test]
async fn an_answer_that_came_while_it_was_stopped_is_its_own_delay() {
    let server = Server::start(Mode::Answer(Duration::from_millis(100)));
    let all: Tally = stopped("pauses::patient_process", &server, 2).await;
    let slow = |counts: &LimitCounts| all.ended() - counts.below;
    let [response, service] = &all.limits[..] else { panic!("{all:?}") };
    assert!(slow(response) > 0 && slow(service) > 0, "it was not stopped in time: {all:?}");
    assert_eq!((slow(response), slow(service)), (response.delayed, service.delayed));
}

/// Starts a test of this program as another process, stops it for a while when the server has seen
/// so many requests, and reads what it found.
async fn stopped<T: DeserializeOwned>(test: &str, server: &Server, after: u64) -> T {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    let child = command.env(URL, server.url()).stdout(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_raw(child.id().cast_signed());
    while server.requests.load(Ordering::Relaxed) < after {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    kill(pid, Signal::SIGSTOP).unwrap();
    // It goes on until one of its threads has run and seen the signal.
    let stopped = waitpid(pid, Some(WaitPidFlag::WUNTRACED)).unwrap();
    assert_eq!(stopped, WaitStatus::Stopped(pid, Signal::SIGSTOP));
    tokio::time::sleep(STOPPED).await;
    kill(pid, Signal::SIGCONT).unwrap();
    let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    let line = printed.lines().find_map(|line| line.strip_prefix("found "));
    serde_json::from_str(line.unwrap()).unwrap()
}

#[tokio::test]
#[ignore = "a test above runs it, in a process of its own"]
async fn patient_process() {
    let Ok(url) = std::env::var(URL) else { return };
    // The next arrival is due long after the process goes on: none is released late.
    let mut plan = plan(&url, Profile::hold(1.0, Duration::from_secs(4)));
    plan.process = ArrivalProcess::Constant;
    let limit = |of| Limit { of, at: Duration::from_millis(300) };
    plan.counted = Limits::new([Latency::Response, Latency::Service].map(limit), None);
    let result = run(plan).await;
    println!("\nfound {}", serde_json::to_string(&result.all).unwrap());
}

#[tokio::test]
#[ignore = "a test above runs it, in a process of its own"]
async fn second_process() {
    let Ok(url) = std::env::var(URL) else { return };
    let result = run(plan(&url, Profile::hold(100.0, Duration::from_secs(4)))).await;
    let pauses: Vec<_> = result.snapshots.iter().flat_map(|s| &s.generator.pauses).collect();
    println!("\nfound {}", serde_json::to_string(&pauses).unwrap());
    // The server closed the idle connections in the meantime.
    let ends = &result.all.outcomes;
    assert_eq!(ends.of(Class::ClientTimeout), 0, "{ends:?}");
    assert_eq!(ends.ok() + ends.of(Class::Closed), 400, "{ends:?}");
}
