//! Whole runs from a script: to verdict, files and report, without a process, a socket or a second
//! of real time.

use std::time::Duration;

use quick_xml::events::Event as Xml;
use serde_json::Value;

use super::source::Event;
use crate::exit::Exit;
use script::{Scripted, calm, counted, ended, run, run_in, slow};

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
    assert_eq!(run.folder_names().len(), 6);
    insta::assert_snapshot!("events", run.text("events.jsonl"));
    insta::assert_snapshot!("timeline", run.text("timeline.csv"));
    let page = page(&run.text("report.html"));
    for part in
        ["Objectives met", "p50 < 50ms", "pending → firing", "of 2 instances of blue", "hold"]
    {
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
