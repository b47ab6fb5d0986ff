//! Headers that the gateway reads, removes and adds.

use std::time::Duration;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::response::Parts;
use hyper::{Response, StatusCode, header};
use uuid::Uuid;

use crate::metrics::Answer;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CLIENT_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");
const REASON: HeaderName = HeaderName::from_static("ms-azureml-model-error-reason");
const STATUS: HeaderName = HeaderName::from_static("ms-azureml-model-error-statuscode");
pub(super) const SESSION: HeaderName = HeaderName::from_static("azureml-model-session");
const MODEL_TIME: HeaderName = HeaderName::from_static("ms-azureml-model-time");

/// Headers of one connection, which mean nothing on the next (RFC 9110, section 7.6.1).
static HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
];

/// What a request is called.
pub(super) struct Ids {
    request: HeaderValue,
    client: Option<HeaderValue>,
}

impl Ids {
    /// The request's own id is always the gateway's, `own`; the client's is kept, cut to what Azure takes.
    pub(super) fn read(headers: &HeaderMap, own: Uuid) -> Self {
        let mut text = Uuid::encode_buffer();
        let request = HeaderValue::from_str(own.hyphenated().encode_lower(&mut text))
            .expect("an id has digits, letters and hyphens only");
        Self { request, client: headers.get(CLIENT_ID).and_then(client_id) }
    }

    /// Names the request in a set of headers.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(REQUEST_ID, self.request.clone());
        if let Some(client) = &self.client {
            headers.insert(CLIENT_ID, client.clone());
        }
    }
}

/// Letters, digits, `-` and `_`, at most 40; anything else is dropped.
fn client_id(value: &HeaderValue) -> Option<HeaderValue> {
    let allowed = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    let kept: Vec<u8> = value.as_bytes().iter().copied().filter(allowed).take(40).collect();
    if kept.is_empty() { None } else { HeaderValue::from_bytes(&kept).ok() }
}

/// The caller's key and connection stay here; the ids go on to the instance.
pub(super) fn prepare_request(headers: &mut HeaderMap, ids: &Ids) {
    remove_hop_by_hop(headers);
    headers.remove(header::AUTHORIZATION);
    headers.remove(CLIENT_ID);
    ids.write(headers);
}

/// Any status of the model other than 200 becomes 424, and the headers say what it was.
pub(super) fn prepare_answer(head: &mut Parts) {
    remove_hop_by_hop(&mut head.headers);
    if head.status != StatusCode::OK {
        write_status(&mut head.headers, head.status);
        write_reason(&mut head.headers, "model_error");
        head.status = StatusCode::FAILED_DEPENDENCY;
    }
}

/// Mostly there are none: to compare the few names that are there is cheaper than to look seven up.
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    while let Some(name) = headers.keys().find(|name| HOP_BY_HOP.contains(name)).cloned() {
        headers.remove(name);
    }
}

/// What the model answered.
pub(super) fn write_status(headers: &mut HeaderMap, status: StatusCode) {
    headers.insert(STATUS, HeaderValue::from(status.as_u16()));
}

/// Why the model's answer is missing or wrong.
pub(super) fn write_reason(headers: &mut HeaderMap, reason: &'static str) {
    headers.insert(REASON, HeaderValue::from_static(reason));
}

/// Who answered what, as the headers of an answer tell it. What no deployment was asked for is nobody's.
pub(super) fn told<B>(response: &Response<B>) -> Answer<'_> {
    let headers = response.headers();
    let deployment = headers.get(SESSION).and_then(|name| name.to_str().ok());
    let failed = headers.get(STATUS).and_then(|status| status.to_str().ok()?.parse().ok());
    let right = (response.status() == StatusCode::OK).then_some(StatusCode::OK.as_u16());
    Answer {
        deployment: deployment.unwrap_or("Unknown"),
        status: response.status().as_u16(),
        model_status: failed.or(right),
    }
}

/// How long the instance took, in milliseconds with three decimals.
pub(super) fn write_model_time(headers: &mut HeaderMap, took: Duration) {
    // Digits of whole numbers: those of a float take longer to find than all else in this module.
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let text = format!("{}.{:03}", micros / 1000, micros % 1000);
    headers.insert(MODEL_TIME, HeaderValue::try_from(text).expect("a number is a header value"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_is_cut_to_what_is_allowed() {
        let cut = |text: &str| client_id(&HeaderValue::from_str(text).unwrap());
        assert_eq!(cut("a b/c-1_2").unwrap(), "abc-1_2");
        assert_eq!(cut(&"x".repeat(50)).unwrap().len(), 40);
        assert!(cut("//").is_none());
    }

    #[test]
    fn an_answer_is_counted_for_who_gave_it_and_as_what_it_was() {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        let nobody = Answer { deployment: "Unknown", status: 401, model_status: None };
        assert_eq!(told(&response), nobody);
        response.headers_mut().insert(SESSION, HeaderValue::from_static("blue"));
        *response.status_mut() = StatusCode::OK;
        let right = Answer { deployment: "blue", status: 200, model_status: Some(200) };
        assert_eq!(told(&response), right);
        *response.status_mut() = StatusCode::FAILED_DEPENDENCY;
        write_status(response.headers_mut(), StatusCode::IM_A_TEAPOT);
        assert_eq!(told(&response).model_status, Some(418));
    }

    #[test]
    fn the_time_of_the_model_has_three_decimals() {
        let written = |micros| {
            let mut headers = HeaderMap::new();
            write_model_time(&mut headers, Duration::from_micros(micros));
            headers[MODEL_TIME].clone()
        };
        assert_eq!(
            (written(7), written(12_034)),
            ("0.007".parse().unwrap(), "12.034".parse().unwrap())
        );
    }

    #[test]
    fn what_is_of_one_connection_stays_on_it() {
        let mut headers = HeaderMap::new();
        headers.append(header::CONNECTION, HeaderValue::from_static("close"));
        headers.append(header::CONNECTION, HeaderValue::from_static("x"));
        for name in &HOP_BY_HOP {
            headers.append(name, HeaderValue::from_static("x"));
        }
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        remove_hop_by_hop(&mut headers);
        assert_eq!(headers.keys().collect::<Vec<_>>(), [header::ACCEPT]);
    }

    #[test]
    fn the_key_does_not_reach_the_model() {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer k"));
        headers.insert(REQUEST_ID, HeaderValue::from_static("mine"));
        headers.insert(CLIENT_ID, HeaderValue::from_static("c!"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let ids = Ids::read(&headers, Uuid::nil());
        prepare_request(&mut headers, &ids);
        assert!(headers.get(header::AUTHORIZATION).is_none());
        assert_eq!(headers[REQUEST_ID], Uuid::nil().to_string());
        assert_eq!(headers[CLIENT_ID], "c");
        assert_eq!(headers[header::CONTENT_TYPE], "application/json");
    }
}
