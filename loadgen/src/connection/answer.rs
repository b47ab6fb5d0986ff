//! What an answer says: its status, and what is of use in its headers. Its body is read to the end,
//! and not kept but for the beginning of a wrong answer's, which tells why.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{HeaderMap, HeaderValue};
use plimsoll_domain::plain::excerpt;
use plimsoll_domain::{Hints, Outcome};

/// Where servers say how long the model took, in milliseconds: the Azure ML inference server, and
/// the Azure gateway. The first counts.
const MODEL_TIMES: [&str; 2] = ["x-ms-run-fn-exec-ms", "ms-azureml-model-time"];

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// What its status and headers make of it.
    pub(crate) outcome: Outcome,
    /// The time that the model took, if the server tells it.
    pub(crate) model_time: Option<Duration>,
    deployment: Option<HeaderValue>,
    session: Option<HeaderValue>,
    /// How the body of a wrong answer begins.
    beginning: Vec<u8>,
}

/// So much is kept of the body of a wrong answer, in bytes and then in characters that are shown.
const BEGINNING: usize = 4096;
const SHOWN: usize = 1024;

/// Waits for the whole answer. Its head is given back empty: there is room for another one in it.
pub(super) async fn whole(
    response: impl Future<Output = hyper::Result<Response<Incoming>>>,
) -> hyper::Result<(Answer, HeaderMap)> {
    let (mut head, mut body) = response.await?.into_parts();
    let mut answer = Answer::of(head.status.as_u16(), &head.headers);
    head.headers.clear();
    while !body.is_end_stream() {
        match body.frame().await {
            Some(frame) => answer.read(&frame?),
            None => break,
        }
    }
    Ok((answer, head.headers))
}

impl Answer {
    /// `azureml-model-deployment`: who answered.
    pub(crate) fn deployment(&self) -> Option<&[u8]> {
        self.deployment.as_ref().map(HeaderValue::as_bytes)
    }

    /// `azureml-model-session`: which copy of whom.
    pub(crate) fn session(&self) -> Option<&[u8]> {
        self.session.as_ref().map(HeaderValue::as_bytes)
    }

    /// The status and the beginning of the body of a wrong answer; of a right one nothing is kept.
    pub(crate) fn words(&self) -> String {
        let status = self.outcome.status.unwrap_or_default();
        let body = excerpt(&String::from_utf8_lossy(&self.beginning), SHOWN);
        let body = if body.is_empty() { "without a body".to_owned() } else { body };
        format!("{status}: {body}")
    }

    fn read(&mut self, frame: &Frame<Bytes>) {
        let room = BEGINNING - self.beginning.len();
        if let Some(data) = frame.data_ref().filter(|_| room > 0 && !self.outcome.is_ok()) {
            self.beginning.extend_from_slice(&data[..data.len().min(room)]);
        }
    }

    fn of(status: u16, headers: &HeaderMap) -> Self {
        let mut hints = Hints::default();
        let (mut deployment, mut session) = (None, None);
        let mut model_times = [None; 2];
        // One walk over the headers: four to eight as a rule, fewer than the questions asked of them.
        for (name, value) in headers {
            match name.as_str() {
                "retry-after" => hints.retry_after = true,
                "ms-azureml-model-error-reason" => {
                    hints.too_many_pending =
                        value.as_bytes().trim_ascii() == b"too_many_pending_request";
                }
                "ms-azureml-model-error-statuscode" => hints.model_status = number(value),
                "azureml-model-deployment" => deployment = Some(value.clone()),
                "azureml-model-session" => session = Some(value.clone()),
                name => {
                    if let Some(which) = MODEL_TIMES.iter().position(|other| *other == name) {
                        model_times[which] = millis(value);
                    }
                }
            }
        }
        let beginning = Vec::new();
        let model_time = model_times.into_iter().flatten().next();
        Self {
            outcome: Outcome::answered(status, hints),
            model_time,
            deployment,
            session,
            beginning,
        }
    }
}

fn number(value: &HeaderValue) -> Option<u16> {
    value.to_str().ok()?.trim().parse().ok()
}

fn millis(value: &HeaderValue) -> Option<Duration> {
    let millis: f64 = value.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(millis / 1e3).ok()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;
    use plimsoll_domain::Class;

    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &'static str)]) -> Answer {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        Answer::of(status, &headers.iter().map(header).collect())
    }

    #[test]
    fn only_a_clean_number_is_a_model_time() {
        let of = |name, value| answer(200, &[(name, value)]).model_time;
        let micros = |n| Some(Duration::from_micros(n));
        assert_eq!(of("x-ms-run-fn-exec-ms", "2.5"), micros(2500));
        assert_eq!(of("ms-azureml-model-time", " 7 "), micros(7000));
        for nonsense in ["", "fast", "-1", "NaN", "inf"] {
            assert_eq!(of("x-ms-run-fn-exec-ms", nonsense), None, "{nonsense}");
        }
        assert_eq!(of("x-other", "1"), None);
        let both = [("ms-azureml-model-time", "7"), ("x-ms-run-fn-exec-ms", "2.5")];
        assert_eq!(answer(200, &both).model_time, micros(2500), "the server itself knows best");
    }

    #[test]
    fn headers_tell_apart_what_shares_a_status() {
        let class = |status, headers: &[_]| answer(status, headers).outcome.class;
        let pending = [("ms-azureml-model-error-reason", "too_many_pending_request")];
        assert_eq!(class(429, &pending), Class::RefusedAdmission);
        assert_eq!(class(429, &[("retry-after", "1")]), Class::RefusedRate);
        assert_eq!(class(503, &[("retry-after", "1")]), Class::Throttled);
        assert_eq!(class(503, &[]), Class::ServerError);
        let inner = answer(424, &[("ms-azureml-model-error-statuscode", "507")]).outcome;
        assert_eq!((inner.class, inner.model_status), (Class::ModelError, Some(507)));
        assert_eq!(
            answer(424, &[("ms-azureml-model-error-statuscode", "x")]).outcome.model_status,
            None
        );
    }

    #[test]
    fn a_wrong_answer_says_why_and_a_right_one_is_not_kept() {
        let told = |status, parts: &[&'static [u8]]| {
            let mut answer = answer(status, &[]);
            for part in parts {
                answer.read(&Frame::data(Bytes::from_static(part)));
            }
            answer.words()
        };
        let words = told(500, &[b"{\"error\":\n", b"  \"\x1b[2Jno\xff model\"}"]);
        assert_eq!(words, "500: {\"error\": \" [2Jno\u{fffd} model\"}");
        assert_eq!(told(404, &[]), "404: without a body");
        assert_eq!(told(200, &[b"{}"]), "200: without a body");
        let long = told(500, &[&[b'x'; 10_000], b"y"]);
        assert_eq!(long.chars().count(), "500: …".chars().count() + SHOWN);
    }

    #[test]
    fn an_answer_says_who_gave_it() {
        let answer = answer(
            200,
            &[("azureml-model-deployment", "blue"), ("azureml-model-session", "blue-1")],
        );
        assert_eq!(answer.deployment(), Some(&b"blue"[..]));
        assert_eq!(answer.session(), Some(&b"blue-1"[..]));
    }
}
