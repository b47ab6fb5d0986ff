//! A request made ready for one worker to send again and again.
//!
//! Each worker has copies of its own of the head and the bodies: what is shared between threads is
//! counted with atomic numbers, and two workers that counted up the same one for every request
//! would wait for each other.

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Uri};

use super::Request;
use crate::{Error, Target};

/// Longer bodies stay shared: sending them costs so much that counting them does not matter.
const LONGEST_COPY: usize = 64 * 1024;

/// Who sends (RFC 9110, 10.1.5), unless the request says otherwise.
const AGENT: &str = concat!("plimsoll/", env!("CARGO_PKG_VERSION"));

/// What goes to a connection.
pub(crate) type Outgoing = hyper::Request<Full<Bytes>>;

/// Head and bodies of one request.
pub(crate) struct Template {
    method: Method,
    uri: Uri,
    /// One for each length of body, complete with that length.
    heads: Vec<Vec<(HeaderName, HeaderValue)>>,
    /// Each body with the number of its head.
    bodies: Vec<(Bytes, usize)>,
}

impl Template {
    /// The request as it goes to this target.
    ///
    /// # Errors
    /// A path that is none.
    pub(crate) fn new(request: &Request, target: &Target) -> Result<Self, Error> {
        let mut headers: HeaderMap =
            request.headers.iter().map(|(name, value)| (name.clone(), own(value))).collect();
        headers.entry(HOST).or_insert_with(|| own(&target.host));
        headers.entry(USER_AGENT).or_insert_with(|| HeaderValue::from_static(AGENT));
        let mut lengths: BTreeMap<usize, usize> = BTreeMap::new();
        let mut heads = Vec::new();
        let mut add = |body: Bytes| {
            let head = *lengths.entry(body.len()).or_insert_with(|| {
                let mut head = headers.clone();
                if !body.is_empty() {
                    head.insert(CONTENT_LENGTH, body.len().into());
                }
                heads
                    .push(head.iter().map(|(name, value)| (name.clone(), value.clone())).collect());
                heads.len() - 1
            });
            (body, head)
        };
        let bodies = match request.bodies.as_slice() {
            [] => vec![add(Bytes::new())],
            bodies => bodies.iter().map(|body| add(own_body(body))).collect(),
        };
        let uri = request.uri(&target.path)?;
        Ok(Self { method: request.method.clone(), uri, heads, bodies })
    }

    /// The request of the arrival with this number. Its head is put into `spare`, which is empty and
    /// has room: that of the answer before, as a rule.
    pub(crate) fn request(&self, number: u64, mut spare: HeaderMap) -> Outgoing {
        let (body, head) = match self.bodies.as_slice() {
            [only] => only,
            bodies => &bodies[(number % bodies.len() as u64) as usize],
        };
        let mut request = hyper::Request::new(Full::new(body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        for (name, value) in &self.heads[*head] {
            spare.append(name.clone(), value.clone());
        }
        *request.headers_mut() = spare;
        request
    }
}

/// A value that shares nothing with the given one.
fn own(value: &HeaderValue) -> HeaderValue {
    let mut copy = HeaderValue::from_bytes(value.as_bytes()).expect("it is a header's value");
    copy.set_sensitive(value.is_sensitive());
    copy
}

fn own_body(body: &Bytes) -> Bytes {
    if body.len() > LONGEST_COPY { body.clone() } else { Bytes::copy_from_slice(body) }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use secrecy::SecretString;

    use super::*;
    use crate::TlsOptions;

    #[tokio::test]
    async fn bodies_go_round_and_the_head_is_complete() {
        let tls = TlsOptions::default();
        let target = Target::resolve("http://127.0.0.1:8080/score", &tls).await.unwrap();
        let long = vec![b'x'; LONGEST_COPY + 1];
        let bodies = vec![Bytes::from_static(b"a"), Bytes::from(long.clone())];
        let request = Request::post(bodies);
        let request = request.with_secret("api-key", &SecretString::from("k3y")).unwrap();
        let template = Template::new(&request, &target).unwrap();
        assert_eq!(template.heads.len(), 2, "a head for each length");
        for (number, body) in [(0, b"a".as_slice()), (1, &long), (2, b"a")] {
            let sent = template.request(number, HeaderMap::new());
            assert_eq!(
                (sent.uri().path(), sent.headers()[HOST].as_bytes()),
                ("/score", &b"127.0.0.1:8080"[..])
            );
            let length = sent.headers()[CONTENT_LENGTH].to_str().unwrap().parse();
            assert_eq!((length, sent.headers().len()), (Ok(body.len()), 5));
            assert_eq!(sent.headers()[USER_AGENT], AGENT);
            assert!(sent.headers()["api-key"].is_sensitive());
            assert_eq!(sent.into_body().collect().await.unwrap().to_bytes(), body);
        }
        let nothing = Template::new(&Request::get(), &target).unwrap().request(7, HeaderMap::new());
        assert!(!nothing.headers().contains_key(CONTENT_LENGTH));
        let other = Request::get().with_header("user-agent", "mine").unwrap();
        let other = Template::new(&other, &target).unwrap().request(0, HeaderMap::new());
        assert_eq!(other.headers().get_all(USER_AGENT).iter().collect::<Vec<_>>(), ["mine"]);
        let mut elsewhere = Request::get();
        elsewhere.path = Some("score".to_owned());
        assert!(Template::new(&elsewhere, &target).is_err());
    }
}
