//! Delivers requests of one signal: one try is one call, and what may be tried again is, with
//! growing delays, until the receiver's timeout is over.

use std::error::Error as _;
use std::io::Write as _;
use std::time::Duration;

use backon::Retryable as _;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Request, Response, Uri};
use plimsoll_domain::clock;
use prost::Message as _;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::channel;
use super::config::Protocol;
use super::config::receiver::Receiver;
use super::error::{self, Error};
use super::post::Post;
use super::retry::{self, Retry};
use super::signal::{PartialSuccess, Signal};
use super::untrusted::readable;

/// Sends to one receiver.
pub(super) struct Sender<S: Signal> {
    way: Way<S>,
    endpoint: Uri,
    timeout: Duration,
    seed: u64,
    failure: Option<String>,
}

enum Way<S: Signal> {
    Grpc { client: S::Client, metadata: MetadataMap },
    Http { post: Post, headers: HeaderMap, gzip: bool },
}

/// Why one try failed, and whether another may be made.
struct Failure {
    message: String,
    retry: Retry,
}

impl<S: Signal> Sender<S> {
    /// Needs a runtime. The seed is the jitter's.
    pub(super) fn new(receiver: &Receiver, seed: u64) -> Result<Self, Error> {
        let way = match receiver.protocol {
            Protocol::Grpc => Way::Grpc {
                client: S::client(channel::open(receiver)?, receiver.gzip),
                metadata: channel::metadata(&receiver.headers),
            },
            Protocol::HttpProtobuf => Way::Http {
                post: Post::new(receiver)?,
                headers: receiver.headers.clone(),
                gzip: receiver.gzip,
            },
        };
        let endpoint = receiver.endpoint.clone();
        Ok(Self { way, endpoint, timeout: receiver.timeout, seed, failure: None })
    }

    /// Delivers the request; the error is a sentence for people.
    pub(super) async fn deliver(&mut self, request: &S::Request) -> Result<PartialSuccess, String> {
        let Self { way, endpoint, timeout, seed, failure } = self;
        // No two deliveries draw the same delays.
        *seed = seed.wrapping_add(1);
        let end = clock::now() + *timeout;
        let left = || end.since(clock::now());
        let attempt = async || {
            // Boxed: with TLS and HTTP/2 inside, the future is larger than a stack should carry.
            let call = Box::pin(way.call(endpoint, request));
            tokio::time::timeout(left(), call).await.unwrap_or_else(|_| {
                let message = format!("{}: no answer within {timeout:?}", S::NAME);
                Err(Failure { message, retry: Retry::Never })
            })
        };
        let answer = attempt
            .retry(retry::delays(*seed))
            .when(|failed: &Failure| failed.retry != Retry::Never)
            .adjust(|failed, own| failed.retry.delay(own?).filter(|delay| *delay < left()))
            .notify(|failed, _| *failure = Some(failed.message.clone()))
            .await;
        if answer.is_ok() {
            *failure = None;
        }
        answer.map_err(|failed| failed.message)
    }

    /// Why the last try failed, if its request has not arrived since: what is to be said of a
    /// request that is cut off.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }
}

impl<S: Signal> Way<S> {
    async fn call(&self, endpoint: &Uri, request: &S::Request) -> Result<PartialSuccess, Failure> {
        let response = match self {
            Self::Grpc { client, metadata } => {
                let mut call = tonic::Request::new(request.clone());
                *call.metadata_mut() = metadata.clone();
                let called = S::call(client.clone(), call).await;
                let failed = |status: Status| {
                    let words = format!("{endpoint}: {}", in_words(&status));
                    Failure::new::<S>(&words, retry::grpc(&status))
                };
                called.map_err(failed)?.into_inner()
            }
            Self::Http { post, headers, gzip } => {
                let request = http_request(endpoint, headers, *gzip, request.encode_to_vec());
                let answer = post.send(request).await.map_err(|error| {
                    let words = format!("{endpoint}: {}", error::in_words(error.as_ref()));
                    Failure::new::<S>(&words, Retry::Later)
                })?;
                read::<S>(endpoint, &answer)?
            }
        };
        Ok(S::partial_success(response))
    }
}

impl Failure {
    fn new<S: Signal>(words: &str, retry: Retry) -> Self {
        Self { message: format!("{}: {}", S::NAME, readable(words)), retry }
    }
}

fn http_request(endpoint: &Uri, headers: &HeaderMap, gzip: bool, body: Vec<u8>) -> Request<Bytes> {
    let body = if gzip { compressed(&body) } else { body };
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

fn compressed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("memory takes every write");
    encoder.finish().expect("memory takes every write")
}

fn read<S: Signal>(endpoint: &Uri, answer: &Response<Bytes>) -> Result<S::Response, Failure> {
    if answer.status().is_success() {
        // Some receivers answer 200 with a body that is no protobuf; taken is taken.
        return Ok(S::Response::decode(answer.body().as_ref()).unwrap_or_default());
    }
    let told = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let words = format!("{endpoint} answered {}", answer.status());
    let retry = retry::http(answer.status().as_u16(), told, clock::wall());
    Err(Failure::new::<S>(&words, retry))
}

/// A failed call: what the receiver says, or why there was none.
fn in_words(status: &Status) -> String {
    let cause = status.source().map(|cause| format!(": {}", error::in_words(cause)));
    let cause = cause.unwrap_or_default();
    format!("{:?}: {}{cause}", status.code(), status.message())
}
