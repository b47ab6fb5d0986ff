//! A connection that waits for its peer to read, but not for ever: one that never reads would hold an answer, and with it
//! an instance's slot, until the host ends. What goes over it is counted.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::gate::Gate;

/// Fails with `TimedOut` when nothing could be written for so long. Any progress begins the time anew.
#[derive(Debug)]
pub(super) struct Patient<'a, S> {
    stream: S,
    gate: &'a Gate,
    limit: Duration,
    stuck: Option<Pin<Box<Sleep>>>,
}

impl<'a, S> Patient<'a, S> {
    pub(super) fn new(stream: S, gate: &'a Gate, limit: Duration) -> Self {
        Self { stream, gate, limit, stuck: None }
    }

    fn count(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &written {
            self.gate.count(*bytes);
        }
        written
    }

    fn wait<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let limit = self.limit;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        stuck.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.gate.count(buffer.filled().len() - before);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        let written = self.count(written);
        self.wait(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        let written = self.count(written);
        self.wait(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.wait(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let over = Pin::new(&mut self.stream).poll_shutdown(context);
        self.wait(over, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_deploy::limits::EndpointLimits;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn one_that_never_reads_is_given_up_and_one_that_reads_is_not() {
        let gate = Gate::new(EndpointLimits::NONE);
        let (here, there) = tokio::io::duplex(16);
        let mut patient = Patient::new(here, &gate, Duration::from_millis(20));
        let error = patient.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(there);

        let (here, mut there) = tokio::io::duplex(16);
        let mut patient = Patient::new(here, &gate, Duration::from_secs(30));
        let mut read = Vec::new();
        let (written, _) = tokio::join!(
            async {
                patient.write_all(&[7; 100]).await?;
                patient.shutdown().await
            },
            there.read_to_end(&mut read)
        );
        written.unwrap();
        assert_eq!(read, [7; 100]);
        assert_eq!(gate.passed().bytes, 16 + 100);
    }
}
