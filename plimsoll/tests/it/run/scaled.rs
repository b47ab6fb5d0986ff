//! Autoscale rules under a real load: what they see is what was answered, to the request, and what they
//! decide is done.

use std::fs;

use serde_json::Value;

use crate::support::{Ran, plimsoll};

const DEPLOYMENT: &str = "name: blue\nendpoint_name: scaled\ninstance_type: Standard_DS3_v2\n\
    instance_count: 1\nrequest_settings: {max_concurrent_requests_per_instance: 8}\n\
    readiness_probe: {initial_delay: 1, period: 1}\n\
    synthetic: {service_time: {constant: {ms: 20}}}\n";
const RULES: &str = "az monitor autoscale create --count 1 --min-count 1 --max-count 2\n\
    az monitor autoscale rule create --condition \"RequestsPerMinute > 1500 avg 5m\" --scale out 1\n\
    az monitor autoscale rule create --condition \"RequestLatency_P99 > 60000 avg 5m\" --scale out 1\n";
const SCENARIO: &str = "name: scaled\nendpoint: endpoint.yml\ndeployments: [blue.yml]\n\
    request: {body: body.json}\nload: {stages: [{duration: 4s, rps: 10}, {duration: 14s, rps: 60}]}\n\
    autoscale: {rules: rules.sh, provisioning: 1m, metric_delay: 0s, time_compression: 60}\n\
    objectives: [largest step <= 1, flaps <= 0]\n";

#[test]
fn rules_see_every_request_once_and_what_they_want_comes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect(name);
    write("endpoint.yml", "name: scaled\nauth_mode: key\n");
    write("blue.yml", DEPLOYMENT);
    write("rules.sh", RULES);
    write("scenario.yml", SCENARIO);
    let path = folder.path().to_str().expect("UTF-8").to_owned();
    write("body.json", "{\"data\": [1]}");
    let ran = Ran::with_out(&["run", &path]);
    // 4: a busy machine; what the rules saw and did is the same.
    assert!([0, 4].contains(&ran.code), "{}", ran.text());
    assert!(ran.summary()["outcomes"]["ok"].as_u64() > Some(600), "{}", ran.text());
    let text = |name: &str| fs::read_to_string(ran.folder().join(name)).expect(name);
    assert!(text("events.jsonl").contains("1 → 2 instances of blue wanted: RequestsPerMinute"));
    assert!(text("events.jsonl").contains("1 → 2 of 2 instances of blue ready"));
    assert_eq!(ran.summary()["autoscale"]["scale_outs"][0]["to"], 2);

    // A second of the run is a minute of the rules, whose rate is sixty times its count.
    let timeline = text("timeline.csv");
    let mut rows = csv::Reader::from_reader(timeline.as_bytes());
    let names = rows.headers().expect("a header").clone();
    let place = |name: &str| names.iter().position(|other| other == name).expect(name);
    let number = |row: &csv::StringRecord, name: &str| row[place(name)].parse::<f64>().expect(name);
    let rows: Vec<(f64, f64)> = rows
        .records()
        .flatten()
        .map(|row| {
            let middle = number(&row, "t_s") - number(&row, "length_s") / 2.0;
            (middle, number(&row, "ok") + number(&row, "failed"))
        })
        .collect();
    let answered = |second: i64| -> f64 {
        let within = rows.iter().filter(|(middle, _)| *middle as i64 == second);
        within.map(|(_, count)| count).sum()
    };
    let record = text("autoscale.jsonl");
    let last: Value = serde_json::from_str(record.lines().last().expect("a line")).expect("JSON");
    let metrics = last["state"]["metrics"].as_array().expect("metrics");
    let points = metrics.iter().find(|one| one["name"] == "RequestsPerMinute").expect("counted");
    let points = points["points"].as_array().expect("points");
    assert!(points.len() >= 5, "{last}");
    let first: Value = serde_json::from_str(record.lines().next().expect("a line")).expect("JSON");
    let begins = time(&first["state"]["now"]) - 60;
    for point in points {
        let second = (time(&point["time"]) - begins) / 60;
        let rate = point["value"].as_f64().expect("a number");
        let counted = answered(second);
        assert!((rate / 60.0 - counted).abs() < 1e-9, "{second}: {rate} of {rows:?}");
    }

    assert_tails(metrics, &timeline, begins);

    // What it decided is decided again.
    let rules = folder.path().join("rules.sh");
    let again = plimsoll()
        .args(["autoscale", "explain", "--rules"])
        .arg(rules)
        .arg("--replay")
        .arg(ran.folder().join("autoscale.jsonl"))
        .output()
        .expect("it starts");
    assert!(again.status.success(), "{again:?}");
    assert!(String::from_utf8_lossy(&again.stdout).contains("all equal to the byte"));
}

/// The percentiles that rules saw are those of the same seconds, within the 0.1 % of a histogram.
fn assert_tails(metrics: &[Value], timeline: &str, begins: i64) {
    let tails = tails(timeline);
    let points = metrics.iter().find(|one| one["name"] == "RequestLatency_P99").expect("measured");
    let points = points["points"].as_array().expect("points");
    assert!(points.len() >= 5, "{metrics:?}");
    for point in points {
        let second = (time(&point["time"]) - begins) / 60;
        let same = tails.iter().find(|(middle, _)| *middle as i64 == second);
        let (_, tail) = same.expect("an interval of that second");
        let seen = point["value"].as_f64().expect("a number");
        assert!((seen / tail - 1.0).abs() < 0.001, "{second}: {seen} of {tail}");
    }
}

/// The middle of each interval, and the p99 of service time in it, in milliseconds.
fn tails(timeline: &str) -> Vec<(f64, f64)> {
    let mut rows = csv::Reader::from_reader(timeline.as_bytes());
    let names = rows.headers().expect("a header").clone();
    let place = |name: &str| names.iter().position(|other| other == name).expect(name);
    let of = |row: &csv::StringRecord, name: &str| row[place(name)].parse::<f64>().ok();
    let row = |row: csv::StringRecord| {
        let middle = of(&row, "t_s")? - of(&row, "length_s")? / 2.0;
        Some((middle, of(&row, "service_p99_ms")?))
    };
    rows.records().flatten().filter_map(row).collect()
}

/// The second of a moment.
fn time(of: &Value) -> i64 {
    let moment: jiff::Timestamp = of.as_str().expect("text").parse().expect("a moment");
    moment.as_second()
}
