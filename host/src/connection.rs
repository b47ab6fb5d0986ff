//! Connections to an instance.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{Full, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
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

/// One that carries callers' bodies.
pub(super) type Connection = SendRequest<Sent>;

/// Opens one.
pub(super) async fn connect<B>(address: SocketAddr) -> io::Result<SendRequest<B>>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // It ends when the sender is dropped or the instance closes; its errors reach the sender.
    tokio::spawn(connection);
    Ok(sender)
}
