//! Changes: made once, whatever happens on the way.
//!
//! A change whose answer was lost is looked up, and sent again only if it is not there. One that is refused because another
//! operation runs is sent again once that is done. One that must not overwrite somebody else's carries the version that was
//! read.

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{self, HeaderValue};
use serde::Serialize;
use serde_json::{Map, Value};

use super::ArmDriver;
use super::client::{Answer, Call};
use super::error::Error;
use super::lro::{self, Begun, Progress, Subject};

/// How often a change is sent at most.
const TIMES: u32 = 4;

/// Before a change is sent again that did not arrive, and between two looks at an operation of others.
const PAUSE: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A change of one thing.
pub(super) struct Change<'a> {
    pub(super) what: &'a str,
    pub(super) method: Method,
    /// Behind the workspace.
    pub(super) path: &'a str,
    pub(super) body: Value,
    /// The version that it must still have.
    pub(super) version: Option<HeaderValue>,
    /// Nothing was there a moment ago: what is there now is ours.
    pub(super) is_new: bool,
}

impl<'a> Change<'a> {
    pub(super) fn new(what: &'a str, method: Method, path: &'a str, body: &impl Serialize) -> Self {
        let body =
            serde_json::to_value(body).expect("resources have string keys and finite numbers");
        Self { what, method, path, body, version: None, is_new: false }
    }

    pub(super) fn removal(what: &'a str, path: &'a str) -> Self {
        Self::new(what, Method::DELETE, path, &Value::Null)
    }
}

impl ArmDriver {
    /// Sends a change, and waits until its operation is done.
    pub(super) async fn change(
        &self,
        change: &Change<'_>,
        progress: Progress<'_>,
    ) -> Result<(), Error> {
        let begun = self.begin(change).await?;
        self.finish(change, &begun, progress).await
    }

    /// Waits until the operation of a change is done.
    pub(super) async fn finish(
        &self,
        change: &Change<'_>,
        begun: &Begun,
        progress: Progress<'_>,
    ) -> Result<(), Error> {
        let path = self.path(change.path);
        let is_removed = change.method == Method::DELETE;
        let subject = Subject { what: change.what, path: &path, is_removed };
        lro::wait(&self.client, &subject, begun, progress).await
    }

    /// Sends a change: once, as far as what it changes can tell.
    pub(super) async fn begin(&self, change: &Change<'_>) -> Result<Begun, Error> {
        let path = self.path(change.path);
        let body = match &change.body {
            Value::Null => Bytes::new(),
            body => Bytes::from(body.to_string()),
        };
        let version = change.version.clone();
        // None of Azure's clients asks for this, and who creates there is told by what `absent` has seen.
        let is_new =
            change.is_new && !self.is_azure() && change.path.starts_with("onlineEndpoints/");
        let call =
            Call { body, version, is_new, ..Call::new(change.what, change.method.clone(), &path) };
        for _ in 1..TIMES {
            let error = match self.client.call(&call).await {
                Ok(answer) => return Ok(Begun::Answered(answer)),
                Err(error) if is_new && error.status() == Some(412) => {
                    return Err(Error::Exists { what: change.what.to_owned() });
                }
                Err(error) => error,
            };
            if error.status() == Some(409)
                && self.is_azure()
                && change.path.starts_with("onlineEndpoints/")
            {
                self.idle(change, error).await?;
            } else if error.is_answer_lost() {
                if self.arrived(change, error).await? {
                    return Ok(Begun::Unanswered);
                }
                tokio::time::sleep(PAUSE).await;
            } else {
                return Err(error);
            }
        }
        self.client.call(&call).await.map(Begun::Answered)
    }

    /// Whether a change whose answer was lost was made, or is being made. `lost` is what to say if nobody can tell.
    async fn arrived(&self, change: &Change<'_>, lost: Error) -> Result<bool, Error> {
        if change.method == Method::POST {
            return Err(lost);
        }
        let is_removal = change.method == Method::DELETE;
        loop {
            let answer = match self.ask(change.what, change.path).await {
                Ok(answer) => answer,
                Err(error) if error.is_not_found() => return Ok(is_removal),
                Err(_) => return Err(lost),
            };
            let state = lro::state(&answer, change.what)?;
            let is_busy = state.is_some_and(|state| !state.is_final());
            let found: Value = answer.read(change.what)?;
            let is_made = if is_removal {
                state == Some(super::ProvisioningState::Deleting)
            } else {
                change.is_new || covers(&change.body, &found)
            };
            if is_made || !is_busy {
                return Ok(is_made);
            }
            tokio::time::sleep(answer.retry_after().unwrap_or(LOOK_EVERY)).await;
        }
    }

    /// Waits until no operation runs of what is to be changed, nor of its endpoint. `refused` is what to say if that takes
    /// too long.
    async fn idle(&self, change: &Change<'_>, refused: Error) -> Result<(), Error> {
        // Behind the first two, a path names a deployment, or what is done to the endpoint, which has no state of its own.
        let endpoint = change.path.split('/').take(2).collect::<Vec<_>>().join("/");
        let subject = if change.method == Method::POST { &endpoint } else { change.path };
        let quiet = async {
            for path in [subject, &endpoint] {
                loop {
                    let answer = match self.ask(change.what, path).await {
                        Err(error) if error.is_not_found() => break,
                        answer => answer?,
                    };
                    if lro::state(&answer, change.what)?
                        .is_none_or(super::ProvisioningState::is_final)
                    {
                        break;
                    }
                    let pause = answer.retry_after().unwrap_or(LOOK_EVERY);
                    tokio::time::sleep(pause.max(Duration::from_millis(25))).await;
                }
            }
            Ok::<(), Error>(())
        };
        let limit = self.client.limits.call;
        let quiet = tokio::time::timeout(limit, quiet).await.map_err(|_| refused)?;
        // What is there says that nothing runs; who refused may know it a little later.
        tokio::time::sleep(PAUSE).await;
        quiet
    }

    /// A thing as it is, with the version that a change of it must name, if things have one.
    pub(super) async fn versioned_read(
        &self,
        what: &str,
        path: &str,
    ) -> Result<(Value, Option<HeaderValue>), Error> {
        let answer = self.ask(what, path).await?;
        let version = answer.headers.get(header::ETAG).cloned();
        let resource: Value = answer.read(what)?;
        let of_body = || HeaderValue::from_str(resource["etag"].as_str()?).ok();
        let version = version.or_else(of_body);
        Ok((resource, version))
    }

    async fn ask(&self, what: &str, path: &str) -> Result<Answer, Error> {
        self.client.call(&Call::new(what, Method::GET, &self.path(path))).await
    }
}

/// Maps that belong to the user: what is not in a new one is meant to be gone.
const WHOLE: [&str; 5] =
    ["tags", "traffic", "mirrorTraffic", "environmentVariables", "userAssignedIdentities"];

/// Properties that the user says, or means to be gone.
const SAID: [&str; 8] = [
    "codeConfiguration",
    "dataCollector",
    "description",
    "egressPublicNetworkAccess",
    "environmentId",
    "model",
    "modelMountPath",
    "publicNetworkAccess",
];

/// A thing as it is with what we say of it: what somebody else has added to it survives.
pub(super) fn overlaid(mut current: Value, ours: Value) -> Value {
    if let Some(properties) = current["properties"].as_object_mut() {
        properties.retain(|key, _| !SAID.contains(&key.as_str()));
    }
    if let (Value::Object(current), Value::Object(ours)) = (&mut current, ours) {
        overlay(current, ours);
    }
    current
}

fn overlay(current: &mut Map<String, Value>, ours: Map<String, Value>) {
    for (key, value) in ours {
        let is_whole = WHOLE.contains(&key.as_str());
        match (current.get_mut(&key), value) {
            (Some(Value::Object(current)), Value::Object(ours)) if !is_whole => {
                overlay(current, ours);
            }
            (_, value) => {
                current.insert(key, value);
            }
        }
    }
}

/// What a thing says of itself, and nobody can set.
const ITS_OWN: [&str; 4] = ["AzureAsyncOperationUri", "etag", "provisioningState", "systemData"];

/// Whether all that was sent is there. Azure adds to it, and writes names in its own case.
fn covers(sent: &Value, found: &Value) -> bool {
    match (sent, found) {
        (Value::Object(sent), Value::Object(found)) => sent.iter().all(|(key, value)| {
            let is_nothing = value.is_null() || value.as_object().is_some_and(Map::is_empty);
            if ITS_OWN.contains(&key.as_str()) {
                return true;
            }
            match found.get(key) {
                Some(found) => covers(value, found),
                None => is_nothing,
            }
        }),
        (Value::String(sent), Value::String(found)) => sent.eq_ignore_ascii_case(found),
        (sent, found) => sent == found,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_added_survives_and_what_is_the_users_is_replaced() {
        let current = json!({
            "etag": "1", "tags": {"gone": "x"}, "identity": {"type": "SystemAssigned", "principalId": "p"},
            "properties": {"new": {"by": "Azure"}, "codeConfiguration": {}, "traffic": {"blue": 100}, "properties": {"azureml.id": "i"},
                "requestSettings": {"requestTimeout": "PT5S", "maxQueueWait": "PT1S"}},
        });
        let ours = json!({
            "tags": {"a": "b"}, "identity": {"type": "SystemAssigned"},
            "properties": {"traffic": {"green": 100}, "properties": {}, "requestSettings": {"requestTimeout": "PT9S"}},
        });
        let wanted = json!({
            "etag": "1", "tags": {"a": "b"}, "identity": {"type": "SystemAssigned", "principalId": "p"},
            "properties": {"new": {"by": "Azure"}, "traffic": {"green": 100}, "properties": {"azureml.id": "i"},
                "requestSettings": {"requestTimeout": "PT9S", "maxQueueWait": "PT1S"}},
        });
        assert_eq!(overlaid(current, ours), wanted);
    }

    #[test]
    fn what_was_sent_is_known_among_what_was_added() {
        let found = json!({"sku": {"name": "default", "capacity": 2}, "properties": {"a": 1, "state": "Updating"}});
        assert!(covers(&json!({"sku": {"name": "Default", "capacity": 2}, "tags": {}}), &found));
        assert!(covers(&json!({"properties": {"a": 1}}), &found));
        assert!(covers(&json!({"etag": "1", "properties": {"state": "Updating"}}), &found));
        assert!(!covers(&json!({"properties": {"a": 2}}), &found));
        assert!(!covers(&json!({"tags": {"a": "b"}}), &found));
    }
}
