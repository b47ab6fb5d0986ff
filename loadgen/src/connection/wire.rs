//! The byte stream under a connection, which notes when the first bytes of a request went to the
//! kernel. That is when a request is sent; the call to the HTTP client comes earlier.
//!
//! It also notes that nothing has come. HTTP's client asks for more each time it is polled, six times
//! in an exchange of which one can find something; as long as the socket has woken nobody, the answer
//! is the one before.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use plimsoll_domain::{Moment, clock};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop::has_budget_remaining;
use tokio_rustls::client::TlsStream;

/// What is known of a byte stream, to be shared with whoever polls it.
#[derive(Debug, Clone, Default)]
pub(super) struct Stamp(Rc<Known>);

#[derive(Debug, Default)]
struct Known {
    sent: Cell<Option<Moment>>,
    reading: Cell<Reading>,
}

/// What can be said of the next read without asking the socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Reading {
    /// Nothing: whoever reads does not tell when the socket has woken it.
    #[default]
    Unknown,
    /// There may be something.
    Stirred,
    /// Nothing has come.
    Silent,
}

impl Stamp {
    pub(super) fn clear(&self) {
        self.0.sent.set(None);
    }

    /// When the first write since the last [`Self::clear`] was accepted.
    pub(super) fn sent(&self) -> Option<Moment> {
        self.0.sent.get()
    }

    /// The socket has woken the waker that it was last polled with, or is polled with another one
    /// from now on: it is to be asked again. Whoever says so once says so each time.
    pub(super) fn stirred(&self) {
        self.0.reading.set(Reading::Stirred);
    }
}

/// A TCP stream whose first write is stamped, and that is not asked for what cannot have come.
pub(super) struct Stamped {
    tcp: TcpStream,
    stamp: Stamp,
}

impl Stamped {
    pub(super) fn new(tcp: TcpStream, stamp: Stamp) -> Self {
        Self { tcp, stamp }
    }
}

impl AsyncRead for Stamped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { tcp, stamp } = &mut *self;
        let reading = &stamp.0.reading;
        if reading.get() == Reading::Silent {
            return Poll::Pending;
        }
        let read = Pin::new(tcp).poll_read(cx, buffer);
        // A task that has used up its turn is told to wait without a look at the socket.
        if reading.get() == Reading::Stirred && read.is_pending() && has_budget_remaining() {
            reading.set(Reading::Silent);
        }
        read
    }
}

impl AsyncWrite for Stamped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // Read before the call: on a loopback the call may well include the server's work.
        let at = self.stamp.sent().unwrap_or_else(clock::now);
        let written = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        if let Poll::Ready(Ok(1..)) = written {
            self.stamp.0.sent.set(Some(at));
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// Plain or encrypted.
pub(super) enum Wire {
    Plain(Stamped),
    Tls(Box<TlsStream<Stamped>>),
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
