//! Bodies within the endpoint's bandwidth: what is beyond waits, and is not refused.
//!
//! A body of known size waits once, before its first byte; one of unknown size before each piece. An answer that was
//! delayed, or whose request was, ends with trailers that say for how long, in milliseconds, as on Azure; a caller gets
//! them if it takes trailers (`TE: trailers`).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame};
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRAILER};
use hyper::{Request, Response};
use plimsoll_domain::units::millis;
use tokio::time::Sleep;

use super::answer::Body;
use crate::gate::Gate;

const REQUEST_DELAY: HeaderName = HeaderName::from_static("ms-azureml-bandwidth-request-delay-ms");
const RESPONSE_DELAY: HeaderName =
    HeaderName::from_static("ms-azureml-bandwidth-response-delay-ms");
const BOTH: HeaderValue = HeaderValue::from_static(
    "ms-azureml-bandwidth-request-delay-ms, ms-azureml-bandwidth-response-delay-ms",
);

/// A body that waits.
#[derive(Debug)]
pub(crate) struct Paced {
    inner: Body,
    /// By which each piece waits, if the whole did not.
    gate: Option<Arc<Gate>>,
    waiting: Option<Pin<Box<Sleep>>>,
    next: Option<Frame<Bytes>>,
    request_delay: Duration,
    response_delay: Duration,
    over: bool,
}

/// Waits until a request's body is within the bandwidth, and says how long that was. One of unknown size is charged
/// as it comes, see [`crate::connection::Sent`].
pub(super) async fn request<B: HttpBody>(gate: &Gate, request: &Request<B>) -> Duration {
    let Some(size) = request.body().size_hint().exact() else { return Duration::ZERO };
    let delay = gate.delay(size);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    delay
}

/// An answer whose body waits, if it has to.
pub(super) fn answer(
    gate: &Arc<Gate>,
    answer: Response<Body>,
    request_delay: Duration,
) -> Response<Body> {
    let size = answer.body().size_hint().exact();
    let response_delay = size.map_or(Duration::ZERO, |size| gate.delay(size));
    let piecewise = size.is_none() && gate.limits_bytes();
    if request_delay.is_zero() && response_delay.is_zero() && !piecewise {
        return answer;
    }
    let (mut head, inner) = answer.into_parts();
    // Trailers come after a body whose length is not told.
    head.headers.remove(CONTENT_LENGTH);
    head.headers.insert(TRAILER, BOTH);
    let waiting = (!response_delay.is_zero()).then(|| Box::pin(tokio::time::sleep(response_delay)));
    let gate = piecewise.then(|| Arc::clone(gate));
    let (next, over) = (None, false);
    let paced = Paced { inner, gate, waiting, next, request_delay, response_delay, over };
    Response::from_parts(head, Body::Paced(Box::new(paced)))
}

impl Paced {
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(waiting) = &mut self.waiting {
            ready!(waiting.as_mut().poll(context));
            self.waiting = None;
        }
        if let Some(next) = self.next.take() {
            return Poll::Ready(Some(Ok(next)));
        }
        if self.over {
            return Poll::Ready(None);
        }
        let Some(frame) = ready!(Pin::new(&mut self.inner).poll_frame(context)) else {
            self.over = true;
            return Poll::Ready(self.trailers().map(|trailers| Ok(Frame::trailers(trailers))));
        };
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => return Poll::Ready(Some(Err(error))),
        };
        let size = frame.data_ref().map_or(0, Bytes::len) as u64;
        let delay = self.gate.as_ref().map_or(Duration::ZERO, |gate| gate.delay(size));
        if delay.is_zero() {
            return Poll::Ready(Some(Ok(frame)));
        }
        self.response_delay += delay;
        self.next = Some(frame);
        self.waiting = Some(Box::pin(tokio::time::sleep(delay)));
        self.poll(context)
    }

    fn trailers(&self) -> Option<HeaderMap> {
        if self.request_delay.is_zero() && self.response_delay.is_zero() {
            return None;
        }
        let delays = [(REQUEST_DELAY, self.request_delay), (RESPONSE_DELAY, self.response_delay)];
        let value = |delay| HeaderValue::from(millis(delay).round() as u64);
        Some(delays.map(|(name, delay)| (name, value(delay))).into_iter().collect())
    }
}
