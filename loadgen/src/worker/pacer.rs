//! Waking a worker at the right nanosecond: a timerfd on the monotonic clock, armed with absolute
//! times, so that no lateness adds up. tokio's own timers have a grid of 1 ms and pace nothing.
//!
//! A timer wake-up takes tens of microseconds on a virtual machine. Where the machine has cores to
//! spare, the last stretch is spun (yielding to the connections all the while); its length is
//! measured at the start and bounded by [`LONGEST_SPIN`]. Linux only.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use nix::sys::prctl;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use plimsoll_domain::{Moment, clock};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// No wait is spun for longer than this.
const LONGEST_SPIN: Duration = Duration::from_micros(100);

/// The wake-ups that the spin's length is measured with, and the time between them.
const PROBES: usize = 15;
const PROBE: Duration = Duration::from_millis(1);

/// Wakes its worker at absolute moments.
pub(super) struct Pacer {
    timer: AsyncFd<Timer>,
    spin: Duration,
}

/// The timer, with its number, which [`AsyncFd`] asks for and [`TimerFd`] does not give.
struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Pacer {
    /// A pacer for the current thread and its runtime; with `may_spin`, after measuring how late
    /// its timer wakes it.
    pub(super) async fn new(may_spin: bool) -> io::Result<Self> {
        // The default lets the kernel add 50 µs to every wake-up. Without it we only pace worse.
        if let Err(error) = prctl::set_timerslack(1) {
            tracing::warn!(%error, "the kernel's timer slack stays at its default");
        }
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe, as it trusts the number to stay open: ours does, \
                      because the timer owns it and never gives it away"
        )]
        let timer = AsyncFd::with_interest(Timer(timer), Interest::READABLE)?;
        let mut pacer = Self { timer, spin: Duration::ZERO };
        if may_spin {
            pacer.spin = pacer.measured_lateness().await?.min(LONGEST_SPIN);
        }
        Ok(pacer)
    }

    /// Waits until `deadline`; if that has passed, only lets the other tasks run once.
    pub(super) async fn wait(&self, deadline: Moment) -> io::Result<()> {
        let left = deadline.since(clock::now());
        if left > self.spin {
            self.sleep_until(before(deadline, self.spin)).await?;
        } else if left.is_zero() {
            tokio::task::yield_now().await;
        }
        while self.spin > Duration::ZERO && clock::now() < deadline {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn sleep_until(&self, moment: Moment) -> io::Result<()> {
        // Arming replaces the last expiry, so it never has to be read. A time of 0 would disarm.
        let at = TimeSpec::from_duration(Duration::from_nanos(moment.nanos().max(1)));
        let absolute = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
        self.timer.get_ref().0.set(Expiration::OneShot(at), absolute)?;
        loop {
            let mut ready = self.timer.readable().await?;
            ready.clear_ready();
            // Readiness may be left over from an earlier arming.
            if clock::now() >= moment {
                return Ok(());
            }
        }
    }

    /// The lateness that nine of ten wake-ups stay below.
    async fn measured_lateness(&self) -> io::Result<Duration> {
        let mut lateness = Vec::with_capacity(PROBES);
        for _ in 0..PROBES {
            let due = clock::now() + PROBE;
            self.sleep_until(due).await?;
            lateness.push(clock::now().since(due));
        }
        lateness.sort_unstable();
        Ok(lateness[PROBES * 9 / 10])
    }
}

fn before(moment: Moment, span: Duration) -> Moment {
    Moment::from_nanos(moment.nanos().saturating_sub(span.as_nanos() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn never_wakes_early() {
        for may_spin in [false, true] {
            let pacer = Pacer::new(may_spin).await.unwrap();
            assert!(pacer.spin <= LONGEST_SPIN);
            for micros in [0, 1, 60, 150, 2_000] {
                let due = clock::now() + Duration::from_micros(micros);
                pacer.wait(due).await.unwrap();
                assert!(clock::now() >= due, "{micros} µs");
            }
        }
    }

    #[tokio::test]
    async fn a_wait_that_was_given_up_does_not_end_the_next_one() {
        let pacer = Pacer::new(false).await.unwrap();
        let soon = clock::now() + Duration::from_millis(2);
        tokio::select! {
            biased;
            _ = pacer.wait(soon) => {}
            () = tokio::task::yield_now() => {}
        }
        let late = clock::now() + Duration::from_millis(20);
        pacer.wait(late).await.unwrap();
        assert!(clock::now() >= late);
    }
}
