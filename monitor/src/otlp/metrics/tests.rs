use std::time::{Duration, UNIX_EPOCH};

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{ExponentialHistogramDataPoint, NumberDataPoint};
use plimsoll_domain::{Generator, Moment, Outcome, Sample, Tally, Transport};

use super::super::config::Temporality;
use super::super::gauges::Gauges;
use super::super::run::Run;
use super::*;
use crate::testing::{answered, second};
use crate::{AlertRule, Monitor, MonitorConfig, Objective, Severity, ValidityState};

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
    let due = Moment::from_nanos(1_000_000);
    let sent = due + Duration::from_millis(1);
    let done = due + Duration::from_millis(millis);
    Sample { due, released: due, sent, done, outcome, model_time: Some(Duration::from_millis(2)) }
}

fn tally() -> Tally {
    let mut tally = Tally { offered: 8, sent: 7, ..Tally::default() };
    for outcome in [
        Outcome::Answered(200),
        Outcome::Answered(200),
        Outcome::Answered(200),
        Outcome::Answered(503),
        Outcome::Timeout,
        Outcome::Transport(Transport::Closed),
        Outcome::Aborted,
    ] {
        tally.record(&sample(outcome, 250));
    }
    tally.drop_one();
    tally
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
        objectives: vec![objective],
        alerts: vec![rule.unwrap()],
        confidence: 0.95,
        measured: Duration::ZERO..Duration::from_secs(3),
    });
    monitor.observe(&second(0, answered(1000, Duration::from_millis(250))));
    let mut gauges = Gauges::new(Duration::from_secs(3), &monitor.current(), monitor.alerts());
    gauges.target_rate = Some(12.5);
    gauges.instances = vec![("blue".to_owned(), 2)];
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
fn an_export_says_this() {
    let (run, none, tally, gauges) = (run(), Tally::default(), tally(), gauges());
    let generator = Generator { in_flight: 4, backlog: 1, connections: 6, ..Generator::default() };
    let view = View {
        run: &run,
        temporality: Temporality::Cumulative,
        from: Duration::ZERO,
        to: Duration::from_secs(2),
        series: vec![Series::phase("warmup", &none), Series::phase("measured", &tally)],
        generator: Some(&generator),
        gauges: Some(&gauges),
    };
    let http = "http.request.method=POST,plimsoll.phase=measured,server.address=127.0.0.1,server.port=8080";
    let expected = [
        "plimsoll.requests.offered {plimsoll.phase=measured} 8 {request}",
        "plimsoll.requests.sent {plimsoll.phase=measured} 7 {request}",
        "plimsoll.requests.dropped {plimsoll.phase=measured} 1 {request}",
        "plimsoll.requests.completed {http.response.status_code=200,plimsoll.outcome=ok,plimsoll.phase=measured} 3 {request}",
        "plimsoll.requests.completed {error.type=503,http.response.status_code=503,plimsoll.outcome=failed,plimsoll.phase=measured} 1 {request}",
        "plimsoll.requests.completed {error.type=closed,plimsoll.outcome=failed,plimsoll.phase=measured} 1 {request}",
        "plimsoll.requests.completed {error.type=timeout,plimsoll.outcome=failed,plimsoll.phase=measured} 1 {request}",
        "plimsoll.requests.completed {error.type=aborted,plimsoll.outcome=failed,plimsoll.phase=measured} 1 {request}",
        "plimsoll.response.duration {plimsoll.outcome=ok,plimsoll.phase=measured} 3 of 0.75 s",
        "plimsoll.response.duration {plimsoll.outcome=failed,plimsoll.phase=measured} 4 of 1.0 s",
        &format!("http.client.request.duration {{{http}}} 4 of 0.996 s"),
        "plimsoll.send.lag {plimsoll.phase=measured} 7 of 0.007 s",
        "plimsoll.model.duration {plimsoll.phase=measured} 7 of 0.014 s",
        "plimsoll.requests.in_flight {} 4 {request}",
        "plimsoll.requests.backlog {} 1 {request}",
        "plimsoll.connections {} 6 {connection}",
        "plimsoll.load.target_rate {} 12.5 {request}/s",
        "plimsoll.instances {plimsoll.deployment=blue} 2 {instance}",
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
    let (run, tally) = (run(), tally());
    let view = |temporality| View {
        run: &run,
        temporality,
        from: Duration::from_secs(5),
        to: Duration::from_secs(10),
        series: vec![Series::phase("warmup", &tally), Series::phase("measured", &tally)],
        generator: None,
        gauges: None,
    };
    for (temporality, wire) in [(Temporality::Cumulative, 2), (Temporality::Delta, 1)] {
        for metric in metrics(&view(temporality)) {
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
    let (run, none) = (run(), Tally::default());
    let view = View {
        run: &run,
        temporality: Temporality::Cumulative,
        from: Duration::ZERO,
        to: Duration::ZERO,
        series: vec![Series::phase("warmup", &none), Series::phase("measured", &none)],
        generator: None,
        gauges: None,
    };
    assert!(metrics(&view).is_empty());
}
