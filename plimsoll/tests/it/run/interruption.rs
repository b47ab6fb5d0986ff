//! Ctrl-C, in every phase of a run.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::A_SCENARIO;
use crate::started::{Folder, SOON, Started, nothing_is_left};
use crate::support::{Answer, Server, adds_up, class, count, eventually};

/// Instances that take this long for each answer.
fn answers_after(ms: u32) -> Folder {
    let time = format!("constant: {{ms: {ms}}}");
    Folder::copy("breach")
        .replace("blue-deployment.yml", "log_normal: {p50_ms: 60, p99_ms: 120}", &time)
        .replace("blue-deployment.yml", "request_timeout_ms: 2000", "request_timeout_ms: 90000")
        .replace("blue-deployment.yml", "_per_instance: 8", "_per_instance: 100")
        .replace("scenario.yml", "timeout: 2s", "timeout: 80s")
        .load("    - {name: hold, duration: 60s, rps: 10}", &["error rate < 60%"])
}

#[test]
fn ctrl_c_waits_for_what_is_in_flight_and_removes_everything() {
    let folder = answers_after(700);
    let mut run = folder.start(&[]);
    run.until_rows(3);
    run.ctrl_c();
    let ran = run.ended(A_SCENARIO).must_exit(130);
    nothing_is_left(&ran);
    let summary = ran.summary();
    adds_up(&summary);
    assert_eq!(summary["run"]["interrupted"], true);
    assert_eq!(summary["exit_code"], 130);
    assert_eq!(class(&summary, "aborted"), 0, "it was waited for: {summary:#}");
    assert_eq!(count(&summary, "/outcomes/ok"), count(&summary, "/load/offered"));
    assert!(ran.folder().join("report.html").is_file());
}

#[test]
fn a_second_ctrl_c_skips_the_drain_and_not_the_removal() {
    let folder = answers_after(60_000);
    let mut run = folder.start(&[]);
    run.until_rows(2);
    run.ctrl_c();
    run.until_printed("press Ctrl-C again");
    run.ctrl_c();
    let ran = run.ended(SOON).must_exit(130);
    nothing_is_left(&ran);
    let summary = ran.summary();
    adds_up(&summary);
    assert!(class(&summary, "aborted") > 0, "{summary:#}");
    assert_eq!(summary["run"]["interrupted"], true);
}

#[test]
fn ctrl_c_before_the_load_removes_what_has_been_created() {
    let folder = answers_after(5).replace(
        "blue-deployment.yml",
        "synthetic:",
        "synthetic:\n  start_ms: 60000",
    );
    let mut run = folder.start(&[]);
    run.instances(2);
    run.ctrl_c();
    let ran = run.ended(SOON).must_exit(130);
    nothing_is_left(&ran);
    let summary = ran.summary();
    assert_eq!(summary["run"]["interrupted"], true);
    assert_eq!(count(&summary, "/load/offered"), 0);
    assert!(ran.stderr.contains("interrupted before the load began"), "{}", ran.stderr);
}

#[test]
fn sigterm_and_a_closed_terminal_are_like_ctrl_c() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let folder = answers_after(5);
        let mut run = folder.start(&[]);
        run.until_rows(1);
        run.signal(signal);
        let ran = run.ended(SOON).must_exit(130);
        nothing_is_left(&ran);
        assert_eq!(ran.summary()["run"]["interrupted"], true, "{signal}");
        assert!(ran.folder().join("report.html").is_file(), "{signal}");
    }
}

// As under `nohup`.
#[test]
fn a_closed_terminal_is_nothing_to_a_run_that_ignores_it() {
    let server = Server::start(Answer::Status(200));
    let mut run = Started::with(|command, out| {
        let script = "trap '' HUP; exec \"$0\" load \"$1\" --rate 20 --duration 3s --out \"$2\"";
        let binary = command.get_program().to_owned();
        *command = std::process::Command::new("sh");
        command.args(["-c", script]).arg(binary).arg(server.url()).arg(out.join("results"))
    });
    run.until_rows(1);
    run.signal(Signal::SIGHUP);
    assert_eq!(run.ended(SOON).must_exit(0).summary()["run"]["interrupted"], false);
}

#[test]
fn a_hung_host_does_not_keep_a_run_that_is_stopped() {
    let folder = answers_after(5);
    let mut run = folder.start(&[]);
    run.until_rows(1);
    let host = run.host();
    host.signal(Signal::SIGSTOP);
    run.terminate();
    run.until_printed("interrupted");
    run.terminate();
    // Far below the half minute that a deletion may take otherwise.
    let ran = run.ended(Duration::from_secs(25)).must_exit(130);
    eventually(SOON, "the end of the host", || (!host.is_alive()).then_some(()));
    assert_eq!(ran.summary()["run"]["complete"], true);
}
