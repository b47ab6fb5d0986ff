//! The form in which a request travels. It holds the values of secret headers in the clear.

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::{NamedRequest, Request};
use crate::Error;

/// A [`NamedRequest`], for serde.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestForm {
    name: String,
    weight: f64,
    method: String,
    path: Option<String>,
    headers: Vec<HeaderForm>,
    bodies: Vec<BytesForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderForm {
    name: String,
    value: BytesForm,
    /// Whether it may never be printed.
    secret: bool,
}

/// Bytes, as text where they are text.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum BytesForm {
    Text(String),
    Bytes(Vec<u8>),
}

impl BytesForm {
    fn of(bytes: &[u8]) -> Self {
        let text = str::from_utf8(bytes).map(|text| Self::Text(text.to_owned()));
        text.unwrap_or_else(|_| Self::Bytes(bytes.to_vec()))
    }

    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl From<&NamedRequest> for RequestForm {
    fn from(named: &NamedRequest) -> Self {
        let Request { method, path, headers, bodies } = &named.request;
        let header = |(name, value): (&HeaderName, &HeaderValue)| HeaderForm {
            name: name.to_string(),
            value: BytesForm::of(value.as_bytes()),
            secret: value.is_sensitive(),
        };
        Self {
            name: named.name.clone(),
            weight: named.weight,
            method: method.to_string(),
            path: path.clone(),
            headers: headers.iter().map(header).collect(),
            bodies: bodies.iter().map(|body| BytesForm::of(body)).collect(),
        }
    }
}

impl TryFrom<RequestForm> for NamedRequest {
    type Error = Error;

    fn try_from(form: RequestForm) -> Result<Self, Error> {
        let RequestForm { name, weight, method, path, headers, bodies } = form;
        let mut request = Request::get().with_method(&method)?;
        request.path = path;
        request.headers = HeaderMap::with_capacity(headers.len());
        for HeaderForm { name, value, secret } in headers {
            let refuse = |reason| Error::Header { name: name.clone(), reason };
            let key = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| refuse("its name may hold only letters, digits and `-`"))?;
            let mut value = HeaderValue::from_bytes(&value.into_bytes())
                .map_err(|_| refuse("its value holds a character that HTTP does not allow"))?;
            value.set_sensitive(secret);
            request.headers.append(key, value);
        }
        request.bodies = bodies.into_iter().map(|body| Bytes::from(body.into_bytes())).collect();
        Ok(Self { name, weight, request })
    }
}
