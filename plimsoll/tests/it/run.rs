//! `plimsoll run`, from a scenario folder to a verdict, with the real binary.

mod breaks;
mod calibrated;
mod deployment;
mod interruption;
mod scaled;
mod shift;
mod simulated;

use std::time::Duration;

use serde_json::Value;

use crate::started::{Folder, Started, nothing_is_left};
use crate::support::{Ran, adds_up, closed_port, count};

/// The files of a results folder.
const RESULTS: [&str; 7] = [
    "summary.json",
    "report.html",
    "timeline.csv",
    "timeline-by-key.csv",
    "latency.hlog",
    "junit.xml",
    "events.jsonl",
];

/// The longest of the scenarios, with all that comes before and after.
const A_SCENARIO: Duration = Duration::from_mins(2);

#[test]
fn quickstart_is_met_and_leaves_nothing_but_results() {
    let mut run = Started::new(&["run", "scenarios/quickstart"]);
    assert_eq!(run.instances(2).len(), 2);
    let family = run.family();
    assert!(family.len() >= 4, "plimsoll, its host and two instances: {family:?}");
    let ran = run.ended(A_SCENARIO).must_exit(0);
    nothing_is_left(&ran);
    let summary = ran.summary();
    adds_up(&summary);
    assert_eq!(summary["verdict"], "met");
    assert_eq!(summary["exit_code"], 0);
    assert_eq!(summary["run"]["complete"], true);
    assert_eq!(summary["objectives"].as_array().map(Vec::len), Some(4));
    let offered = count(&summary, "/load/offered");
    assert!((3900..4400).contains(&offered), "750 in the ramp, 3400 in the hold: {offered}");
    assert_eq!(count(&summary, "/outcomes/ok"), offered, "{summary:#}");
    assert_eq!(summary["deployments"][0]["name"], "blue");
    assert_eq!(summary["deployments"][0]["runtime"], "builtin");
    assert_eq!(count(&summary, "/deployments/0/instance_count"), 2);
    assert_eq!(count(&summary, "/quota/families/0/vcpus"), 12, "(6·2+4)/5 of 4 vCPUs each");
    assert_eq!(summary["quota"]["fits"], true);
    for file in RESULTS {
        let length = ran.folder().join(file).metadata().map(|data| data.len());
        assert!(length.is_ok_and(|length| length > 0), "{file}");
    }
    assert!(ran.stderr.contains("Quota needed in westeurope"), "{}", ran.stderr);
}

#[test]
fn breach_ends_with_exit_code_3_and_an_alert() {
    let ran = Started::new(&["run", "scenarios/breach"]).ended(A_SCENARIO).must_exit(3);
    let summary = ran.summary();
    adds_up(&summary);
    assert_eq!(summary["verdict"], "breached");
    let p95 = &summary["objectives"][0];
    assert_eq!((&p95["name"], &p95["verdict"]), (&"p95 < 50ms".into(), &"breached".into()));
    let low = p95["evidence"]["interval"][0].as_f64().expect("most answers come");
    assert!(low > 50.0, "the interval is above the threshold: {p95:#}");
    assert_eq!(summary["objectives"][1]["verdict"], "met");
    let firing = |event: &Value| event["kind"] == "alert" && event["state"] == "firing";
    assert!(events(&ran).iter().any(firing), "{:#?}", events(&ran));
    let junit = std::fs::read_to_string(ran.folder().join("junit.xml")).expect("junit.xml");
    assert!(junit.contains("failures=\"1\""), "{junit}");
    assert!(ran.stdout.contains("BREACHED      p95 < 50ms"), "{}", ran.stdout);
}

/// Two weighted requests, of which one asks for its deployment, and traffic for both.
fn mixed() -> Folder {
    let folder = Folder::copy("breach")
        .load(
            "    - {name: warm-up, duration: 1s, rps: 40, warmup: true}
    - {name: hold, duration: 4s, rps: 100}",
            &[
                "p90 of score < 5s in every 2s",
                "p90 of deployment green < 5s in every 2s",
                "error rate of stage hold < 20% in every 2s",
                "error rate of explain of blue < 20% in every 2s",
            ],
        )
        .replace(
            "blue-deployment.yml",
            "log_normal: {p50_ms: 60, p99_ms: 120}",
            "constant: {ms: 5}",
        )
        .replace(
            "scenario.yml",
            "  - blue-deployment.yml",
            "  - blue-deployment.yml\n  - green-deployment.yml\ntraffic: {blue: 50, green: 50}",
        )
        .replace(
            "scenario.yml",
            "  body: sample-request.json\n  timeout: 2s",
            "  - {name: score, weight: 3, body: sample-request.json, timeout: 2s}\n  \
             - {name: explain, body: sample-request.json, deployment: blue}",
        );
    let blue = folder.path().join("blue-deployment.yml");
    let green =
        std::fs::read_to_string(blue).expect("it is there").replace("name: blue", "name: green");
    folder.write("green-deployment.yml", &green)
}

#[test]
fn requests_and_deployments_are_told_apart_to_the_last_file() {
    let ran = mixed().run(&[]).must_exit(0);
    nothing_is_left(&ran);
    let summary = ran.summary();
    adds_up(&summary);
    let ended = |stage: &str, request: &str, deployment: &str| {
        let keys = summary["keys"].as_array().expect("keys").iter();
        let is = |key: &&Value| {
            key["stage"] == stage && key["request"] == request && key["deployment"] == deployment
        };
        keys.clone().find(is).map_or(0, |key| count(key, "/outcomes/ok"))
    };
    assert_eq!(ended("hold", "explain", "green"), 0, "it asks for blue: {summary:#}");
    let (blue, green) = (ended("hold", "score", "blue"), ended("hold", "score", "green"));
    let explained = ended("hold", "explain", "blue");
    assert!(blue > 100 && green > 100, "half of 300 each: {blue} and {green}");
    assert!((60..140).contains(&explained), "a quarter of 400: {explained}");
    assert_eq!(blue + green + explained, count(&summary, "/outcomes/ok"));
    assert!(ended("warm-up", "score", "green") > 0, "the warm-up is shown too");
    let log = std::fs::read_to_string(ran.folder().join("latency.hlog")).expect("the log");
    for tag in ["response/score/green", "service/explain/blue", "warmup_response/score/blue"] {
        assert!(log.contains(&format!("Tag={tag},")), "{tag}");
    }
    let by_key = std::fs::read_to_string(ran.folder().join("timeline-by-key.csv")).expect("rows");
    let mut rows = csv::Reader::from_reader(by_key.as_bytes());
    let names = rows.headers().expect("names").clone();
    let column = |name: &str| names.iter().position(|other| other == name).expect("a column");
    let columns = ["stage", "request", "deployment"].map(column);
    let of_key = |row: &csv::StringRecord| columns.map(|at| row[at].to_owned());
    let ok = rows
        .records()
        .map(|row| row.expect("a row"))
        .filter(|row| of_key(row) == ["hold", "score", "green"])
        .map(|row| row[column("ok")].parse::<u64>().expect("a count"))
        .sum::<u64>();
    assert_eq!(ok, green, "{by_key}");
    let page = std::fs::read_to_string(ran.folder().join("report.html")).expect("the report");
    assert!(page.contains("score · green") && page.contains("explain · blue"), "{page}");
}

#[test]
fn a_collector_that_is_not_there_changes_no_verdict_and_the_loss_is_told() {
    let folder = Folder::copy("quickstart").load(
        "    - {name: hold, duration: 3s, rps: 60}",
        &["p50 < 5s in every 1s", "error rate < 20% in every 1s"],
    );
    let without = folder.run(&[]).must_exit(0);
    let receiver = format!("http://127.0.0.1:{}", closed_port());
    let with = folder.run(&["--otlp", &receiver]).must_exit(0);
    let (without, found) = (without.summary(), with.summary());
    for pointer in ["/load/offered", "/outcomes/ok"] {
        assert_eq!(count(&without, pointer), count(&found, pointer), "{pointer}");
    }
    assert_eq!(without["verdict"], found["verdict"]);
    assert_eq!(without["otlp"], Value::Null);
    assert_eq!(found["otlp"]["complete"], false);
    assert_eq!(count(&found, "/otlp/points_sent"), 0);
    assert!(count(&found, "/otlp/points_lost") > 0, "{found:#}");
    assert!(
        with.stdout.contains("the export to") && with.stdout.contains("Connection refused"),
        "{}",
        with.stdout
    );
    assert!(with.stdout.contains(&receiver), "{}", with.stdout);
}

#[test]
fn the_seed_of_the_command_line_is_the_one_that_counts() {
    let folder = Folder::copy("quickstart")
        .load("    - {name: hold, duration: 1s, rps: 50}", &["error rate < 90% in every 1s"])
        .replace("scenario.yml", "arrivals: constant", "arrivals: poisson");
    let ran = folder.run(&["--seed", "7"]).must_exit(0);
    let summary = ran.summary();
    assert_eq!(count(&summary, "/scenario/seed"), 7);
    let other = folder.run(&[]).must_exit(0).summary();
    assert_eq!(count(&other, "/scenario/seed"), 42);
    assert_ne!(count(&summary, "/load/offered"), count(&other, "/load/offered"));
}

/// What happened in a run.
fn events(ran: &Ran) -> Vec<Value> {
    let text = std::fs::read_to_string(ran.folder().join("events.jsonl")).expect("events.jsonl");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}
