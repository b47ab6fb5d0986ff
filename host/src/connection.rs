//! Connections to an instance.

use std::io;
use std::net::SocketAddr;

use http_body_util::Limited;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A caller's body, as it comes, up to the gateway's limit.
pub(super) type Sent = Limited<Incoming>;

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
