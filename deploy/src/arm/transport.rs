//! HTTP to Azure and to a local host: one pool of connections, one set of certificates, one proxy.
//!
//! Certificates are those that this machine trusts, and besides them those of a file. HTTPS goes through the proxy that
//! `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` name, by a tunnel, so that the proxy sees no token. Plain HTTP and this
//! machine's own addresses never do. Redirects are not followed: a token goes where it was meant to go.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::header::HeaderMap;
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// For a connection to be made, and for one that is not used to be kept.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(30);

/// Longer answers are cut off: logs are the longest, and have a few thousand lines.
const LONGEST_ANSWER: usize = 64 << 20;

type Pool<C> = legacy::Client<HttpsConnector<C>, Full<Bytes>>;

/// Sends requests and reads answers whole.
#[derive(Clone)]
pub struct Transport {
    direct: Pool<HttpConnector>,
    proxied: Option<(Arc<Matcher>, Pool<Tunnel<HttpConnector>>)>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("is_proxied", &self.proxied.is_some())
            .finish_non_exhaustive()
    }
}

/// What is wrong with certificates or proxy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file with certificates cannot be used.
    #[error("`{}` cannot be used as the certificates to trust: {reason}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is nothing to trust.
    #[error("this machine has no CA certificates; install them, or name a file with --ca-file")]
    NothingToTrust,
    /// The proxy cannot be used.
    #[error(
        "the proxy that HTTPS_PROXY or ALL_PROXY names cannot be used: only http://HOST:PORT can"
    )]
    Proxy,
}

/// Why no answer came.
#[derive(Debug)]
pub(super) enum Broken {
    /// No connection was made, so that nothing was sent.
    Unreachable(Cause),
    /// The connection broke off: the request may have arrived.
    BrokeOff(Cause),
    /// It took too long: the request may have arrived.
    NoAnswer(Duration),
}

/// What is behind a failure.
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What was answered.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Transport {
    /// A transport that trusts what this machine trusts, and the certificates of a PEM file besides.
    ///
    /// # Errors
    /// The file or the proxy cannot be used, or there is nothing to trust.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, Error> {
        let roots = trusted(ca_file)?;
        if roots.is_empty() {
            return Err(Error::NothingToTrust);
        }
        Self::with(roots, Matcher::from_env(), usize::MAX)
    }

    /// For a host on this machine that speaks plain HTTP: a connection for each request, none kept.
    pub(super) fn plain() -> Self {
        let nobody = Matcher::builder().build();
        Self::with(RootCertStore::empty(), nobody, 0)
            .expect("there is no proxy that could be wrong")
    }

    fn with(roots: RootCertStore, proxies: Matcher, idle: usize) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has cipher suites for TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_LIMIT));
        let somewhere = Uri::from_static("https://azure.invalid");
        let through = match proxies.intercept(&somewhere) {
            None => None,
            Some(proxy) if proxy.uri().scheme_str() == Some("http") => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), http.clone());
                if let Some(secret) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(secret.clone());
                }
                Some((Arc::new(proxies), pool(config.clone(), tunnel, idle)))
            }
            Some(_) => return Err(Error::Proxy),
        };
        Ok(Self { direct: pool(config, http, idle), proxied: through })
    }

    /// Sends a request to an absolute address and reads the answer whole, within a limit.
    pub(super) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        limit: Duration,
    ) -> Result<Answered, Broken> {
        match tokio::time::timeout(limit, self.exchange(request)).await {
            Ok(answered) => answered,
            Err(_) => Err(Broken::NoAnswer(limit)),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answered, Broken> {
        let through = self.proxied.as_ref().filter(|(proxies, _)| {
            let uri = request.uri();
            uri.scheme_str() == Some("https")
                && !uri.host().is_some_and(is_this_machine)
                && proxies.intercept(uri).is_some()
        });
        let response = match through {
            Some((_, pool)) => pool.request(request).await,
            None => self.direct.request(request).await,
        };
        let response = response.map_err(|error| {
            if error.is_connect() {
                Broken::Unreachable(error.into())
            } else {
                Broken::BrokeOff(error.into())
            }
        })?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LONGEST_ANSWER).collect().await.map_err(|error| {
            let is_long = error.is::<LengthLimitError>();
            Broken::BrokeOff(if is_long {
                "the answer is longer than 64 MiB".into()
            } else {
                error
            })
        })?;
        Ok(Answered { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}

fn pool<C>(config: ClientConfig, connector: C, idle: usize) -> Pool<C>
where
    HttpsConnector<C>: legacy::connect::Connect + Clone,
{
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector);
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(idle)
        .build(https)
}

fn trusted(ca_file: Option<&Path>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    // A bundle may hold certificates that are of no use to us; the others count.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let Some(path) = ca_file else { return Ok(roots) };
    let wrong = |reason: String| Error::CaFile { path: path.to_owned(), reason };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|e| wrong(e.to_string()))?;
    let mut count = 0;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        count += 1;
    }
    if count == 0 {
        return Err(wrong("it holds no certificate in PEM form".to_owned()));
    }
    Ok(roots)
}

/// Whether a host is this machine by its loopback names.
pub(super) fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = |ip: std::net::IpAddr| ip.is_loopback();
    bare.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A proxy that refuses every tunnel, and says what it was asked for.
    async fn proxy() -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 1024];
            let length = stream.read(&mut head).await.unwrap();
            stream.write_all(b"HTTP/1.1 403 no\r\n\r\n").await.unwrap();
            String::from_utf8_lossy(&head[..length]).into_owned()
        });
        (address, asked)
    }

    fn get(url: &str) -> Request<Full<Bytes>> {
        let request = Request::get(url).header("authorization", "Bearer s3cret");
        request.body(Full::default()).unwrap()
    }

    #[tokio::test]
    async fn https_goes_through_the_proxy_by_a_tunnel_that_sees_no_token() {
        let (address, asked) = proxy().await;
        let proxies = Matcher::builder().all(format!("http://u:p@{address}")).build();
        let transport = Transport::with(RootCertStore::empty(), proxies, 0).unwrap();
        let limit = Duration::from_secs(5);
        let refused = transport.send(get("https://azure.test/a?b=c"), limit).await.unwrap_err();
        assert!(matches!(refused, Broken::Unreachable(_)), "{refused:?}");
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("CONNECT azure.test:443 HTTP/1.1\r\n"), "{asked}");
        assert!(asked.to_lowercase().contains("proxy-authorization: basic dtpw"), "{asked}");
        assert!(!asked.contains("s3cret") && !asked.contains("b=c"), "{asked}");
    }

    #[tokio::test]
    async fn this_machine_is_never_reached_through_a_proxy() {
        let (address, asked) = proxy().await;
        let proxies = Matcher::builder().all(format!("http://{address}")).build();
        let transport = Transport::with(RootCertStore::empty(), proxies, 0).unwrap();
        let limit = Duration::from_secs(5);
        // The port is the proxy's own, which is no TLS server: it was asked directly.
        let url = format!("https://{address}/");
        assert!(transport.send(get(&url), limit).await.is_err());
        assert!(!asked.await.unwrap().starts_with("CONNECT"));
    }

    #[test]
    fn proxies_that_cannot_be_used_and_files_without_certificates_are_refused() {
        let proxies = Matcher::builder().all("socks5://127.0.0.1:1").build();
        let wrong = Transport::with(RootCertStore::empty(), proxies, 0).unwrap_err();
        assert!(matches!(wrong, Error::Proxy));
        let file = tempfile::NamedTempFile::new().unwrap();
        let wrong = Transport::new(Some(file.path())).unwrap_err().to_string();
        assert!(wrong.contains("no certificate in PEM form"), "{wrong}");
        assert!(Transport::new(Some(Path::new("/nowhere.pem"))).is_err());
    }
}
