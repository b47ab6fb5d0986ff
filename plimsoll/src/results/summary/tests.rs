use std::time::Duration;

use plimsoll_domain::{
    Class, Hints, Key, Latency, Limit, Limits, Moment, Names, Outcome, Recorder, Sample, Snapshot,
    StageName,
};
use plimsoll_monitor::{Comparison, Unit, Validity};

use super::*;

/// One arrival in 100 fails, each in another way; a right answer after 1.5 ms is late. Every other
/// arrival asks `explain`, and `blue` says that it answered.
fn snapshot() -> Snapshot {
    let limit = Limit { of: Latency::Response, at: Duration::from_micros(1500) };
    let stages = vec![StageName { name: "hold".to_owned(), warmup: false }];
    let requests = vec!["score".to_owned(), "explain".to_owned()];
    let names = Names::new(stages, requests, ["blue".to_owned()]);
    let mut recorder = Recorder::new(names, Limits::new([limit], Some(limit.at)));
    let due = Moment::from_nanos(5_000_000_000);
    for index in 0..1000u64 {
        let asked = Key { request: (index % 2) as u16, ..Key::default() };
        recorder.offer(asked);
        match index {
            7 => recorder.drop(asked, Class::Dropped),
            8 => recorder.drop(asked, Class::Capped),
            _ => {
                recorder.send(asked);
                let outcome = ending(index);
                let deployment = u16::from(outcome.is_answered());
                let released = due + Duration::from_micros(15);
                let sent = due + Duration::from_micros(50);
                let done = sent + Duration::from_micros(1000 + index);
                let sample = Sample {
                    released,
                    handover: Duration::from_micros(5),
                    sent,
                    model_time: Some(Duration::from_micros(700)),
                    ..Sample::new(due, done, outcome)
                };
                recorder.record(Key { deployment, ..asked }, &sample);
            }
        }
    }
    recorder.take(0, Duration::ZERO, Duration::from_secs(10))
}

fn ending(index: u64) -> Outcome {
    let hints = Hints { model_status: Some(500), ..Hints::default() };
    match index {
        100 => Outcome::answered(424, hints),
        200 => Outcome::of(Class::ClientTimeout),
        300 => Outcome::of(Class::Closed),
        301 => Outcome::of(Class::Tls),
        400 => Outcome::of(Class::Aborted),
        _ => Outcome::status(200),
    }
}

fn summary() -> Summary {
    let run = Run {
        id: "r1".to_owned(),
        started: "2026-11-23T03:40:00Z".to_owned(),
        complete: true,
        version: "0.1.0".to_owned(),
        command: "plimsoll run scenarios/quickstart".to_owned(),
        ..Run::default()
    };
    let scenario = ScenarioName { name: "quickstart".to_owned(), seed: 7 };
    let mut summary = Summary::begun(run, scenario);
    summary.validity = Validity::default();
    let whole = snapshot();
    let lags = whole.measured_lags();
    summary.measure(&whole.measured(), &lags, whole.length());
    summary.keys = KeyResult::all(&whole);
    summary.groups = Groups::new(&whole);
    summary.verdict = Some(Verdict::Breached);
    summary.exit_code = Some(3);
    summary.generator.set_release_lag(&lags.release);
    summary.objectives = vec![over_the_run(), in_windows()];
    summary.deployments = vec![Deployment {
        name: "blue".to_owned(),
        instance_type: "Standard_DS3_v2".to_owned(),
        instance_count: 2,
        runtime: "builtin".to_owned(),
        traffic_percent: Some(100),
    }];
    summary
}

fn over_the_run() -> ObjectiveResult {
    ObjectiveResult {
        name: "p99.9 < 2ms".to_owned(),
        verdict: Verdict::Inconclusive,
        value: None,
        comparison: Comparison::Below,
        threshold: 2.0,
        unit: Unit::Milliseconds,
        undecided: Some("too few requests to be sure of p99.9".to_owned()),
        samples: 1000,
        missed: Some(12),
        missed_percent: Some(1.2),
        evidence: Some(Evidence {
            interval: Interval(Some(1.998), None),
            confidence: 0.99,
            effective_samples: 400.0,
            design_effect: 2.5,
            batches: 10,
            correlation: 0.25,
            weak: true,
            clumps: None,
            more_time_s: Some(120.0),
        }),
        windows: None,
        of: Series::Response,
        quantile: Some(0.999),
    }
}

fn in_windows() -> ObjectiveResult {
    ObjectiveResult {
        name: "error rate < 0.1% in 90% of 2s windows".to_owned(),
        verdict: Verdict::Breached,
        value: Some(1.5),
        threshold: 0.1,
        unit: Unit::Share,
        undecided: None,
        samples: 200,
        evidence: None,
        windows: Some(Windows {
            length_s: 2.0,
            share: 0.9,
            planned: 9,
            judged: 7,
            wrong: 2,
            breached: 1,
            allowed: 0,
            few: 1,
            late: 1,
            worst_at_s: Some(4.0),
            worst: Some(1.5),
        }),
        of: Series::ErrorRate,
        quantile: None,
        ..over_the_run()
    }
}

#[test]
fn the_file_is_as_version_2_says() {
    insta::assert_json_snapshot!(summary());
}

#[test]
fn the_counts_add_up_and_a_lost_arrival_is_noticed() {
    let good = summary();
    assert_eq!(good.check_conservation(), Ok(()));
    assert_eq!((good.load.offered, good.load.sent, good.load.completed), (1000, 998, 994));
    assert_eq!((good.outcomes.ok, good.outcomes.of(Class::Late)), (993, 549));
    let broken = |change: fn(&mut Summary)| {
        let mut summary = summary();
        change(&mut summary);
        summary.check_conservation().unwrap_err()
    };
    let lost = |s: &mut Summary| *s.outcomes.classes.get_mut("client_timeout").unwrap() -= 1;
    assert!(broken(lost).contains("999"));
    assert!(broken(|s| s.outcomes.ok -= 1).contains("ok = ok + late"));
    assert!(broken(|s| *s.outcomes.status.get_mut("424").unwrap() += 1).contains("statuses"));
    assert!(broken(|s| s.load.sent += 1).contains("offered = sent + dropped"));
}

// Nothing is in the sums that is not under a key, and nothing under two of them.
#[test]
fn the_keys_add_up_to_the_whole() {
    let summary = summary();
    let sum = |of: fn(&KeyResult) -> u64| summary.keys.iter().map(of).sum::<u64>();
    assert_eq!(sum(|key| key.offered), summary.load.offered);
    assert_eq!(sum(|key| key.sent), summary.load.sent);
    assert_eq!(sum(|key| key.outcomes.ok), summary.outcomes.ok);
    assert_eq!(sum(|key| key.outcomes.classes.values().sum()), 1000);
    let named = |key: &KeyResult| (key.request.clone(), key.deployment.clone());
    let keys: Vec<_> = summary.keys.iter().map(named).collect();
    let (score, explain) = ("score".to_owned(), "explain".to_owned());
    let blue = Some("blue".to_owned());
    let wanted = [(score.clone(), None), (score, blue.clone()), (explain.clone(), None)];
    assert_eq!(keys, [wanted.as_slice(), &[(explain, blue)]].concat());
}

#[test]
fn a_summary_is_read_as_it_was_written() {
    let text = serde_json::to_string(&summary()).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), summary());
}

#[test]
fn a_percentile_among_failures_is_null_and_the_exact_numbers_are_finite() {
    let response = summary().latency_ms.response;
    assert_eq!((response.count, response.infinite), (993, 7));
    assert_eq!(response.p99_9, None);
    assert!(response.p99.is_some() && response.max.is_some());
}

#[test]
fn the_schema_names_every_field_of_the_file() {
    let schema = serde_json::to_value(Summary::json_schema()).unwrap();
    let file = serde_json::to_value(summary()).unwrap();
    for key in file.as_object().unwrap().keys() {
        assert!(schema["properties"].get(key).is_some(), "`{key}` is not in the schema");
    }
    let known = &schema["properties"]["schema"]["enum"];
    assert_eq!(known, &serde_json::json!([SCHEMA, SIMULATED_SCHEMA]));
    let parts = [("KeyResult", &file["keys"][0]), ("ObjectiveResult", &file["objectives"][0])];
    let nested =
        [("Evidence", &file["objectives"][0]["evidence"]), ("OutcomeCounts", &file["outcomes"])];
    for (name, part) in parts.into_iter().chain(nested) {
        for key in part.as_object().unwrap().keys() {
            let known = &schema["$defs"][name]["properties"];
            assert!(known.get(key).is_some(), "`{key}` of {name} is not in the schema");
        }
    }
}
