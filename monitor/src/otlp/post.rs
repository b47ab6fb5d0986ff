//! One HTTP request on one connection: all that OTLP over HTTP needs.
//!
//! A request leaves every few seconds, so that a connection is opened for each: none can have gone
//! stale meanwhile, and nothing is left open when the run ends.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::config::receiver::Receiver;
use super::error::Error;

/// Longer answers than this are cut off: a receiver has little to say.
const LONGEST_ANSWER: usize = 4 << 20;

/// Why no answer came.
pub(super) type Broken = Box<dyn StdError + Send + Sync>;

/// Sends requests to one receiver.
pub(super) struct Post {
    tls: Option<TlsConnector>,
}

impl Post {
    pub(super) fn new(receiver: &Receiver) -> Result<Self, Error> {
        let tls = receiver.is_https().then(|| connector(receiver)).transpose()?;
        Ok(Self { tls })
    }

    /// Sends the request and reads the whole answer. The sender bounds the time that it takes.
    pub(super) async fn send(
        &self,
        mut request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Broken> {
        let host = request.uri().host().ok_or("the URL names no host")?.to_owned();
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let default = if self.tls.is_some() { 443 } else { 80 };
        let port = request.uri().port_u16().unwrap_or(default);
        let authority = request.uri().authority().map_or("", |authority| authority.as_str());
        let authority = HeaderValue::from_str(authority)?;
        request.headers_mut().insert(HOST, authority);
        let agent = concat!("plimsoll/", env!("CARGO_PKG_VERSION"));
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(agent));
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse::<Uri>()?;
        let stream = TcpStream::connect((bare.as_str(), port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => talk(stream, request).await,
            Some(tls) => {
                let name = ServerName::try_from(bare)?;
                talk(tls.connect(name, stream).await?, request).await
            }
        }
    }
}

async fn talk<S>(stream: S, request: Request<Bytes>) -> Result<Response<Bytes>, Broken>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let answer = async {
        let (parts, body) = sender.send_request(request.map(Full::new)).await?.into_parts();
        let body = Limited::new(body, LONGEST_ANSWER).collect().await?.to_bytes();
        Ok(Response::from_parts(parts, body))
    };
    driven(answer, connection).await
}

/// Drives the connection while the answer is awaited. A broken connection ends the answer with an
/// error of its own.
async fn driven<T>(answer: impl Future<Output = T>, connection: impl Future) -> T {
    let connection = async {
        connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        answer = answer => answer,
        () = connection => unreachable!("a finished connection waits for its answer"),
    }
}

fn connector(receiver: &Receiver) -> Result<TlsConnector, Error> {
    let failed = |source: io::Error| Error::Tls { endpoint: receiver.endpoint.to_string(), source };
    let mut roots = RootCertStore::empty();
    if let Some(pem) = &receiver.certificate {
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| failed(io::Error::other(error)))?;
            roots.add(certificate).map_err(|error| failed(io::Error::other(error)))?;
        }
    } else {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
    }
    if roots.is_empty() {
        return Err(failed(io::Error::other("no certificate to trust was found")));
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
