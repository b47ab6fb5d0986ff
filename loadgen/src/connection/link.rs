//! An open connection and one exchange on it. The connection's own work (reading, writing,
//! parsing) is polled in the task that waits for the answer, so an answer costs one wake-up.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HeaderName;
use hyper::{HeaderMap, Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use plimsoll_domain::{Moment, Outcome, clock};
use tokio::time::Sleep;

use super::failure::Failure;
use super::wire::{Stamp, Wire};
use crate::worker::pool::{Due, Pool};

/// Where servers say how long the model took, in milliseconds: the Azure ML inference server, and
/// the Azure gateway.
const MODEL_TIMES: [HeaderName; 2] = [
    HeaderName::from_static("x-ms-run-fn-exec-ms"),
    HeaderName::from_static("ms-azureml-model-time"),
];

/// An open HTTP/1.1 connection.
pub(super) struct Link {
    sender: SendRequest<Full<Bytes>>,
    connection: Pin<Box<http1::Connection<TokioIo<Wire>, Full<Bytes>>>>,
    over: bool,
    stamp: Stamp,
    /// Wakes at the request's deadline or earlier. It is left running from request to request and
    /// set anew only when it fires, because setting a timer for each would cost more.
    alarm: Pin<Box<Sleep>>,
}

/// How an exchange ended.
pub(super) enum End {
    /// With a whole answer.
    Answered {
        status: u16,
        model_time: Option<Duration>,
    },
    Timeout,
    Failed(Failure),
    Aborted,
}

/// An exchange that ended: when it was sent, if any of it was, and how it ended.
pub(super) struct Exchanged {
    pub(super) sent: Option<Moment>,
    pub(super) end: End,
}

impl Link {
    pub(super) async fn new(wire: Wire, stamp: Stamp, timeout: Duration) -> hyper::Result<Self> {
        let handshake = http1::Builder::new().writev(false).handshake(TokioIo::new(wire));
        let (sender, connection) = handshake.await?;
        let alarm = Box::pin(tokio::time::sleep(timeout));
        Ok(Self { sender, connection: Box::pin(connection), over: false, stamp, alarm })
    }

    /// Does the connection's work; whether it is over.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.over = self.over || self.connection.as_mut().poll(cx).is_ready();
        self.over
    }

    /// Waits until another request can be sent; `false` if never again. A server that closes after
    /// its answer is no failure.
    pub(super) async fn is_ready(&mut self, pool: &Pool) -> bool {
        poll_fn(|cx| {
            if pool.is_aborting() || self.poll_over(cx) {
                return Poll::Ready(false);
            }
            self.sender.poll_ready(cx).map(|ready| ready.is_ok())
        })
        .await
    }

    /// Sends the arrival's request and waits for the end of its answer.
    pub(super) async fn exchange(&mut self, pool: &Pool, due: &Due, taken: Moment) -> Exchanged {
        self.stamp.clear();
        let shared = &pool.shared;
        let body = Full::new(shared.request.body(due.number));
        let request = Request::from_parts(shared.head.clone(), body);
        let mut answer = pin!(answer(self.sender.send_request(request)));
        let deadline = taken + shared.timeout;
        let mut counted = false;
        let end = poll_fn(|cx| {
            if pool.is_aborting() {
                return Poll::Ready(End::Aborted);
            }
            self.over = self.over || self.connection.as_mut().poll(cx).is_ready();
            if !counted && self.stamp.get().is_some() {
                counted = true;
                pool.sent(due);
            }
            match answer.as_mut().poll(cx) {
                Poll::Ready(Ok(answered)) => return Poll::Ready(answered),
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(End::Failed(Failure::exchange(&error)));
                }
                Poll::Pending => {}
            }
            ready!(poll_deadline(&mut self.alarm, deadline, cx));
            Poll::Ready(End::Timeout)
        })
        .await;
        Exchanged { sent: self.stamp.get(), end }
    }
}

fn poll_deadline(alarm: &mut Pin<Box<Sleep>>, deadline: Moment, cx: &mut Context<'_>) -> Poll<()> {
    loop {
        ready!(alarm.as_mut().poll(cx));
        let left = deadline.since(clock::now());
        if left.is_zero() {
            return Poll::Ready(());
        }
        alarm.set(tokio::time::sleep(left));
    }
}

/// Waits for the whole answer. Its body is read to the end and not kept.
async fn answer(
    response: impl Future<Output = hyper::Result<Response<Incoming>>>,
) -> hyper::Result<End> {
    let response = response.await?;
    let (status, model_time) = (response.status().as_u16(), model_time(response.headers()));
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok(End::Answered { status, model_time })
}

fn model_time(headers: &HeaderMap) -> Option<Duration> {
    MODEL_TIMES.iter().find_map(|name| {
        let millis: f64 = headers.get(name)?.to_str().ok()?.trim().parse().ok()?;
        Duration::try_from_secs_f64(millis / 1e3).ok()
    })
}

impl End {
    /// The outcome, where the end alone decides it.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Answered { status, .. } => Outcome::Answered(*status),
            Self::Timeout => Outcome::Timeout,
            Self::Failed(failure) => Outcome::Transport(failure.kind),
            Self::Aborted => Outcome::Aborted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn only_a_clean_number_is_a_model_time() {
        let of = |name: &'static str, value: &'static str| {
            let name = HeaderName::from_static(name);
            model_time(&HeaderMap::from_iter([(name, HeaderValue::from_static(value))]))
        };
        let micros = |n| Some(Duration::from_micros(n));
        assert_eq!(of("x-ms-run-fn-exec-ms", "2.5"), micros(2500));
        assert_eq!(of("ms-azureml-model-time", " 7 "), micros(7000));
        for nonsense in ["", "fast", "-1", "NaN", "inf"] {
            assert_eq!(of("x-ms-run-fn-exec-ms", nonsense), None, "{nonsense}");
        }
        assert_eq!(of("x-other", "1"), None);
    }
}
