//! What Azure's credential libraries ask for a token: the managed identity of an App Service.
//!
//! With `IDENTITY_ENDPOINT` at this path and `IDENTITY_HEADER` the host's own token, `DefaultAzureCredential` works
//! without a change of anybody's code. Asked for the data plane's resource it hands out an Entra token of the host's own,
//! which endpoints with `aad_token` take; for anything else the token of the control plane.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use plimsoll_domain::clock;
use secrecy::ExposeSecret;
use serde_json::json;

use super::json;
use crate::Host;
use crate::fault::Fault;
use crate::gateway::{DATA_PLANE, same_secret};
use crate::query::Query;

pub(super) const PATH: &str = "/msi/token";

/// How long a token is good for.
const LIFE: Duration = Duration::from_hours(1);

pub(super) fn answer(host: &Host, head: &Parts) -> Response<Full<Bytes>> {
    let secret = head.headers.get("x-identity-header").map(HeaderValue::as_bytes);
    if !secret.is_some_and(|secret| same_secret(secret, &host.token)) {
        let message = "the header X-IDENTITY-HEADER must carry the token of the local host";
        let fault = Fault::new(StatusCode::UNAUTHORIZED, "AuthenticationFailed", message);
        return json(fault.status, &fault.to_body());
    }
    let query = Query::read(head.uri.query());
    let resource = query.get("resource").unwrap_or_default().trim_end_matches('/');
    let (token, expires) = if resource == DATA_PLANE {
        let issued = host.issuer.issue(DATA_PLANE, LIFE, clock::wall());
        (issued.text, issued.expires)
    } else {
        let now = clock::wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        (host.token.expose_secret().to_owned(), (now + LIFE).as_secs())
    };
    json(
        StatusCode::OK,
        &json!({
            "access_token": token,
            "expires_on": expires.to_string(),
            "resource": resource,
            "token_type": "Bearer",
        }),
    )
}
