//! Connections to an instance.

use std::io;
use std::net::SocketAddr;

use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// One that carries callers' bodies as they come.
pub(super) type Connection = SendRequest<Incoming>;

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
