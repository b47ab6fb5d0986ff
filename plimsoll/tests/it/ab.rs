//! `plimsoll ab`, with the real binary: two deployments at once, in turns.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::started::{Folder, SOON, Started, nothing_is_left};
use crate::support::{Ran, adds_up, class, count, plimsoll, summary};

/// Bring-up, forty seconds of load, and removal.
const A_JOB: Duration = Duration::from_mins(3);
/// As short as a job can be: eight pairs of blocks of a second.
const SHORT: [&str; 6] = ["--block", "1s", "--settle", "1s", "--pairs", "8"];

/// A scenario of eight seconds whose deployments take so many milliseconds, `blue` and `green`.
fn scenario(blue: u32, green: u32) -> Folder {
    let folder = Folder::copy("breach")
        .load("    - {name: hold, duration: 8s, rps: 60}", &["p99 < 5s"])
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
    let folder = scenario(5, 40);
    let mut run = start(&folder, &["--metric", "p50", "--metric", "error-rate"]);
    assert_eq!(run.instances(2).len(), 2, "both are up at once");
    let ran = run.ended(A_JOB).must_exit(3);
    nothing_is_left(&ran);
    assert!(ran.stderr.contains("both sides get 1 instances"), "{}", ran.stderr);
    for side in has_two_sides(&ran) {
        // Each side got the whole load of 8 s at 60/s, and its rate is that of its own time.
        assert!((470..=490).contains(&count(&side, "/load/offered")), "{side:#}");
        let rate = side["load"]["offered_rps"].as_f64().expect("a rate");
        assert!((rate - 60.0).abs() < 2.0, "{rate}");
        assert_eq!(side["interleaved"]["blocks_s"].as_array().map(Vec::len), Some(8));
    }
    let told = json(&ran.folder().join("comparison.json"));
    assert_eq!((&told["answer"], &told["unit"]), (&"regressed".into(), &"pairs".into()));
    assert_eq!((&told["base_units"], &told["interleaved"]), (&8.into(), &"block".into()));
    let ratio = told["findings"][0]["effect"]["estimate"].as_f64().expect("a ratio");
    assert!((2.0..12.0).contains(&ratio), "{told:#}");
    for (file, words) in [
        ("comparison.html", "p99 of each pair"),
        ("comparison.md", "**regressed**"),
        ("junit.xml", "<failure"),
    ] {
        let text = std::fs::read_to_string(ran.folder().join(file)).expect(file);
        assert!(text.contains(words), "{file}: {text}");
    }
    // The folders are what every other command reads.
    let mut compare = plimsoll();
    compare.args(["compare", "--json", "--metric", "p50", "--metric", "error-rate"]);
    compare.args(["base", "new"].map(|side| ran.folder().join(side)));
    let again = compare.output().expect("it starts");
    assert_eq!(again.status.code(), Some(3));
    let again: Value = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!(again, told);
    let report = plimsoll().arg("report").arg(ran.folder().join("base")).status();
    assert!(report.expect("it starts").success());
}

#[test]
fn the_same_deployment_by_request_has_not_changed() {
    let folder = scenario(5, 5);
    let args = ["--by", "request", "--metric", "p50", "--margin", "p50=100%", "--json"];
    let ran = start(&folder, &args).ended(A_JOB).must_exit(0);
    nothing_is_left(&ran);
    let offered = has_two_sides(&ran).map(|side| count(&side, "/load/offered"));
    assert_eq!(offered.iter().sum::<u64>(), 480, "{offered:?}");
    assert!(offered.iter().all(|half| (180..300).contains(half)), "a coin: {offered:?}");
    let told: Value = serde_json::from_str(&ran.stdout).expect("only JSON is printed");
    assert_eq!((&told["answer"], &told["interleaved"]), (&"no_change".into(), &"request".into()));
}

#[test]
fn ctrl_c_removes_both() {
    let folder = scenario(5, 5);
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
    let folder = scenario(5, 5);
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
