//! The exporter against receivers that take, refuse, stall and die.

use std::time::{Duration, UNIX_EPOCH};

use plimsoll_domain::{
    Key, Limits, Moment, Names, Outcome, Recorder, Sample, Snapshot, StageName, clock,
};
use plimsoll_monitor::otlp::{Config, Delivery, Exporter, Run};
use plimsoll_monitor::{AlertEvent, AlertState, Amount, Severity};

use self::receiver::{Answer, Protocol, Receiver, counter, histogram_count};

pub(crate) mod receiver;
mod reference;

/// A warm-up and what is measured after it, of one request.
pub(crate) fn names() -> Names {
    let stage = |name: &str, warmup| StageName { name: name.to_owned(), warmup };
    let stages = vec![stage("warm-up", true), stage("hold", false)];
    Names::new(stages, vec!["score".to_owned()], [])
}

/// An interval of which one request is as slow as `millis`, and the others are faster.
pub(crate) fn snapshot(index: u64, millis: u64) -> Snapshot {
    let (start, end) = (Duration::from_secs(index), Duration::from_secs(index + 1));
    let mut recorder = Recorder::new(names(), Limits::default());
    let key = Key { stage: u16::from(index > 0), ..Key::default() };
    for n in 1..=100 {
        let due = Moment::from_nanos(1_000_000_000);
        let released = due + Duration::from_micros(n);
        let sent = released + Duration::from_micros(20);
        // From a hundredth of the slowest to the slowest, and no two intervals alike.
        let done = sent + Duration::from_nanos(millis * 10_000 * n + index * 777 + 1_234);
        let outcome = Outcome::status(if n == 50 { 503 } else { 200 });
        recorder.offer(key);
        recorder.send(key);
        recorder.record(key, &Sample { released, sent, ..Sample::new(due, done, outcome) });
    }
    recorder.take(index, start, end)
}

pub(crate) fn alert(at: u64, to: AlertState) -> AlertEvent {
    AlertEvent {
        at: Duration::from_secs(at),
        rule: "slow".to_owned(),
        severity: Severity::Critical,
        objective: "p99 < 200ms in every 10s".to_owned(),
        from: AlertState::Pending,
        to,
        value: Amount::latency(Duration::from_millis(250)),
        threshold: Amount::latency(Duration::from_millis(200)),
        fingerprint: "00ff".to_owned(),
        run_ended: false,
    }
}

pub(crate) fn run() -> Run {
    Run {
        id: "run-1".to_owned(),
        scenario: "test".to_owned(),
        version: "0.1.0".to_owned(),
        started: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        method: "POST".to_owned(),
        server_address: "127.0.0.1".to_owned(),
        server_port: 8080,
        extra: Vec::new(),
    }
}

/// A configuration for `url`, with more variables.
pub(crate) fn config(url: &str, protocol: Protocol, more: &[(&str, &str)]) -> Config {
    let env = |name: &str| match name {
        "OTEL_EXPORTER_OTLP_PROTOCOL" => Some(protocol.name().to_owned()),
        _ => more.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()),
    };
    Config::resolve(Some(url), &env).unwrap().unwrap()
}

const ONLY_AT_THE_END: (&str, &str) = ("OTEL_METRIC_EXPORT_INTERVAL", "3600000");
const OFTEN: (&str, &str) = ("OTEL_METRIC_EXPORT_INTERVAL", "20");

/// Exports three intervals and an alert to the receiver, and ends.
fn export(receiver: &Receiver, more: &[(&str, &str)], deadline: Duration) -> Delivery {
    export_to(&receiver.url, receiver.protocol, more, deadline)
}

fn export_to(url: &str, protocol: Protocol, more: &[(&str, &str)], deadline: Duration) -> Delivery {
    let mut variables = vec![ONLY_AT_THE_END];
    variables.extend(more);
    let exporter = Exporter::start(&config(url, protocol, &variables), run()).unwrap();
    (0..3).for_each(|index| exporter.interval(&snapshot(index, 200)));
    exporter.alert(alert(2, AlertState::Firing));
    exporter.finish(deadline)
}

const ENOUGH: Duration = Duration::from_secs(20);

#[test]
fn a_healthy_receiver_gets_everything_over_both_protocols() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        for compression in ["none", "gzip"] {
            let receiver = Receiver::start(protocol, Answer::Take);
            let more = [
                ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20t0ken"),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", compression),
            ];
            let delivery = export(&receiver, &more, ENOUGH);
            assert!(delivery.complete && !delivery.has_losses(), "{protocol:?} {delivery:?}");
            assert_eq!(delivery.logs_sent, 1);
            let requests = receiver.metrics();
            let last = requests.last().unwrap();
            assert_eq!(counter(last, "plimsoll.requests.sent"), 300);
            assert_eq!(histogram_count(last, "plimsoll.response.duration"), 300);
            assert_eq!(histogram_count(last, "http.client.request.duration"), 300);
            assert!(receiver.authorizations().iter().all(|value| value == "Bearer t0ken"));
            let logs = receiver.logs();
            let record = &logs[0].resource_logs[0].scope_logs[0].log_records[0];
            assert_eq!(
                (record.event_name.as_str(), record.severity_number),
                ("plimsoll.alert", 17)
            );
            assert_eq!(record.time_unix_nano, 1_700_000_002 * 1_000_000_000);
            let attributes: Vec<_> = record.attributes.iter().map(|a| a.key.as_str()).collect();
            for wanted in ["rule", "state", "previous_state", "value", "threshold", "fingerprint"] {
                let name = format!("plimsoll.alert.{wanted}");
                assert!(attributes.contains(&name.as_str()), "{name} in {attributes:?}");
            }
            assert!(attributes.contains(&"plimsoll.run.id"));
        }
    }
}

#[test]
fn a_transient_refusal_is_tried_again_when_the_receiver_says() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let receiver = Receiver::start(protocol, Answer::Take);
        receiver.first_answers(vec![Answer::Unavailable { retry_after: 1 }]);
        let before = clock::now();
        let delivery = export(&receiver, &[], ENOUGH);
        assert!(clock::now().since(before) >= Duration::from_secs(1), "{protocol:?}");
        assert!(delivery.complete && !delivery.has_losses(), "{protocol:?} {delivery:?}");
        assert_eq!(receiver.calls(), 2, "{protocol:?}");
    }
}

#[test]
fn a_refused_alert_is_tried_again_by_the_same_rule() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let receiver = Receiver::start(protocol, Answer::Take);
        receiver.first_answers_to_logs(vec![Answer::Unavailable { retry_after: 1 }]);
        let before = clock::now();
        let delivery = export(&receiver, &[], ENOUGH);
        assert!(clock::now().since(before) >= Duration::from_secs(1), "{protocol:?}");
        assert!(delivery.complete && !delivery.has_losses(), "{protocol:?} {delivery:?}");
        let logs = receiver.logs();
        assert_eq!((logs.len(), delivery.logs_sent), (2, 1), "{protocol:?}");
        assert_eq!(logs[0], logs[1]);
    }
}

#[test]
fn a_lasting_refusal_is_not_tried_again() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let receiver = Receiver::start(protocol, Answer::BadRequest);
        let delivery = export(&receiver, &[], ENOUGH);
        assert_eq!((receiver.calls(), receiver.logs().len()), (1, 1), "{protocol:?}");
        assert!(!delivery.complete && delivery.points_lost > 0 && delivery.points_sent == 0);
        assert_eq!((delivery.logs_lost, delivery.logs_sent), (1, 0));
        let told = delivery.errors.join("\n");
        let reason = if protocol == Protocol::Grpc { "not like this" } else { "400" };
        assert!(told.contains(&format!("metrics: {}", receiver.url)), "{told}");
        assert!(told.contains(&format!("alerts: {}", receiver.url)), "{told}");
        assert!(told.contains(reason), "{told}");
        assert_harmless(&delivery);
    }
}

#[test]
fn what_a_receiver_rejects_is_counted_and_not_tried_again() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let receiver = Receiver::start(protocol, Answer::Partial(2));
        let delivery = export(&receiver, &[], ENOUGH);
        assert_eq!((receiver.calls(), receiver.logs().len()), (1, 1));
        // Two points and the one alert.
        assert_eq!((delivery.rejected, delivery.logs_sent), (3, 0), "{protocol:?} {delivery:?}");
        assert!(!delivery.complete && delivery.points_lost + delivery.logs_lost == 0);
        let told = delivery.errors.join("\n");
        assert!(told.contains("metrics: the receiver says: [2Jtoo many points"), "{told}");
        assert!(told.contains("alerts: the receiver says: [2Jtoo many records"), "{told}");
        assert_harmless(&delivery);
    }
}

/// What the receiver says can neither move the cursor nor fill the screen.
fn assert_harmless(delivery: &Delivery) {
    for error in &delivery.errors {
        assert!(!error.contains(|c: char| c.is_control() || c == '\u{202e}'), "{error:?}");
        assert!(error.chars().count() < 400, "{error}");
    }
}

#[test]
fn a_receiver_that_never_answers_costs_no_more_than_the_deadline() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        // It accepts the connection, in the kernel's queue, and says nothing.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let before = clock::now();
        let delivery = export_to(&url, protocol, &[], Duration::from_millis(500));
        assert!(clock::now().since(before) < Duration::from_secs(3), "{protocol:?}");
        assert!(delivery.points_lost > 0 && delivery.logs_lost == 1, "{delivery:?}");
        assert!(!delivery.complete && !delivery.errors.is_empty());
    }
}

#[test]
fn an_export_that_hangs_when_the_run_ends_leaves_time_for_the_totals() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let receiver = Receiver::start(protocol, Answer::Take);
        receiver.first_answers(vec![Answer::Silence]);
        let config = config(&receiver.url, protocol, &[OFTEN]);
        let exporter = Exporter::start(&config, run()).unwrap();
        exporter.interval(&snapshot(0, 100));
        receiver.wait_for_calls(1);
        exporter.interval(&snapshot(1, 100));
        let delivery = exporter.finish(Duration::from_secs(3));
        assert!(delivery.complete && delivery.points_lost > 0, "{protocol:?} {delivery:?}");
        let last = receiver.metrics().pop().unwrap();
        assert_eq!(counter(&last, "plimsoll.requests.sent"), 200);
    }
}

#[test]
fn a_receiver_that_is_not_there_is_a_loss_and_no_failure() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let url = {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            format!("http://{}", free.local_addr().unwrap())
        };
        let delivery = export_to(&url, protocol, &[], Duration::from_secs(1));
        assert!(delivery.points_lost > 0 && delivery.points_sent == 0, "{delivery:?}");
        assert_eq!(delivery.logs_lost, 1);
    }
}

#[test]
fn a_receiver_that_dies_in_the_middle_leaves_a_counted_loss() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let receiver = Receiver::start(protocol, Answer::Take);
        let config = config(&receiver.url, protocol, &[OFTEN]);
        let exporter = Exporter::start(&config, run()).unwrap();
        // A second export is only made once the first is answered.
        for index in 0..2 {
            exporter.interval(&snapshot(index, 100));
            receiver.wait_for_calls(index as usize + 1);
        }
        drop(receiver);
        (2..5).for_each(|index| exporter.interval(&snapshot(index, 100)));
        exporter.alert(alert(3, AlertState::Firing));
        let delivery = exporter.finish(Duration::from_secs(1));
        assert!(delivery.points_sent > 0, "{protocol:?} {delivery:?}");
        assert!(delivery.points_lost > 0 && delivery.logs_lost == 1, "{delivery:?}");
        assert!(!delivery.complete);
    }
}

#[test]
fn a_cumulative_export_makes_up_for_one_that_was_lost() {
    let receiver = Receiver::start(Protocol::Http, Answer::Take);
    receiver.first_answers(vec![Answer::BadRequest]);
    let config = config(&receiver.url, Protocol::Http, &[OFTEN]);
    let exporter = Exporter::start(&config, run()).unwrap();
    exporter.interval(&snapshot(0, 100));
    receiver.wait_for_calls(1);
    let delivery = exporter.finish(ENOUGH);
    assert!(delivery.complete && delivery.points_lost > 0, "{delivery:?}");
    let requests = receiver.metrics();
    assert_eq!(counter(requests.last().unwrap(), "plimsoll.requests.offered"), 100);
}

#[test]
fn delta_points_add_up_and_a_lost_one_stays_lost() {
    let delta = ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta");
    let receiver = Receiver::start(Protocol::Grpc, Answer::Take);
    let config = config(&receiver.url, Protocol::Grpc, &[OFTEN, delta]);
    let exporter = Exporter::start(&config, run()).unwrap();
    for index in 0..3 {
        exporter.interval(&snapshot(index, 100));
        receiver.wait_for_calls(index as usize + 1);
    }
    receiver.first_answers(vec![Answer::BadRequest]);
    exporter.interval(&snapshot(3, 100));
    receiver.wait_for_calls(4);
    exporter.interval(&snapshot(4, 100));
    let delivery = exporter.finish(ENOUGH);
    assert!(!delivery.complete && delivery.points_lost > 0, "{delivery:?}");
    let requests = receiver.metrics();
    let counts: Vec<_> =
        requests.iter().map(|request| counter(request, "plimsoll.requests.sent")).collect();
    assert_eq!(counts.iter().sum::<i64>(), 400, "{counts:?}");
}

#[test]
fn tls_trusts_the_named_certificate_and_no_other() {
    let names = vec!["127.0.0.1".to_owned()];
    let certificate = rcgen::generate_simple_self_signed(names).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, certificate.cert.pem()).unwrap();
    let trusting = ("OTEL_EXPORTER_OTLP_CERTIFICATE", file.to_str().unwrap());
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let receiver = Receiver::start_tls(protocol, &certificate);
        let delivery = export(&receiver, &[trusting], ENOUGH);
        assert!(delivery.complete && !delivery.has_losses(), "{protocol:?} {delivery:?}");
        assert_eq!((receiver.calls(), delivery.logs_sent), (1, 1));

        let delivery = export(&receiver, &[], Duration::from_secs(1));
        assert!(delivery.points_sent == 0 && delivery.points_lost > 0, "{delivery:?}");
        let told = delivery.errors.join("\n");
        assert!(told.contains("certificate"), "{protocol:?} {told}");

        let plain = receiver.url.replace("https", "http");
        let delivery = export_to(&plain, protocol, &[], Duration::from_secs(1));
        assert!(delivery.points_sent == 0 && delivery.points_lost > 0, "{delivery:?}");
    }
}
