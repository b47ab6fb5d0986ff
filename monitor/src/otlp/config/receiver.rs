//! The receiver of one signal: endpoint, protocol, headers, timeout, compression, certificate.

//!
//! The names of the variables, where it has them, and the default timeout are those of
//! `opentelemetry-otlp`.

use std::fmt;
use std::time::Duration;

use hyper::{HeaderMap, Uri};
use opentelemetry_otlp as standard;

use super::super::error::Error;
use super::endpoint::{self, Protocol};
use super::switch;
use super::value::{Environment, headers, pick, to_millis};

/// How to reach the receiver of one signal, checked.
#[derive(Debug, Clone)]
pub(in crate::otlp) struct Receiver {
    pub(in crate::otlp) endpoint: Uri,
    pub(in crate::otlp) protocol: Protocol,
    pub(in crate::otlp) headers: HeaderMap,
    pub(in crate::otlp) timeout: Duration,
    pub(in crate::otlp) gzip: bool,
    /// The PEM text of the certificates to trust instead of the machine's.
    pub(in crate::otlp) certificate: Option<Vec<u8>>,
}

/// What a signal's settings are called: its own variable, and the one of all signals.
pub(super) struct Names {
    /// Selects the signal's exporter.
    exporter: &'static str,
    /// What a base endpoint gets appended.
    path: &'static str,
    endpoint: [&'static str; 2],
    protocol: [&'static str; 2],
    timeout: [&'static str; 2],
    compression: [&'static str; 2],
    headers: [&'static str; 2],
    certificate: [&'static str; 2],
    /// Known to the standard, and refused.
    unsupported: [[&'static str; 2]; 2],
}

pub(super) const METRICS: Names = Names {
    exporter: "OTEL_METRICS_EXPORTER",
    path: "/v1/metrics",
    endpoint: [
        standard::OTEL_EXPORTER_OTLP_METRICS_ENDPOINT,
        standard::OTEL_EXPORTER_OTLP_ENDPOINT,
    ],
    protocol: [
        standard::OTEL_EXPORTER_OTLP_METRICS_PROTOCOL,
        standard::OTEL_EXPORTER_OTLP_PROTOCOL,
    ],
    timeout: [standard::OTEL_EXPORTER_OTLP_METRICS_TIMEOUT, standard::OTEL_EXPORTER_OTLP_TIMEOUT],
    compression: [
        standard::OTEL_EXPORTER_OTLP_METRICS_COMPRESSION,
        standard::OTEL_EXPORTER_OTLP_COMPRESSION,
    ],
    headers: [standard::OTEL_EXPORTER_OTLP_METRICS_HEADERS, standard::OTEL_EXPORTER_OTLP_HEADERS],
    certificate: ["OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"],
    unsupported: [
        ["OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"],
        ["OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY"],
    ],
};

pub(super) const LOGS: Names = Names {
    exporter: "OTEL_LOGS_EXPORTER",
    path: "/v1/logs",
    endpoint: [standard::OTEL_EXPORTER_OTLP_LOGS_ENDPOINT, standard::OTEL_EXPORTER_OTLP_ENDPOINT],
    protocol: [standard::OTEL_EXPORTER_OTLP_LOGS_PROTOCOL, standard::OTEL_EXPORTER_OTLP_PROTOCOL],
    timeout: [standard::OTEL_EXPORTER_OTLP_LOGS_TIMEOUT, standard::OTEL_EXPORTER_OTLP_TIMEOUT],
    compression: [
        standard::OTEL_EXPORTER_OTLP_LOGS_COMPRESSION,
        standard::OTEL_EXPORTER_OTLP_COMPRESSION,
    ],
    headers: [standard::OTEL_EXPORTER_OTLP_LOGS_HEADERS, standard::OTEL_EXPORTER_OTLP_HEADERS],
    certificate: ["OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"],
    unsupported: [
        ["OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"],
        ["OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY"],
    ],
};

impl Receiver {
    /// Reads the settings of one signal; `None` without an endpoint, or when it is switched off.
    pub(super) fn resolve(
        names: &Names,
        flag: Option<&str>,
        env: &Environment<'_>,
    ) -> Result<Option<Self>, Error> {
        let asked = match flag {
            Some(url) => Some(("--otlp", url.to_owned())),
            None => env.first(names.endpoint),
        };
        let Some((source, text)) = asked else { return Ok(None) };
        if switch::is_off(env, names.exporter)? {
            return Ok(None);
        }
        let append = (source != names.endpoint[0]).then_some(names.path);
        let asked = env.first(names.protocol).map(|(name, word)| protocol(name, &word));
        let (endpoint, protocol) = endpoint::check(source, &text, asked.transpose()?, append)?;
        if let Some((name, _)) = names.unsupported.into_iter().find_map(|names| env.first(names)) {
            let remedy = "unset it, and authenticate with OTEL_EXPORTER_OTLP_HEADERS";
            return Err(Error::setting(name, "client certificates are not supported", remedy));
        }
        let timeout = env.first(names.timeout).map(|(name, value)| to_millis(name, &value));
        let known = [("gzip", true), ("none", false)];
        let gzip = env.first(names.compression).map(|(name, word)| pick(name, &word, &known));
        let headers = env.first(names.headers).map(|(name, list)| headers(name, &list));
        let certificate = env.first(names.certificate).map(|(name, file)| read(name, file));
        Ok(Some(Self {
            endpoint,
            protocol,
            headers: headers.transpose()?.unwrap_or_default(),
            timeout: timeout.transpose()?.unwrap_or(standard::OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT),
            gzip: gzip.transpose()?.unwrap_or(false),
            certificate: certificate.transpose()?,
        }))
    }

    /// Whether the connection is encrypted.
    pub(in crate::otlp) fn is_https(&self) -> bool {
        self.endpoint.scheme_str() == Some("https")
    }
}

impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Grpc => "gRPC",
            Protocol::HttpProtobuf => "HTTP/protobuf",
        };
        write!(f, "{} ({protocol})", self.endpoint)
    }
}

fn protocol(name: &str, value: &str) -> Result<Protocol, Error> {
    if value.eq_ignore_ascii_case(standard::OTEL_EXPORTER_OTLP_PROTOCOL_HTTP_JSON) {
        let remedy = "use `http/protobuf`, which every receiver of OTLP over HTTP takes, or `grpc`";
        return Err(Error::setting(name, "`http/json` is not supported", remedy));
    }
    let known = [
        (standard::OTEL_EXPORTER_OTLP_PROTOCOL_GRPC, Protocol::Grpc),
        (standard::OTEL_EXPORTER_OTLP_PROTOCOL_HTTP_PROTOBUF, Protocol::HttpProtobuf),
    ];
    pick(name, value, &known)
}

fn read(name: &str, file: String) -> Result<Vec<u8>, Error> {
    let pem = match std::fs::read(&file) {
        Ok(pem) => pem,
        Err(source) => return Err(Error::Certificate { name: name.to_owned(), file, source }),
    };
    if pem
        .windows(b"-----BEGIN CERTIFICATE-----".len())
        .any(|w| w == b"-----BEGIN CERTIFICATE-----")
    {
        Ok(pem)
    } else {
        let problem = format!("`{file}` holds no certificate in PEM form");
        Err(Error::setting(name, &problem, "name a file with `-----BEGIN CERTIFICATE-----`"))
    }
}
