//! The request that is sent over and over, with a different body each time if there are several.

use bytes::Bytes;
use hyper::header::{
    CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use hyper::{HeaderMap, Method, Uri};
use secrecy::{ExposeSecret, SecretString};

use crate::{Error, Target};

/// The request line and the headers, the same for all requests of a run.
pub(crate) type Head = hyper::http::request::Parts;

/// What to send. By default a POST with `Content-Type: application/json`.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query to use instead of those in the target's URL.
    pub path: Option<String>,
    /// Sent with every request. `Host` and `Content-Length` are added.
    pub headers: HeaderMap,
    /// Used round robin, by the arrival's number; none means an empty body.
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

    /// What goes to this target before each body.
    pub(crate) fn head(&self, target: &Target) -> Result<Head, Error> {
        let path = self.path.as_deref().unwrap_or(&target.path);
        let uri = match path.parse::<Uri>() {
            Ok(uri) if path.starts_with('/') => uri,
            _ => return Err(Error::Plan(format!("`{path}` is no path; it must begin with `/`"))),
        };
        let mut head = hyper::Request::new(()).into_parts().0;
        head.method = self.method.clone();
        head.uri = uri;
        head.headers = self.headers.clone();
        head.headers.entry(HOST).or_insert_with(|| target.host.clone());
        Ok(head)
    }

    /// The body of the arrival with this number.
    pub(crate) fn body(&self, number: u64) -> Bytes {
        match self.bodies.len() as u64 {
            0 => Bytes::new(),
            count => self.bodies[(number % count) as usize].clone(),
        }
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
        let request = Request::get().with_secret("Authorization", &key).unwrap();
        assert!(!format!("{request:?}").contains("k3y"));
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

    #[test]
    fn bodies_go_round() {
        let bodies = vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")];
        let request = Request::post(bodies);
        let sent: Vec<_> = (0..3).map(|number| request.body(number)).collect();
        assert_eq!(sent, ["a", "b", "a"]);
        assert!(Request::get().body(5).is_empty());
    }
}
