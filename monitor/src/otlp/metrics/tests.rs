use std::time::{Duration, UNIX_EPOCH};

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{ExponentialHistogramDataPoint, NumberDataPoint};
use plimsoll_domain::schedule::Profile;
use plimsoll_domain::{Class, Generator, Key, Lags, Limits, Outcome, Sample, Snapshot, Tally};

use super::super::config::Temporality;
use super::super::gauges::{Autoscale, Gauges, Instances};
use super::super::run::Run;
use super::*;
use crate::testing::{MEASURED, WARMUP, answered, second};
use crate::{AlertRule, Amount, Monitor, MonitorConfig, Objective, Severity, ValidityState};

fn run() -> Run {
    Run {
        id: "run-1".to_owned(),
        scenario: "quickstart".to_owned(),
        version: "0.1.0".to_owned(),
        started: UNIX_EPOCH + Duration::from_secs(1_000_000_000),
        method: "POST".to_owned(),
        server_address: "127.0.0.1".to_owned(),
        server_port: 8080,
        extra: Vec::new(),
    }
}

fn sample(outcome: Outcome, millis: u64) -> Sample {
    let mut sample = crate::testing::sample(outcome, Duration::from_millis(millis));
    sample.sent = sample.due + Duration::from_millis(1);
    sample.model_time = Some(Duration::from_millis(2));
    sample
}

fn tally() -> (Tally, Lags) {
    let (mut tally, mut lags) =
        (Tally { offered: 8, sent: 7, ..Tally::default() }, Lags::default());
    let limits = Limits::default();
    for outcome in [
        Outcome::status(200),
        Outcome::status(200),
        Outcome { class: Class::Late, ..Outcome::status(200) },
        Outcome { model_status: Some(500), ..Outcome::status(424) },
        Outcome::of(Class::ClientTimeout),
        Outcome::of(Class::Closed),
        Outcome::of(Class::Aborted),
    ] {
        tally.record(&sample(outcome, 250), &limits);
        lags.record(&sample(outcome, 250), &limits);
    }
    tally.drop_one(Outcome::of(Class::Dropped));
    (tally, lags)
}

/// Five seconds of one key, answered by `green`.
fn snapshot(key: Key) -> Snapshot {
    let (tally, lags) = tally();
    let mut snapshot = second(5, Tally::default());
    (snapshot.tallies, snapshot.lags) = Default::default();
    let deployment = snapshot.names.deployment("green");
    snapshot.tallies.insert(Key { deployment, ..key }, tally);
    snapshot.lags.insert(key.stage, lags);
    snapshot.end = Duration::from_secs(10);
    snapshot.generator =
        Generator { in_flight: 4, backlog: 1, connections: 6, ..Generator::default() };
    snapshot
}

fn gauges() -> Gauges {
    let objective = "p99 < 200ms in every 1s".parse::<Objective>().unwrap();
    let rule = AlertRule::try_new(
        "slow",
        objective.clone(),
        Duration::ZERO,
        Duration::ZERO,
        Severity::Warning,
    );
    let mut monitor = Monitor::new(MonitorConfig {
        objectives: vec![objective.clone()],
        alerts: vec![rule.unwrap()],
        confidence: 0.95,
        profile: Profile::hold(100.0, Duration::from_secs(3)),
    });
    let limits = crate::limits(&[objective], []);
    monitor.observe(&second(0, answered(1000, Duration::from_millis(250), &limits)));
    let mut gauges = Gauges::new(Duration::from_secs(3), &monitor.current(), monitor.alerts());
    gauges.target_rate = Some(12.5);
    let deployment = "blue".to_owned();
    gauges.instances = vec![Instances { deployment, ready: 2, wanted: 3, starting: 1 }];
    gauges.validity = Some(ValidityState::Valid);
    gauges
}

/// One line for each point: name, attributes in alphabetical order, value.
fn lines(metrics: &[Metric]) -> Vec<String> {
    let number = |point: &NumberDataPoint| match point.value {
        Some(Number::AsInt(value)) => value.to_string(),
        Some(Number::AsDouble(value)) => format!("{value:?}"),
        None => "none".to_owned(),
    };
    let mut lines = Vec::new();
    for metric in metrics {
        let points: Vec<_> = match metric.data.as_ref().unwrap() {
            Data::Sum(sum) => sum.data_points.iter().map(|p| (&p.attributes, number(p))).collect(),
            Data::Gauge(it) => it.data_points.iter().map(|p| (&p.attributes, number(p))).collect(),
            Data::ExponentialHistogram(histogram) => {
                let shown = |p: &ExponentialHistogramDataPoint| {
                    format!("{} of {:?}", p.count, p.sum.unwrap())
                };
                histogram.data_points.iter().map(|p| (&p.attributes, shown(p))).collect()
            }
            _ => panic!("no other kind is exported"),
        };
        for (attributes, value) in points {
            let mut shown: Vec<_> = attributes.iter().map(shown_attribute).collect();
            shown.sort();
            lines.push(format!("{} {{{}}} {value} {}", metric.name, shown.join(","), metric.unit));
        }
    }
    lines
}

fn shown_attribute(attribute: &KeyValue) -> String {
    match attribute.value.as_ref().unwrap().value.as_ref().unwrap() {
        Value::StringValue(value) => format!("{}={value}", attribute.key),
        Value::IntValue(value) => format!("{}={value}", attribute.key),
        _ => panic!("no other kind of attribute is exported"),
    }
}

#[test]
fn autoscale_rules_are_told_by_deployment() {
    let (run, snapshot) = (run(), snapshot(MEASURED));
    let of_blue = Autoscale {
        deployment: "blue".to_owned(),
        wanted: 4,
        held: Some("cooldown".to_owned()),
        indicators: vec![
            ("violation time", Amount::seconds(90.0)),
            ("refused share", Amount::share(0.25)),
        ],
        ..Autoscale::default()
    };
    let mut gauges = gauges();
    gauges.autoscale = vec![of_blue];
    let view = View::new(&run, Temporality::Cumulative, &snapshot, Some(&gauges));
    let lines = lines(&metrics(&view));
    for line in [
        "plimsoll.autoscale.wanted {plimsoll.deployment=blue} 4 {instance}",
        "plimsoll.autoscale.held {plimsoll.autoscale.guard=cooldown,plimsoll.deployment=blue} 1 ",
        "plimsoll.autoscale.indicator {plimsoll.autoscale.indicator.name=violation time,\
         plimsoll.deployment=blue,plimsoll.unit=s} 90.0 ",
        "plimsoll.autoscale.indicator {plimsoll.autoscale.indicator.name=refused share,\
         plimsoll.deployment=blue,plimsoll.unit=1} 0.25 ",
    ] {
        assert!(lines.iter().any(|known| known == line), "{line} is not in {lines:#?}");
    }
}

#[test]
fn an_export_says_this() {
    let (run, snapshot, gauges) = (run(), snapshot(MEASURED), gauges());
    let view = View::new(&run, Temporality::Cumulative, &snapshot, Some(&gauges));
    let stage = "plimsoll.phase=measured";
    let key = "plimsoll.request=score,plimsoll.stage=hold";
    let all = format!("plimsoll.deployment=green,{stage},{key}");
    let http = format!("http.request.method=POST,{all},server.address=127.0.0.1,server.port=8080");
    let ended = |status: &str, outcome: &str, class: &str, rest: &str| {
        let error =
            if outcome == "failed" { format!("error.type={class},") } else { String::new() };
        format!(
            "{{{error}{status}plimsoll.deployment=green,{rest}plimsoll.outcome.class={class},\
             plimsoll.outcome={outcome},{stage},{key}}}"
        )
    };
    let ok = "http.response.status_code=200,";
    let expected = [
        &*format!("plimsoll.requests.offered {{{all}}} 8 {{request}}"),
        &format!("plimsoll.requests.sent {{{all}}} 7 {{request}}"),
        &format!("plimsoll.requests.dropped {{{all}}} 1 {{request}}"),
        &format!("plimsoll.requests.completed {} 2 {{request}}", ended(ok, "ok", "ok", "")),
        &format!("plimsoll.requests.completed {} 1 {{request}}", ended(ok, "ok", "late", "")),
        &format!(
            "plimsoll.requests.completed {} 1 {{request}}",
            ended("", "failed", "client_timeout", "")
        ),
        &format!(
            "plimsoll.requests.completed {} 1 {{request}}",
            ended(
                "http.response.status_code=424,",
                "failed",
                "model_error",
                "plimsoll.model.status_code=500,"
            )
        ),
        &format!("plimsoll.requests.completed {} 1 {{request}}", ended("", "failed", "closed", "")),
        &format!(
            "plimsoll.requests.completed {} 1 {{request}}",
            ended("", "failed", "aborted", "")
        ),
        &format!(
            "plimsoll.response.duration {{plimsoll.deployment=green,plimsoll.outcome=ok,{stage},{key}}} 3 of 0.75 s"
        ),
        &format!(
            "plimsoll.response.duration {{plimsoll.deployment=green,plimsoll.outcome=failed,{stage},{key}}} 4 of 1.0 s"
        ),
        &format!("http.client.request.duration {{{http}}} 4 of 0.996 s"),
        "plimsoll.send.lag {plimsoll.phase=measured,plimsoll.stage=hold} 7 of 0.007 s",
        "plimsoll.release.lag {plimsoll.phase=measured,plimsoll.stage=hold} 7 of 0.0 s",
        &format!("plimsoll.model.duration {{{all}}} 7 of 0.014 s"),
        "plimsoll.requests.in_flight {} 4 {request}",
        "plimsoll.requests.backlog {} 1 {request}",
        "plimsoll.connections {} 6 {connection}",
        "plimsoll.load.target_rate {} 12.5 {request}/s",
        "plimsoll.instances {plimsoll.deployment=blue,plimsoll.instance.state=ready} 2 {instance}",
        "plimsoll.instances {plimsoll.deployment=blue,plimsoll.instance.state=wanted} 3 {instance}",
        "plimsoll.instances {plimsoll.deployment=blue,plimsoll.instance.state=starting} 1 {instance}",
        "plimsoll.objective.value {plimsoll.objective=p99 < 200ms in every 1s,plimsoll.unit=s} 0.25 ",
        "plimsoll.objective.threshold {plimsoll.objective=p99 < 200ms in every 1s,plimsoll.unit=s} 0.2 ",
        "plimsoll.objective.verdict {plimsoll.objective=p99 < 200ms in every 1s} 1 ",
        "plimsoll.alert.state {plimsoll.alert.rule=slow} 2 ",
        "plimsoll.validity {} 0 ",
    ];
    assert_eq!(lines(&metrics(&view)), expected);
}

#[test]
fn points_are_stamped_with_the_interval_they_cover() {
    let run = run();
    let mut both = snapshot(MEASURED);
    both.append(&snapshot(WARMUP));
    let counted = |metrics: Vec<Metric>| {
        metrics.into_iter().filter(|metric| !matches!(metric.data, Some(Data::Gauge(_))))
    };
    for (temporality, wire) in [(Temporality::Cumulative, 2), (Temporality::Delta, 1)] {
        let view = View::new(&run, temporality, &both, None);
        for metric in counted(metrics(&view)) {
            let (times, on_the_wire): (Vec<_>, i32) = match metric.data.unwrap() {
                Data::Sum(sum) => {
                    assert!(sum.is_monotonic);
                    let points = sum.data_points.iter();
                    let times = points.map(|p| (p.start_time_unix_nano, p.time_unix_nano));
                    (times.collect(), sum.aggregation_temporality)
                }
                Data::ExponentialHistogram(histogram) => {
                    let points = histogram.data_points.iter();
                    let times = points.map(|p| (p.start_time_unix_nano, p.time_unix_nano));
                    (times.collect(), histogram.aggregation_temporality)
                }
                _ => panic!("there are no gauges"),
            };
            assert_eq!(on_the_wire, wire);
            let second = 1_000_000_000;
            let expected = (1_000_000_005 * second, 1_000_000_010 * second);
            assert!(times.iter().all(|time| *time == expected));
        }
    }
}

#[test]
fn nothing_measured_has_no_points() {
    let (run, nothing) = (run(), Snapshot::default());
    let view = View::new(&run, Temporality::Cumulative, &nothing, None);
    assert!(metrics(&view).is_empty());
}
