//! One request to the control plane, within the budget, tried again where that helps.
//!
//! Azure throttles a subscription with token buckets (reads 250, refilled by 25 a second; writes and
//! deletes 200, refilled by 10). The client keeps itself inside them, so that a loop of deployments
//! does not use up what others need. What is tried again, and what never is, says
//! [`Error::may_be_repeated`]; the pause is the one that the answer names, else a growing one with jitter. A token that
//! is refused is asked for anew, once per request: nothing was done with it.

use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::Bytes;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use plimsoll_domain::clock;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::credential::Credential;
use super::dry::Dry;
use super::error::Error;
use super::remedy::{self, Trace};
use super::transport::{Broken, Transport, is_this_machine};
use super::wire::ErrorBody;

const CLIENT_REQUEST: HeaderName = HeaderName::from_static("x-ms-client-request-id");
const SERVICE_REQUEST: HeaderName = HeaderName::from_static("x-ms-request-id");

/// The version of the Blob service that is spoken, and what a token must be for, to open a storage account.
const STORAGE_VERSION: &str = "2021-12-02";
const STORAGE_SCOPE: &str = "https://storage.azure.com/.default";

/// For one request and its answer.
const ANSWER_LIMIT: Duration = Duration::from_mins(1);

/// For one call with all its tries.
const CALL_LIMIT: Duration = Duration::from_mins(10);

/// For a whole operation, where the service does not say how long it takes at most.
const OPERATION_LIMIT: Duration = Duration::from_hours(2);

/// Pauses before a second try and the later ones, where the answer names none.
const PAUSE: Duration = Duration::from_millis(250);
const TRIES: usize = 4;

/// Speaks to one control plane.
pub(super) struct Client {
    transport: Transport,
    url: String,
    credential: Credential,
    pub(super) scope: String,
    reads: DefaultDirectRateLimiter,
    writes: DefaultDirectRateLimiter,
    is_azure: bool,
    pub(super) limits: Limits,
    /// Keeps what would be sent, instead of sending it.
    pub(super) dry: Option<Dry>,
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// One request and its answer.
    pub answer: Duration,
    /// One call with all its tries.
    pub call: Duration,
    /// An operation, from its beginning to its end.
    pub operation: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { answer: ANSWER_LIMIT, call: CALL_LIMIT, operation: OPERATION_LIMIT }
    }
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// One request.
pub(super) struct Call<'a> {
    /// Names the thing in errors.
    pub(super) what: &'a str,
    pub(super) method: Method,
    /// With its query.
    pub(super) path: &'a str,
    pub(super) body: Bytes,
    /// The version that the thing must still have.
    pub(super) version: Option<HeaderValue>,
    /// Nothing may be there.
    pub(super) is_new: bool,
    /// Whether Azure does something because of it. Some POSTs only ask.
    pub(super) changes: bool,
}

/// One request to a storage account, which knows no `Call`'s path and often no token.
pub(super) struct Stored<'a> {
    pub(super) what: &'a str,
    pub(super) method: Method,
    /// Whole, with the signature.
    pub(super) url: String,
    pub(super) headers: &'a [(&'static str, &'a str)],
    pub(super) body: Bytes,
    /// Whether the caller's token opens it, and no signature.
    pub(super) bears_token: bool,
    pub(super) limit: Duration,
}

impl<'a> Call<'a> {
    /// A request without a body, which changes something unless it is a GET.
    pub(super) fn new(what: &'a str, method: Method, path: &'a str) -> Self {
        let changes = method != Method::GET;
        Self { what, method, path, body: Bytes::new(), version: None, is_new: false, changes }
    }
}

impl Client {
    /// A client for a local host by plain HTTP.
    pub(super) fn local(url: &str, token: &SecretString) -> Result<Self, Error> {
        let wrong = |reason| Error::Address { url: url.to_owned(), reason };
        let trimmed = url.trim_end_matches('/');
        if trimmed.starts_with("https://") {
            return Err(wrong(
                "a local host is driven by http; its https address is for other clients, and for --target azure",
            ));
        }
        let authority = trimmed.strip_prefix("http://").unwrap_or_default();
        if authority.is_empty() || authority.contains(['/', '?', '#']) {
            return Err(wrong("write it as http://HOST:PORT"));
        }
        let host = trimmed.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
        if !host.is_some_and(|host| is_this_machine(&host)) {
            return Err(wrong(
                "its token goes to this machine only, such as http://127.0.0.1:PORT",
            ));
        }
        let (transport, scope) = (Transport::plain(), String::new());
        let credential = Credential::fixed(token.clone(), transport.clone());
        Self::with(transport, trimmed, credential, scope, false)
    }

    /// A client for Azure, or for what speaks as Azure does, by HTTPS.
    pub(super) fn azure(
        transport: Transport,
        url: &str,
        credential: Credential,
        scope: String,
    ) -> Result<Self, Error> {
        let trimmed = url.trim_end_matches('/');
        let authority = trimmed.strip_prefix("https://").unwrap_or_default();
        if authority.is_empty() || authority.contains(['/', '?', '#']) {
            let reason = "write it as https://HOST, so that nobody reads the token";
            return Err(Error::Address { url: url.to_owned(), reason });
        }
        Self::with(transport, trimmed, credential, scope, true)
    }

    fn with(
        transport: Transport,
        url: &str,
        credential: Credential,
        scope: String,
        is_azure: bool,
    ) -> Result<Self, Error> {
        if url.parse::<Uri>().is_err() {
            let reason = "it has characters that no address has";
            return Err(Error::Address { url: url.to_owned(), reason });
        }
        let bucket = |per_second: u32, burst: u32| {
            let [rate, burst] = [per_second, burst].map(|n| NonZeroU32::new(n).expect("not zero"));
            RateLimiter::direct(Quota::per_second(rate).allow_burst(burst))
        };
        Ok(Self {
            transport,
            url: url.to_owned(),
            credential,
            scope,
            reads: bucket(25, 250),
            writes: bucket(10, 200),
            is_azure,
            limits: Limits::default(),
            dry: None,
        })
    }

    /// Carries out a request, with other tries where they help and do nothing twice.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Answer, Error> {
        if let Some(dry) = &self.dry
            && let Some(answer) = dry.answer(&self.url, call)
        {
            return if answer.status.is_success() {
                Ok(answer)
            } else {
                Err(self.refusal(call.what, &answer, String::new()))
            };
        }
        let began = clock::now();
        let pauses = ExponentialBuilder::default().with_min_delay(PAUSE).with_max_times(TRIES);
        let mut pauses = if self.is_azure { pauses.with_jitter() } else { pauses }.build();
        let mut is_renewed = false;
        loop {
            let token = self.credential.token(&self.scope).await;
            let token =
                token.map_err(|source| Error::Credential { what: call.what.to_owned(), source })?;
            let error = match self.once(call, &token).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if error.status() == Some(401) && !is_renewed && self.credential.refused(&token).await {
                is_renewed = true;
                continue;
            }
            if !error.may_be_repeated(call.changes) {
                return Err(error);
            }
            let Some(pause) = pauses.next() else { return Err(error) };
            let pause = error.retry_after().unwrap_or(pause);
            if clock::now().since(began) + pause > self.limits.call {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Carries out a request to a storage account, once.
    pub(super) async fn store(&self, stored: &Stored<'_>) -> Result<Answer, Error> {
        let Stored { what, method, url, headers, body, bears_token, limit } = stored;
        if let Some(dry) = &self.dry {
            let answer = dry.stored(stored);
            let is_good = answer.status.is_success();
            return if is_good {
                Ok(answer)
            } else {
                Err(self.refusal(what, &answer, String::new()))
            };
        }
        let open = url.split('?').next().unwrap_or_default().to_owned();
        let id = Uuid::new_v4().to_string();
        let wrong = |reason| Error::Address { url: open.clone(), reason };
        if !open.starts_with("https://") {
            return Err(wrong("what is secret goes by https only"));
        }
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header("x-ms-version", STORAGE_VERSION)
            .header(CLIENT_REQUEST, &id);
        if *bears_token {
            let token = self.credential.token(STORAGE_SCOPE).await;
            let token =
                token.map_err(|source| Error::Credential { what: (*what).to_owned(), source })?;
            request = request.header(header::AUTHORIZATION, bearer(&token).map_err(wrong)?);
        }
        for (name, value) in *headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.clone()));
        let request = request.map_err(|_| wrong("it has characters that no address has"))?;
        let answer = self.transport.send(request, *limit).await;
        let answered = answer.map_err(|broken| self.lost(what, open, broken, id.clone()))?;
        let answer =
            Answer { headers: answered.headers, status: answered.status, body: answered.body };
        if answer.status.is_success() { Ok(answer) } else { Err(self.refusal(what, &answer, id)) }
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// A token of the credential for something else than the control plane.
    pub(super) async fn token_for(&self, what: &str, scope: &str) -> Result<SecretString, Error> {
        let token = self.credential.token(scope).await;
        token.map_err(|source| Error::Credential { what: what.to_owned(), source })
    }

    /// Whether it speaks to Azure, and to no local host.
    pub(super) fn is_azure(&self) -> bool {
        self.is_azure
    }

    /// The path of an address of this control plane; nothing if it is another's.
    pub(super) fn path_of<'a>(&self, url: &'a str) -> Option<&'a str> {
        url.strip_prefix(&self.url).filter(|path| path.starts_with('/'))
    }

    /// The end of an error's text.
    pub(super) fn trace(&self, request: String, remedy: &'static str) -> Trace {
        if self.is_azure { Trace::new(request, remedy) } else { Trace::local() }
    }

    async fn once(&self, call: &Call<'_>, token: &SecretString) -> Result<Answer, Error> {
        let bucket = if call.method == Method::GET { &self.reads } else { &self.writes };
        while let Err(refused) = bucket.check() {
            tokio::time::sleep(refused.wait_time_from(DefaultClock::default().now())).await;
        }
        let id = Uuid::new_v4().to_string();
        let request = self.request(call, token, &id)?;
        let answered = self.transport.send(request, self.limits.answer).await;
        let answered = answered
            .map_err(|broken| self.lost(call.what, self.url.clone(), broken, id.clone()))?;
        let answer =
            Answer { headers: answered.headers, status: answered.status, body: answered.body };
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(self.refusal(call.what, &answer, id))
        }
    }

    fn lost(&self, what: &str, url: String, broken: Broken, id: String) -> Error {
        let what = what.to_owned();
        match broken {
            Broken::Unreachable(source) => {
                let trace = self.trace(id, remedy::UNREACHABLE);
                Error::Unreachable { what, url, source, trace }
            }
            Broken::BrokeOff(source) => {
                Error::BrokeOff { what, url, source, trace: self.trace(id, remedy::LOST) }
            }
            Broken::NoAnswer(limit) => {
                Error::NoAnswer { what, url, limit, trace: self.trace(id, remedy::LOST) }
            }
        }
    }

    fn request(
        &self,
        call: &Call<'_>,
        token: &SecretString,
        id: &str,
    ) -> Result<Request<Full<Bytes>>, Error> {
        let wrong = |reason| Error::Address { url: self.url.clone(), reason };
        let bearer = bearer(token).map_err(wrong)?;
        let mut request = Request::builder()
            .method(&call.method)
            .uri(format!("{}{}", self.url, call.path))
            .header(header::AUTHORIZATION, bearer)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("plimsoll/", env!("CARGO_PKG_VERSION")))
            .header(CLIENT_REQUEST, id);
        if let Some(version) = &call.version {
            request = request.header(header::IF_MATCH, version);
        }
        if call.is_new {
            request = request.header(header::IF_NONE_MATCH, "*");
        }
        request
            .body(Full::new(call.body.clone()))
            .map_err(|_| wrong("a name in the path has characters that no address has"))
    }

    fn refusal(&self, what: &str, answer: &Answer, sent_as: String) -> Error {
        let (status, retry_after) = (answer.status.as_u16(), answer.retry_after());
        let (code, message) = match serde_json::from_slice::<ErrorBody>(&answer.body) {
            Ok(ErrorBody { error }) => (error.code.clone(), error.sentences()),
            Err(_) => {
                ("Unknown".to_owned(), String::from_utf8_lossy(&answer.body).trim().to_owned())
            }
        };
        let request = answer.request_id().unwrap_or(sent_as);
        let trace = self.trace(request, remedy::of(&code, Some(status)));
        Error::Refused { what: what.to_owned(), status, code, message, retry_after, trace }
    }
}

fn bearer(token: &SecretString) -> Result<HeaderValue, &'static str> {
    let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
        .map_err(|_| "its token has characters that no header may have")?;
    bearer.set_sensitive(true);
    Ok(bearer)
}

impl Answer {
    /// The body as what it should be.
    pub(super) fn read<T: DeserializeOwned>(&self, what: &str) -> Result<T, Error> {
        serde_json::from_slice(&self.body)
            .map_err(|source| Error::Malformed { what: what.to_owned(), source })
    }

    /// The id by which the service knows the request.
    pub(super) fn request_id(&self) -> Option<String> {
        self.headers.get(SERVICE_REQUEST)?.to_str().ok().map(str::to_owned)
    }

    /// When to ask again.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers, clock::wall())
    }
}

/// When to ask again: in milliseconds, which Azure's clients read too, in seconds, or at a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let millis = ["retry-after-ms", "x-ms-retry-after-ms"];
    if let Some(millis) = millis.into_iter().find_map(|name| text(name)?.parse().ok()) {
        return Some(Duration::from_millis(millis));
    }
    let named = text(header::RETRY_AFTER.as_str())?;
    if let Ok(seconds) = named.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(named).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn a_local_host_is_this_machine_by_http_and_azure_is_https() {
        let local = |url| Client::local(url, &"t".into()).err().map(|error| error.to_string());
        assert!(local("http://127.0.0.1:80/").is_none());
        assert!(local("http://[::1]:80/").is_none());
        assert!(local("https://management.azure.com").is_some_and(|e| e.contains("https")));
        assert!(local("http://elsewhere:80").is_some_and(|e| e.contains("this machine only")));
        for url in ["127.0.0.1:80", "http://", "http://a/b"] {
            assert!(local(url).is_some_and(|error| error.contains("http://HOST:PORT")), "{url}");
        }
        let azure = |url: &str| {
            let plain = Transport::plain();
            let credential = Credential::fixed("t".into(), plain.clone());
            Client::azure(plain, url, credential, String::new()).is_ok()
        };
        assert!(azure("https://management.azure.com/") && azure("https://127.0.0.1:1"));
        assert!(
            !azure("http://management.azure.com") && !azure("https://a/b") && !azure("https://")
        );
    }

    #[test]
    fn the_token_goes_nowhere_else() {
        let client = Client::local("http://127.0.0.1:80", &"t".into()).ok().unwrap();
        assert_eq!(client.path_of("http://127.0.0.1:80/a?b"), Some("/a?b"));
        assert_eq!(client.path_of("http://127.0.0.1:8080/a"), None);
        assert_eq!(client.path_of("http://elsewhere/a"), None);
    }

    #[test]
    fn pauses_are_named_in_every_form() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let pause = |name: &'static str, value| {
            let headers = HeaderMap::from_iter([(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )]);
            retry_after(&headers, now)
        };
        assert_eq!(pause("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(pause("retry-after", "0.5"), Some(Duration::from_millis(500)));
        assert_eq!(pause("x-ms-retry-after-ms", "150"), Some(Duration::from_millis(150)));
        let date = "Sun, 06 Nov 1994 08:49:47 GMT";
        assert_eq!(pause("retry-after", date), Some(Duration::from_secs(10)));
        assert_eq!(pause("retry-after", "Sun, 06 Nov 1994 08:49:00 GMT"), Some(Duration::ZERO));
        assert_eq!(pause("retry-after", "soon"), None);
        assert_eq!(pause("retry-after", "-1"), None);
    }
}
