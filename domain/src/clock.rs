//! The only place that reads a clock. Everything else takes `now` as an argument.
//!
//! Load is timed on `CLOCK_MONOTONIC`, the clock that a timerfd is armed on, in whole nanoseconds;
//! a wall-clock time is read once, when a run starts, and only to label results.

use std::ops::Add;
use std::time::{Duration, SystemTime};

use nix::time::{ClockId, clock_gettime};

/// A moment on the machine's monotonic clock, in nanoseconds since an arbitrary origin (boot).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(u64);

impl Moment {
    /// A moment from its nanoseconds since the clock's origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's origin: what an absolute timerfd takes.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this moment; zero if `earlier` is the later one.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos_since(earlier))
    }

    /// The same in nanoseconds.
    pub(crate) const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

/// Reads the monotonic clock.
pub fn now() -> Moment {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every kernel has CLOCK_MONOTONIC");
    Moment(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
}

/// The time that the calling thread has spent on a processor since it began.
pub fn thread_time() -> Duration {
    let clock = ClockId::CLOCK_THREAD_CPUTIME_ID;
    let time = clock_gettime(clock).expect("every kernel has CLOCK_THREAD_CPUTIME_ID");
    Duration::new(time.tv_sec() as u64, time.tv_nsec() as u32)
}

/// Reads the wall clock, to label results with.
#[expect(clippy::disallowed_methods, reason = "this is the module that reads clocks")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_ordered_and_never_negative() {
        let early = now();
        let late = early + Duration::from_millis(3);
        assert_eq!(late.since(early), Duration::from_millis(3));
        assert_eq!(early.since(late), Duration::ZERO);
        assert!(now() >= early);
    }
}
