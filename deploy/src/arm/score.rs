//! One request to an endpoint, as a caller of it sends it.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderValue};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;

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
    #[error("`{0}` cannot be invoked: only plain http addresses can")]
    Address(String),
    /// Nobody answers there.
    #[error("`{url}` cannot be reached")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        source: io::Error,
    },
    /// The connection broke off.
    #[error("`{url}` broke off")]
    BrokeOff {
        /// Where.
        url: String,
        /// Why.
        source: hyper::Error,
    },
    /// It took too long.
    #[error("`{0}` did not answer within {LIMIT:?}")]
    NoAnswer(String),
}

/// Posts JSON to a scoring address, to one deployment if it is named.
///
/// # Errors
/// There is no answer. A bad answer is one.
pub async fn score(
    url: &str,
    secret: &SecretString,
    deployment: Option<&str>,
    body: Vec<u8>,
) -> Result<Scored, Error> {
    let exchange = exchange(url, secret, deployment, body);
    match tokio::time::timeout(LIMIT, exchange).await {
        Ok(scored) => scored,
        Err(_) => Err(Error::NoAnswer(url.to_owned())),
    }
}

async fn exchange(
    url: &str,
    secret: &SecretString,
    deployment: Option<&str>,
    body: Vec<u8>,
) -> Result<Scored, Error> {
    let wrong = || Error::Address(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http"));
    let authority = authority.ok_or_else(wrong)?;
    let address = (authority.host(), authority.port_u16().unwrap_or(80));
    let stream = TcpStream::connect(address).await;
    let stream = stream.map_err(|source| Error::Unreachable { url: url.to_owned(), source })?;
    let broke_off = |source| Error::BrokeOff { url: url.to_owned(), source };
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(broke_off)?;
    let connection = tokio::spawn(connection);
    let mut bearer =
        HeaderValue::try_from(format!("Bearer {}", secret.expose_secret())).map_err(|_| wrong())?;
    bearer.set_sensitive(true);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::post(path)
        .header(header::HOST, authority.as_str())
        .header(header::AUTHORIZATION, bearer)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close");
    if let Some(name) = deployment {
        request = request.header("azureml-model-deployment", name);
    }
    let request = request.body(Full::new(Bytes::from(body))).map_err(|_| wrong())?;
    let (head, body) = sender.send_request(request).await.map_err(broke_off)?.into_parts();
    let body = body.collect().await.map_err(broke_off)?.to_bytes();
    connection.abort();
    let model_status = head.headers.get("ms-azureml-model-error-statuscode");
    let model_status = model_status.and_then(|status| status.to_str().ok()).map(str::to_owned);
    Ok(Scored { status: head.status.as_u16(), model_status, body })
}
