//! A timer as fine as the kernel's: tokio's own has a grid of 1 ms, which would be seen in every
//! synthetic service time.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// One timer, for one wait at a time.
pub(super) struct Timer(AsyncFd<Fd>);

/// What tokio can wait for.
struct Fd(TimerFd);

impl AsRawFd for Fd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Timer {
    /// Must be called in a tokio runtime.
    #[expect(
        deprecated,
        reason = "its successor is unsafe; this one's contract holds, as `Fd` owns the timer"
    )]
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        Ok(Self(AsyncFd::with_interest(Fd(timer), Interest::READABLE)?))
    }

    /// Waits for `span`.
    pub(super) async fn wait(&self, span: Duration) -> io::Result<()> {
        if span.is_zero() {
            return Ok(());
        }
        let once = Expiration::OneShot(TimeSpec::from_duration(span));
        self.0.get_ref().0.set(once, TimerSetTimeFlags::empty())?;
        loop {
            let mut ready = self.0.readable().await?;
            let read = ready.try_io(|timer| match timer.get_ref().0.wait() {
                Err(Errno::EAGAIN) => Err(io::ErrorKind::WouldBlock.into()),
                other => Ok(other?),
            });
            if let Ok(result) = read {
                return result;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_domain::clock;

    #[tokio::test]
    async fn it_waits_for_the_span_and_can_be_used_again() {
        let timer = Timer::new().unwrap();
        for micros in [300, 1_700] {
            let span = Duration::from_micros(micros);
            let start = clock::now();
            timer.wait(span).await.unwrap();
            assert!(clock::now().since(start) >= span);
        }
    }
}
