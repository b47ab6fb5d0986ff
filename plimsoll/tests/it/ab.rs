//! `plimsoll ab`, with the real binary: two deployments at once, in turns.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::started::{Folder, SOON, Started, nothing_is_left};
use crate::support::{Ran, adds_up, class, count, plimsoll, summary};

/// Bring-up, forty seconds of load, and removal.
const A_JOB: Duration = Duration::from_mins(3);
/// As short as a job can be: eight pairs of blocks of a second.
const SHORT: [&str; 6] = ["--block", "1s", "--settle", "1s", "--pairs", "8"];

/// A scenario of eight seconds whose deployments take so many milliseconds, `blue` and `green`: long
/// beside what a machine that is busy with other tests adds.
fn scenario(blue: u32, green: u32) -> Folder {
    let folder = Folder::copy("breach")
        .load("    - {name: hold, duration: 8s, rps: 30}", &["p99 < 5s"])
        .replace("blue-deployment.yml", "instance_count: 2", "instance_count: 1");
    let file = folder.path().join("blue-deployment.yml");
    let text = std::fs::read_to_string(file).expect("it is there");
    let taking = |ms: u32| {
        text.replace("log_normal: {p50_ms: 60, p99_ms: 120}", &format!("constant: {{ms: {ms}}}"))
    };
    folder.write("blue-deployment.yml", &taking(blue)).write(
        "green-deployment.yml",
        &taking(green).replace("name: blue", "name: green").replace("count: 1", "count: 2"),
    )
}

fn start(folder: &Folder, more: &[&str]) -> Started {
    let new = folder.path().join("green-deployment.yml");
    Started::with(|command, out| {
        command.arg("ab").arg(folder.path()).arg("--new").arg(new).args(SHORT).args(more);
        command.arg("--out").arg(out.join("results"))
    })
}

/// Eight seconds of a machine that is busy with other tests may not decide anything; but they never
/// say the opposite.
fn decided_or_not(ran: Ran, code: i32) -> Ran {
    if ran.code == 4 { ran } else { ran.must_exit(code) }
}

/// Whether the machine was too busy for a comparison at all, which then says so.
#[expect(clippy::print_stdout, reason = "whoever runs the tests should know")]
fn was_too_busy(told: &Value) -> bool {
    let Some(reason) = told["reason"].as_str() else { return false };
    println!("skipped: needs a machine that is less busy: {reason}");
    assert_eq!((&told["answer"], &told["exit_code"]), (&"inconclusive".into(), &4.into()));
    true
}

fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("the comparison");
    serde_json::from_str(&text).expect("it is JSON")
}

fn has_two_sides(ran: &Ran) -> [Value; 2] {
    let sides = ["base", "new"].map(|side| {
        let summary = summary(&ran.folder().join(side));
        adds_up(&summary);
        assert_eq!(summary["deployments"][0]["name"], side);
        assert_eq!(count(&summary, "/deployments/0/instance_count"), 1, "as the base has");
        assert_eq!(class(&summary, "ok"), count(&summary, "/load/offered"), "{summary:#}");
        let keys = summary["keys"].as_array().expect("keys").iter();
        let answered = keys.filter(|key| count(key, "/outcomes/ok") > 0);
        assert!(answered.clone().all(|key| key["deployment"] == side), "{summary:#}");
        assert!(answered.clone().count() > 0);
        summary
    });
    assert_eq!(sides[0]["interleaved"]["job"], sides[1]["interleaved"]["job"]);
    sides
}

#[test]
fn a_slower_deployment_has_regressed_and_both_folders_say_so_again() {
    let folder = scenario(60, 240);
    let mut run = start(&folder, &["--metric", "p50"]);
    assert_eq!(run.instances(2).len(), 2, "both are up at once");
    let ran = decided_or_not(run.ended(A_JOB), 3);
    nothing_is_left(&ran);
    assert!(ran.stderr.contains("both sides get 1 instances"), "{}", ran.stderr);
    for side in has_two_sides(&ran) {
        // Each side got the whole load of 8 s at 30/s, and its rate is that of its own time.
        assert!((232..=248).contains(&count(&side, "/load/offered")), "{side:#}");
        let rate = side["load"]["offered_rps"].as_f64().expect("a rate");
        assert!((rate - 30.0).abs() < 1.0, "{rate}");
        assert_eq!(side["interleaved"]["blocks_s"].as_array().map(Vec::len), Some(8));
    }
    let told = json(&ran.folder().join("comparison.json"));
    if was_too_busy(&told) {
        return;
    }
    assert_eq!((&told["unit"], &told["exit_code"]), (&"pairs".into(), &ran.code.into()));
    let (answer, case) =
        if ran.code == 3 { ("regressed", "<failure") } else { ("inconclusive", "<error") };
    assert_eq!(told["answer"], answer);
    assert_eq!((&told["base_units"], &told["interleaved"]), (&8.into(), &"block".into()));
    let ratio = told["findings"][0]["effect"]["estimate"].as_f64().expect("a ratio");
    assert!((1.5..8.0).contains(&ratio), "{told:#}");
    for (file, words) in
        [("comparison.html", "p99 of each pair"), ("comparison.md", answer), ("junit.xml", case)]
    {
        let text = std::fs::read_to_string(ran.folder().join(file)).expect(file);
        assert!(text.contains(words), "{file}: {text}");
    }
    // The folders are what every other command reads.
    let mut compare = plimsoll();
    compare.args(["compare", "--json", "--metric", "p50"]);
    compare.args(["base", "new"].map(|side| ran.folder().join(side)));
    let again = compare.output().expect("it starts");
    assert_eq!(again.status.code(), Some(ran.code));
    let again: Value = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!(again, told);
    let report = plimsoll().arg("report").arg(ran.folder().join("base")).status();
    assert!(report.expect("it starts").success());
}

#[test]
fn the_same_deployment_by_request_has_not_changed() {
    let folder = scenario(100, 100);
    let args = ["--by", "request", "--metric", "p50", "--margin", "p50=100%", "--json"];
    let ran = decided_or_not(start(&folder, &args).ended(A_JOB), 0);
    nothing_is_left(&ran);
    let offered = has_two_sides(&ran).map(|side| count(&side, "/load/offered"));
    assert_eq!(offered.iter().sum::<u64>(), 240, "{offered:?}");
    assert!(offered.iter().all(|half| (80..160).contains(half)), "a coin: {offered:?}");
    let told: Value = serde_json::from_str(&ran.stdout).expect("only JSON is printed");
    if was_too_busy(&told) {
        return;
    }
    assert_eq!((&told["interleaved"], &told["exit_code"]), (&"request".into(), &ran.code.into()));
    assert_eq!(told["answer"], if ran.code == 0 { "no_change" } else { "inconclusive" });
}

#[test]
fn ctrl_c_removes_both() {
    let folder = scenario(200, 200);
    let mut run = start(&folder, &[]);
    run.until("rows of a side", |run| {
        let rows = std::fs::read_to_string(run.results().join("new/timeline.csv"));
        (rows.unwrap_or_default().lines().count() > 3).then_some(())
    });
    run.ctrl_c();
    let ran = run.ended(SOON).must_exit(130);
    nothing_is_left(&ran);
    for side in ["base", "new"] {
        assert_eq!(summary(&ran.folder().join(side))["run"]["interrupted"], true);
    }
    assert!(!ran.folder().join("comparison.json").exists(), "there is nothing to compare");
}

#[test]
fn what_cannot_take_turns_is_refused_by_name() {
    let folder = scenario(200, 200);
    let refused = |args: &[&str]| -> String {
        let new = folder.path().join("green-deployment.yml");
        let out = tempfile::tempdir().expect("a temporary folder");
        let mut command = plimsoll();
        command.arg("ab").arg(folder.path()).arg("--out").arg(out.path()).args(args);
        if !args.contains(&"--new") {
            command.arg("--new").arg(new);
        }
        let output = command.output().expect("it starts");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let cases: [(&[&str], &str); 6] = [
        (&["--new", "no-such-file.yml"], "`no-such-file.yml` cannot be read"),
        (&["--new", "git:no-such-revision:."], "no revision `no-such-revision`"),
        (&["--new", "scenarios/quickstart/endpoint.yml"], "not a deployment"),
        (&["--new", "scenarios/quickstart/model"], "has no model in whose place"),
        (&["--block", "10ms"], "from 1s to 1h"),
        (&["--pairs", "7"], "from 8"),
    ];
    for (args, said) in cases {
        let text = refused(args);
        assert!(text.contains(said), "{args:?}: {text}");
    }
}

#[test]
fn a_side_that_loses_an_instance_is_never_a_verdict() {
    let folder = scenario(60, 240);
    let mut run = start(&folder, &["--by", "request", "--metric", "p50"]);
    let instances = run.instances(2);
    run.until("rows of a side", |run| {
        let rows = std::fs::read_to_string(run.results().join("new/timeline.csv"));
        (rows.unwrap_or_default().lines().count() > 3).then_some(())
    });
    instances[0].signal(Signal::SIGKILL);
    let ran = run.ended(A_JOB).must_exit(4);
    nothing_is_left(&ran);
    let told = json(&ran.folder().join("comparison.json"));
    assert_eq!((&told["answer"], &told["exit_code"]), (&"inconclusive".into(), &4.into()));
    let reason = told["reason"].as_str().expect("a reason");
    assert!(reason.contains("the sides were not alike"), "{reason}");
    let junit = std::fs::read_to_string(ran.folder().join("junit.xml")).expect("junit.xml");
    assert!(junit.contains("<error"), "{junit}");
}

#[test]
fn a_deployment_against_itself_says_what_this_machine_makes_up() {
    let folder = scenario(200, 200);
    let ran = Started::with(|command, out| {
        command.arg("aa").arg(folder.path()).args(["-n", "2", "--by", "request", "--json"]);
        command.args(["--base", "blue", "--metric", "p50", "--margin", "p50=100%"]).args(SHORT);
        command.arg("--out").arg(out.join("results"))
    });
    let ran = decided_or_not(ran.ended(A_JOB), 0);
    nothing_is_left(&ran);
    let told: Value = serde_json::from_str(&ran.stdout).expect("only JSON is printed");
    assert_eq!(told, json(&ran.folder().join("calibration.json")));
    let undecided = told["undecided"].as_array().expect("reasons").len() as u64;
    if undecided > 0 {
        let runs = told["runs"].as_u64().unwrap_or_default();
        assert_eq!(undecided + runs, 2, "{told:#}");
        return;
    }
    assert_eq!((&told["runs"], &told["false_alarms"]), (&2.into(), &0.into()), "{told:#}");
    let high = told["interval"][1].as_f64().expect("the upper end");
    assert!((high - 0.841_886).abs() < 1e-5, "none of two: 1 - 0.025^(1/2), not {high}");
    assert_eq!(
        (&told["metrics"][0]["metric"], &told["undecided"]),
        (&"p50".into(), &Value::Array(vec![]))
    );
    let smallest = told["metrics"][0]["smallest"].as_f64();
    assert!(smallest.is_none_or(|share| share > 1.0), "beyond the margin: {told:#}");
    let seeds = ["001", "002"].map(|run| {
        let base = ran.folder().join(run).join("base");
        assert!(ran.folder().join(run).join("comparison.html").is_file());
        summary(&base)["scenario"]["seed"].as_u64().expect("a seed")
    });
    assert_ne!(seeds[0], seeds[1], "other arrivals each time");
}
