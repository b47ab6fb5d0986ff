//! Deployments that cannot be brought up, and scoring scripts on the official inference server.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::started::{Folder, SOON, Started, nothing_is_left};
use crate::support::{Ran, adds_up, count, eventually, root};

const A_LOAD: &str = "    - {name: warm-up, duration: 1s, rps: 20, warmup: true}
    - {name: hold, duration: 4s, rps: 20}";

#[test]
fn a_scoring_script_is_served_and_its_time_is_split() {
    let folder = python_folder().load(A_LOAD, &["error rate < 20% in every 2s"]);
    let Some(ran) = run(&folder) else { return };
    let ran = ran.must_exit(0);
    nothing_is_left(&ran);
    let summary = ran.summary();
    adds_up(&summary);
    assert_eq!(summary["deployments"][0]["runtime"], "python");
    let answered = count(&summary, "/outcomes/ok");
    for series in ["model", "overhead"] {
        assert_eq!(count(&summary, &format!("/latency_ms/{series}/count")), answered, "{series}");
    }
    let sum = |series: &str| summary["latency_ms"][series]["sum"].as_f64().expect("a sum");
    let (parts, whole) = (sum("model") + sum("overhead"), sum("service"));
    assert!((parts / whole - 1.0).abs() < 0.01, "{parts} ms are not {whole} ms");
    let page = std::fs::read_to_string(ran.folder().join("report.html")).expect("the report");
    assert!(page.contains("x-ms-run-fn-exec-ms"), "the report says where the model's time is from");
}

/// An instance of the official server has workers of its own.
#[test]
fn a_killed_host_takes_the_workers_of_the_python_server_along() {
    let load = "    - {name: hold, duration: 1s, rps: 20}";
    let folder = python_folder().load(load, &["error rate < 20% in every 1s"]);
    if run(&folder).is_none() {
        return;
    }
    let folder = folder.replace("scenario.yml", "duration: 1s", "duration: 60s");
    let mut run = start(&folder);
    run.until_rows(1);
    let workers = run.family().into_iter().filter(|process| process.command.contains("serve.py"));
    assert!(workers.count() >= 3, "a master and two workers: {:?}", run.family());
    run.host().signal(Signal::SIGKILL);
    eventually(SOON, "the end of everything", || run.is_gone().then_some(()));
    run.ended(SOON).must_exit(5);
}

#[test]
fn a_model_that_raises_is_424_for_everyone() {
    let script = "import time\ndef init():\n    pass\ndef run(raw_data):\n    time.sleep(0.1)\n    \
                  raise ValueError('not today')\n";
    let folder = python_folder().write("onlinescoring/score.py", script);
    let load = "    - {name: hold, duration: 5s, rps: 10}";
    let Some(ran) = run(&folder.load(load, &["error rate < 1%"])) else { return };
    let summary = ran.must_exit(3).summary();
    adds_up(&summary);
    let offered = count(&summary, "/load/offered");
    assert_eq!(offered, 50, "{summary:#}");
    assert_eq!(count(&summary, "/outcomes/status/424"), offered, "{summary:#}");
    assert_eq!(summary["objectives"][0]["verdict"], "breached");
    assert_eq!(count(&summary, "/latency_ms/failed/count"), offered, "failures have latencies");
}

#[test]
fn a_script_that_cannot_start_ends_the_run_with_its_own_words() {
    let script = "def init():\n    raise RuntimeError('no weights in the model folder')\n\
                  def run(raw_data):\n    return []\n";
    let folder = python_folder().write("onlinescoring/score.py", script);
    let Some(ran) = run(&folder) else { return };
    let ran = ran.must_exit(5);
    let words = "RuntimeError: no weights in the model folder";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    let summary = ran.summary();
    assert_eq!(summary["exit_code"], 5);
    assert!(summary["validity"]["reasons"][0].as_str().is_some_and(|text| text.contains(words)));
    assert!(ran.folder().join("report.html").is_file());
    nothing_is_left(&ran);
}

#[test]
fn an_operator_that_is_not_known_is_named_with_the_way_out() {
    let folder = Folder::copy("quickstart");
    let model = root().join("host/tests/data/vectors.onnx");
    std::fs::copy(model, folder.path().join("model/diabetes.onnx")).expect("a new file");
    let ran = folder.run(&[]).must_exit(5);
    for words in ["SVMRegressor", "diabetes.onnx", "code_configuration", "python runtime"] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    assert_eq!(count(&ran.summary(), "/load/offered"), 0);
    nothing_is_left(&ran);
}

#[test]
fn what_an_endpoint_file_asks_for_in_vain_is_said() {
    let with = |more: &str| {
        Folder::copy("breach")
            .replace("endpoint.yml", "auth_mode: key", more)
            .load(A_LOAD, &["error rate < 50%"])
    };
    let mirrored = with("auth_mode: key\nmirror_traffic: {green: 10}").run(&[]).must_exit(5);
    assert!(mirrored.stderr.contains("leave out `mirror_traffic`"), "{}", mirrored.text());
    let keys = "auth_mode: key\ntraffic: {green: 100}\npublic_network_access: disabled";
    let ran = with(keys).run(&[]);
    let words = "no effect on this machine: public_network_access, traffic (the scenario decides)";
    assert!(ran.stderr.contains(words), "{}", ran.text());
    let same = with("auth_mode: key\ntraffic: {blue: 100}").run(&[]);
    assert!(!same.stderr.contains("no effect"), "{}", same.text());
}

#[test]
fn a_quota_that_does_not_fit_is_refused_before_anything_starts() {
    let folder = Folder::copy("quickstart");
    let used = "\"currentValue\": 12,\n      \"limit\": 100";
    let folder = folder.replace("usages.json", used, "\"currentValue\": 0,\n      \"limit\": 6");
    let ran = folder.run(&[]).must_exit(5);
    for words in [
        "OutOfQuota: Not enough quota available for Standard_DS3_v2 in SubscriptionId",
        "Current usage/limit: 0/6. Additional needed: 12",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("starting the local host"), "{}", ran.stderr);
    // What a CI server collects tells of it, too.
    let summary = ran.summary();
    assert_eq!((&summary["exit_code"], &summary["quota"]["fits"]), (&5.into(), &false.into()));
    let junit = std::fs::read_to_string(ran.folder().join("junit.xml")).expect("it is written");
    assert!(junit.contains("the quota does not allow"), "{junit}");
}

/// A body that the model cannot take is a counted outcome, not the end of the run.
#[test]
fn a_body_of_the_wrong_width_is_an_outcome() {
    let folder = Folder::copy("quickstart")
        .load("    - {name: hold, duration: 3s, rps: 50}", &["error rate < 1%"])
        .write("sample-request.json", "{\"data\": [[1, 2, 3]]}");
    let summary = folder.run(&[]).must_exit(3).summary();
    adds_up(&summary);
    assert_eq!(count(&summary, "/outcomes/ok"), 0);
    assert_eq!(count(&summary, "/outcomes/status/424"), count(&summary, "/load/offered"));
}

fn python_folder() -> Folder {
    Folder::copy("score-py")
}

/// Runs it to its end, or says on standard output why that cannot be tested.
#[expect(clippy::print_stdout, reason = "a test that skips says so")]
fn run(folder: &Folder) -> Option<Ran> {
    if !has_venv() {
        println!("skipped: needs Python with venv (scripts/real/python)");
        return None;
    }
    let ran = start(folder).ended(Duration::from_mins(9));
    if ran.stderr.contains("No matching distribution") && ran.stderr.contains("from versions: none")
    {
        println!("skipped: needs a package index that pip can reach: {}", ran.stderr);
        return None;
    }
    Some(ran)
}

/// Starts it with the cache that all tests share.
fn start(folder: &Folder) -> Started {
    let cache = std::env::var_os("PLIMSOLL_CACHE_DIR").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| root().join(".cache/plimsoll"));
    folder.start_with(|command| command.env("PLIMSOLL_CACHE_DIR", cache))
}

fn has_venv() -> bool {
    let mut python = Command::new("python3");
    python.args(["-c", "import ensurepip, venv"]).stdout(Stdio::null()).stderr(Stdio::null());
    python.status().is_ok_and(|status| status.success())
}
