//! One request to an endpoint, as a caller of it sends it.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{self, HeaderValue};
use hyper::http::uri::Uri;
use secrecy::{ExposeSecret, SecretString};

use super::ArmDriver;
use super::transport::{Broken, Cause, Transport, is_this_machine};

/// Longer than the longest `request_timeout_ms` that Azure allows.
const LIMIT: Duration = Duration::from_secs(200);

/// What the endpoint answered.
#[derive(Debug)]
pub struct Scored {
    /// HTTP status.
    pub status: u16,
    /// The model's own status, where the gateway says that it was not 200.
    pub model_status: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be used.
    #[error("`{0}` cannot be invoked: its key goes by https only, or to this machine")]
    Address(String),
    /// Nobody answers there.
    #[error("`{url}` cannot be reached")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        source: Cause,
    },
    /// The connection broke off.
    #[error("`{url}` broke off")]
    BrokeOff {
        /// Where.
        url: String,
        /// Why.
        source: Cause,
    },
    /// It took too long.
    #[error("`{0}` did not answer within {LIMIT:?}")]
    NoAnswer(String),
}

impl ArmDriver {
    /// Posts JSON to a scoring address, to one deployment if it is named.
    ///
    /// # Errors
    /// There is no answer. A bad answer is one.
    pub async fn score(
        &self,
        url: &str,
        secret: &SecretString,
        deployment: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Scored, Error> {
        exchange(self.client.transport(), url, secret, deployment, body).await
    }
}

async fn exchange(
    transport: &Transport,
    url: &str,
    secret: &SecretString,
    deployment: Option<&str>,
    body: Vec<u8>,
) -> Result<Scored, Error> {
    let wrong = || Error::Address(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let is_private = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => uri.host().is_some_and(is_this_machine),
        _ => false,
    };
    if !is_private {
        return Err(wrong());
    }
    let mut bearer =
        HeaderValue::try_from(format!("Bearer {}", secret.expose_secret())).map_err(|_| wrong())?;
    bearer.set_sensitive(true);
    let mut request = Request::post(uri)
        .header(header::AUTHORIZATION, bearer)
        .header(header::CONTENT_TYPE, "application/json");
    if let Some(name) = deployment {
        request = request.header("azureml-model-deployment", name);
    }
    let request = request.body(Full::new(Bytes::from(body))).map_err(|_| wrong())?;
    let answered = transport.send(request, LIMIT).await.map_err(|broken| {
        let url = url.to_owned();
        match broken {
            Broken::Unreachable(source) => Error::Unreachable { url, source },
            Broken::BrokeOff(source) => Error::BrokeOff { url, source },
            Broken::NoAnswer(_) => Error::NoAnswer(url),
        }
    })?;
    let model_status = answered.headers.get("ms-azureml-model-error-statuscode");
    let model_status = model_status.and_then(|status| status.to_str().ok()).map(str::to_owned);
    Ok(Scored { status: answered.status.as_u16(), model_status, body: answered.body })
}
