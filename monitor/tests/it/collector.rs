//! What a real OpenTelemetry Collector writes is what was exported.
//!
//! The Collector runs with dashboards/collector.yaml, the configuration that people are given.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use plimsoll_domain::latencies::rank_of;
use plimsoll_domain::schedule::Profile;
use plimsoll_domain::{Key, Lags, Latencies, Snapshot, Tally, clock};
use plimsoll_monitor::otlp::{Exporter, Gauges, exponential};
use plimsoll_monitor::{
    AlertEvent, AlertState, Amount, Monitor, MonitorConfig, Unit, ValidityState,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::otlp::receiver::Protocol;
use crate::otlp::{alert, config, names, run, snapshot};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The version that scripts/real/collector builds.
const BINARY: &str = ".cache/collector-0.145.0/otelcol";

fn binary() -> Option<PathBuf> {
    let named = std::env::var_os("PLIMSOLL_COLLECTOR").map(PathBuf::from);
    let path = named.unwrap_or_else(|| Path::new(ROOT).join(BINARY));
    if path.exists() {
        return Some(path);
    }
    println!("skipped: needs the OpenTelemetry Collector (scripts/real/collector)");
    None
}

/// A running Collector, killed when dropped.
struct Collector {
    process: Child,
    folder: TempDir,
    addresses: [String; 3],
}

impl Collector {
    fn start(binary: &Path) -> Self {
        // It takes no open socket, only a port; one that was free a moment ago may be taken.
        (0..5)
            .find_map(|_| Self::try_start(binary))
            .expect("the Collector starts at one of 5 tries")
    }

    fn try_start(binary: &Path) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let free: [TcpListener; 3] =
            std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let addresses = free.each_ref().map(|listener| listener.local_addr().unwrap().to_string());
        drop(free);
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let process = Command::new(binary)
            .arg("--config")
            .arg(Path::new(ROOT).join("dashboards/collector.yaml"))
            .env("PLIMSOLL_COLLECTOR_GRPC", &addresses[0])
            .env("PLIMSOLL_COLLECTOR_HTTP", &addresses[1])
            .env("PLIMSOLL_COLLECTOR_PROMETHEUS", &addresses[2])
            .env("PLIMSOLL_COLLECTOR_FILE", folder.path().join("otlp.jsonl"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut collector = Self { process, folder, addresses };
        collector.is_ready().then_some(collector)
    }

    fn is_ready(&mut self) -> bool {
        let end = clock::now() + Duration::from_mins(1);
        loop {
            if self.addresses.iter().all(|address| TcpStream::connect(address).is_ok()) {
                return true;
            }
            if self.process.try_wait().unwrap().is_some() || clock::now() > end {
                let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
                println!("the Collector does not listen:\n{log}");
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn url(&self, protocol: Protocol) -> String {
        format!("http://{}", self.addresses[usize::from(protocol == Protocol::Http)])
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// What was written so far, a JSON document for each line.
    fn written(&self) -> Vec<Value> {
        let text =
            std::fs::read_to_string(self.folder.path().join("otlp.jsonl")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits until what was written satisfies `enough`, and returns it.
    fn wait_for(&self, what: &str, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let end = clock::now() + Duration::from_secs(30);
        loop {
            let written = self.written();
            if enough(&written) {
                return written;
            }
            assert!(clock::now() < end, "no {what} within 30 s in {written:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // It may be dead already: that is what one of the tests is about.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Everything under `key`, at any depth.
fn all<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if name == key {
                    found.push(member);
                }
                all(member, key, found);
            }
        }
        Value::Array(items) => all_in(items, key, found),
        _ => {}
    }
}

fn all_in<'a>(values: &'a [Value], key: &str, found: &mut Vec<&'a Value>) {
    for value in values {
        all(value, key, found);
    }
}

/// The points of the metric in the newest export that has it.
fn points(written: &[Value], name: &str) -> Vec<Value> {
    let mut metrics = Vec::new();
    all_in(written, "metrics", &mut metrics);
    let mut metrics = metrics.into_iter().filter_map(Value::as_array).flatten();
    let newest = metrics.rfind(|metric| metric["name"] == name);
    let mut points = Vec::new();
    if let Some(metric) = newest {
        all(metric, "dataPoints", &mut points);
    }
    points.into_iter().filter_map(Value::as_array).flatten().cloned().collect()
}

/// Protobuf's JSON has 64-bit numbers as strings.
fn whole(value: &Value) -> u64 {
    value.as_str().map_or_else(|| value.as_u64().unwrap_or(0), |text| text.parse().unwrap())
}

fn attribute<'a>(point: &'a Value, key: &str) -> Option<&'a Value> {
    let attributes = point["attributes"].as_array()?;
    let found = attributes.iter().find(|attribute| attribute["key"] == key)?;
    found["value"].as_object()?.values().next()
}

/// A quantile as a receiver reads it: the middle of the bucket that holds its rank.
fn quantile(point: &Value, quantile: f64) -> f64 {
    let rank = rank_of(quantile, whole(&point["count"]));
    let offset = point["positive"]["offset"].as_i64().unwrap_or(0);
    let mut seen = whole(&point["zeroCount"]);
    for (index, count) in (offset..).zip(point["positive"]["bucketCounts"].as_array().unwrap()) {
        seen += whole(count);
        if seen >= rank {
            let per_octave = f64::from(exponential::SCALE).exp2();
            return ((index as f64 + 0.5) / per_octave).exp2();
        }
    }
    panic!("{point} holds fewer than {rank}");
}

fn agrees(written: &[Value], name: &str, filter: (&str, &str), own: &Latencies) {
    let points = points(written, name);
    let found: Vec<_> = points
        .iter()
        .filter(|point| attribute(point, "plimsoll.phase").is_some_and(|phase| phase == "measured"))
        .filter(|point| {
            filter.0.is_empty() || attribute(point, filter.0).is_some_and(|v| v == filter.1)
        })
        .collect();
    assert_eq!(found.len(), 1, "{name} {filter:?}");
    let point = found[0];
    assert!(point["scale"].as_i64() >= Some(7), "{name}");
    assert_eq!(whole(&point["count"]), own.count(), "{name}");
    let seconds = |key: &str| point[key].as_f64().unwrap();
    assert_eq!(seconds("sum").to_bits(), exponential::seconds(own.sum_ns()).to_bits(), "{name}");
    let extremes =
        [own.min(), own.max()].map(|value| exponential::seconds(value.unwrap().as_nanos()));
    assert_eq!([seconds("min"), seconds("max")].map(f64::to_bits), extremes.map(f64::to_bits));
    for percentile in [0.5, 0.9, 0.99] {
        let ours = exponential::seconds(own.quantile(percentile).unwrap().as_nanos());
        let theirs = quantile(point, percentile);
        assert!((theirs / ours - 1.0).abs() < 0.006, "{name} {percentile}: {theirs} not {ours}");
    }
}

#[test]
fn what_the_collector_writes_is_what_was_measured() {
    let Some(binary) = binary() else { return };
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let collector = Collector::start(&binary);
        let interval = [("OTEL_METRIC_EXPORT_INTERVAL", "200")];
        let config = config(&collector.url(protocol), protocol, &interval);
        let exporter = Exporter::start(&config, run()).unwrap();
        let (mut measured, mut lags) = (Tally::default(), Lags::default());
        for index in 0..40 {
            let snapshot = snapshot(index, 3 + index * 40);
            measured.merge(&snapshot.measured());
            lags.merge(&snapshot.measured_lags());
            exporter.interval(&snapshot);
        }
        collector.wait_for("metrics", |written| !written.is_empty());
        let last = snapshot(40, 2_000);
        exporter.interval(&last);
        measured.merge(&last.measured());
        lags.merge(&last.measured_lags());
        exporter.alert(alert(7, AlertState::Firing));
        let infinite = Amount { number: f64::INFINITY, unit: Unit::Milliseconds };
        exporter.alert(AlertEvent { value: infinite, ..alert(9, AlertState::Resolved) });
        exporter.gauges(standing(&measured));
        let delivery = exporter.finish(Duration::from_secs(20));
        assert!(delivery.complete && !delivery.has_losses(), "{protocol:?}: {delivery:?}");

        let sent = |written: &[Value]| {
            let points = points(written, "plimsoll.requests.sent");
            points.iter().map(|point| whole(&point["asInt"])).sum::<u64>()
        };
        let is_whole = |written: &[Value]| {
            let mut alerts = Vec::new();
            all_in(written, "eventName", &mut alerts);
            sent(written) == 4_100 && alerts.len() == 2
        };
        let written = collector.wait_for("totals and alerts", is_whole);
        agrees(
            &written,
            "plimsoll.response.duration",
            ("plimsoll.outcome", "ok"),
            &measured.response,
        );
        agrees(
            &written,
            "plimsoll.response.duration",
            ("plimsoll.outcome", "failed"),
            &measured.failed,
        );
        agrees(&written, "http.client.request.duration", ("", ""), &measured.service);
        agrees(&written, "plimsoll.send.lag", ("", ""), &lags.send);
        agrees(&written, "plimsoll.release.lag", ("", ""), &lags.release);
        check_alerts(&written);
        check_gauges(&written);
        assert!(scraped(&collector).contains("plimsoll_requests_sent_total"));
    }
}

fn check_alerts(written: &[Value]) {
    let mut records = Vec::new();
    all_in(written, "logRecords", &mut records);
    let records: Vec<_> = records.into_iter().filter_map(Value::as_array).flatten().collect();
    let expected = [("firing", 17, Value::from(0.25)), ("resolved", 9, Value::from("Infinity"))];
    for (record, (state, severity, value)) in records.into_iter().zip(expected) {
        assert_eq!(record["eventName"], "plimsoll.alert");
        assert_eq!(record["severityNumber"], severity);
        let text = |key: &str| attribute(record, key).unwrap().clone();
        assert_eq!(text("plimsoll.alert.state"), state);
        assert_eq!(text("plimsoll.alert.rule"), "slow");
        assert_eq!(text("plimsoll.run.id"), "run-1");
        assert_eq!(text("plimsoll.alert.value"), value);
        assert_eq!(text("plimsoll.alert.threshold"), 0.2);
    }
}

/// How an objective stands that is met, and one whose value is infinite.
fn standing(measured: &Tally) -> Gauges {
    let objectives = ["p50 < 10s", "p99.9 < 1s"].map(|text| text.parse().unwrap());
    let mut monitor = Monitor::new(MonitorConfig {
        objectives: objectives.into(),
        alerts: Vec::new(),
        confidence: 0.95,
        profile: Profile::hold(100.0, Duration::from_secs(41)),
    });
    let end = Duration::from_secs(41);
    let key = Key { stage: 1, ..Key::default() };
    let tallies = BTreeMap::from([(key, measured.clone())]);
    monitor.observe(&Snapshot { end, names: names(), tallies, ..Snapshot::default() });
    let mut gauges = Gauges::new(end, &monitor.current(), monitor.alerts());
    gauges.target_rate = Some(100.0);
    gauges.validity = Some(ValidityState::Valid);
    gauges
}

fn check_gauges(written: &[Value]) {
    let values = |name: &str| -> Vec<Value> {
        points(written, name).iter().map(|point| point["asDouble"].clone()).collect()
    };
    assert_eq!(values("plimsoll.load.target_rate"), [100.0]);
    assert_eq!(values("plimsoll.objective.threshold"), [10.0, 1.0]);
    assert_eq!(values("plimsoll.objective.value")[1], "Infinity");
    let verdicts = points(written, "plimsoll.objective.verdict");
    let verdicts: Vec<_> = verdicts.iter().map(|point| whole(&point["asInt"])).collect();
    assert_eq!(verdicts, [2, 2], "no look before its time");
}

/// What Prometheus would read from the Collector.
fn scraped(collector: &Collector) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = TcpStream::connect(&collector.addresses[2]).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_collector_killed_in_the_middle_is_a_reported_loss() {
    let Some(binary) = binary() else { return };
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let mut collector = Collector::start(&binary);
        let interval = [("OTEL_METRIC_EXPORT_INTERVAL", "50")];
        let config = config(&collector.url(protocol), protocol, &interval);
        let exporter = Exporter::start(&config, run()).unwrap();
        exporter.interval(&snapshot(0, 100));
        collector.wait_for("metrics", |written| !written.is_empty());
        collector.kill();
        for index in 1..5 {
            exporter.interval(&snapshot(index, 100));
        }
        exporter.alert(alert(4, AlertState::Firing));
        let before = clock::now();
        let delivery = exporter.finish(Duration::from_secs(1));
        assert!(clock::now().since(before) < Duration::from_secs(5));
        assert!(delivery.points_sent > 0, "{protocol:?}: {delivery:?}");
        assert!(delivery.points_lost > 0 && delivery.logs_lost == 1, "{protocol:?}: {delivery:?}");
        assert!(!delivery.complete && !delivery.errors.is_empty());
        println!("{protocol:?}: {delivery:?}");
    }
}
