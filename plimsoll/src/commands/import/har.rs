//! HTTP archives (HAR 1.2, <http://www.softwareishard.com/blog/har-12-spec/>): what a browser or a proxy recorded.

use serde::Deserialize;

use super::traffic::Sent;

#[derive(Deserialize)]
struct Archive {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    request: Request,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<Header>,
    post_data: Option<PostData>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostData {
    mime_type: Option<String>,
    text: Option<String>,
}

/// Whether it is an archive.
pub(super) fn is_one(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let has_log = |value: serde_json::Value| value.get("log").is_some();
    text.starts_with('{') && serde_json::from_str(text).is_ok_and(has_log)
}

/// Reads all requests.
///
/// # Errors
/// The line and column, and what is wrong.
pub(super) fn read(text: &str) -> Result<Vec<Sent>, String> {
    let archive: Archive = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| error.to_string())?;
    let sent = archive.log.entries.into_iter().map(|Entry { request }| {
        let mut sent = Sent { method: request.method, url: request.url, ..Sent::default() };
        request.headers.iter().for_each(|header| sent.add_header(&header.name, &header.value));
        if let Some(PostData { mime_type, text }) = request.post_data {
            // Of a form that was recorded by its fields alone there is no body to send.
            sent.body = text.map(String::into_bytes);
            if let Some(kind) =
                mime_type.filter(|kind| !kind.is_empty() && !sent.has_header("content-type"))
            {
                sent.add_header("content-type", &kind);
            }
        }
        sent
    });
    Ok(sent.collect())
}
