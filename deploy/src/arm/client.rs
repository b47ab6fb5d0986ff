//! One request to the control plane, within the budget, tried again where that helps.
//!
//! Azure throttles a subscription with token buckets (reads 250, refilled by 25 a second; writes and
//! deletes 200, refilled by 10). The client keeps itself inside them, so that a loop of deployments
//! does not use up what others need. Answers 429 and 5xx are tried again, after the time that
//! the answer names or else after a growing pause; every call here may be repeated safely.

use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use super::error::Error;
use super::wire::ErrorBody;

/// For one request and its answer.
const LIMIT: Duration = Duration::from_mins(1);

/// Pauses before a second try and the later ones, where the answer names none.
const PAUSE: Duration = Duration::from_millis(250);
const TRIES: usize = 4;

/// Speaks to one control plane.
pub(super) struct Client {
    url: String,
    authority: String,
    bearer: HeaderValue,
    reads: DefaultDirectRateLimiter,
    writes: DefaultDirectRateLimiter,
}

/// What was answered.
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) status: StatusCode,
    body: Bytes,
}

impl Client {
    /// A client for a control plane by plain HTTP.
    pub(super) fn new(url: &str, token: &SecretString) -> Result<Self, Error> {
        let wrong = |reason| Error::Address { url: url.to_owned(), reason };
        let trimmed = url.trim_end_matches('/');
        if trimmed.starts_with("https://") {
            return Err(wrong("https is not supported yet; only a local host can be driven"));
        }
        let authority = trimmed.strip_prefix("http://").unwrap_or_default();
        if authority.is_empty() || authority.contains(['/', '?', '#']) {
            return Err(wrong("write it as http://HOST:PORT"));
        }
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
            .map_err(|_| wrong("its token has characters that no header may have"))?;
        bearer.set_sensitive(true);
        let bucket = |per_second: u32, burst: u32| {
            let [rate, burst] = [per_second, burst].map(|n| NonZeroU32::new(n).expect("not zero"));
            RateLimiter::direct(Quota::per_second(rate).allow_burst(burst))
        };
        Ok(Self {
            url: trimmed.to_owned(),
            authority: authority.to_owned(),
            bearer,
            reads: bucket(25, 250),
            writes: bucket(10, 200),
        })
    }

    /// Asks for `path`, which has its query. `what` names the thing in errors.
    pub(super) async fn call(
        &self,
        what: &str,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Answer, Error> {
        let attempt = || self.once(what, &method, path, &body);
        let pauses = ExponentialBuilder::default().with_min_delay(PAUSE).with_max_times(TRIES);
        attempt
            .retry(pauses)
            .when(Error::is_passing)
            .adjust(|error, pause| match error {
                Error::Refused { retry_after: Some(named), .. } => pause.map(|_| *named),
                _ => pause,
            })
            .await
    }

    /// The path of an address of this control plane; nothing if it is another's.
    pub(super) fn path_of<'a>(&self, url: &'a str) -> Option<&'a str> {
        url.strip_prefix(&self.url).filter(|path| path.starts_with('/'))
    }

    async fn once(
        &self,
        what: &str,
        method: &Method,
        path: &str,
        body: &Bytes,
    ) -> Result<Answer, Error> {
        let bucket = if method == Method::GET { &self.reads } else { &self.writes };
        while let Err(refused) = bucket.check() {
            tokio::time::sleep(refused.wait_time_from(DefaultClock::default().now())).await;
        }
        let answer = tokio::time::timeout(LIMIT, self.exchange(what, method, path, body)).await;
        let (what, url) = (what.to_owned(), self.url.clone());
        let answer =
            answer.map_err(|_| Error::NoAnswer { what: what.clone(), url, limit: LIMIT })??;
        if answer.status.is_success() { Ok(answer) } else { Err(answer.refusal(what)) }
    }

    async fn exchange(
        &self,
        what: &str,
        method: &Method,
        path: &str,
        body: &Bytes,
    ) -> Result<Answer, Error> {
        let (what, url) = (|| what.to_owned(), || self.url.clone());
        let unreachable = |source| Error::Unreachable { what: what(), url: url(), source };
        let broke_off = |source| Error::BrokeOff { what: what(), url: url(), source };
        let stream = TcpStream::connect(&self.authority).await.map_err(unreachable)?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(broke_off)?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.authority)
            .header(header::AUTHORIZATION, &self.bearer)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONNECTION, "close")
            .body(Full::new(body.clone()))
            .map_err(|error| unreachable(io::Error::other(error)))?;
        let exchange = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Answer { headers: head.headers, status: head.status, body })
        };
        tokio::pin!(exchange);
        tokio::select! {
            answer = &mut exchange => answer.map_err(broke_off),
            ended = connection => match ended {
                Ok(()) => exchange.await.map_err(broke_off),
                Err(error) => Err(broke_off(error)),
            },
        }
    }
}

impl Answer {
    /// The body as what it should be.
    pub(super) fn read<T: DeserializeOwned>(&self, what: &str) -> Result<T, Error> {
        serde_json::from_slice(&self.body)
            .map_err(|source| Error::Malformed { what: what.to_owned(), source })
    }

    /// When to ask again: in milliseconds, which Azure's clients read too, or in seconds.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let number = |name: &str| self.headers.get(name)?.to_str().ok()?.parse().ok();
        let millis = ["retry-after-ms", "x-ms-retry-after-ms"].into_iter().find_map(number);
        let seconds = || number(header::RETRY_AFTER.as_str()).map(Duration::from_secs);
        millis.map(Duration::from_millis).or_else(seconds)
    }

    fn refusal(&self, what: String) -> Error {
        let (status, retry_after) = (self.status.as_u16(), self.retry_after());
        let (code, message) = match serde_json::from_slice::<ErrorBody>(&self.body) {
            Ok(ErrorBody { error }) => (error.code.clone(), error.sentences()),
            Err(_) => ("Unknown".to_owned(), String::from_utf8_lossy(&self.body).trim().to_owned()),
        };
        Error::Refused { what, status, code, message, retry_after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_addresses_are_taken() {
        let try_new = |url| Client::new(url, &"t".into()).err().map(|error| error.to_string());
        assert!(try_new("http://127.0.0.1:80/").is_none());
        assert!(try_new("https://management.azure.com").is_some_and(|e| e.contains("https")));
        for url in ["127.0.0.1:80", "http://", "http://a/b"] {
            assert!(try_new(url).is_some_and(|error| error.contains("http://HOST:PORT")), "{url}");
        }
    }

    #[test]
    fn the_token_goes_nowhere_else() {
        let client = Client::new("http://127.0.0.1:80", &"t".into()).ok().unwrap();
        assert_eq!(client.path_of("http://127.0.0.1:80/a?b"), Some("/a?b"));
        assert_eq!(client.path_of("http://127.0.0.1:8080/a"), None);
        assert_eq!(client.path_of("http://elsewhere/a"), None);
    }
}
