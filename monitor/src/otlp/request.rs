//! Metrics packed into requests that receivers take: many refuse a message above 4 MiB.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;

use super::metrics::text;

/// The metrics of one request take at most this many bytes, unless a single one takes more: with
/// room for the resource below the usual limit of 4 MiB.
pub(super) const LARGEST: usize = 3 << 20;

/// Who says it: the same in every request.
pub(super) struct Envelope {
    resource: Resource,
    scope: InstrumentationScope,
}

impl Envelope {
    pub(super) fn new(attributes: &[(String, String)], version: &str) -> Self {
        let attributes = attributes.iter().map(|(key, value)| text(key, value)).collect();
        let scope = InstrumentationScope {
            name: "plimsoll".to_owned(),
            version: version.to_owned(),
            ..InstrumentationScope::default()
        };
        Self { resource: Resource { attributes, ..Resource::default() }, scope }
    }

    /// The metrics in as few requests as fit, in their order.
    pub(super) fn pack(
        &self,
        metrics: Vec<Metric>,
        largest: usize,
    ) -> Vec<ExportMetricsServiceRequest> {
        let mut requests = Vec::new();
        let mut batch = Vec::new();
        let mut size = 0;
        for metric in metrics {
            // A length and a tag stand before each metric.
            let own = metric.encoded_len() + 6;
            if size + own > largest && !batch.is_empty() {
                requests.push(self.wrap(std::mem::take(&mut batch)));
                size = 0;
            }
            size += own;
            batch.push(metric);
        }
        if !batch.is_empty() {
            requests.push(self.wrap(batch));
        }
        requests
    }

    fn wrap(&self, metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
        let scope = Some(self.scope.clone());
        let scope_metrics = vec![ScopeMetrics { scope, metrics, ..ScopeMetrics::default() }];
        let resource = Some(self.resource.clone());
        let metrics = ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() };
        ExportMetricsServiceRequest { resource_metrics: vec![metrics] }
    }
}

/// How many points a request carries.
pub(super) fn points(request: &ExportMetricsServiceRequest) -> u64 {
    let metrics = request
        .resource_metrics
        .iter()
        .flat_map(|resource| &resource.scope_metrics)
        .flat_map(|scope| &scope.metrics);
    metrics.map(points_of).sum()
}

fn points_of(metric: &Metric) -> u64 {
    let count = match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        Some(Data::Summary(summary)) => summary.data_points.len(),
        None => 0,
    };
    count as u64
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::metrics::v1::{Gauge, NumberDataPoint};

    use super::*;

    fn gauge(name: &str, points: usize) -> Metric {
        let data_points = vec![NumberDataPoint { time_unix_nano: 1, ..Default::default() }; points];
        let data = Some(Data::Gauge(Gauge { data_points }));
        Metric { name: name.to_owned(), data, ..Metric::default() }
    }

    #[test]
    fn requests_stay_below_the_limit_and_lose_nothing() {
        let envelope = Envelope::new(&[("service.name".to_owned(), "plimsoll".to_owned())], "1");
        let metrics: Vec<_> = (0..50).map(|n| gauge(&format!("m{n}"), n % 7 + 1)).collect();
        let total: u64 = metrics.iter().map(points_of).sum();
        let requests = envelope.pack(metrics, 300);
        assert!(requests.len() > 5);
        assert_eq!(requests.iter().map(points).sum::<u64>(), total);
        for request in &requests {
            assert!(request.encoded_len() < 300 + 100, "{}", request.encoded_len());
        }
        assert_eq!(envelope.pack(vec![gauge("big", 1000)], 300).len(), 1);
        assert!(envelope.pack(Vec::new(), 300).is_empty());
    }
}
