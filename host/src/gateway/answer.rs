//! The answers of the gateway: its own, and the model's on its way through.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use super::headers;
use super::paced::Paced;
use crate::pool::Lease;

/// A body that is here, or one that is being passed on.
#[derive(Debug)]
pub(crate) enum Body {
    /// All of it.
    Whole(Option<Bytes>),
    /// The model's, with the instance that sends it.
    Passing(Incoming, Lease),
    /// One that waits for the endpoint's bandwidth.
    Paced(Box<Paced>),
}

impl Body {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }

    pub(super) fn passing(body: Incoming, lease: Lease) -> Self {
        Self::Passing(body, lease)
    }
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    text(status, "")
}

/// An answer with a sentence.
pub(super) fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::whole(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// 424, in the place of a model that did not answer.
pub(super) fn model_error(
    status: StatusCode,
    reason: &'static str,
    sentence: &'static str,
) -> Response<Body> {
    let mut response = text(StatusCode::FAILED_DEPENDENCY, sentence);
    headers::write_status(response.headers_mut(), status);
    headers::write_reason(response.headers_mut(), reason);
    response
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Passing(body, lease) => {
                let frame = std::task::ready!(lease.poll_frame(body, context));
                lease.clean = frame.is_none() || body.is_end_stream();
                Poll::Ready(frame)
            }
            Self::Paced(paced) => paced.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            // The end is always polled for, because it frees the connection, or brings the trailers.
            Self::Passing(..) | Self::Paced(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Passing(body, _) => body.size_hint(),
            Self::Paced(_) => SizeHint::default(),
        }
    }
}
