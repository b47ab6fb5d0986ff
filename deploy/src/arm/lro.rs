//! Long-running operations: asked about until they are done.
//!
//! After a PUT the answer names the operation's status (`Azure-AsyncOperation`), after other
//! requests the address of its result (`Location`). Both are asked again after the time that the answer names: soon
//! for the local host, because asking it is cheap.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::HeaderName;
use hyper::{Method, StatusCode};

use super::client::{Answer, Client};
use super::error::Error;
use super::wire::OperationStatus;

const ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");
const LOCATION: HeaderName = hyper::header::LOCATION;

/// Between two questions when the answer says "at once", and when it says nothing.
const SHORTEST: Duration = Duration::from_millis(25);
const DEFAULT: Duration = Duration::from_secs(5);

/// Told what goes on, line by line, while something slow is done.
pub type Progress<'a> = &'a mut (dyn FnMut(String) + Send);

/// Waits until the operation that `begun` names is done. An answer that names none is done.
pub(super) async fn wait(
    client: &Client,
    what: &str,
    begun: &Answer,
    progress: Progress<'_>,
) -> Result<(), Error> {
    let named = |name: &HeaderName| begun.headers.get(name)?.to_str().ok();
    let (url, by_status) = match (named(&ASYNC_OPERATION), named(&LOCATION)) {
        (Some(url), _) => (url, true),
        (None, Some(url)) => (url, false),
        (None, None) if begun.status == StatusCode::ACCEPTED => ("", false),
        (None, None) => return Ok(()),
    };
    let elsewhere = || Error::OperationAddress { what: what.to_owned(), url: url.to_owned() };
    let path = client.path_of(url).ok_or_else(elsewhere)?;
    let mut pause = begun.retry_after();
    let mut seen = 0;
    loop {
        tokio::time::sleep(pause.unwrap_or(DEFAULT).max(SHORTEST)).await;
        let answer = client.call(what, Method::GET, path, Bytes::new()).await?;
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
            return Err(Error::Failed { what: what.to_owned(), code, message });
        }
    }
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
