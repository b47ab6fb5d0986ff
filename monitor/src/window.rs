//! Sliding windows: the newest intervals of a run, merged.
//!
//! A window of a given length is the newest intervals that fill it, and steps with every interval.
//! It is merged from the intervals' histograms anew each time, so a percentile is never computed
//! from percentiles, and nothing has to be subtracted. One ring serves windows of all lengths and
//! holds only what the longest needs: of each interval the counts, and the filled buckets of the
//! latencies that some objective looks at.
//!
//! A window is whole if its intervals leave no gap. Interval ends may be off by a tenth of an
//! interval: a timer is not exact, and a window that misses a millisecond is a window nonetheless.

use std::collections::VecDeque;
use std::time::Duration;

use plimsoll_domain::{Snapshot, SparseLatencies, Tally};

use crate::objective::{Indicator, Latency, Objective};

/// Everything that ended in a stretch of the run.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    /// Since the run's first due time.
    pub(crate) start: Duration,
    /// Since the run's first due time.
    pub(crate) end: Duration,
    /// Counts, and the latencies that the objectives need.
    pub(crate) tally: Tally,
}

impl Window {
    /// How long it is.
    pub(crate) fn length(&self) -> Duration {
        self.end.saturating_sub(self.start)
    }
}

/// The newest intervals.
#[derive(Debug)]
pub(crate) struct Windows {
    ring: VecDeque<Slice>,
    longest: Duration,
    needs: Needs,
}

/// Which latencies windows are asked for.
#[derive(Debug, Clone, Copy, Default)]
struct Needs {
    response: bool,
    service: bool,
    send_lag: bool,
}

/// What is kept of one interval.
#[derive(Debug)]
struct Slice {
    start: Duration,
    end: Duration,
    /// Without latencies.
    counts: Tally,
    response: SparseLatencies,
    service: SparseLatencies,
    send_lag: SparseLatencies,
}

impl Windows {
    /// Room for the windows of these objectives.
    pub(crate) fn new<'a>(objectives: impl Iterator<Item = &'a Objective>) -> Self {
        let (mut longest, mut needs) = (Duration::ZERO, Needs::default());
        for objective in objectives {
            let Some(window) = objective.window() else { continue };
            longest = longest.max(window);
            match objective.indicator() {
                Indicator::Latency { of: Latency::Service, .. } => needs.service = true,
                Indicator::Latency { of: Latency::SendLag, .. } => needs.send_lag = true,
                Indicator::Latency { .. } | Indicator::Goodput { .. } => needs.response = true,
                Indicator::ErrorRate => {}
            }
        }
        Self { ring: VecDeque::new(), longest, needs }
    }

    /// Adds an interval and forgets those that no window reaches any more.
    pub(crate) fn push(&mut self, snapshot: &Snapshot) {
        if self.longest.is_zero() {
            return;
        }
        self.ring.push_back(Slice::of(snapshot, self.needs));
        let reach = self.longest + slack(snapshot.start, snapshot.end);
        while self.ring.front().is_some_and(|slice| slice.start + reach < snapshot.end) {
            self.ring.pop_front();
        }
    }

    /// The newest window of that length, if it is whole.
    pub(crate) fn newest(&self, length: Duration) -> Option<Window> {
        let last = self.ring.back()?;
        let slack = slack(last.start, last.end);
        let mut window = Window { start: last.end, end: last.end, tally: Tally::default() };
        for slice in self.ring.iter().rev() {
            if window.length() + slack >= length {
                break;
            }
            if slice.end + slack < window.start {
                return None;
            }
            slice.merge_into(&mut window.tally);
            window.start = slice.start;
        }
        let off = window.length().abs_diff(length);
        (off <= slack).then_some(window)
    }

    /// How many intervals are held.
    #[cfg(test)]
    fn held(&self) -> usize {
        self.ring.len()
    }
}

impl Slice {
    fn of(snapshot: &Snapshot, needs: Needs) -> Self {
        let all = &snapshot.measured;
        let (offered, sent, outcomes) = (all.offered, all.sent, all.outcomes.clone());
        let keep = |needed: bool, latencies: &plimsoll_domain::Latencies| {
            if needed { latencies.sparse() } else { SparseLatencies::default() }
        };
        Self {
            start: snapshot.start,
            end: snapshot.end,
            counts: Tally { offered, sent, outcomes, ..Tally::default() },
            response: keep(needs.response, &all.response),
            service: keep(needs.service, &all.service),
            send_lag: keep(needs.send_lag, &all.send_lag),
        }
    }

    fn merge_into(&self, tally: &mut Tally) {
        tally.merge(&self.counts);
        tally.response.merge_sparse(&self.response);
        tally.service.merge_sparse(&self.service);
        tally.send_lag.merge_sparse(&self.send_lag);
    }
}

/// By how much interval ends may be off.
pub(crate) fn slack(start: Duration, end: Duration) -> Duration {
    end.saturating_sub(start) / 10
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{answered, second};

    fn windows(objectives: &[&str]) -> Windows {
        let parsed: Vec<Objective> = objectives.iter().map(|text| text.parse().unwrap()).collect();
        Windows::new(parsed.iter())
    }

    #[test]
    fn a_window_is_the_newest_intervals_merged() {
        let mut windows = windows(&["p99 < 1s in every 3s", "error rate < 1% in every 2s"]);
        for index in 0..5 {
            windows.push(&second(index, answered(10, Duration::from_millis(10 * (index + 1)))));
        }
        let three = windows.newest(Duration::from_secs(3)).unwrap();
        assert_eq!((three.start.as_secs(), three.end.as_secs()), (2, 5));
        assert_eq!((three.tally.offered, three.tally.ended()), (30, 30));
        assert_eq!(three.tally.response.min(), Some(Duration::from_millis(30)));
        assert_eq!(three.tally.response.max(), Some(Duration::from_millis(50)));
        let two = windows.newest(Duration::from_secs(2)).unwrap();
        assert_eq!(two.tally.offered, 20);
        assert_eq!(windows.held(), 3, "no more than the longest window needs");
    }

    #[test]
    fn a_window_with_a_gap_or_too_short_is_not_whole() {
        let mut windows = windows(&["p99 < 1s in every 3s"]);
        let length = Duration::from_secs(3);
        for index in [0, 1, 3, 4] {
            windows.push(&second(index, answered(10, Duration::from_millis(10))));
            assert!(windows.newest(length).is_none(), "after {index}");
        }
        windows.push(&second(5, answered(10, Duration::from_millis(10))));
        assert_eq!(windows.newest(length).unwrap().start.as_secs(), 3);
    }

    #[test]
    fn inexact_interval_ends_still_fill_a_window() {
        let mut windows = windows(&["p99 < 1s in every 3s"]);
        for index in 0..6 {
            let mut snapshot = second(index, answered(10, Duration::from_millis(10)));
            snapshot.end += Duration::from_millis(index % 3);
            snapshot.start += Duration::from_millis((index + 2) % 3);
            windows.push(&snapshot);
            let whole = windows.newest(Duration::from_secs(3)).map(|w| w.tally.offered);
            assert_eq!(whole, (index >= 2).then_some(30));
        }
    }
}
