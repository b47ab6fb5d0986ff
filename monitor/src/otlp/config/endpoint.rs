//! An endpoint's URL, and the protocol that is spoken there.

use hyper::Uri;
use hyper::http::uri::{PathAndQuery, Scheme};

use super::super::error::Error;

/// The way to the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP with protobuf bodies.
    HttpProtobuf,
}

/// Checks an endpoint and, for a base over HTTP, appends the signal's path.
pub(super) fn check(
    source: &str,
    text: &str,
    asked: Option<Protocol>,
    append: Option<&str>,
) -> Result<(Uri, Protocol), Error> {
    let refuse = |problem: &str, remedy: &str| Err(Error::setting(source, problem, remedy));
    let example = "write for example `http://localhost:4317`";
    let Ok(uri) = text.trim().parse::<Uri>() else {
        return refuse("is not a URL", example);
    };
    if !uri.scheme().is_some_and(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS) {
        return refuse("has neither the scheme http nor https", example);
    }
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        let remedy = "send them as a header: OTEL_EXPORTER_OTLP_HEADERS";
        return refuse("has a user name or password in the URL", remedy);
    }
    if uri.host().is_none_or(str::is_empty) {
        return refuse("names no host", example);
    }
    if uri.query().is_some() {
        return refuse("has a query (`?…`)", "leave it out");
    }
    let protocol = asked.unwrap_or_else(|| by_port(&uri));
    match (protocol, append) {
        (Protocol::Grpc, _) if uri.path() != "/" => {
            let remedy =
                "leave the path out, or ask for HTTP: OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf";
            refuse("has a path, which gRPC does not take", remedy)
        }
        (Protocol::HttpProtobuf, Some(path)) => {
            if ["/v1/metrics", "/v1/logs", "/v1/traces"].iter().any(|own| uri.path().ends_with(own))
            {
                return refuse("ends in a signal's path", "leave that path out: it is appended");
            }
            let whole = format!("{}{path}", uri.path().trim_end_matches('/'));
            let mut parts = uri.into_parts();
            parts.path_and_query =
                Some(PathAndQuery::try_from(whole).expect("a valid path with a valid suffix"));
            Ok((Uri::from_parts(parts).expect("only the path changed"), protocol))
        }
        _ => Ok((uri, protocol)),
    }
}

fn by_port(endpoint: &Uri) -> Protocol {
    match endpoint.port_u16() {
        Some(4317) => Protocol::Grpc,
        _ => Protocol::HttpProtobuf,
    }
}
