//! Long-running operations: asked about until they are done.
//!
//! After a PUT the answer names the operation's status (`Azure-AsyncOperation`), after other
//! requests the address of its result (`Location`). Both are asked again after the time that the answer names: soon
//! for the local host, because asking it is cheap. An operation that nobody knows any more, or whose address was lost
//! with the answer, is followed by the state of the thing itself.

use std::time::Duration;

use hyper::header::{HeaderMap, HeaderName};
use hyper::{Method, StatusCode};
use serde_json::Value;

use super::client::{Answer, Call, Client};
use super::error::Error;
use super::remedy;
use super::wire::{OperationStatus, ProvisioningState};
use crate::iso8601;

const ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");
const LOCATION: HeaderName = hyper::header::LOCATION;
const TIMEOUT: HeaderName = HeaderName::from_static("x-ms-async-operation-timeout");

/// Between two questions when the answer says "at once", and when it says nothing.
const SHORTEST: Duration = Duration::from_millis(25);
const DEFAULT: Duration = Duration::from_secs(5);

/// Told what goes on, line by line, while something slow is done.
pub type Progress<'a> = &'a mut (dyn FnMut(String) + Send);

/// What an operation is about.
pub(super) struct Subject<'a> {
    /// Names it in errors.
    pub(super) what: &'a str,
    /// Where it is, with the query.
    pub(super) path: &'a str,
    /// Whether it is to be gone.
    pub(super) is_removed: bool,
}

/// How an operation was begun.
#[derive(Debug)]
pub(super) enum Begun {
    /// This was answered.
    Answered(Answer),
    /// The answer was lost, and the operation was begun.
    Unanswered,
}

/// Waits until the operation is done. An answer that names none is done.
pub(super) async fn wait(
    client: &Client,
    subject: &Subject<'_>,
    begun: &Begun,
    progress: Progress<'_>,
) -> Result<(), Error> {
    let said = match begun {
        Begun::Answered(answer) => longest(&answer.headers),
        Begun::Unanswered => None,
    };
    let limit = said.unwrap_or(client.limits.operation);
    let done = tokio::time::timeout(limit, follow(client, subject, begun, progress)).await;
    done.unwrap_or_else(|_| {
        let what = subject.what.to_owned();
        Err(Error::Overdue { what, limit, trace: trace(client, begun, remedy::OVERDUE) })
    })
}

async fn follow(
    client: &Client,
    subject: &Subject<'_>,
    begun: &Begun,
    progress: Progress<'_>,
) -> Result<(), Error> {
    let Begun::Answered(answer) = begun else { return by_state(client, subject, begun).await };
    let named = |name: &HeaderName| answer.headers.get(name)?.to_str().ok();
    let (url, by_status) = match (named(&ASYNC_OPERATION), named(&LOCATION)) {
        (Some(url), _) => (url, true),
        (None, Some(url)) => (url, false),
        (None, None) if answer.status == StatusCode::ACCEPTED => ("", false),
        (None, None) => return Ok(()),
    };
    let what = subject.what;
    let elsewhere = || Error::OperationAddress { what: what.to_owned(), url: url.to_owned() };
    let path = client.path_of(url).ok_or_else(elsewhere)?;
    let mut pause = answer.retry_after();
    let mut seen = 0;
    loop {
        tokio::time::sleep(pause.unwrap_or(DEFAULT).max(SHORTEST)).await;
        let answer = match client.call(&Call::new(what, Method::GET, path)).await {
            Err(error) if error.is_not_found() => return by_state(client, subject, begun).await,
            answer => answer?,
        };
        pause = answer.retry_after();
        if !by_status {
            if answer.status == StatusCode::ACCEPTED {
                continue;
            }
            return Ok(());
        }
        let status: OperationStatus = answer.read(what)?;
        seen = report(&status, seen, progress);
        let is = |word: &str| status.status.eq_ignore_ascii_case(word);
        if is("Succeeded") {
            return Ok(());
        }
        if is("Failed") || is("Canceled") {
            let error = status.error.unwrap_or_default();
            let (code, message) = (error.code.clone(), error.sentences());
            let code = if code.is_empty() { status.status.clone() } else { code };
            return Err(failed(client, subject, begun, code, message));
        }
    }
}

/// Asks the thing itself until no operation of it runs.
async fn by_state(client: &Client, subject: &Subject<'_>, begun: &Begun) -> Result<(), Error> {
    let what = subject.what;
    loop {
        let answer = match client.call(&Call::new(what, Method::GET, subject.path)).await {
            Err(error) if error.is_not_found() && subject.is_removed => return Ok(()),
            answer => answer?,
        };
        match state(&answer, what)? {
            Some(state) if !state.is_final() => {}
            Some(ProvisioningState::Succeeded) | None if !subject.is_removed => return Ok(()),
            state => {
                let state = state.map_or_else(|| "there".to_owned(), |state| format!("{state:?}"));
                let message = format!("its operation is no longer known, and it is {state}");
                let code = "OperationVanished".to_owned();
                return Err(failed(client, subject, begun, code, message));
            }
        }
        tokio::time::sleep(answer.retry_after().unwrap_or(DEFAULT).max(SHORTEST)).await;
    }
}

/// What the last operation made of a thing; nothing for what has no operations.
pub(super) fn state(answer: &Answer, what: &str) -> Result<Option<ProvisioningState>, Error> {
    let resource: Value = answer.read(what)?;
    Ok(serde_json::from_value(resource["properties"]["provisioningState"].clone()).ok())
}

fn failed(
    client: &Client,
    subject: &Subject<'_>,
    begun: &Begun,
    code: String,
    message: String,
) -> Error {
    let trace = trace(client, begun, remedy::of(&code, None));
    Error::Failed { what: subject.what.to_owned(), code, message, trace }
}

/// An operation is known to the service by the request that began it.
fn trace(client: &Client, begun: &Begun, remedy: &'static str) -> super::Trace {
    let request = match begun {
        Begun::Answered(answer) => answer.request_id(),
        Begun::Unanswered => None,
    };
    client.trace(request.unwrap_or_else(|| "unknown: its answer was lost".to_owned()), remedy)
}

/// How long the service says that the operation takes at most.
fn longest(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT)?.to_str().ok()?;
    iso8601::parse(text).ok()
}

/// Passes on the lines that were not seen before; returns how many there were in all.
fn report(status: &OperationStatus, seen: usize, progress: Progress<'_>) -> usize {
    let lines = &status.properties.lines;
    let from = status.properties.from;
    for line in lines.iter().skip(seen.saturating_sub(from)) {
        progress(line.clone());
    }
    seen.max(from + lines.len())
}
