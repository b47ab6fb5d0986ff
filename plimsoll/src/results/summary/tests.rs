use std::time::Duration;

use plimsoll_domain::{Moment, Outcome, Sample, Tally, Transport};

use plimsoll_monitor::{Comparison, Unit};

use super::*;

/// One arrival in 100 fails, each in another way.
fn tally() -> Tally {
    let mut tally = Tally::default();
    let due = Moment::from_nanos(5_000_000_000);
    for index in 0..1000u64 {
        tally.offered += 1;
        if index == 7 {
            tally.drop_one();
            continue;
        }
        tally.sent += 1;
        let outcome = match index {
            100 => Outcome::Answered(424),
            200 => Outcome::Timeout,
            300 => Outcome::Transport(Transport::Closed),
            301 => Outcome::Transport(Transport::Tls),
            400 => Outcome::Aborted,
            _ => Outcome::Answered(200),
        };
        let released = due + Duration::from_micros(20);
        let sent = due + Duration::from_micros(50);
        let done = sent + Duration::from_micros(1000 + index);
        let model_time = Some(Duration::from_micros(700));
        tally.record(&Sample { due, released, sent, done, outcome, model_time });
    }
    tally
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
    let tally = tally();
    summary.measure(&tally, tally.good(Duration::from_micros(1500)), Duration::from_secs(10));
    summary.verdict = Some(Verdict::Breached);
    summary.exit_code = Some(3);
    summary.generator.set_release_lag(&tally.release_lag);
    summary.objectives = vec![ObjectiveResult {
        name: "p99.9 < 2ms".to_owned(),
        verdict: Verdict::Breached,
        value: None,
        comparison: Comparison::Below,
        threshold: 2.0,
        unit: Unit::Milliseconds,
        interval: Some(Interval(Some(1.998), None)),
        samples: 1000,
        samples_needed: None,
        windows: None,
        of: Series::Response,
        quantile: Some(0.999),
    }];
    summary.deployments = vec![Deployment {
        name: "blue".to_owned(),
        instance_type: "Standard_DS3_v2".to_owned(),
        instance_count: 2,
        runtime: "builtin".to_owned(),
        traffic_percent: Some(100),
    }];
    summary
}

#[test]
fn the_file_is_as_version_1_says() {
    insta::assert_json_snapshot!(summary());
}

#[test]
fn the_counts_add_up_and_a_lost_arrival_is_noticed() {
    let mut summary = summary();
    assert_eq!(summary.check_conservation(), Ok(()));
    assert_eq!((summary.load.offered, summary.load.sent, summary.load.completed), (1000, 999, 995));
    summary.outcomes.timeout -= 1;
    assert!(summary.check_conservation().unwrap_err().contains("998"));
}

#[test]
fn a_summary_is_read_as_it_was_written() {
    let text = serde_json::to_string(&summary()).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), summary());
}

#[test]
fn a_percentile_among_failures_is_null_and_the_exact_numbers_are_finite() {
    let response = summary().latency_ms.response;
    assert_eq!((response.count, response.infinite), (994, 6));
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
    assert_eq!(schema["properties"]["schema"]["const"], SCHEMA);
}
