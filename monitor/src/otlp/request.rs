//! Metrics and log records packed into requests that receivers take: many refuse a message above
//! 4 MiB.

use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use super::wire;

/// What one request carries takes at most this many bytes, unless a single metric or record takes
/// more: with room for the resource below the usual limit of 4 MiB.
const LARGEST: usize = 3 << 20;

/// Who says it: the same in every request.
#[derive(Clone)]
pub(super) struct Envelope {
    resource: Resource,
    scope: InstrumentationScope,
}

impl Envelope {
    pub(super) fn new(attributes: &[(String, String)], version: &str) -> Self {
        let attributes = attributes.iter().map(|(k, v)| KeyValue::new(k.clone(), v.clone()));
        let attributes = wire::attributes(attributes);
        let scope = opentelemetry::InstrumentationScope::builder("plimsoll")
            .with_version(version.to_owned())
            .build();
        let scope = InstrumentationScope::from((scope, None));
        Self { resource: Resource { attributes, ..Resource::default() }, scope }
    }

    /// The metrics in as few requests as fit, in their order.
    pub(super) fn metrics(&self, metrics: Vec<Metric>) -> Vec<ExportMetricsServiceRequest> {
        let batches = pack(metrics, LARGEST);
        let requests = batches.into_iter().map(|metrics| {
            let scope = Some(self.scope.clone());
            let scope_metrics = vec![ScopeMetrics { scope, metrics, ..ScopeMetrics::default() }];
            let resource = Some(self.resource.clone());
            let metrics = ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() };
            ExportMetricsServiceRequest { resource_metrics: vec![metrics] }
        });
        requests.collect()
    }

    /// The records in as few requests as fit, in their order.
    pub(super) fn logs(&self, records: Vec<LogRecord>) -> Vec<ExportLogsServiceRequest> {
        let batches = pack(records, LARGEST);
        let requests = batches.into_iter().map(|log_records| {
            let scope = Some(self.scope.clone());
            let scope_logs = vec![ScopeLogs { scope, log_records, ..ScopeLogs::default() }];
            let resource = Some(self.resource.clone());
            let logs = ResourceLogs { resource, scope_logs, ..ResourceLogs::default() };
            ExportLogsServiceRequest { resource_logs: vec![logs] }
        });
        requests.collect()
    }
}

fn pack<T: Message>(messages: Vec<T>, largest: usize) -> Vec<Vec<T>> {
    let mut batches = Vec::new();
    let mut batch = Vec::new();
    let mut size = 0;
    for message in messages {
        // A length and a tag stand before each.
        let own = message.encoded_len() + 6;
        if size + own > largest && !batch.is_empty() {
            batches.push(std::mem::take(&mut batch));
            size = 0;
        }
        size += own;
        batch.push(message);
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(n: usize) -> LogRecord {
        LogRecord { event_name: "e".repeat(n), ..LogRecord::default() }
    }

    #[test]
    fn requests_stay_below_the_limit_and_lose_nothing() {
        let records: Vec<_> = (0..50).map(|n| record(n % 7 * 10)).collect();
        let batches = pack(records.clone(), 300);
        assert!(batches.len() > 4);
        assert_eq!(batches.concat(), records);
        let envelope = Envelope::new(&[("service.name".to_owned(), "plimsoll".to_owned())], "1");
        for batch in batches {
            let [request] = envelope.logs(batch).try_into().unwrap();
            assert!(request.encoded_len() < 300 + 100, "{}", request.encoded_len());
        }
        assert_eq!(pack(vec![record(1000)], 300).len(), 1);
        assert!(envelope.logs(Vec::new()).is_empty() && envelope.metrics(Vec::new()).is_empty());
    }
}
