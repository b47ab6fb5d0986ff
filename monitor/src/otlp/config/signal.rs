//! One signal's way out: endpoint, protocol, headers, timeout, compression, certificate.

use std::fmt;
use std::time::Duration;

use hyper::{HeaderMap, Uri};

use super::super::Error;
use super::value::{Environment, headers, pick, to_millis};
use super::{Protocol, endpoint};

/// A signal's settings, checked.
#[derive(Debug, Clone)]
pub(in crate::otlp) struct Signal {
    pub(in crate::otlp) endpoint: Uri,
    pub(in crate::otlp) protocol: Protocol,
    pub(in crate::otlp) headers: HeaderMap,
    pub(in crate::otlp) timeout: Duration,
    pub(in crate::otlp) gzip: bool,
    /// The PEM text of the certificates to trust instead of the machine's.
    pub(in crate::otlp) certificate: Option<Vec<u8>>,
}

/// The specification's default.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Signal {
    /// Reads the settings of `signal` (`METRICS`, `LOGS`); `None` without an endpoint.
    pub(super) fn resolve(
        signal: &str,
        path: &str,
        flag: Option<&str>,
        env: &Environment<'_>,
    ) -> Result<Option<Self>, Error> {
        let setting = |name: &str| {
            let (own, general) = (
                format!("OTEL_EXPORTER_OTLP_{signal}_{name}"),
                format!("OTEL_EXPORTER_OTLP_{name}"),
            );
            env.either(&own, &general)
        };
        let own = format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT");
        let (source, text) = match flag {
            Some(url) => ("--otlp".to_owned(), url.to_owned()),
            None => match setting("ENDPOINT") {
                Some(found) => found,
                None => return Ok(None),
            },
        };
        let append = (source != own).then_some(path);
        let asked = setting("PROTOCOL").map(|(name, value)| protocol(&name, &value)).transpose()?;
        let (endpoint, protocol) = endpoint(&source, &text, asked, append)?;
        for unsupported in ["CLIENT_CERTIFICATE", "CLIENT_KEY"] {
            if let Some((name, _)) = setting(unsupported) {
                let remedy = "unset it, and authenticate with OTEL_EXPORTER_OTLP_HEADERS";
                return Err(Error::setting(&name, "client certificates are not supported", remedy));
            }
        }
        let timeout =
            setting("TIMEOUT").map(|(name, value)| to_millis(&name, &value)).transpose()?;
        let known = [("gzip", true), ("none", false)];
        let gzip =
            setting("COMPRESSION").map(|(name, value)| pick(&name, &value, &known)).transpose()?;
        let headers = setting("HEADERS").map(|(name, value)| headers(&name, &value)).transpose()?;
        let certificate =
            setting("CERTIFICATE").map(|(name, file)| read(name, file)).transpose()?;
        Ok(Some(Self {
            endpoint,
            protocol,
            headers: headers.unwrap_or_default(),
            timeout: timeout.unwrap_or(TIMEOUT),
            gzip: gzip.unwrap_or(false),
            certificate,
        }))
    }

    /// Whether the connection is encrypted.
    pub(in crate::otlp) fn is_https(&self) -> bool {
        self.endpoint.scheme_str() == Some("https")
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Grpc => "gRPC",
            Protocol::HttpProtobuf => "HTTP/protobuf",
        };
        write!(f, "{} ({protocol})", self.endpoint)
    }
}

fn protocol(name: &str, value: &str) -> Result<Protocol, Error> {
    if value.eq_ignore_ascii_case("http/json") {
        let remedy = "use `http/protobuf`, which every receiver of OTLP over HTTP takes, or `grpc`";
        return Err(Error::setting(name, "`http/json` is not supported", remedy));
    }
    pick(name, value, &[("grpc", Protocol::Grpc), ("http/protobuf", Protocol::HttpProtobuf)])
}

fn read(name: String, file: String) -> Result<Vec<u8>, Error> {
    let pem = match std::fs::read(&file) {
        Ok(pem) => pem,
        Err(source) => return Err(Error::Certificate { name, file, source }),
    };
    if pem
        .windows(b"-----BEGIN CERTIFICATE-----".len())
        .any(|w| w == b"-----BEGIN CERTIFICATE-----")
    {
        Ok(pem)
    } else {
        let problem = format!("`{file}` holds no certificate in PEM form");
        Err(Error::setting(&name, &problem, "name a file with `-----BEGIN CERTIFICATE-----`"))
    }
}
