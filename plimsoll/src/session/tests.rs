//! Whole runs from a script: to verdict, files and report, without a process, a socket or a second
//! of real time.

use std::time::Duration;

use quick_xml::events::Event as Xml;
use serde_json::Value;

use super::source::Event;
use crate::exit::Exit;
use crate::results::timeline;
use script::{Answer, Scripted, calm, counted, ended, run, run_in, slow};

pub(super) mod scaling;
pub(super) mod script;

/// A warm-up, a hold with two slow seconds, and an instance that goes and comes back.
fn whole() -> Vec<Event> {
    let mut events: Vec<Event> = (0..10).map(calm).collect();
    events[5] = slow(5);
    events[6] = slow(6);
    events.insert(5, counted(5200, &[("blue", 1, 1), ("green", 1, 0)]));
    events.insert(8, counted(7900, &[("blue", 2, 0), ("green", 1, 0)]));
    events.insert(0, counted(0, &[("blue", 2, 0), ("green", 1, 0)]));
    events.push(ended(false));
    events
}

#[test]
fn a_whole_run_leads_to_a_verdict_and_its_files() {
    let run = run(whole());
    assert_eq!(run.exit, Exit::Success);
    let summary = run.summary();
    assert_eq!(summary["verdict"], "met");
    assert_eq!(summary["exit_code"], 0);
    assert_eq!(summary["validity"]["state"], "valid");
    assert_eq!(
        (&summary["load"]["offered"], &summary["outcomes"]["ok"]),
        (&800.into(), &800.into())
    );
    assert_eq!(summary["load"]["duration_s"], 8.0);
    assert_eq!(summary["warmup"]["offered"], 200);
    assert_eq!(summary["run"]["complete"], true);
    assert_eq!(summary["generator"]["connections_max"], 9);
    assert_eq!(run.folder_names().len(), 7);
    insta::assert_snapshot!("events", run.text("events.jsonl"));
    insta::assert_snapshot!("timeline", run.text("timeline.csv"));
    let page = page(&run.text("report.html"));
    for part in [
        "Objectives met",
        "p95 < 50ms in 70%",
        "pending → firing",
        "of 2 instances of blue",
        "hold",
    ] {
        assert!(page.contains(part), "`{part}` is not on the page: {page}");
    }
    assert!(run.text("junit.xml").contains("errors=\"0\" failures=\"0\""));
}

#[test]
fn every_sink_is_told_the_same_in_the_same_order() {
    let told = run(whole()).told;
    let place = |what: &str| {
        let found = told.iter().position(|line| line.starts_with(what));
        found.unwrap_or_else(|| panic!("no `{what}` in {told:#?}"))
    };
    assert_eq!(place("begun"), 0);
    assert!(place("phase warm-up") < place("interval 1s"), "{told:#?}");
    assert!(place("interval 6s") < place("alert slow answers: pending"), "{told:#?}");
    assert!(place("scale 2 → 1 of 2 instances of blue") < place("scale 1 → 2"), "{told:#?}");
    assert_eq!(told.iter().filter(|line| line.starts_with("interval")).count(), 10);
    assert_eq!(told.iter().filter(|line| line.starts_with("phase")).count(), 2);
}

#[test]
fn every_file_counts_from_the_first_due_time() {
    let run = run(whole());
    assert_eq!(run.told[0], "begun 2026-11-23T03:40:00.250Z");
    assert_eq!(run.summary()["run"]["started"], "2026-11-23T03:40:00Z");
    let log = run.text("latency.hlog");
    assert!(log.contains("#[StartTime: 1795405200.250 "), "{}", &log[..300]);
    assert!(run.text("junit.xml").contains("value=\"2026-11-23T03:40:00Z\""));
}

#[test]
fn an_interrupted_run_keeps_what_it_measured_and_says_so() {
    let mut events: Vec<Event> = (0..5).map(calm).collect();
    events.extend([Event::Interrupted { at: Duration::from_millis(5400) }, calm(5), ended(true)]);
    let run = run(events);
    assert_eq!(run.exit, Exit::Interrupted);
    let summary = run.summary();
    assert_eq!(summary["exit_code"], 130);
    assert_eq!(summary["run"]["interrupted"], true);
    assert_eq!(summary["outcomes"]["ok"], 400);
    assert_eq!(summary["load"]["duration_s"], 3.4, "nothing was due later: {summary:#}");
    assert!(run.text("events.jsonl").contains("press Ctrl-C again"));
    assert!(page(&run.text("report.html")).contains("Interrupted"));
    assert!(run.text("junit.xml").contains("type=\"incomplete\""));
}

#[test]
fn a_run_whose_host_is_lost_is_a_failed_deployment() {
    let mut events: Vec<Event> = (0..5).map(calm).collect();
    let why = "signal: 9 (SIGKILL)".to_owned();
    events.extend([Event::Lost { at: Duration::from_secs(5), why }, ended(true)]);
    let run = run(events);
    assert_eq!(run.exit, Exit::Deployment);
    let summary = run.summary();
    assert_eq!((&summary["exit_code"], &summary["outcomes"]["ok"]), (&5.into(), &300.into()));
    assert_eq!(summary["validity"]["state"], "invalid");
    let reasons = summary["validity"]["reasons"].to_string();
    assert!(reasons.contains("went away in mid-run: signal: 9"), "{reasons}");
    assert!(page(&run.text("report.html")).contains("Deployment failed"));
}

#[test]
fn a_generator_that_cannot_go_on_makes_the_run_invalid_and_loses_nothing() {
    for last in [Event::Failed { why: "a worker was lost".to_owned() }, ended(true)] {
        let run = run((0..10).map(calm).chain([last]));
        assert_eq!(run.exit, Exit::Inconclusive);
        let summary = run.summary();
        assert_eq!((&summary["exit_code"], &summary["outcomes"]["ok"]), (&4.into(), &800.into()));
        assert_eq!(summary["validity"]["state"], "invalid");
        assert!(run.text("events.jsonl").contains(r#""kind":"error""#));
    }
}

#[test]
fn a_late_generator_makes_the_run_invalid_whatever_the_objectives_say() {
    let late =
        |second| script::second(second, Duration::from_millis(10), Duration::from_millis(900));
    let run = run((0..10).map(late).chain([ended(false)]));
    assert_eq!(run.exit, Exit::Inconclusive);
    assert_eq!(run.summary()["validity"]["state"], "invalid");
    assert!(page(&run.text("report.html")).contains("Invalid run"));
    assert!(run.text("junit.xml").contains("type=\"invalid\""));
}

#[test]
fn a_breach_is_a_failure_everywhere() {
    let run = run((0..10).map(slow).chain([ended(false)]));
    assert_eq!(run.exit, Exit::Breached);
    assert_eq!(run.summary()["objectives"][0]["verdict"], "breached");
    assert!(page(&run.text("report.html")).contains("Objectives breached"));
    assert!(run.text("junit.xml").contains("type=\"breached\""));
}

// Whichever file cannot be written, those that can say what the process ends with.
#[test]
fn file_and_process_agree_when_results_cannot_be_written() {
    for obstacle in ["junit.xml", "report.html"] {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join(obstacle);
        let source = Scripted::new(whole()).and_then(move || std::fs::create_dir(&place).unwrap());
        let run = run_in(folder, source);
        assert_eq!(run.exit, Exit::Internal, "{obstacle}");
        let summary = run.summary();
        assert_eq!((&summary["exit_code"], &summary["verdict"]), (&1.into(), &"met".into()));
        let notes = summary["validity"]["notes"].to_string();
        assert!(notes.contains(obstacle) && notes.contains("not all results"), "{notes}");
        if obstacle == "junit.xml" {
            assert!(run.text("report.html").contains("<dt>Exit code</dt><dd>1</dd>"));
        } else {
            assert!(run.text("junit.xml").contains("type=\"results\""));
        }
    }
}

#[test]
fn a_summary_that_cannot_be_written_is_an_internal_error() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("summary.json");
    let source = Scripted::new(whole()).and_then(move || {
        std::fs::remove_file(&place).unwrap();
        std::fs::create_dir(&place).unwrap();
    });
    let run = run_in(folder, source);
    assert_eq!(run.exit, Exit::Internal);
    assert!(run.text("report.html").contains("<dt>Exit code</dt><dd>1</dd>"));
    assert!(run.text("junit.xml").contains("type=\"results\""));
}

/// The text of a page, without its tags.
fn page(html: &str) -> String {
    let mut reader = quick_xml::Reader::from_str(html);
    let mut text = String::new();
    loop {
        match reader.read_event().expect("the page is well-formed") {
            Xml::Eof => return text,
            Xml::Text(part) => text += &String::from_utf8_lossy(&part),
            Xml::GeneralRef(name) if *name == *b"lt" || *name == *b"#60" => text.push('<'),
            _ => {}
        }
    }
}

impl script::Run {
    fn summary(&self) -> Value {
        serde_json::from_str(&self.text("summary.json")).expect("summary.json is JSON")
    }
}

/// Two requests of which one is slow, and two deployments of which each answers one.
const MIX: &str = "
name: mix
target: {url: 'http://127.0.0.1:1/score'}
request:
  - {name: score, weight: 3, method: GET}
  - {name: explain, method: GET, path: /explain}
load:
  arrivals: constant
  stages:
    - {name: warm-up, duration: 2s, rps: 100, warmup: true}
    - {name: hold, duration: 8s, rps: 100}
    - {name: peak, duration: 8s, rps: 100}
objectives:
  - p95 of score < 50ms
  - p95 of request explain < 50ms
  - p95 of deployment blue < 50ms
  - p95 of deployment green < 50ms
  - p50 of hold < 50ms
  - p50 of stage peak < 50ms
  - error rate < 5%
  - p95 of score of peak < 50ms in every 1s
  - p95 of deployment teal < 50ms
";

/// Every fourth arrival asks `explain`, which is slow, of `green`; in the peak three of four do.
fn mix(index: u64, number: u64) -> Answer {
    let (score, lag) = ((number % 4 != 3) == (index < 10), Duration::ZERO);
    let took = Duration::from_millis(if score { 10 } else { 80 });
    let deployment = if score { "blue" } else { "green" };
    Answer { request: u16::from(!score), deployment, took, lag, status: 200 }
}

fn mixed() -> script::Run {
    let scenario = script::scenario_of(MIX);
    let seconds = 0..18u64;
    let intervals = seconds.map(|index| {
        let second = script::second_of(&scenario, index, |number| mix(index, number));
        Event::Interval(Box::new(second))
    });
    let events: Vec<Event> = intervals.chain([ended(false)]).collect();
    script::run_of(scenario.clone(), tempfile::tempdir().unwrap(), Scripted::new(events))
}

#[test]
fn objectives_are_judged_by_request_deployment_and_stage() {
    let run = mixed();
    assert_eq!(run.exit, Exit::Breached);
    let summary = run.summary();
    let judged = summary["objectives"].as_array().unwrap().iter();
    let judged: Vec<String> = judged
        .map(|o| format!("{} {} {}", o["name"], o["verdict"], o["samples"]).replace('"', ""))
        .collect();
    insta::assert_snapshot!("mix", judged.join("\n"));
}

#[test]
fn every_file_tells_requests_and_deployments_apart() {
    let run = mixed();
    let summary = run.summary();
    let keys = summary["keys"].as_array().unwrap();
    let answered = keys.iter().filter(|key| key["deployment"].is_string());
    let answered: Vec<String> = answered
        .map(|key| {
            let ended = &key["outcomes"];
            let (stage, request, deployment) = (&key["stage"], &key["request"], &key["deployment"]);
            format!("{stage} {request} {deployment} {} {}", ended["ok"], key["warmup"])
        })
        .collect();
    let wanted = [
        "warm-up score blue 150 true",
        "warm-up explain green 50 true",
        "hold score blue 600 false",
        "hold explain green 200 false",
        "peak score blue 200 false",
        "peak explain green 600 false",
    ];
    assert_eq!(answered.iter().map(|key| key.replace('"', "")).collect::<Vec<_>>(), wanted);
    let asked = keys.iter().filter(|key| key["deployment"].is_null());
    let offered: u64 = asked.filter_map(|key| key["offered"].as_u64()).sum();
    assert_eq!(offered, 1800, "nobody has answered yet when an arrival is offered");
    let log = run.text("latency.hlog");
    for tag in ["response", "response/score/blue", "service/explain/green"] {
        let lines = log.lines().filter(|line| line.starts_with(&format!("Tag={tag},")));
        assert_eq!(lines.count(), 16, "{tag}");
    }
    assert_eq!(log.matches("Tag=warmup_response/explain/green,").count(), 2);
    let page = page(&run.text("report.html"));
    for part in ["By request, deployment and stage", "score · blue", "explain · green", "peak"] {
        assert!(page.contains(part), "`{part}` is not on the page: {page}");
    }
}

#[test]
fn an_alert_that_fires_when_the_run_ends_ends_with_it() {
    let run = run((0..7).map(calm).chain((7..10).map(slow)).chain([ended(false)]));
    let events = run.text("events.jsonl");
    let alerts: Vec<Value> =
        events.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let alerts: Vec<_> = alerts.iter().filter(|event| event["kind"] == "alert").collect();
    let states: Vec<_> =
        alerts.iter().map(|alert| (&alert["state"], &alert["run_ended"])).collect();
    let (no, yes) = (Value::from(false), Value::from(true));
    let [pending, firing, resolved] = ["pending", "firing", "resolved"].map(Value::from);
    assert_eq!(states, [(&pending, &no), (&firing, &no), (&resolved, &yes)], "{events}");
    assert_eq!(run.told.last().map(String::as_str), Some("alert slow answers: resolved"));
}

#[test]
fn the_timeline_says_how_many_instances_there_should_be() {
    let run = run(whole());
    let rows = timeline::read(&run.text("timeline.csv"));
    let counts = |row: &timeline::Row| {
        [row.instances, row.instances_wanted, row.instances_starting].map(|count| count.unwrap())
    };
    assert_eq!(counts(&rows[4]), [3, 3, 0]);
    assert_eq!(counts(&rows[6]), [2, 3, 1]);
    assert_eq!(counts(&rows[9]), [3, 3, 0]);
}

#[test]
fn a_lost_worker_is_told_and_what_was_measured_is_kept() {
    let mut events: Vec<Event> = (0..6).map(calm).collect();
    let Some(Event::Interval(last)) = events.last_mut() else { unreachable!("they are intervals") };
    last.generator.lost_workers = 1;
    events.push(Event::Failed { why: "1 of the load generator's workers ended early".to_owned() });
    let run = run(events);
    assert_eq!(run.exit, Exit::Inconclusive);
    let summary = run.summary();
    assert_eq!(summary["run"]["complete"], true);
    assert_eq!(summary["generator"]["lost_workers"], 1);
    assert_eq!((&summary["exit_code"], &summary["outcomes"]["ok"]), (&4.into(), &400.into()));
    assert_eq!(summary["load"]["duration_s"], 4.0, "until it was lost: {summary:#}");
    let reasons = summary["validity"]["reasons"].to_string();
    assert!(reasons.contains("workers ended without their last report"), "{reasons}");
    assert_eq!(timeline::read(&run.text("timeline.csv")).len(), 6);
    assert!(run.text("events.jsonl").contains("workers ended early"));
    assert!(page(&run.text("report.html")).contains("Invalid run"));
    assert!(run.text("junit.xml").contains("type=\"invalid\""));
}

#[test]
fn a_run_until_decided_ends_with_the_look_that_decides() {
    let mut scenario = script::scenario();
    scenario.objectives.retain(|objective| objective.window().is_none());
    scenario.until_decided(Duration::from_mins(10)).unwrap();
    let limits = scenario.clone();
    let second = move |index| {
        let took = Duration::from_millis(10);
        let answer =
            |_| Answer { request: 0, deployment: "", took, lag: Duration::ZERO, status: 200 };
        Event::Interval(Box::new(script::second_of(&limits, index, answer)))
    };
    let source = Scripted::new((0..300).map(second).chain([ended(true)]));
    let run = script::run_of(scenario, tempfile::tempdir().unwrap(), source);
    assert_eq!(run.exit, Exit::Success);
    let summary = run.summary();
    assert_eq!(summary["verdict"], "met");
    // Two seconds of warm-up, and the first look, which sees an interval once the next one is over.
    assert_eq!(summary["load"]["duration_s"], 33.0);
    assert!(run.text("events.jsonl").contains("decided after 35s"), "{}", run.text("events.jsonl"));
    assert_eq!(summary["validity"]["state"], "valid", "{summary:#}");
}

/// A load of which nothing gets a right answer, from this second on, until it gives up.
fn failing_from(first: u64, objectives: &str) -> script::Run {
    let text = format!(
        "name: failing\ntarget: {{url: 'http://127.0.0.1:1/'}}\nrequest: {{method: GET}}\nload:\n  \
         arrivals: constant\n  give_up_after: 6s\n  stages:\n    - {{name: warm-up, duration: 2s, rps: \
         100, warmup: true}}\n    - {{name: hold, duration: 18s, rps: 100}}\nobjectives: [{objectives}]\n"
    );
    let scenario = script::scenario_of(&text);
    let status = |index| if index < first { 200 } else { 500 };
    let intervals = (0..20u64).map(|index| {
        let (took, lag) = (Duration::from_millis(1), Duration::ZERO);
        let answer = |_| Answer { request: 0, deployment: "", took, lag, status: status(index) };
        Event::Interval(Box::new(script::second_of(&scenario, index, answer)))
    });
    let events: Vec<Event> = intervals.chain([ended(true)]).collect();
    script::run_of(scenario.clone(), tempfile::tempdir().unwrap(), Scripted::new(events))
}

#[test]
fn a_load_of_which_nothing_works_is_given_up_and_breached() {
    let run = failing_from(0, "error rate < 1%, p99 < 1s in every 2s");
    assert_eq!(run.exit, Exit::Breached);
    let summary = run.summary();
    assert_eq!((&summary["exit_code"], &summary["run"]["gave_up"]), (&3.into(), &true.into()));
    assert_eq!(summary["load"]["offered"], 400, "four seconds of measuring: {summary:#}");
    assert_eq!(timeline::read(&run.text("timeline.csv")).len(), 6, "and no more is sent");
    let notes = summary["validity"]["notes"].to_string();
    assert!(notes.contains("not a single request") && notes.contains("never"), "{notes}");
    assert!(run.text("events.jsonl").contains("the load ends after 6s"));
    assert!(page(&run.text("report.html")).contains("Objectives breached"));
}

#[test]
fn a_load_that_is_given_up_never_passes() {
    let run = failing_from(0, "p99 of send lag < 1s in every 2s");
    assert_eq!(run.exit, Exit::Inconclusive);
    assert_eq!(run.summary()["objectives"][0]["verdict"], "met", "for what it is worth");
    assert!(page(&run.text("report.html")).contains("Given up"));
    assert!(run.text("junit.xml").contains("type=\"incomplete\""));
}

#[test]
fn what_worked_once_is_loaded_to_its_end() {
    let run = failing_from(1, "error rate < 1%");
    assert_eq!(timeline::read(&run.text("timeline.csv")).len(), 20);
    assert_eq!(run.summary()["run"]["gave_up"], false);
}
