//! A rehearsal: what would be sent is kept, with its secrets hidden, and nothing is.
//!
//! What is only read is read, so that a change of something starts from what it is; or, without a connection, from an empty
//! workspace. What the rehearsal itself would have written is read as if it had been. Where only Azure knows a value, a
//! word in angle brackets stands for it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::{Answer, Call, Stored};

/// What stands for a secret.
const HIDDEN: &str = "<hidden>";

/// Members whose values are secrets, or may be.
const SECRETS: [&str; 6] =
    ["keyValue", "primaryKey", "secondaryKey", "accessToken", "sasToken", "key"];

/// Where what is read comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reads {
    /// From Azure.
    Sent,
    /// From an empty workspace in this region, or in one that nobody named.
    Empty {
        /// Its region.
        region: Option<String>,
    },
}

/// A request that would be sent, or that was because it only reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// HTTP method.
    pub method: String,
    /// The whole address; signatures in it are hidden.
    pub url: String,
    /// The version that a change wants to find, if it names one.
    pub if_match: Option<String>,
    /// The body, with its secrets hidden.
    pub body: Option<Value>,
    /// Whether something would be changed by it.
    pub changes: bool,
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url)?;
        if !self.changes && self.body.is_none() {
            return Ok(());
        }
        if self.url.contains("/subscriptions/") {
            write!(f, "\nAuthorization: Bearer {HIDDEN}\nContent-Type: application/json")?;
        }
        if let Some(version) = &self.if_match {
            write!(f, "\nIf-Match: {version}")?;
        }
        match &self.body {
            Some(body) => write!(f, "\n\n{body:#}"),
            None => Ok(()),
        }
    }
}

/// What was kept so far.
#[derive(Debug)]
pub(super) struct Dry {
    reads: Reads,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    sent: Vec<Sent>,
    /// By path; nothing for what was deleted.
    written: BTreeMap<String, Option<Value>>,
}

impl Dry {
    pub(super) fn new(reads: Reads) -> Self {
        Self { reads, kept: Mutex::default() }
    }

    pub(super) fn sent(&self) -> Vec<Sent> {
        self.kept().sent.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a request that is not sent; nothing if it is to be sent, because it only reads.
    pub(super) fn answer(&self, url: &str, call: &Call<'_>) -> Option<Answer> {
        let mut kept = self.kept();
        let body: Option<Value> = serde_json::from_slice(&call.body).ok();
        kept.sent.push(Sent {
            method: call.method.to_string(),
            url: without_signature(&format!("{url}{}", call.path)),
            if_match: call
                .version
                .as_ref()
                .map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned()),
            body: body.clone().map(hidden),
            changes: call.changes,
        });
        let path = call.path.split('?').next().unwrap_or_default();
        match call.method {
            Method::GET => match kept.written.get(path) {
                Some(Some(written)) => Some(answer(StatusCode::OK, written)),
                Some(None) => Some(missing(path)),
                // Of what the rehearsal itself wrote nothing else is there.
                None if path
                    .strip_suffix("/deployments")
                    .is_some_and(|of| kept.written.contains_key(of)) =>
                {
                    Some(answer(StatusCode::OK, &json!({ "value": [] })))
                }
                None => self.read(path),
            },
            Method::PUT => {
                let written = written(path, body.unwrap_or_default());
                let reply = answer(StatusCode::OK, &written);
                kept.written.insert(path.to_owned(), Some(written));
                Some(reply)
            }
            Method::DELETE => {
                kept.written.insert(path.to_owned(), None);
                Some(answer(StatusCode::NO_CONTENT, &Value::Null))
            }
            Method::PATCH => {
                if let (Some(Some(written)), Some(Value::Object(body))) =
                    (kept.written.get_mut(path), body)
                {
                    body.into_iter().for_each(|(key, value)| written[key] = value);
                }
                Some(answer(StatusCode::OK, &json!({})))
            }
            _ => Some(answer(StatusCode::OK, &told(path))),
        }
    }

    /// The same for a request to a storage account, which is taken to be empty. Files are not shown.
    pub(super) fn stored(&self, stored: &Stored<'_>) -> Answer {
        let is_read = stored.method == Method::HEAD;
        let size = stored.body.len();
        let bytes = Value::from(format!("<{size} bytes>"));
        self.kept().sent.push(Sent {
            method: stored.method.to_string(),
            url: without_signature(&stored.url),
            if_match: None,
            body: (!is_read && size > 0).then_some(bytes),
            changes: !is_read,
        });
        if is_read { missing(&stored.url) } else { answer(StatusCode::CREATED, &Value::Null) }
    }

    fn read(&self, path: &str) -> Option<Answer> {
        let Reads::Empty { region } = &self.reads else { return None };
        let segments: Vec<_> = path.trim_start_matches('/').split('/').collect();
        Some(match segments.as_slice() {
            [.., "workspaces", name] => {
                let region = region.as_deref().unwrap_or("<the workspace's region>");
                answer(StatusCode::OK, &json!({ "name": name, "location": region }))
            }
            [.., "datastores", _] => answer(
                StatusCode::OK,
                &json!({ "properties": {
                    "accountName": "<account>", "containerName": "<container>",
                    "credentials": { "credentialsType": "Sas" },
                } }),
            ),
            [.., "versions" | "deployments" | "onlineEndpoints" | "models" | "environments"] => {
                answer(StatusCode::OK, &json!({ "value": [] }))
            }
            _ => missing(path),
        })
    }
}

/// A thing as it is shown after it was written.
fn written(path: &str, mut body: Value) -> Value {
    let name = path.rsplit('/').next().unwrap_or_default();
    body["id"] = path.into();
    body["name"] = name.into();
    body["properties"]["provisioningState"] = "Succeeded".into();
    if body["properties"]["authMode"].is_string() {
        let uri = format!("https://{name}.<region>.inference.ml.azure.com/score");
        body["properties"]["scoringUri"] = uri.into();
    }
    body
}

/// What is answered to a POST that is not sent.
fn told(path: &str) -> Value {
    match path.rsplit('/').next() {
        Some("listKeys") => json!({ "primaryKey": HIDDEN, "secondaryKey": HIDDEN }),
        Some("token") => json!({
            "accessToken": HIDDEN, "expiryTimeUtc": 0, "refreshAfterTimeUtc": 0, "tokenType": "Bearer",
        }),
        Some("listSecrets") => json!({ "sasToken": format!("sig={HIDDEN}") }),
        Some("startPendingUpload") => {
            let uri = "https://<account>.blob.core.windows.net/<container>";
            json!({ "blobReferenceForConsumption": {
                "blobUri": uri, "credential": { "sasUri": format!("{uri}?sig={HIDDEN}") },
            } })
        }
        Some("getLogs") => json!({ "content": "" }),
        _ => json!({}),
    }
}

fn answer(status: StatusCode, body: &Value) -> Answer {
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    Answer { status, headers: HeaderMap::new(), body }
}

fn missing(path: &str) -> Answer {
    let message =
        format!("a dry run that reads nothing knows no `{path}`; leave out `=offline` to read it");
    let error = json!({ "error": { "code": "ResourceNotFound", "message": message } });
    answer(StatusCode::NOT_FOUND, &error)
}

/// A body without the values of its secrets. Environment variables often are some.
fn hidden(mut body: Value) -> Value {
    hide(&mut body);
    body
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let is_secret = SECRETS.contains(&key.as_str());
                match value {
                    Value::String(text) if is_secret => HIDDEN.clone_into(text),
                    Value::String(text) => *text = without_signature(text),
                    Value::Object(variables) if key == "environmentVariables" || key == "keys" => {
                        variables.values_mut().for_each(|value| *value = HIDDEN.into());
                    }
                    value => hide(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
}

/// An address without its signature, which opens a storage account to whoever has it.
pub(super) fn without_signature(text: &str) -> String {
    let Some(at) =
        text.find("sig=").filter(|at| *at > 0 && matches!(text.as_bytes()[at - 1], b'?' | b'&'))
    else {
        return text.to_owned();
    };
    let rest = text[at..].find('&').map_or("", |end| &text[at + end..]);
    format!("{}sig={HIDDEN}{rest}", &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_they_are() {
        let body = json!({
            "keyValue": "s3cret",
            "properties": {
                "environmentVariables": {"KEY": "s3cret", "A": "b"},
                "keys": {"primaryKey": "s3cret"},
                "codeUri": "https://a.blob/c/d?sv=1&sig=s3cret&x=y",
                "items": [{"sasToken": "s3cret"}],
            },
        });
        let text = hidden(body).to_string();
        assert!(!text.contains("s3cret") && text.contains("\"KEY\":\"<hidden>\""), "{text}");
        assert!(text.contains("?sv=1&sig=<hidden>&x=y"), "{text}");
        assert_eq!(without_signature("design=a"), "design=a");
    }
}
