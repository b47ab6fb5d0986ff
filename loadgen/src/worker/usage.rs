//! How much processor time a worker's thread got, and how long it waited for it.

use std::fs;
use std::time::Duration;

/// Of the calling thread: time on a processor, and time ready to run but waiting for one, since
/// the thread began. `None` where the kernel does not tell (no `CONFIG_SCHED_INFO`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    ran: Duration,
    waited: Duration,
}

impl Usage {
    pub(super) fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/thread-self/schedstat").ok()?)
    }

    /// Two times in nanoseconds and a number of time slices.
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split_whitespace().map(str::parse);
        let (ran, waited) = (fields.next()?.ok()?, fields.next()?.ok()?);
        Some(Self { ran: Duration::from_nanos(ran), waited: Duration::from_nanos(waited) })
    }

    /// The shares of `span` that the thread ran and waited since `earlier`.
    pub(super) fn shares(self, earlier: Self, span: Duration) -> (f64, f64) {
        let share = |now: Duration, then: Duration| {
            now.saturating_sub(then).as_secs_f64() / span.as_secs_f64().max(1e-9)
        };
        (share(self.ran, earlier.ran), share(self.waited, earlier.waited))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_span() {
        let early = Usage::parse("1000000000 500000000 7\n").unwrap();
        let late = Usage::parse("1250000000 600000000 9\n").unwrap();
        let (ran, waited) = late.shares(early, Duration::from_secs(1));
        assert!((ran - 0.25).abs() < 1e-9 && (waited - 0.1).abs() < 1e-9);
        assert_eq!(Usage::parse("garbage"), None);
    }
}
