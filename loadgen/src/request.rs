//! What is sent: one request over and over, or several drawn by weight; each with a different body
//! every time if it has several.

use std::fmt;

use bytes::Bytes;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::{HeaderMap, Method, Uri};
use secrecy::{ExposeSecret, SecretString};

pub(crate) use template::{Outgoing, Template};

use crate::Error;
use crate::target::shown;

pub(crate) mod form;
mod template;

/// One request of a run's mix.
#[derive(Debug, Clone)]
pub struct NamedRequest {
    /// Under which it is in the results; unique in its plan.
    pub name: String,
    /// Its share of all arrivals is this by the sum of all weights; finite, from 0.
    pub weight: f64,
    /// What is sent.
    pub request: Request,
}

impl NamedRequest {
    /// A request that is the only one, or one of several with equal shares.
    pub fn new(name: impl Into<String>, request: Request) -> Self {
        Self { name: name.into(), weight: 1.0, request }
    }
}

/// What to send. By default a POST with `Content-Type: application/json`. `Debug` tells the names of
/// its headers and the lengths of its bodies, but no value: each may be a secret.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query to use instead of those in the target's URL.
    pub path: Option<String>,
    /// Sent with every request. `Content-Length` is added, and `Host` and `User-Agent` if missing.
    pub headers: HeaderMap,
    /// Used round robin, by the number of the arrival in the whole run; none means an empty body.
    pub bodies: Vec<Bytes>,
}

impl Request {
    /// A POST of JSON bodies.
    pub fn post(bodies: Vec<Bytes>) -> Self {
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, json)]);
        Self { method: Method::POST, path: None, headers, bodies }
    }

    /// A GET without a body.
    pub fn get() -> Self {
        Self { method: Method::GET, path: None, headers: HeaderMap::new(), bodies: Vec::new() }
    }

    /// The same with another method, such as `PUT`; its letters' case does not matter.
    ///
    /// # Errors
    /// A method that HTTP does not allow.
    pub fn with_method(mut self, method: &str) -> Result<Self, Error> {
        self.method = method
            .to_ascii_uppercase()
            .parse()
            .map_err(|_| Error::Method { method: method.to_owned() })?;
        Ok(self)
    }

    /// The same with a header; one of the same name is replaced.
    ///
    /// # Errors
    /// A name or value that HTTP does not allow.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        let (name, value) = checked(name, value)?;
        self.headers.insert(name, value);
        Ok(self)
    }

    /// The same with a header whose value is never printed.
    ///
    /// # Errors
    /// A name or value that HTTP does not allow.
    pub fn with_secret(mut self, name: &str, value: &SecretString) -> Result<Self, Error> {
        let (name, mut value) = checked(name, value.expose_secret())?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }

    /// The path and query to send, of which `default` is the target's.
    pub(crate) fn uri(&self, default: &str) -> Result<Uri, Error> {
        let path = self.path.as_deref().unwrap_or(default);
        match path.parse::<Uri>() {
            Ok(uri) if path.starts_with('/') => Ok(uri),
            _ => Err(Error::Plan(format!("`{path}` is no path; it must begin with `/`"))),
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path.as_deref().map(shown))
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("bodies", &self.bodies.iter().map(Bytes::len).collect::<Vec<_>>())
            .finish()
    }
}

fn checked(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let error = |reason| Error::Header { name: name.to_owned(), reason };
    let header = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| error("its name may hold only letters, digits and `-`"))?;
    if header == CONTENT_LENGTH || header == TRANSFER_ENCODING {
        return Err(error("it follows from the body; leave it out"));
    }
    let value = HeaderValue::from_str(value)
        .map_err(|_| error("its value holds a character that HTTP does not allow"))?;
    Ok((header, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let key = SecretString::from("Bearer k3y");
        let mut request = Request::post(vec!["k3y".into()]);
        request = request.with_secret("Authorization", &key).unwrap();
        request = request.with_header("x-code", "k3y").unwrap();
        request.path = Some("/score?code=k3y".to_owned());
        let printed = format!("{request:?}");
        assert!(!printed.contains("k3y") && printed.contains("x-code"), "{printed}");
        assert_eq!(request.headers["authorization"], "Bearer k3y");
        let error = Request::get().with_header("x-a", "k3y\n").unwrap_err();
        assert!(!error.to_string().contains("k3y"), "{error}");
    }

    #[test]
    fn what_http_does_not_allow_is_refused() {
        assert_eq!(Request::get().with_method("put").unwrap().method, Method::PUT);
        let error = Request::get().with_method("a b").unwrap_err().to_string();
        assert!(error.contains("`a b` is no HTTP method"), "{error}");
        // A length that is not the body's would leave the server waiting, or the answer misread.
        for name in ["content-length", "Transfer-Encoding", "a b"] {
            assert!(Request::get().with_header(name, "1").is_err(), "{name}");
        }
    }
}
