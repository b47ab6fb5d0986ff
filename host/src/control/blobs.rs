//! The workspace's storage account: as much of Azure's Blob service as its clients use to bring files here and to get
//! them back.
//!
//! | Request | What |
//! |---|---|
//! | `HEAD`, `GET` of a blob | with `Range` or `x-ms-range`, up to 64 MiB at a time |
//! | `PUT` of a blob | streamed to disk; with `If-None-Match: *` only if it is not there |
//! | `PUT ?comp=block`, `?comp=blocklist` | a blob in pieces |
//! | `PUT ?comp=metadata` | what is said of it |
//! | `GET ?restype=container&comp=list` | with `prefix` |
//!
//! A caller shows the signature that the control plane gave out for the container (`sig`), or the host's own token.
//! Checksums of what is sent are not checked: it comes over this machine's own loopback.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{
    CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use plimsoll_domain::clock;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::{BODY_TIME, bears_token};
use crate::Host;
use crate::blobs::{Blob, Metadata, PREFIX, Part};
use crate::fault::Fault;
use crate::query::Query;

/// How long a signature is good for.
pub(super) const SAS_LIFE: Duration = Duration::from_hours(1);

/// The largest answer, and the largest list of blocks.
const ANSWER_LIMIT: u64 = 64 * 1024 * 1024;
const LIST_LIMIT: usize = 8 * 1024 * 1024;

const SAID: &str = "x-ms-meta-";
const XML: &str = r#"<?xml version="1.0" encoding="utf-8"?>"#;
const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");

type Answer = Result<Response<Full<Bytes>>, Fault>;

/// What a signature for a container is for.
pub(super) fn audience(container: &str) -> String {
    format!("container {container}")
}

/// Whether a path is one of a container.
pub(super) fn is_blob(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(|path| path.starts_with(PREFIX))
}

pub(super) async fn answer(host: &Host, head: &Parts, body: Incoming) -> Response<Full<Bytes>> {
    let query = Query::read(head.uri.query());
    let answer = match admit(host, head, &query) {
        Ok(blob) => dispatch(&blob, head, &query, body).await,
        Err(fault) => Err(fault),
    };
    answer.unwrap_or_else(|fault| refusal(&fault, head.method == Method::HEAD))
}

fn admit(host: &Host, head: &Parts, query: &Query) -> Result<Blob, Fault> {
    let blob = host.blobs.find(head.uri.path());
    let signed = |blob: &Blob| {
        let token = query.get("sig").unwrap_or_default().as_bytes();
        host.issuer.accepts(token, &audience(blob.container()), clock::wall())
    };
    if !(blob.as_ref().is_some_and(signed) || bears_token(host, head)) {
        let message = "the signature (`sig`) is missing, wrong or over";
        return Err(Fault::new(StatusCode::FORBIDDEN, "AuthenticationFailed", message));
    }
    blob.ok_or_else(|| {
        Fault::new(StatusCode::NOT_FOUND, "ContainerNotFound", "there is no such container")
    })
}

async fn dispatch(blob: &Blob, head: &Parts, query: &Query, body: Incoming) -> Answer {
    match (head.method.as_str(), query.get("comp")) {
        ("GET", Some("list")) if blob.is_container() => list(blob, query).await,
        _ if blob.is_container() => Err(not_here(&head.method)),
        ("HEAD", None) => show(blob).await,
        ("GET", None) => get(blob, &head.headers).await,
        ("PUT", None) => put(blob, &head.headers, body).await,
        ("PUT", Some("block")) => {
            let id = query.get("blockid").unwrap_or_default();
            let part = receive(blob, body).await?;
            blob.keep_block(id, part).await.map_err(|error| lost(&error))?;
            Ok(status(StatusCode::CREATED))
        }
        ("PUT", Some("blocklist")) => put_blocks(blob, &head.headers, body).await,
        ("PUT", Some("metadata")) => {
            blob.size().await.ok_or_else(missing)?;
            blob.set_metadata(&said(&head.headers)).await.map_err(|error| lost(&error))?;
            Ok(status(StatusCode::OK))
        }
        _ => Err(not_here(&head.method)),
    }
}

async fn show(blob: &Blob) -> Answer {
    let size = blob.size().await.ok_or_else(missing)?;
    let mut response = status(StatusCode::OK);
    tell(blob, response.headers_mut()).await;
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size));
    Ok(response)
}

async fn get(blob: &Blob, headers: &HeaderMap) -> Answer {
    let size = blob.size().await.ok_or_else(missing)?;
    let asked = headers.get("x-ms-range").or_else(|| headers.get("range"));
    let asked = asked.and_then(|value| value.to_str().ok());
    let range = match asked {
        Some(text) => range(text, size).ok_or_else(|| {
            let message = format!("`{text}` is no range of a blob of {size} bytes");
            Fault::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", message)
        })?,
        None => 0..size,
    };
    if range.end - range.start > ANSWER_LIMIT {
        let message = "ask for at most 64 MiB at a time, by x-ms-range";
        return Err(Fault::bad_argument(message));
    }
    let bytes = read(blob, &range).await.map_err(|error| lost(&error))?;
    let mut response = Response::new(Full::new(bytes.into()));
    tell(blob, response.headers_mut()).await;
    if asked.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let text = format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
        let value = HeaderValue::try_from(text).expect("numbers are plain ASCII");
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
    Ok(response)
}

async fn read(blob: &Blob, range: &Range<u64>) -> io::Result<Vec<u8>> {
    let mut file = File::open(blob.file()).await?;
    file.seek(io::SeekFrom::Start(range.start)).await?;
    let mut bytes = Vec::new();
    file.take(range.end - range.start).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// `bytes=FIRST-LAST`, or without the last.
fn range(text: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let first: u64 = first.parse().ok()?;
    let end = if last.is_empty() { size } else { last.parse::<u64>().ok()?.checked_add(1)? };
    let end = end.min(size);
    (first < end).then_some(first..end)
}

async fn put(blob: &Blob, headers: &HeaderMap, body: Incoming) -> Answer {
    check_new(blob, headers).await?;
    let part = receive(blob, body).await?;
    blob.keep(part).await.map_err(|error| lost(&error))?;
    begin_metadata(blob, headers).await
}

async fn put_blocks(blob: &Blob, headers: &HeaderMap, body: Incoming) -> Answer {
    check_new(blob, headers).await?;
    let list = tokio::time::timeout(BODY_TIME, Limited::new(body, LIST_LIMIT).collect()).await;
    let broken = || Fault::bad_argument("the list of blocks is too long, too slow or broke off");
    let list = list.map_err(|_| broken())?.map_err(|_| broken())?.to_bytes();
    let ids = block_ids(&String::from_utf8_lossy(&list));
    blob.join_blocks(&ids).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            let message = "the list names a block that was not sent";
            Fault::new(StatusCode::BAD_REQUEST, "InvalidBlockList", message)
        }
        _ => lost(&error),
    })?;
    begin_metadata(blob, headers).await
}

/// A new blob has what was sent with it, and nothing of one before it.
async fn begin_metadata(blob: &Blob, headers: &HeaderMap) -> Answer {
    blob.set_metadata(&said(headers)).await.map_err(|error| lost(&error))?;
    Ok(status(StatusCode::CREATED))
}

async fn check_new(blob: &Blob, headers: &HeaderMap) -> Result<(), Fault> {
    let only_new = headers.get("if-none-match").is_some_and(|value| value == "*");
    if only_new && blob.size().await.is_some() {
        let message = "the blob is there already";
        return Err(Fault::new(StatusCode::CONFLICT, "BlobAlreadyExists", message));
    }
    Ok(())
}

/// Writes a body to disk as it comes.
async fn receive(blob: &Blob, mut body: Incoming) -> Result<Part, Fault> {
    let mut part = blob.part().await.map_err(|error| lost(&error))?;
    loop {
        let frame = tokio::time::timeout(BODY_TIME, body.frame()).await;
        let frame = frame.map_err(|_| Fault::bad_argument("the body is too slow"))?;
        match frame.transpose().map_err(|_| Fault::bad_argument("the body broke off"))? {
            None => return Ok(part),
            Some(frame) => {
                let bytes = frame.into_data().unwrap_or_default();
                part.write(&bytes).await.map_err(|error| lost(&error))?;
            }
        }
    }
}

/// The ids in a list of blocks. They are base64, so that nothing in them is markup.
fn block_ids(list: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for kind in list.split('<') {
        let id =
            ["Latest>", "Uncommitted>", "Committed>"].iter().find_map(|tag| kind.strip_prefix(tag));
        ids.extend(id.map(|id| id.trim().to_owned()));
    }
    ids
}

async fn list(container: &Blob, query: &Query) -> Answer {
    let prefix = query.get("prefix").unwrap_or_default();
    let mut parts = vec![format!("{XML}<EnumerationResults><Blobs>")];
    for blob in container.list(prefix).await.map_err(|error| lost(&error))? {
        let (name, size) = (escaped(blob.path()), blob.size().await.unwrap_or(0));
        parts.push(format!(
            "<Blob><Name>{name}</Name><Properties><Content-Length>{size}</Content-Length>\
             <BlobType>BlockBlob</BlobType></Properties><Metadata>"
        ));
        let said = blob.metadata().await;
        parts.extend(
            said.iter().map(|(name, value)| format!("<{name}>{}</{name}>", escaped(value))),
        );
        parts.push("</Metadata></Blob>".to_owned());
    }
    parts.push("</Blobs><NextMarker /></EnumerationResults>".to_owned());
    Ok(xml(StatusCode::OK, parts.concat()))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

async fn tell(blob: &Blob, headers: &mut HeaderMap) {
    for (name, value) in blob.metadata().await {
        let name = HeaderName::try_from(format!("{SAID}{name}"));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    headers.insert("x-ms-blob-type", HeaderValue::from_static("BlockBlob"));
}

/// What a request says of a blob.
fn said(headers: &HeaderMap) -> Metadata {
    let pair = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.as_str().strip_prefix(SAID)?.to_owned(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter_map(pair).collect()
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn xml(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

fn refusal(fault: &Fault, without_body: bool) -> Response<Full<Bytes>> {
    let (code, message) = (fault.code, escaped(&fault.message));
    let text = format!("{XML}<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let mut response = xml(fault.status, if without_body { String::new() } else { text });
    response.headers_mut().insert(ERROR_CODE, HeaderValue::from_static(code));
    response
}

fn missing() -> Fault {
    Fault::new(StatusCode::NOT_FOUND, "BlobNotFound", "there is no such blob")
}

fn not_here(method: &Method) -> Fault {
    let message = format!("the local host's storage does not support this {method}");
    Fault::new(StatusCode::BAD_REQUEST, "UnsupportedOperation", message)
}

fn lost(error: &io::Error) -> Fault {
    let message = format!("the host's own disk: {error}");
    Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_within_the_blob() {
        assert_eq!(range("bytes=0-33554431", 10), Some(0..10));
        assert_eq!(range("bytes=3-4", 10), Some(3..5));
        assert_eq!(range("bytes=3-", 10), Some(3..10));
        for wrong in ["bytes=10-", "bytes=5-4", "bytes=-3", "3-4", "bytes=a-b", ""] {
            assert_eq!(range(wrong, 10), None, "{wrong}");
        }
    }

    #[test]
    fn blocks_are_taken_in_their_order() {
        let list = "<?xml version='1.0'?>\n<BlockList><Latest>Yg==</Latest><Uncommitted>YQ==\
                    </Uncommitted><Committed>Yw==</Committed></BlockList>";
        assert_eq!(block_ids(list), ["Yg==", "YQ==", "Yw=="]);
        assert!(block_ids("").is_empty());
    }
}
