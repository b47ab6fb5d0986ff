//! The two signals that leave, as the sender sees them: messages, their service, and how the
//! answer counts what was not taken.

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;
use tonic::codec::CompressionEncoding;
use tonic::transport::Channel;
use tonic::{Response, Status};

use super::delivery::Kind;
use super::untrusted::readable;

/// What a receiver answered: taken, but for so many.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PartialSuccess {
    pub(super) rejected: u64,
    /// Why, in the receiver's words; also a warning about what was taken.
    pub(super) words: String,
}

impl PartialSuccess {
    fn new(rejected: i64, words: &str) -> Self {
        Self { rejected: u64::try_from(rejected).unwrap_or(0), words: readable(words) }
    }
}

/// One signal of OTLP.
pub(super) trait Signal: Send + 'static {
    /// What messages about it begin with.
    const NAME: &'static str;
    /// What is counted of it.
    const KIND: Kind;
    type Request: Message + Clone;
    type Response: Message + Default;
    /// Calls its gRPC service.
    type Client: Clone + Send + Sync;

    fn client(channel: Channel, gzip: bool) -> Self::Client;

    fn call(
        client: Self::Client,
        request: tonic::Request<Self::Request>,
    ) -> impl Future<Output = Result<Response<Self::Response>, Status>> + Send;

    fn partial_success(response: Self::Response) -> PartialSuccess;

    /// How many points or records a request carries.
    fn count(request: &Self::Request) -> u64;
}

/// What was measured.
pub(super) struct Metrics;

impl Signal for Metrics {
    const NAME: &'static str = "metrics";
    const KIND: Kind = Kind::Points;
    type Request = ExportMetricsServiceRequest;
    type Response = ExportMetricsServiceResponse;
    type Client = MetricsServiceClient<Channel>;

    fn client(channel: Channel, gzip: bool) -> Self::Client {
        let client = MetricsServiceClient::new(channel);
        let client = client.accept_compressed(CompressionEncoding::Gzip);
        if gzip { client.send_compressed(CompressionEncoding::Gzip) } else { client }
    }

    async fn call(
        mut client: Self::Client,
        request: tonic::Request<Self::Request>,
    ) -> Result<Response<Self::Response>, Status> {
        client.export(request).await
    }

    fn partial_success(response: Self::Response) -> PartialSuccess {
        let partial = response.partial_success.unwrap_or_default();
        PartialSuccess::new(partial.rejected_data_points, &partial.error_message)
    }

    fn count(request: &Self::Request) -> u64 {
        let metrics = request
            .resource_metrics
            .iter()
            .flat_map(|resource| &resource.scope_metrics)
            .flat_map(|scope| &scope.metrics);
        metrics.map(points).sum()
    }
}

fn points(metric: &Metric) -> u64 {
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

/// Alerts, as log records.
pub(super) struct Logs;

impl Signal for Logs {
    const NAME: &'static str = "alerts";
    const KIND: Kind = Kind::Logs;
    type Request = ExportLogsServiceRequest;
    type Response = ExportLogsServiceResponse;
    type Client = LogsServiceClient<Channel>;

    fn client(channel: Channel, gzip: bool) -> Self::Client {
        let client = LogsServiceClient::new(channel);
        let client = client.accept_compressed(CompressionEncoding::Gzip);
        if gzip { client.send_compressed(CompressionEncoding::Gzip) } else { client }
    }

    async fn call(
        mut client: Self::Client,
        request: tonic::Request<Self::Request>,
    ) -> Result<Response<Self::Response>, Status> {
        client.export(request).await
    }

    fn partial_success(response: Self::Response) -> PartialSuccess {
        let partial = response.partial_success.unwrap_or_default();
        PartialSuccess::new(partial.rejected_log_records, &partial.error_message)
    }

    fn count(request: &Self::Request) -> u64 {
        let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
        scopes.map(|scope| scope.log_records.len() as u64).sum()
    }
}
