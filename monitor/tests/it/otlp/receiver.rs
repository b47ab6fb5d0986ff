//! An OTLP receiver in this process that answers as it is told, on a port of its own.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Read as _;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use prost::Message;
use rcgen::{CertifiedKey, KeyPair};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tonic::codec::CompressionEncoding;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    Http,
}

impl Protocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http/protobuf",
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    Take,
    Unavailable {
        retry_after: u64,
    },
    BadRequest,
    Partial(i64),
    /// None, ever.
    Silence,
}

impl Answer {
    async fn or_silence(self) -> Self {
        if matches!(self, Self::Silence) {
            std::future::pending::<()>().await;
        }
        self
    }
}

/// A running receiver; dropped, it closes every connection and its port.
pub(crate) struct Receiver {
    pub(crate) url: String,
    pub(crate) protocol: Protocol,
    state: State,
    runtime: Option<Runtime>,
}

#[derive(Clone)]
struct State(Arc<(Mutex<Seen>, Condvar)>);

struct Seen {
    always: Answer,
    first: VecDeque<Answer>,
    first_to_logs: VecDeque<Answer>,
    calls: usize,
    metrics: Vec<ExportMetricsServiceRequest>,
    logs: Vec<ExportLogsServiceRequest>,
    authorizations: Vec<String>,
}

impl Receiver {
    pub(crate) fn start(protocol: Protocol, always: Answer) -> Self {
        Self::start_with(protocol, always, None)
    }

    /// One that speaks TLS, with this certificate for 127.0.0.1.
    pub(crate) fn start_tls(protocol: Protocol, certificate: &CertifiedKey<KeyPair>) -> Self {
        let pem = (certificate.cert.pem(), certificate.signing_key.serialize_pem());
        Self::start_with(protocol, Answer::Take, Some(pem))
    }

    fn start_with(protocol: Protocol, always: Answer, tls: Option<(String, String)>) -> Self {
        let seen = Seen {
            always,
            first: VecDeque::new(),
            first_to_logs: VecDeque::new(),
            calls: 0,
            metrics: Vec::new(),
            logs: Vec::new(),
            authorizations: Vec::new(),
        };
        let state = State(Arc::new((Mutex::new(seen), Condvar::new())));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        match protocol {
            Protocol::Grpc => drop(runtime.spawn(serve_grpc(listener, state.clone(), tls))),
            Protocol::Http => drop(runtime.spawn(serve_http(listener, state.clone(), tls))),
        }
        Self { url, protocol, state, runtime: Some(runtime) }
    }

    /// The answers to the next exports of metrics; after them, the usual one.
    pub(crate) fn first_answers(&self, answers: Vec<Answer>) {
        self.state.0.0.lock().unwrap().first = answers.into();
    }

    /// The answers to the next exports of logs; after them, the usual one.
    pub(crate) fn first_answers_to_logs(&self, answers: Vec<Answer>) {
        self.state.0.0.lock().unwrap().first_to_logs = answers.into();
    }

    /// How many exports of metrics came, the refused ones too.
    pub(crate) fn calls(&self) -> usize {
        self.state.0.0.lock().unwrap().calls
    }

    pub(crate) fn wait_for_calls(&self, calls: usize) {
        let (seen, changed) = &*self.state.0;
        let waited =
            changed.wait_timeout_while(seen.lock().unwrap(), Duration::from_secs(20), |seen| {
                seen.calls < calls
            });
        assert!(!waited.unwrap().1.timed_out(), "{calls} exports within 20 s");
    }

    /// The exports of metrics that were taken.
    pub(crate) fn metrics(&self) -> Vec<ExportMetricsServiceRequest> {
        self.state.0.0.lock().unwrap().metrics.clone()
    }

    /// The exports of logs that came, the refused ones too.
    pub(crate) fn logs(&self) -> Vec<ExportLogsServiceRequest> {
        self.state.0.0.lock().unwrap().logs.clone()
    }

    pub(crate) fn authorizations(&self) -> Vec<String> {
        self.state.0.0.lock().unwrap().authorizations.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}

impl State {
    fn metrics(&self, request: ExportMetricsServiceRequest) -> Answer {
        let (seen, changed) = &*self.0;
        let mut seen = seen.lock().unwrap();
        let answer = seen.first.pop_front().unwrap_or(seen.always);
        if matches!(answer, Answer::Take) {
            seen.metrics.push(request);
        }
        seen.calls += 1;
        changed.notify_all();
        answer
    }

    fn logs(&self, request: ExportLogsServiceRequest) -> Answer {
        let mut seen = self.0.0.lock().unwrap();
        seen.logs.push(request);
        seen.first_to_logs.pop_front().unwrap_or(seen.always)
    }

    fn authorized(&self, value: Option<&str>) {
        let value = value.unwrap_or_default().to_owned();
        self.0.0.lock().unwrap().authorizations.push(value);
    }
}

async fn serve_grpc(listener: TcpListener, state: State, tls: Option<(String, String)>) {
    let gzip = CompressionEncoding::Gzip;
    let metrics = MetricsServiceServer::new(state.clone()).accept_compressed(gzip);
    let logs = LogsServiceServer::new(state).accept_compressed(gzip);
    let mut builder = Server::builder();
    if let Some((certificate, key)) = tls {
        let identity = Identity::from_pem(certificate, key);
        builder = builder.tls_config(ServerTlsConfig::new().identity(identity)).unwrap();
    }
    let server = builder.add_service(metrics).add_service(logs);
    server.serve_with_incoming(TcpIncoming::from(listener)).await.unwrap();
}

#[tonic::async_trait]
impl MetricsService for State {
    async fn export(
        &self,
        request: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, Status> {
        self.authorized(request.metadata().get("authorization").and_then(|v| v.to_str().ok()));
        let answer = refuse(self.metrics(request.into_inner()).or_silence().await)?;
        Ok(tonic::Response::new(taken(answer)))
    }
}

#[tonic::async_trait]
impl LogsService for State {
    async fn export(
        &self,
        request: tonic::Request<ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<ExportLogsServiceResponse>, Status> {
        self.authorized(request.metadata().get("authorization").and_then(|v| v.to_str().ok()));
        let answer = refuse(self.logs(request.into_inner()).or_silence().await)?;
        Ok(tonic::Response::new(logs_taken(answer)))
    }
}

fn refuse(answer: Answer) -> Result<Answer, Status> {
    match answer {
        Answer::Unavailable { retry_after } => {
            let told = ErrorDetails::with_retry_info(Some(Duration::from_secs(retry_after)));
            Err(Status::with_error_details(Code::Unavailable, "busy", told))
        }
        Answer::BadRequest => Err(Status::invalid_argument(hostile("not like this"))),
        other => Ok(other),
    }
}

fn taken(answer: Answer) -> ExportMetricsServiceResponse {
    let partial = match answer {
        Answer::Partial(rejected_data_points) => Some(ExportMetricsPartialSuccess {
            rejected_data_points,
            error_message: hostile("too many points"),
        }),
        _ => None,
    };
    ExportMetricsServiceResponse { partial_success: partial }
}

fn logs_taken(answer: Answer) -> ExportLogsServiceResponse {
    let partial = match answer {
        Answer::Partial(_) => Some(ExportLogsPartialSuccess {
            rejected_log_records: 1,
            error_message: hostile("too many records"),
        }),
        _ => None,
    };
    ExportLogsServiceResponse { partial_success: partial }
}

/// What is said, in the way of a receiver that would like to have the terminal.
fn hostile(words: &str) -> String {
    format!("\u{1b}[2J{words}\u{202e}\u{7}{}", "x".repeat(2_000))
}

async fn serve_http(listener: TcpListener, state: State, tls: Option<(String, String)>) {
    let tls = tls.map(|(certificate, key)| acceptor(&certificate, &key));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let state = state.clone();
        match &tls {
            None => drop(tokio::spawn(talk(stream, state))),
            // A client that does not trust the certificate hangs up.
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => drop(tokio::spawn(talk(stream, state))),
                Err(error) => println!("receiver: {error}"),
            },
        }
    }
}

fn acceptor(certificate: &str, key: &str) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate], key).unwrap()))
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, state: State) {
    let service = service_fn(move |request| handle(state.clone(), request));
    let server = hyper::server::conn::http1::Builder::new();
    // A connection that breaks off is the exporter's matter.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

async fn handle(
    state: State,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    state.authorized(header("authorization"));
    assert_eq!(header("content-type"), Some("application/x-protobuf"));
    let mut body = body.collect().await.unwrap().to_bytes().to_vec();
    if header("content-encoding") == Some("gzip") {
        let mut plain = Vec::new();
        GzDecoder::new(body.as_slice()).read_to_end(&mut plain).unwrap();
        body = plain;
    }
    let (answer, bytes) = match parts.uri.path() {
        "/v1/metrics" => {
            let request = Message::decode(body.as_slice()).unwrap();
            let answer = state.metrics(request).or_silence().await;
            (answer, taken(answer).encode_to_vec())
        }
        "/v1/logs" => {
            let request = Message::decode(body.as_slice()).unwrap();
            let answer = state.logs(request).or_silence().await;
            (answer, logs_taken(answer).encode_to_vec())
        }
        other => panic!("nothing is exported to {other}"),
    };
    let response = match answer {
        Answer::Unavailable { retry_after } => {
            Response::builder().status(503).header("retry-after", retry_after.to_string())
        }
        Answer::BadRequest => Response::builder().status(400),
        _ => Response::builder().status(200),
    };
    Ok(response.body(Full::new(Bytes::from(bytes))).unwrap())
}

/// The sum over the points of a counter.
pub(crate) fn counter(request: &ExportMetricsServiceRequest, name: &str) -> i64 {
    let mut total = 0;
    for data in named(request, name) {
        let Data::Sum(sum) = data else { panic!("{name} is no counter") };
        for point in &sum.data_points {
            let Some(Value::AsInt(value)) = point.value else {
                panic!("{name} has no whole value")
            };
            total += value;
        }
    }
    total
}

/// The count over the points of a histogram, of its buckets and of its own, which must agree.
pub(crate) fn histogram_count(request: &ExportMetricsServiceRequest, name: &str) -> u64 {
    let mut total = 0;
    for data in named(request, name) {
        let Data::ExponentialHistogram(histogram) = data else { panic!("{name} is no histogram") };
        for point in &histogram.data_points {
            let buckets: u64 = point.positive.as_ref().unwrap().bucket_counts.iter().sum();
            assert_eq!(buckets + point.zero_count, point.count);
            total += point.count;
        }
    }
    total
}

fn named<'a>(request: &'a ExportMetricsServiceRequest, name: &str) -> Vec<&'a Data> {
    let metrics = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let metrics = metrics.flat_map(|scope| &scope.metrics).filter(|metric| metric.name == name);
    metrics.filter_map(|metric| metric.data.as_ref()).collect()
}
