//! The target: where requests go, resolved once before the run.
//!
//! Name resolution and the reading of CA certificates happen here and nowhere else, so that
//! neither is ever inside a measured time. All addresses of the name are kept, and a connection
//! that fails on one is tried on the next.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use hyper::Uri;
use hyper::header::HeaderValue;
use rustls_pki_types::ServerName;
use serde::{Deserialize, Serialize};
use tokio_rustls::TlsConnector;

use crate::Error;

mod tls;

/// Settings of TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsOptions {
    /// A PEM file with certificates to trust besides this machine's CAs: of CAs, or of the server
    /// itself.
    pub ca_file: Option<PathBuf>,
    /// Whether any certificate is accepted: then nothing says who answers.
    pub insecure: bool,
}

/// Where requests go.
#[derive(Clone)]
pub struct Target {
    url: String,
    name: String,
    port: u16,
    pub(crate) host: HeaderValue,
    pub(crate) path: String,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Target {
    /// Parses an `http` or `https` URL, resolves its name, and prepares TLS.
    ///
    /// # Errors
    /// A URL that cannot be loaded, a name that does not resolve, no CA certificates.
    pub async fn resolve(url: &str, tls: &TlsOptions) -> Result<Self, Error> {
        let Parts { host, name, port, path, server } = Parts::of(url)?;
        let tls = server.map(|server| Ok((tls::connector(tls)?, server))).transpose()?;
        let addresses = lookup(&name, port).await?;
        Ok(Self { url: url.to_owned(), name, port, host, path, addresses, tls })
    }

    /// Checks all of a URL that can be checked without asking the network.
    ///
    /// # Errors
    /// A URL that cannot be loaded. The message repeats neither a password nor the query.
    pub fn check(url: &str) -> Result<Checked, Error> {
        let Parts { name, port, server, .. } = Parts::of(url)?;
        Ok(Checked { name, port, secure: server.is_some() })
    }

    /// The host, without the brackets of an IPv6 address.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port, also where the URL does not name it.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL, as it was given.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the name resolved to.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

/// What a URL says about its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The host, without the brackets of an IPv6 address.
    pub name: String,
    /// The port, given or the scheme's.
    pub port: u16,
    /// Whether it is an `https` URL.
    pub secure: bool,
}

/// What a URL says.
struct Parts {
    host: HeaderValue,
    name: String,
    port: u16,
    path: String,
    /// With `https`: the name that the certificate must be for.
    server: Option<ServerName<'static>>,
}

impl Parts {
    fn of(url: &str) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Url { url: shown(url), reason };
        let without_scheme = || refuse("it must begin with http:// or https://".to_owned());
        if !url.contains("://") {
            return Err(without_scheme());
        }
        let uri: Uri = url.parse().map_err(|_| {
            let reason = "it is malformed, or holds what a URL writes as %20 and the like; write \
                          it like `http://127.0.0.1:8080/score`";
            refuse(reason.to_owned())
        })?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(other) => return Err(refuse(format!("`{other}` is not http or https"))),
            None => return Err(without_scheme()),
        };
        let authority = uri.authority().ok_or_else(|| refuse("it names no host".to_owned()))?;
        if authority.as_str().contains('@') {
            let reason = "it holds a user name or password; send them in a header instead";
            return Err(refuse(reason.to_owned()));
        }
        let name = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if name.is_empty() {
            return Err(refuse("it names no host".to_owned()));
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            None | Some("") if secure => 443,
            None | Some("") => 80,
            Some(_) => authority
                .port_u16()
                .filter(|port| *port > 0)
                .ok_or_else(|| refuse("its port is no number from 1 to 65535".to_owned()))?,
        };
        let host = HeaderValue::from_str(authority.as_str())
            .map_err(|_| refuse("its host cannot be sent in a header".to_owned()))?;
        let server = secure
            .then(|| ServerName::try_from(name.clone()))
            .transpose()
            .map_err(|_| refuse(format!("`{name}` is no name that a certificate can be for")))?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        // An empty path is sent as `/` (RFC 9112, 3.2.1), also before a query.
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { host, name, port, path, server })
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("url", &shown(&self.url))
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

async fn lookup(name: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let failed = |source| Error::Dns { host: name.to_owned(), source };
    let found = tokio::net::lookup_host((name, port)).await.map_err(failed)?;
    let addresses: Vec<_> = found.collect();
    if addresses.is_empty() {
        return Err(failed(std::io::Error::other("the name has no address")));
    }
    Ok(addresses)
}

/// A URL for messages: without user name and password, and without the query, which may hold a key.
pub(crate) fn shown(url: &str) -> String {
    let (address, query) = match url.split_once(['?', '#']) {
        Some((address, _)) => (address, "?…"),
        None => (url, ""),
    };
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let end = rest.find('/').unwrap_or(rest.len());
    let host = rest[..end].rfind('@').map_or(0, |at| at + 1);
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    format!("{scheme}{}{query}", &rest[host..])
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn message(url: &str) -> String {
        Target::resolve(url, &TlsOptions::default()).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_url_becomes_an_address_a_host_and_a_path() {
        let tls = TlsOptions::default();
        let target = Target::resolve("http://127.0.0.1:8080/score?v=1", &tls).await.unwrap();
        assert_eq!(target.addresses(), ["127.0.0.1:8080".parse().unwrap()]);
        assert_eq!(
            (target.host.to_str().unwrap(), &*target.path),
            ("127.0.0.1:8080", "/score?v=1")
        );
        let target = Target::resolve("http://[::1]", &tls).await.unwrap();
        assert_eq!(target.addresses(), ["[::1]:80".parse().unwrap()]);
        assert_eq!((target.name(), target.port()), ("::1", 80));
        assert_eq!(target.path, "/");
        let target = Target::resolve("http://127.0.0.1?x=1", &tls).await.unwrap();
        assert_eq!(target.path, "/?x=1");
        assert!(!format!("{target:?}").contains("x=1"), "a query may hold a key");
    }

    #[tokio::test]
    async fn what_cannot_be_loaded_is_refused_with_a_reason() {
        for (url, reason) in [
            ("127.0.0.1:80/score", "not a URL"),
            ("localhost", "must begin with http"),
            ("ftp://localhost/", "`ftp` is not http or https"),
            ("http://localhost:99999/", "not a URL"),
            ("http://localhost:0/", "from 1 to 65535"),
            ("http://user:pa55@localhost/", "in a header instead"),
            ("localhost/score?code=pa55", "must begin with http"),
            ("http://local host/?code=pa55", "a URL writes as %20"),
            ("http://[::1/", "it is malformed"),
            ("user:pa55@localhost?code=pa55", "must begin with http"),
            ("http://no-such-name.invalid/", "cannot resolve `no-such-name.invalid`"),
        ] {
            let message = message(url).await;
            assert!(message.contains(reason), "{url}: {message}");
            assert!(!message.contains("pa55"), "{message}");
            let resolves = url.contains("no-such-name");
            assert_eq!(Target::check(url).is_ok(), resolves, "{url}");
        }
    }

    #[tokio::test]
    async fn a_ca_file_must_hold_a_certificate() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for path in [file.path().to_owned(), PathBuf::from("/no/such/ca.pem")] {
            let tls = TlsOptions { ca_file: Some(path.clone()), ..TlsOptions::default() };
            let error = Target::resolve("https://127.0.0.1/", &tls).await.unwrap_err();
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        }
    }
}
