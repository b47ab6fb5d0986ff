//! Requests for tokens, by the protocols that Entra and Azure's machines document: an OAuth 2.0 form, or a query.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use plimsoll_domain::clock;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::Token;
use super::source::Principal;
use crate::arm::cloud::is_private;
use crate::arm::transport::{Answered, Broken, Transport};

/// For one answer.
const LIMIT: Duration = Duration::from_secs(30);

/// A request for a token.
pub(super) struct Asked {
    url: String,
    header: Option<(HeaderName, SecretString)>,
    form: Option<SecretString>,
}

/// What grants a token says: the times as numbers or as texts, which both are documented.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: Option<Number>,
    #[serde(default)]
    expires_on: Option<Number>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Whole(u64),
    Text(String),
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Asked {
    pub(super) fn of_principal(principal: &Principal, scope: &str, proof: &[(&str, &str)]) -> Self {
        let Principal { authority, tenant, client } = principal;
        let known = [("grant_type", "client_credentials"), ("client_id", client), ("scope", scope)];
        let form = encoded(known.iter().chain(proof));
        let url = format!("{authority}/{tenant}/oauth2/v2.0/token");
        Self { url, header: None, form: Some(form.into()) }
    }

    pub(super) fn of_app_service(
        endpoint: &str,
        secret: &SecretString,
        scope: &str,
        client: Option<&str>,
    ) -> Self {
        let header = (HeaderName::from_static("x-identity-header"), secret.clone());
        Self::of_identity(endpoint, "2019-08-01", scope, client, header)
    }

    pub(super) fn of_machine(endpoint: &str, scope: &str, client: Option<&str>) -> Self {
        let url = format!("{}/metadata/identity/oauth2/token", endpoint.trim_end_matches('/'));
        let header = (HeaderName::from_static("metadata"), "true".into());
        Self::of_identity(&url, "2018-02-01", scope, client, header)
    }

    fn of_identity(
        url: &str,
        version: &str,
        scope: &str,
        client: Option<&str>,
        header: (HeaderName, SecretString),
    ) -> Self {
        let resource = scope.strip_suffix("/.default").unwrap_or(scope);
        let client = client.map(|client| ("client_id", client));
        let known = [("api-version", version), ("resource", resource)];
        let query = encoded(known.iter().chain(client.iter()));
        Self { url: format!("{url}?{query}"), header: Some(header), form: None }
    }

    fn to_request(&self) -> Result<Request<Full<Bytes>>, String> {
        let uri: Uri = self.url.parse().map_err(|_| format!("`{}` is no address", self.url))?;
        if !is_private(&uri) {
            return Err(format!("`{}`: secrets go by https only", self.url));
        }
        let mut request = Request::builder().uri(uri).header(header::ACCEPT, "application/json");
        if let Some((name, value)) = &self.header {
            let value = HeaderValue::from_str(value.expose_secret());
            let mut value = value.map_err(|_| format!("{name} has characters that it may not"))?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        let body = match &self.form {
            Some(form) => {
                let kind = "application/x-www-form-urlencoded";
                request = request.method(Method::POST).header(header::CONTENT_TYPE, kind);
                Bytes::from(form.expose_secret().to_owned())
            }
            None => Bytes::new(),
        };
        request.body(Full::new(body)).map_err(|error| error.to_string())
    }
}

/// Asks, and again where nobody answered or who answered was busy: asking twice does no harm.
pub(super) async fn ask_for(transport: &Transport, asked: &Asked) -> Result<Token, String> {
    let attempt = async || {
        let request = asked.to_request().map_err(|wrong| (false, wrong))?;
        let answer = transport.send(request, LIMIT).await.map_err(|broken| {
            let host = asked.url.split('?').next().unwrap_or_default();
            let why = match broken {
                Broken::Unreachable(_) => "cannot be reached".to_owned(),
                Broken::BrokeOff(_) => "broke off".to_owned(),
                Broken::NoAnswer(limit) => format!("did not answer within {limit:?}"),
            };
            (true, format!("`{host}` {why}"))
        })?;
        read(&answer)
    };
    let pauses = ExponentialBuilder::default().with_jitter().with_max_times(3);
    let answer = attempt.retry(pauses).when(|(passing, _): &(bool, String)| *passing).await;
    answer.map_err(|(_, why)| why)
}

/// A token, or whether asking again may help and what was said. Nothing of the token is in what was said.
fn read(answer: &Answered) -> Result<Token, (bool, String)> {
    let status = answer.status;
    if !status.is_success() {
        let passing = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        let said = match serde_json::from_slice::<Refusal>(&answer.body) {
            Ok(Refusal { error, error_description }) => format!("{error}: {error_description}"),
            Err(_) => "no reason".to_owned(),
        };
        return Err((passing, format!("{said} (status {})", status.as_u16())));
    }
    let granted: Granted = serde_json::from_slice(&answer.body)
        .map_err(|_| (false, "the answer has no `access_token`".to_owned()))?;
    let number = |number: Option<Number>| match number? {
        Number::Whole(number) => Some(number),
        Number::Text(text) => text.parse().ok(),
    };
    let on = number(granted.expires_on).map(|at| UNIX_EPOCH + Duration::from_secs(at));
    let within = number(granted.expires_in).map(Duration::from_secs);
    let expires = on.or_else(|| within.map(|within| clock::wall() + within));
    Ok(Token { text: granted.access_token.into(), expires })
}

fn encoded<'a>(pairs: impl Iterator<Item = &'a (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        let joint = if text.is_empty() { "" } else { "&" };
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        write!(text, "{joint}{name}={value}").expect("a text takes all that is written to it");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &'static str) -> Answered {
        let status = StatusCode::from_u16(status).unwrap();
        Answered { status, headers: hyper::HeaderMap::new(), body: body.into() }
    }

    #[test]
    fn requests_are_those_that_are_documented() {
        let principal = Principal {
            authority: "https://login.test".to_owned(),
            tenant: "t".to_owned(),
            client: "c".to_owned(),
        };
        let asked =
            Asked::of_principal(&principal, "https://m/.default", &[("client_secret", "a b&")]);
        assert_eq!(asked.url, "https://login.test/t/oauth2/v2.0/token");
        let form = "grant_type=client%5Fcredentials&client_id=c&scope=https%3A%2F%2Fm%2F%2Edefault\
                    &client_secret=a%20b%26";
        assert_eq!(asked.form.unwrap().expose_secret(), form);
        let asked = Asked::of_machine("http://169.254.169.254", "https://m/.default", Some("c"));
        let url = "http://169.254.169.254/metadata/identity/oauth2/token\
                   ?api-version=2018%2D02%2D01&resource=https%3A%2F%2Fm&client_id=c";
        assert_eq!(asked.url, url);
        assert!(asked.to_request().is_ok());
        let open = Asked::of_app_service("http://elsewhere/", &"h".into(), "s", None);
        assert!(open.to_request().unwrap_err().contains("https only"));
    }

    #[test]
    fn answers_are_read_with_their_times_in_every_form() {
        let at = |body| read(&answered(200, body)).ok().unwrap().expires;
        let until = Some(UNIX_EPOCH + Duration::from_secs(7));
        assert_eq!(at(r#"{"access_token": "t", "expires_on": "7", "expires_in": "1"}"#), until);
        assert_eq!(at(r#"{"access_token": "t", "expires_on": 7}"#), until);
        assert!(at(r#"{"access_token": "t", "expires_in": 3600}"#) > Some(clock::wall()));
        assert_eq!(at(r#"{"access_token": "t"}"#), None);
        let refusal = r#"{"error": "invalid_client", "error_description": "AADSTS7000215"}"#;
        let (again, said) = read(&answered(401, refusal)).err().unwrap();
        assert_eq!((again, said.as_str()), (false, "invalid_client: AADSTS7000215 (status 401)"));
        assert!(read(&answered(503, "")).err().unwrap().0);
    }
}
