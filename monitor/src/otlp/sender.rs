//! Delivers metric requests: one try is one call, and what may be tried again is, with growing
//! delays, until the signal's timeout is over.

use std::error::Error as _;
use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Request, Uri};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use plimsoll_domain::{clock, with_causes};
use prost::Message as _;
use tonic::Status;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;

use super::backoff::{self, Backoff, Retry};
use super::channel;
use super::config::Protocol;
use super::config::signal::Signal;
use super::post::Post;
use super::{Error, PartialSuccess};

/// Sends metrics to one receiver.
pub(super) struct Sender {
    way: Way,
    backoff: Backoff,
    timeout: Duration,
    failure: Option<String>,
}

enum Way {
    Grpc { client: MetricsServiceClient<Channel>, endpoint: Uri, metadata: MetadataMap },
    Http { post: Post, endpoint: Uri, headers: HeaderMap, gzip: bool },
}

/// Why one try failed, and whether another may be made.
struct Failure {
    message: String,
    retry: Retry,
}

impl Sender {
    /// Needs a runtime.
    pub(super) fn new(signal: &Signal, seed: u64) -> Result<Self, Error> {
        let way = match signal.protocol {
            Protocol::Grpc => {
                let mut client = MetricsServiceClient::new(channel::open(signal)?);
                if signal.gzip {
                    client = client.send_compressed(CompressionEncoding::Gzip);
                }
                let client = client.accept_compressed(CompressionEncoding::Gzip);
                let metadata = channel::metadata(&signal.headers);
                Way::Grpc { client, endpoint: signal.endpoint.clone(), metadata }
            }
            Protocol::HttpProtobuf => Way::Http {
                post: Post::new(signal)?,
                endpoint: signal.endpoint.clone(),
                headers: signal.headers.clone(),
                gzip: signal.gzip,
            },
        };
        Ok(Self { way, backoff: Backoff::new(seed), timeout: signal.timeout, failure: None })
    }

    /// Delivers the request; the error is a sentence for people.
    pub(super) async fn deliver(
        &mut self,
        request: ExportMetricsServiceRequest,
    ) -> Result<PartialSuccess, String> {
        let end = clock::now() + self.timeout;
        loop {
            let left = end.since(clock::now());
            // Boxed: with TLS and HTTP/2 inside, the future is larger than a stack should carry.
            let call = Box::pin(self.way.call(&request));
            let failure = match tokio::time::timeout(left, call).await {
                Ok(Ok(answer)) => {
                    self.backoff.reset();
                    self.failure = None;
                    return Ok(answer);
                }
                Ok(Err(failure)) => failure,
                Err(_) => return Err(format!("metrics: no answer within {:?}", self.timeout)),
            };
            let left = end.since(clock::now());
            let message = format!("metrics: {}", failure.message);
            match self.backoff.delay(failure.retry).filter(|delay| *delay < left) {
                Some(delay) => {
                    self.failure = Some(message);
                    tokio::time::sleep(delay).await;
                }
                None => return Err(message),
            }
        }
    }

    /// Why the last try failed, if its request has not arrived since: what is to be said of a
    /// request that is cut off.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }
}

impl Way {
    async fn call(
        &mut self,
        request: &ExportMetricsServiceRequest,
    ) -> Result<PartialSuccess, Failure> {
        let answer = match self {
            Self::Grpc { client, endpoint, metadata } => {
                let mut call = tonic::Request::new(request.clone());
                *call.metadata_mut() = metadata.clone();
                let answer = client.export(call).await.map_err(|status| Failure {
                    message: format!("{endpoint}: {}", in_words(&status)),
                    retry: backoff::grpc(&status),
                })?;
                answer.into_inner()
            }
            Self::Http { post, endpoint, headers, gzip } => {
                let request = http_request(endpoint, headers, *gzip, request);
                let answer = post.send(request).await.map_err(|error| Failure {
                    message: format!("{endpoint}: {}", with_causes(error.as_ref())),
                    retry: Retry::Later,
                })?;
                read(endpoint, &answer)?
            }
        };
        Ok(answer.partial_success.map_or(PartialSuccess::default(), |partial| PartialSuccess {
            rejected: u64::try_from(partial.rejected_data_points).unwrap_or(0),
            message: partial.error_message,
        }))
    }
}

fn http_request(
    endpoint: &Uri,
    headers: &HeaderMap,
    gzip: bool,
    request: &ExportMetricsServiceRequest,
) -> Request<Bytes> {
    let mut body = request.encode_to_vec();
    if gzip {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&body).expect("memory takes every write");
        body = encoder.finish().expect("memory takes every write");
    }
    let mut request = Request::post(endpoint.clone())
        .body(Bytes::from(body))
        .expect("a checked URL and no header make a request");
    *request.headers_mut() = headers.clone();
    let fixed = HeaderValue::from_static;
    request.headers_mut().insert(CONTENT_TYPE, fixed("application/x-protobuf"));
    if gzip {
        request.headers_mut().insert(CONTENT_ENCODING, fixed("gzip"));
    }
    request
}

fn read(
    endpoint: &Uri,
    answer: &hyper::Response<Bytes>,
) -> Result<ExportMetricsServiceResponse, Failure> {
    if answer.status().is_success() {
        // Some receivers answer 200 with a body that is no protobuf; taken is taken.
        return Ok(ExportMetricsServiceResponse::decode(answer.body().as_ref()).unwrap_or_default());
    }
    let told = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    Err(Failure {
        message: format!("{endpoint} answered {}", answer.status()),
        retry: backoff::http(answer.status().as_u16(), told, clock::wall()),
    })
}

/// A failed call: what the receiver says, or why there was none.
fn in_words(status: &Status) -> String {
    let cause = status.source().map(|cause| format!(": {}", with_causes(cause)));
    let cause = cause.unwrap_or_default();
    format!("{:?}: {}{cause}", status.code(), status.message())
}
