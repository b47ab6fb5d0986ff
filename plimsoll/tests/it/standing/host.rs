//! `plimsoll host start|status|stop|logs`.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use nix::sys::signal::Signal;

use super::User;
use crate::started::SOON;
use crate::support::{eventually, root};

#[test]
fn two_starts_make_one_host_and_nobody_else_reads_what_is_known_of_it() {
    let (user, here) = (User::new(), root());
    let start = || {
        let mut command = user.command(&here, &["host", "start"]);
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts")
    };
    let started: Vec<_> = (0..4).map(|_| start()).collect();
    let words: Vec<String> = started
        .into_iter()
        .map(|child| child.wait_with_output().expect("it ends"))
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .collect();
    let with = |text: &str| words.iter().filter(|words| words.contains(text)).count();
    assert_eq!((with("runs now"), with("runs already")), (1, 3), "{words:?}");
    assert_eq!(user.hosts().len(), 1);
    let status = user.json(&here, &["host", "status"]);
    assert_eq!(status["pid"].as_i64(), Some(i64::from(user.hosts()[0].pid)));
    let folder = user.state().join("host");
    let mode = |path: &std::path::Path| path.metadata().expect("it is there").permissions().mode();
    assert_eq!(mode(&folder) & 0o777, 0o700);
    for entry in folder.read_dir().expect("it is there").flatten() {
        let wanted = if entry.path().is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&entry.path()) & 0o777, wanted, "{entry:?}");
    }
    let record = std::fs::read_to_string(folder.join("host.json")).expect("the record");
    let record: serde_json::Value = serde_json::from_str(&record).expect("JSON");
    let token = record["token"].as_str().expect("a token");
    for (path, text) in user.kept() {
        assert!(!text.contains(token) || mode(&path) & 0o777 == 0o600, "{}", path.display());
    }
    assert!(
        words.iter().all(|words| !words.contains(token)) && !status.to_string().contains(token)
    );

    user.plimsoll(&here, &["host", "stop"]).must_exit(0);
    eventually(SOON, "its end", || user.processes().is_empty().then_some(()));
    user.plimsoll(&here, &["host", "stop"]).must_exit(0);
    user.plimsoll(&here, &["host", "status"]).must_exit(1);
    user.plimsoll(&here, &["host", "logs"]).must_exit(0);
    assert_eq!(user.temporary(), 0);
}

#[test]
fn flags_that_the_running_host_does_not_have_are_told_of() {
    let (user, here) = (User::new(), root());
    let start = |flags: &[&str]| user.plimsoll(&here, &[&["host", "start"], flags].concat());
    start(&["--provisioning-time", "2s"]).must_exit(0);
    start(&["--provisioning-time", "2s"]).must_exit(0);
    start(&[]).must_exit(0);
    let other = start(&["--provisioning-time", "3s", "--seed", "4"]).must_exit(2);
    for flag in ["--provisioning-time=3000ms", "--seed=4", "host stop"] {
        assert!(other.stderr.contains(flag), "{}", other.stderr);
    }
    user.plimsoll(&here, &["host", "stop"]).must_exit(0);
}

#[test]
fn a_killed_host_is_not_taken_for_one_that_runs() {
    let (user, here) = (User::new(), root());
    user.plimsoll(&here, &["endpoint", "create", "-n", "first-one"]).must_exit(0);
    let first = user.hosts().remove(0);
    first.signal(Signal::SIGKILL);
    eventually(SOON, "its end", || user.hosts().is_empty().then_some(()));
    assert!(user.state().join("host/host.json").exists(), "what it left");
    user.plimsoll(&here, &["host", "status"]).must_exit(1);
    let again = user.plimsoll(&here, &["endpoint", "create", "-n", "second-one"]).must_exit(0);
    assert!(again.stderr.contains("started the local host"), "{}", again.stderr);
    let names = user.json(&here, &["endpoint", "list", "--query", "[].name"]);
    assert_eq!(names, serde_json::json!(["first-one", "second-one"]), "it is found again");
    user.plimsoll(&here, &["host", "stop"]).must_exit(0);
    assert_eq!(user.temporary(), 0, "what the killed one left is swept up");
}

#[test]
fn a_host_that_cannot_start_says_why() {
    let (user, here) = (User::new(), root());
    user.plimsoll(&here, &["host", "start"]).must_exit(0);
    user.plimsoll(&here, &["host", "stop"]).must_exit(0);
    let before = user.plimsoll(&here, &["host", "logs"]).must_exit(0);
    let before = before.stdout.lines().next().expect("it said something").to_owned();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let failed = user.plimsoll(&here, &["host", "start", "--listen", &address]).must_exit(2);
    assert!(failed.stderr.contains("cannot listen on"), "{}", failed.stderr);
    assert!(!failed.stderr.contains(&before), "of an earlier one: {}", failed.stderr);
    assert!(user.processes().is_empty());
}
