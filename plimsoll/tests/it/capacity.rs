//! `plimsoll capacity --simulate` and `plimsoll plan`, from the command line to the exit code.

use std::path::Path;

use serde_json::Value;

use crate::support::{Ran, plimsoll, root};

/// One instance of two slots, each of which takes 20 ms: from 100/s on the backlog is full, and more is refused.
fn scenario(folder: &Path) -> String {
    let breach = root().join("scenarios/breach");
    let copied =
        |name: &str| std::fs::read_to_string(breach.join(name)).expect("a scenario's file");
    let blue = copied("blue-deployment.yml")
        .replace("instance_count: 2", "instance_count: 1")
        .replace("instance: 8", "instance: 2")
        .replace("log_normal: {p50_ms: 60, p99_ms: 120}", "constant: {ms: 20}");
    let scenario = "name: two-slots\nendpoint: endpoint.yml\ndeployments: [blue-deployment.yml]\nseed: 5\n\
                    request: {body: sample-request.json}\n\
                    load: {arrivals: poisson, stages: [{duration: 10s, rps: 160}]}\n\
                    objectives: ['error rate < 5%']\n";
    let files = [
        ("blue-deployment.yml", blue.as_str()),
        ("endpoint.yml", &copied("endpoint.yml")),
        ("sample-request.json", &copied("sample-request.json")),
        ("scenario.yml", scenario),
    ];
    for (name, text) in files {
        std::fs::write(folder.join(name), text).expect("it can be written");
    }
    folder.display().to_string()
}

fn capacity(ran: &Ran) -> Value {
    let text = std::fs::read_to_string(ran.folder().join("capacity.json")).expect("capacity.json");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn the_rate_at_which_a_twentieth_is_refused_is_held_by_the_interval() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = scenario(folder.path());
    let ran = Ran::with_out(&["capacity", &path, "--simulate", "--step-max", "128s"]).must_exit(0);
    let found = capacity(&ran);
    assert_eq!(found["schema"], "plimsoll.simulated-capacity/v1");
    let (low, high) = (&found["interval_rps"][0], &found["interval_rps"][1]);
    let (low, high) = (low.as_f64().expect("low"), high.as_f64().expect("high"));
    // M/D/2/4 refuses less than M/M/2/4, of which 5 % are 58/s, and nothing carries 105/s.
    assert!(58.0 < high && low < high && low > 30.0 && high < 105.0, "{low} to {high}");
    assert_eq!(found["bound"], "admission_cap");
    let steps = found["steps"].as_array().expect("steps");
    assert_eq!(found["folders"].as_array().map(Vec::len), Some(steps.len()));
    for folder in found["folders"].as_array().expect("folders") {
        assert!(Path::new(folder.as_str().expect("a path")).join("summary.json").is_file());
    }
    let page = std::fs::read_to_string(ran.folder().join("capacity.html")).expect("a page");
    assert!(page.contains("Response time against rate") && page.contains("a simulated search"));

    let file = ran.folder().join("capacity.json");
    let plan = plimsoll()
        .args([
            "plan",
            "--rate",
            "400",
            "--service-time",
            "20ms",
            "--concurrency",
            "2",
            "--refused",
            "5%",
        ])
        .args(["--json", "--capacity"])
        .arg(&file)
        .output()
        .expect("it starts");
    let plan: Value = serde_json::from_slice(&plan.stdout).expect("JSON");
    assert_eq!(plan["by_capacity"].as_f64(), Some((400.0 / low).ceil()));
}

#[test]
fn what_holds_everywhere_and_nowhere_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = scenario(folder.path());
    let short = ["--simulate", "--step-max", "128s"];
    let low = [&["capacity", &path, "--start", "20", "--max-rate", "30"], &short[..]].concat();
    let ran = Ran::with_out(&low).must_exit(0);
    assert!(ran.stdout.contains("at least 30/s"), "{}", ran.stdout);
    let never = [&["capacity", "scenarios/breach"], &short[..]].concat();
    let ran = Ran::with_out(&never).must_exit(3);
    assert!(ran.stdout.contains("do not hold at any rate"), "{}", ran.stdout);
}

#[test]
fn a_recorded_load_is_a_forecast() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let page = folder.path().join("plan.html");
    let trace = root().join("scenarios/traces/azure-llm-inference-2023-code.csv.gz");
    let mut plan = plimsoll();
    plan.args(["plan", "--service-time", "200ms", "--requests", "20000", "--json", "--trace"]);
    let out = plan.arg(&trace).arg("--html").arg(&page).output().expect("it starts");
    let plan: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    // 632 arrivals come in the busiest minute, and in bursts that nothing sized for their mean carries.
    let peak = plan["forecast"]["peak_rps"].as_f64().expect("a peak");
    assert!((peak - 632.0 / 60.0).abs() < 0.5, "{peak}");
    assert_eq!(plan["simulated"][1]["requests"], 8819);
    assert_eq!((&plan["verdict"], out.status.code()), (&Value::from("breached"), Some(3)));
    let page = std::fs::read_to_string(page).expect("a page");
    assert!(page.contains("azure-llm-inference-2023-code") && page.contains("as it was recorded"));

    let none = plimsoll().args(["plan", "--service-time", "1s"]).output().expect("it starts");
    assert_eq!(none.status.code(), Some(2));
    let missing = ["plan", "--service-time", "1s", "--trace", "no-such.csv"];
    let missing = plimsoll().args(missing).output().expect("it starts");
    let told = String::from_utf8_lossy(&missing.stderr);
    assert!(missing.status.code() == Some(2) && told.contains("no-such.csv"), "{told}");
}
