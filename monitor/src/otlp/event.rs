//! Alerts as log events.
//!
//! There is no agreed convention for alerts over OTLP; a log record with an event name is what the
//! specification calls an event. The records are made by the logger of the OpenTelemetry SDK and
//! sent by the exporter of `opentelemetry-otlp`. In between sits [`Collect`] and not the SDK's
//! batch processor: that one has a thread and a flush without a deadline, drops what does not fit
//! without saying how much, and waits a second before it sends.
//!
//! Limit: the exporter keeps to itself how many records a receiver rejected in a partial success.
//! Over HTTP that is read off the answer on its way through; over gRPC it is not seen, and such
//! records count as sent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    Compression, LogExporter, Protocol as Wire, WithExportConfig as _, WithHttpConfig as _,
    WithTonicConfig as _,
};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{
    LogBatch, LogExporter as _, LogProcessor, SdkLogRecord, SdkLogger, SdkLoggerProvider,
};
use plimsoll_domain::with_causes;
use prost::Message as _;

use super::config::Protocol;
use super::config::signal::Signal;
use super::post::Post;
use super::record::on_the_wire;
use super::{Error, PartialSuccess, channel};
use crate::{AlertEvent, AlertState};

/// The event's name.
const NAME: &str = "plimsoll.alert";

/// Makes log records of alerts and sends them.
pub(super) struct Events {
    logger: SdkLogger,
    collected: Collect,
    exporter: LogExporter,
    seen: Arc<Mutex<Seen>>,
    started: SystemTime,
    run_id: String,
    // The logger works as long as its provider lives.
    _provider: SdkLoggerProvider,
}

impl Events {
    /// Needs a runtime.
    pub(super) fn new(
        signal: &Signal,
        attributes: &[(String, String)],
        version: &str,
        run_id: &str,
        started: SystemTime,
    ) -> Result<Self, Error> {
        let seen = Arc::default();
        let mut exporter = exporter(signal, &seen)?;
        let attributes = attributes.iter().map(|(k, v)| KeyValue::new(k.clone(), v.clone()));
        let resource = Resource::builder_empty().with_attributes(attributes).build();
        exporter.set_resource(&resource);
        let collected = Collect::default();
        let provider = SdkLoggerProvider::builder()
            .with_resource(resource)
            .with_log_processor(collected.clone())
            .build();
        let scope = InstrumentationScope::builder("plimsoll").with_version(version.to_owned());
        let logger = provider.logger_with_scope(scope.build());
        let run_id = run_id.to_owned();
        Ok(Self { logger, collected, exporter, seen, started, run_id, _provider: provider })
    }

    /// Sends the alerts in one request; the error is a sentence for people.
    pub(super) async fn send(&self, alerts: &[AlertEvent]) -> Result<PartialSuccess, String> {
        for alert in alerts {
            self.emit(alert);
        }
        let records = self.collected.take();
        let batch: Vec<_> = records.iter().map(|(record, scope)| (record, scope)).collect();
        let sent = self.exporter.export(LogBatch::new(&batch)).await;
        let seen = std::mem::take(&mut *lock(&self.seen));
        match sent {
            Ok(()) => Ok(PartialSuccess { rejected: seen.rejected, message: String::new() }),
            Err(error) => {
                let cause = seen.failure.unwrap_or_else(|| with_causes(&error));
                Err(format!("alerts: {cause}"))
            }
        }
    }

    fn emit(&self, alert: &AlertEvent) {
        let mut record = self.logger.create_log_record();
        let severity = severity(alert);
        record.set_event_name(NAME);
        record.set_timestamp(self.started + alert.at);
        record.set_observed_timestamp(self.started + alert.at);
        record.set_severity_number(severity);
        record.set_severity_text(severity.name());
        let (value, unit) = on_the_wire(alert.value);
        let (threshold, _) = on_the_wire(alert.threshold);
        let sentence = format!(
            "{} is {}: {} against {} ({})",
            alert.rule,
            alert.to.name(),
            alert.value.short(),
            alert.threshold.short(),
            alert.objective
        );
        record.set_body(AnyValue::from(sentence));
        record.add_attribute("plimsoll.alert.rule", alert.rule.clone());
        record.add_attribute("plimsoll.alert.state", alert.to.name());
        record.add_attribute("plimsoll.alert.severity", alert.severity.name());
        record.add_attribute("plimsoll.alert.value", value);
        record.add_attribute("plimsoll.alert.threshold", threshold);
        record.add_attribute("plimsoll.unit", unit);
        record.add_attribute("plimsoll.alert.fingerprint", alert.fingerprint.clone());
        record.add_attribute("plimsoll.objective", alert.objective.clone());
        record.add_attribute("plimsoll.run.id", self.run_id.clone());
        self.logger.emit(record);
    }
}

/// Firing is as severe as the rule; pending and resolved only inform.
fn severity(alert: &AlertEvent) -> Severity {
    match (alert.to, alert.severity) {
        (AlertState::Firing, crate::Severity::Critical) => Severity::Error,
        (AlertState::Firing, crate::Severity::Warning) => Severity::Warn,
        _ => Severity::Info,
    }
}

fn exporter(signal: &Signal, seen: &Arc<Mutex<Seen>>) -> Result<LogExporter, Error> {
    let built = match signal.protocol {
        Protocol::Grpc => {
            let mut builder = LogExporter::builder()
                .with_tonic()
                .with_channel(channel::open(signal)?)
                .with_metadata(channel::metadata(&signal.headers))
                .with_timeout(signal.timeout);
            if signal.gzip {
                builder = builder.with_compression(Compression::Gzip);
            }
            builder.build()
        }
        Protocol::HttpProtobuf => {
            let post = Watched { post: Post::new(signal)?, seen: Arc::clone(seen) };
            let headers = signal.headers.iter().filter_map(|(name, value)| {
                Some((name.to_string(), value.to_str().ok()?.to_owned()))
            });
            let mut builder = LogExporter::builder()
                .with_http()
                .with_http_client(post)
                .with_endpoint(signal.endpoint.to_string())
                .with_headers(headers.collect::<HashMap<_, _>>())
                .with_protocol(Wire::HttpBinary)
                .with_timeout(signal.timeout);
            if signal.gzip {
                builder = builder.with_compression(Compression::Gzip);
            }
            builder.build()
        }
    };
    built.map_err(|source| Error::Logs { endpoint: signal.endpoint.to_string(), source })
}

/// Keeps what the logger emits until it is sent.
#[derive(Debug, Clone, Default)]
struct Collect(Arc<Mutex<Vec<(SdkLogRecord, InstrumentationScope)>>>);

impl Collect {
    fn take(&self) -> Vec<(SdkLogRecord, InstrumentationScope)> {
        std::mem::take(&mut *lock(&self.0))
    }
}

impl LogProcessor for Collect {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        lock(&self.0).push((record.clone(), scope.clone()));
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The HTTP client, and what the exporter keeps to itself of what it saw.
#[derive(Debug)]
struct Watched {
    post: Post,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Records that the receiver rejected.
    rejected: u64,
    /// Why no answer came.
    failure: Option<String>,
}

#[async_trait]
impl HttpClient for Watched {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let endpoint = request.uri().to_string();
        let answer = self.post.send(request).await.inspect_err(|error| {
            let failure = format!("{endpoint}: {}", with_causes(error.as_ref()));
            lock(&self.seen).failure = Some(failure);
        })?;
        lock(&self.seen).failure = None;
        let partial = ExportLogsServiceResponse::decode(answer.body().as_ref())
            .ok()
            .filter(|_| answer.status().is_success())
            .and_then(|response| response.partial_success);
        if let Some(partial) = partial {
            let rejected = u64::try_from(partial.rejected_log_records).unwrap_or(0);
            lock(&self.seen).rejected += rejected;
        }
        Ok(answer)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
