//! What other tools have, each as a scenario that `check` takes.

use super::*;
use crate::scenario;

fn args(folder: &Path, files: &[(&str, &str)]) -> Args {
    let put = |(name, text): &(&str, &str)| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    Args {
        files: files.iter().map(put).collect(),
        out: folder.join("scenario.yml"),
        origin: None,
        key_env: None,
        rate: 10,
    }
}

fn refused(files: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), files);
    let refusal = import(&args).expect_err("it is refused");
    assert!(!folder.path().join("bodies").exists(), "nothing is left behind");
    match refusal {
        Refusal::Wrong(message) => message.replace(&folder.path().display().to_string(), "DIR"),
        Refusal::Problems(problems) => problems.to_string(),
    }
}

const TARGETS: &str = "\
# two of one, and another
POST http://user:secret@shop.example:80/score?v=1
Content-Type: application/json
Authorization: Bearer s3cret
@body.json

POST http://shop.example/score?v=1
content-type: application/json
@other.json
GET http://shop.example/health
";

#[test]
fn targets_of_vegeta_are_a_mix() {
    let folder = tempfile::tempdir().unwrap();
    let files = [("targets.txt", TARGETS), ("body.json", "{\"a\": 1}"), ("other.json", "[2]")];
    let mut args = args(folder.path(), &files);
    args.files.truncate(1);
    args.key_env = Some("SHOP_KEY".to_owned());
    let imported = import(&args).unwrap();
    let text = fs::read_to_string(&args.out).unwrap();
    assert!(!text.contains("s3cret") && !text.contains("secret@"), "{text}");
    let said = imported.notes.join("\n");
    assert!(said.contains("authorization") && said.contains("user and password"), "{said}");
    let scenario = scenario::read(&args.out).unwrap();
    let of = |at: usize| {
        let request = &scenario.requests[at];
        let bodies = request.bodies.clone().unwrap_or_default();
        (
            request.name.clone(),
            request.weight,
            request.method.clone(),
            request.path.as_deref().map(str::to_owned),
            bodies.len(),
        )
    };
    assert_eq!(of(0), ("score".into(), 2.0, "POST".into(), Some("/score?v=1".into()), 2));
    assert_eq!(of(1), ("health".into(), 1.0, "GET".into(), Some("/health".into()), 0));
    assert_eq!(scenario.requests.len(), 2);
    assert_eq!(&scenario.requests[0].bodies.as_ref().unwrap()[1][..], b"[2]");
}

#[test]
fn json_lines_of_vegeta_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "{\"method\":\"POST\",\"url\":\"http://h/score\",\"body\":\"eyJhIjoxfQ==\",\"header\":{\"X-A\":[\"1\",\"2\"]}}\n\
                 {\"method\":\"GET\",\"url\":\"http://h/\"}\n";
    let args = args(folder.path(), &[("targets.jsonl", lines)]);
    import(&args).unwrap();
    let scenario = scenario::read(&args.out).unwrap();
    assert_eq!(&scenario.requests[0].bodies.as_ref().unwrap()[0][..], b"{\"a\":1}");
    assert_eq!(scenario.requests[0].headers.get("x-a").map(String::as_str), Some("1, 2"));
    assert_eq!(scenario.requests[1].name, "root");
}

const ARCHIVE: &str = r#"{"log": {"version": "1.2", "entries": [
  {"startedDateTime": "2026-11-28T10:00:00Z", "request": {"method": "POST", "url": "https://shop.example/score",
    "headers": [{"name": ":authority", "value": "shop.example"}, {"name": "Cookie", "value": "s3cret"}, {"name": "X-Team", "value": "ml"}],
    "postData": {"mimeType": "application/json", "text": "{\"x\": 1}"}}},
  {"request": {"method": "POST", "url": "https://shop.example/score",
    "headers": [{"name": "x-team", "value": "ml"}], "postData": {"mimeType": "application/json", "text": "{\"x\": 2}"}}},
  {"request": {"method": "POST", "url": "https://shop.example/empty", "headers": []}},
  {"request": {"method": "GET", "url": "https://cdn.example/a.js", "headers": []}}
]}}"#;

#[test]
fn an_archive_is_a_mix_of_one_origin() {
    let several = refused(&[("a.har", ARCHIVE)]);
    assert!(
        several.contains("--origin") && several.contains("https://cdn.example (1)"),
        "{several}"
    );
    let folder = tempfile::tempdir().unwrap();
    let mut args = args(folder.path(), &[("a.har", ARCHIVE)]);
    args.origin = Some("https://shop.example".to_owned());
    let imported = import(&args).unwrap();
    let said = imported.notes.join("\n");
    assert!(
        said.contains("cdn.example") && said.contains("cookie") && said.contains("1 POST"),
        "{said}"
    );
    let scenario = scenario::read(&args.out).unwrap();
    assert_eq!(scenario.requests.len(), 1);
    let request = &scenario.requests[0];
    assert_eq!((request.weight, request.bodies.as_ref().unwrap().len()), (2.0, 2));
    let names: Vec<&String> = request.headers.keys().collect();
    assert_eq!(names, ["content-type", "x-team"]);
}

const K6: &str = r#"{"thresholds": {
  "http_req_duration": ["p(95)<500", "avg<200", {"threshold": "p(99.9)<=1.5", "abortOnFail": true}],
  "http_req_duration{expected_response:true}": "med<80",
  "http_req_duration{name:login}": ["p(95)<500"],
  "http_req_failed": ["rate<0.001"],
  "http_reqs": ["rate>100"],
  "checks": ["rate>0.9"]
}}"#;

#[test]
fn thresholds_of_k6_are_objectives_or_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let imported = import(&args(folder.path(), &[("options.json", K6)])).unwrap();
    assert_eq!(
        imported.text,
        "objectives:\n  - \"p95 < 500ms\"\n  - \"p99.9 <= 1500us\"\n  - \"p50 < 80ms, successes only\"\n  - \"error rate < 0.1%\""
    );
    assert!(!folder.path().join("scenario.yml").exists());
    let said = imported.notes.join("\n");
    for left in ["avg<200", "abortOnFail", "name:login", "http_reqs: rate>100", "checks: rate>0.9"]
    {
        assert!(said.contains(left), "{left} is named: {said}");
    }
}

const AZURE: &str = "\
version: v0.1
testId: nightly
testPlan: plan.jmx
engineInstances: 2
failureCriteria:
  - p90(response_time_ms) > 200
  - percentage(error) > 5
  - avg(response_time_ms) > 100
  - avg(requests_per_sec) < 500
  - score: p99.9(response_time_ms) > 1000
  - login: p95(response_time_ms) > 300
";

#[test]
fn fail_criteria_become_what_must_hold() {
    let folder = tempfile::tempdir().unwrap();
    let files = [("load.yaml", AZURE), ("targets.txt", "GET http://h/score\n")];
    let args = args(folder.path(), &files);
    let said = import(&args).unwrap().notes.join("\n");
    let scenario = scenario::read(&args.out).unwrap();
    let objectives: Vec<String> = scenario.objectives.iter().map(ToString::to_string).collect();
    assert_eq!(objectives.len(), 3, "{objectives:?}");
    let text = fs::read_to_string(&args.out).unwrap();
    for line in ["p90 <= 200ms", "error rate <= 5%", "p99.9 of request score <= 1s"] {
        let line = line.replace("1s", "1000ms");
        assert!(text.contains(&line), "{line} in {text}");
    }
    for left in
        ["testPlan, engineInstances", "avg(response_time_ms) > 100", "requests_per_sec", "`login`"]
    {
        assert!(said.contains(left), "{left} is named: {said}");
    }
}

#[test]
fn what_of_fail_criteria_is_new_is_read_too() {
    let folder = tempfile::tempdir().unwrap();
    let text = "failureCriteria:\n  clientMetrics:\n    - p95(response_time_ms) > 300\n  serverMetrics:\n    - {resourceId: /a/b/vm1, \
                metricName: Percentage CPU, aggregation: Average, condition: GreaterThan, value: 80}\n";
    let imported = import(&args(folder.path(), &[("load.yaml", text)])).unwrap();
    assert_eq!(imported.text, "objectives:\n  - \"p95 <= 300ms\"");
    assert!(imported.notes.join("\n").contains("Percentage CPU of vm1"));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let bad = "GET http://h/a\nno header\n";
    assert!(refused(&[("t.txt", bad)]).starts_with("DIR/t.txt:2: `no` is no header"));
    let lost = "POST http://h/a\n@not-there.json\n";
    assert!(refused(&[("t.txt", lost)]).contains("t.txt:2: cannot read the body"));
    assert!(refused(&[("x.yml", "a: 1\n")]).contains("none of what can be imported"));
    assert!(
        refused(&[("o.json", "{\"thresholds\": {\"checks\": [\"rate>0.9\"]}}")])
            .contains("nothing of it")
    );
    let twice = refused(&[("a.txt", "GET http://h/a\n"), ("b.txt", "GET http://h/b\n")]);
    assert!(twice.contains("b.txt is a second file of requests"), "{twice}");
    assert!(refused(&[("t.txt", "GET ftp://h/a\n")]).contains("no URL of `http://`"));
    let broken = "POST http://h/a\nContent-Type: application/json\n@t.txt\n";
    assert!(
        refused(&[("t.txt", broken)]).contains("body"),
        "a body that is not what its header says"
    );
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    let there = refused(&[
        ("t.txt", "GET http://h/a\n"),
        ("scenario.yml", "failureCriteria:\n  - percentage(error) > 5\n"),
    ]);
    assert!(there.contains("is there already"), "{there}");
}

/// What vegeta's own parser made of a file: `scripts/real/interop` has it read them again.
#[test]
fn targets_are_read_as_vegeta_reads_them() {
    let files = [
        (include_str!("tests/targets.txt"), include_str!("tests/targets.txt.read")),
        (include_str!("tests/targets.jsonl"), include_str!("tests/targets.jsonl.read")),
    ];
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("body.json"), include_str!("tests/body.json")).unwrap();
    for (text, golden) in files {
        let ours = vegeta::read(text, folder.path()).unwrap();
        assert_eq!(ours.len(), golden.lines().count());
        for (sent, line) in ours.iter().zip(golden.lines()) {
            let theirs: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(
                (&theirs["method"], &theirs["url"]),
                (&sent.method.as_str().into(), &sent.url.as_str().into())
            );
            let body = String::from_utf8(sent.body.clone().unwrap_or_default()).unwrap();
            assert_eq!(theirs["body"], body);
            // A header that comes twice is one with both values, as HTTP takes it (RFC 9110, 5.3).
            let headers = theirs["header"].as_object().unwrap().iter().map(|(name, values)| {
                let values = values.as_array().unwrap().iter().map(|value| value.as_str().unwrap());
                (name.to_lowercase(), values.collect::<Vec<_>>().join(", "))
            });
            let headers: std::collections::BTreeMap<_, _> = headers.collect();
            let ours =
                sent.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone()));
            assert_eq!(headers, ours.collect(), "{line}");
        }
    }
}
