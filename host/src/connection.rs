//! Connections to an instance.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{Full, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::gate::Gate;

/// A caller's body.
#[derive(Debug)]
pub(super) enum Sent {
    /// As it comes, up to the gateway's limit; if its size was not known before, its bytes are the gate's to charge.
    Passing(Limited<Incoming>, Option<Arc<Gate>>),
    /// All of it.
    Whole(Full<Bytes>),
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut *self {
            Self::Passing(body, gate) => {
                let frame = std::task::ready!(Pin::new(body).poll_frame(context));
                if let (Some(gate), Some(Ok(frame))) = (gate, &frame) {
                    // It is under way: what comes after it waits.
                    let _ = gate.delay(frame.data_ref().map_or(0, Bytes::len) as u64);
                }
                Poll::Ready(frame)
            }
            Self::Whole(body) => Pin::new(body).poll_frame(context).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Passing(body, _) => body.is_end_stream(),
            Self::Whole(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Passing(body, _) => body.size_hint(),
            Self::Whole(body) => body.size_hint(),
        }
    }
}

/// A connection, driven by whoever waits for an answer on it: one with a task of its own costs a caller's request two
/// more turns of the scheduler each way. Between two requests nobody needs to drive it.
#[derive(Debug)]
pub(super) struct Connection<B: Body + 'static = Sent> {
    sender: SendRequest<B>,
    /// Until it is over.
    driver: Option<Box<http1::Connection<TokioIo<TcpStream>, B>>>,
}

impl<B> Connection<B>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Opens one.
    pub(super) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        // Head and body in one piece: cheaper than two for a body of the usual size, which is small.
        let mut http = http1::Builder::new();
        let connected = http.writev(false).handshake(TokioIo::new(stream)).await;
        let (sender, driver) = connected.map_err(io::Error::other)?;
        Ok(Self { sender, driver: Some(Box::new(driver)) })
    }

    /// Whether a request can be sent at once: the last one and its answer are through, as far as is known.
    pub(super) fn is_idle(&self) -> bool {
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Sees whether the instance has closed it since it was used last, and whether a request can be sent now.
    pub(super) async fn is_still_open(&mut self) -> bool {
        poll_fn(|context| {
            self.drive(context);
            Poll::Ready(self.is_idle())
        })
        .await
    }

    /// Sends a request, and waits for the head of the answer.
    pub(super) async fn ask(
        &mut self,
        request: Request<B>,
    ) -> Result<Response<Incoming>, TrySendError<Request<B>>> {
        let mut answering = pin!(self.sender.try_send_request(request));
        poll_fn(|context| {
            drive(&mut self.driver, context);
            answering.as_mut().poll(context)
        })
        .await
    }

    /// Reads and writes what can be now. Without this, no body goes on.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) {
        drive(&mut self.driver, context);
    }
}

/// What goes wrong reaches the sender, or the body of the answer, as soon as the driver is gone.
fn drive<F: Future + Unpin>(driver: &mut Option<Box<F>>, context: &mut Context<'_>) {
    if driver.as_mut().is_some_and(|driver| Pin::new(driver).poll(context).is_ready()) {
        *driver = None;
    }
}
