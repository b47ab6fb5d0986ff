//! The messages are those that OpenTelemetry's own exporter sends.
//!
//! The same alert, and the same counter and gauge, leave twice: by our exporter, and by the SDK with the exporters of
//! `opentelemetry-otlp`. The receiver must not be able to tell one from the other, but for the time of a metric's export.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{LogExporter, MetricExporter, WithExportConfig as _};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use plimsoll_domain::{Generator, Key, Snapshot, Tally};
use plimsoll_monitor::AlertState;
use plimsoll_monitor::otlp::Exporter;
use tokio::runtime::Runtime;

use super::receiver::{Answer, Protocol, Receiver};
use super::{ENOUGH, ONLY_AT_THE_END, alert, config, names, run};

fn resource() -> Resource {
    let attributes = [
        ("service.name", "plimsoll"),
        ("service.version", "0.1.0"),
        ("service.instance.id", "run-1"),
        ("plimsoll.run.id", "run-1"),
        ("plimsoll.scenario", "test"),
    ];
    let attributes = attributes.map(|(key, value)| KeyValue::new(key, value));
    Resource::builder_empty().with_attributes(attributes).build()
}

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("plimsoll").with_version("0.1.0").build()
}

/// Where the SDK's exporters run.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn send_an_alert(url: &str) {
    let runtime = runtime();
    let _inside = runtime.enter();
    let exporter = LogExporter::builder().with_tonic().with_endpoint(url).build().unwrap();
    let provider = SdkLoggerProvider::builder()
        .with_resource(resource())
        .with_batch_exporter(exporter)
        .build();
    let logger = provider.logger_with_scope(scope());
    let mut record = logger.create_log_record();
    record.set_event_name("plimsoll.alert");
    let at: SystemTime = UNIX_EPOCH + Duration::from_secs(1_700_000_002);
    record.set_timestamp(at);
    record.set_observed_timestamp(at);
    record.set_severity_number(Severity::Error);
    record.set_severity_text(Severity::Error.name());
    record
        .set_body(AnyValue::from("slow is firing: 250ms against 200ms (p99 < 200ms in every 10s)"));
    record.add_attribute("plimsoll.alert.rule", "slow");
    record.add_attribute("plimsoll.alert.state", "firing");
    record.add_attribute("plimsoll.alert.previous_state", "pending");
    record.add_attribute("plimsoll.alert.severity", "critical");
    record.add_attribute("plimsoll.alert.value", 0.25);
    record.add_attribute("plimsoll.alert.threshold", 0.2);
    record.add_attribute("plimsoll.unit", "s");
    record.add_attribute("plimsoll.alert.fingerprint", "00ff");
    record.add_attribute("plimsoll.objective", "p99 < 200ms in every 10s");
    record.add_attribute("plimsoll.alert.run_ended", false);
    record.add_attribute("plimsoll.run.id", "run-1");
    logger.emit(record);
    provider.shutdown().unwrap();
}

#[test]
fn an_alert_is_what_the_sdk_would_send() {
    let receiver = Receiver::start(Protocol::Grpc, Answer::Take);
    let exporter = Exporter::start(&config(&receiver.url, Protocol::Grpc, &[]), run()).unwrap();
    exporter.alert(alert(2, AlertState::Firing));
    assert!(!exporter.finish(ENOUGH).has_losses());
    send_an_alert(&receiver.url);
    let [ours, theirs] = receiver.logs().try_into().unwrap();
    assert_eq!(sorted_logs(ours), sorted_logs(theirs));
}

fn sorted_logs(mut request: ExportLogsServiceRequest) -> ExportLogsServiceRequest {
    for logs in &mut request.resource_logs {
        let resource = logs.resource.as_mut().unwrap();
        resource.attributes.sort_by(|a, b| a.key.cmp(&b.key));
    }
    request
}

fn send_metrics(url: &str) {
    let runtime = runtime();
    let _inside = runtime.enter();
    let exporter = MetricExporter::builder().with_tonic().with_endpoint(url).build().unwrap();
    let reader = PeriodicReader::builder(exporter).with_interval(Duration::from_hours(1)).build();
    let provider =
        SdkMeterProvider::builder().with_resource(resource()).with_reader(reader).build();
    let meter = provider.meter_with_scope(scope());
    let sent = meter
        .u64_counter("plimsoll.requests.sent")
        .with_description("Requests sent")
        .with_unit("{request}")
        .build();
    let key = [("phase", "measured"), ("stage", "hold"), ("request", "score")];
    sent.add(3, &key.map(|(name, value)| KeyValue::new(format!("plimsoll.{name}"), value)));
    let in_flight = meter
        .u64_gauge("plimsoll.requests.in_flight")
        .with_description("Requests in flight")
        .with_unit("{request}")
        .build();
    in_flight.record(4, &[]);
    provider.shutdown().unwrap();
}

#[test]
fn metrics_are_what_the_sdk_would_send() {
    let receiver = Receiver::start(Protocol::Grpc, Answer::Take);
    let config = config(&receiver.url, Protocol::Grpc, &[ONLY_AT_THE_END]);
    let exporter = Exporter::start(&config, run()).unwrap();
    let tally = Tally { offered: 3, sent: 3, ..Tally::default() };
    let tallies = BTreeMap::from([(Key { stage: 1, ..Key::default() }, tally)]);
    let generator = Generator { in_flight: 4, ..Generator::default() };
    let end = Duration::from_secs(1);
    exporter.interval(&Snapshot { end, names: names(), tallies, generator, ..Snapshot::default() });
    assert!(!exporter.finish(ENOUGH).has_losses());
    send_metrics(&receiver.url);
    let [ours, theirs] = receiver.metrics().try_into().unwrap();
    assert_eq!(comparable(ours), comparable(theirs));
}

/// Only the two metrics that both send, in one order and without times.
fn comparable(mut request: ExportMetricsServiceRequest) -> ExportMetricsServiceRequest {
    for metrics in &mut request.resource_metrics {
        let resource = metrics.resource.as_mut().unwrap();
        resource.attributes.sort_by(|a, b| a.key.cmp(&b.key));
        for scope in &mut metrics.scope_metrics {
            scope.metrics.retain(|metric| {
                ["plimsoll.requests.sent", "plimsoll.requests.in_flight"].contains(&&*metric.name)
            });
            scope.metrics.sort_by(|a, b| a.name.cmp(&b.name));
            scope.metrics.iter_mut().for_each(without_times);
        }
    }
    request
}

fn without_times(metric: &mut Metric) {
    let points = match metric.data.as_mut().unwrap() {
        Data::Sum(sum) => &mut sum.data_points,
        Data::Gauge(gauge) => &mut gauge.data_points,
        other => panic!("{other:?} is neither"),
    };
    for point in points {
        point.attributes.sort_by(|a, b| a.key.cmp(&b.key));
        assert!(point.time_unix_nano > 0);
        (point.start_time_unix_nano, point.time_unix_nano) = (0, 0);
    }
}
