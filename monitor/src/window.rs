//! Sliding windows: the newest intervals of a run, merged.
//!
//! A window of a given length is the newest intervals that fill it, and steps with every interval.
//! It is merged from the intervals' histograms anew each time, so a percentile is never computed
//! from percentiles, and nothing has to be subtracted. One ring serves windows of all lengths and
//! groups and holds only what the longest needs: of each interval the counts, and the filled
//! buckets of the latencies that some objective looks at.
//!
//! Interval ends are not exact: an interval of a busy machine may last 1.4 s. So a window is the
//! run of whole intervals that comes nearest to its length, and it is whole if that is off by at
//! most half an interval and leaves no gap.

use std::collections::VecDeque;
use std::time::Duration;

use plimsoll_domain::{Lags, Latencies, SparseLatencies, Tally};

use crate::group::Selected;
use crate::objective::{Indicator, Latency, Objective};

/// The nominal length of an interval.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);

/// By how much a window's length may be off.
const OFF: Duration = Duration::from_millis(500);

/// By how much the end of an interval and the start of the next may be apart.
const SEAM: Duration = Duration::from_millis(100);

/// Everything that ended in a stretch of the run.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    /// Since the run's first due time.
    pub(crate) start: Duration,
    /// Since the run's first due time.
    pub(crate) end: Duration,
    /// The start of the newest of its intervals.
    pub(crate) newest_start: Duration,
    /// Counts, and the latencies that the objectives need.
    pub(crate) selected: Selected,
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
    /// By group.
    parts: Vec<Part>,
}

/// What is kept of one group in one interval.
#[derive(Debug)]
struct Part {
    /// Without latencies.
    counts: Selected,
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
                Indicator::Latency { of: Latency::Response, .. } => needs.response = true,
                // Shares and rates need counts only.
                Indicator::ErrorRate | Indicator::Goodput { .. } => {}
            }
        }
        Self { ring: VecDeque::new(), longest, needs }
    }

    /// Adds an interval, by group, and forgets those that no window reaches any more.
    pub(crate) fn push(&mut self, start: Duration, end: Duration, selected: &[Selected]) {
        if self.longest.is_zero() {
            return;
        }
        let parts = selected.iter().map(|group| Part::of(group, self.needs)).collect();
        self.ring.push_back(Slice { start, end, parts });
        let reach = self.longest + OFF;
        while self.ring.front().is_some_and(|slice| slice.end + reach < end) {
            self.ring.pop_front();
        }
    }

    /// The newest window of that length over one group, if it is whole.
    pub(crate) fn newest(&self, length: Duration, group: usize) -> Option<Window> {
        let first = self.first_of(length)?;
        let slices = self.ring.range(first..);
        let newest = self.ring.back()?;
        let (start, end, newest_start) = (self.ring[first].start, newest.end, newest.start);
        let mut selected = Selected::default();
        for slice in slices {
            slice.parts[group].append_to(&mut selected);
        }
        Some(Window { start, end, newest_start, selected })
    }

    /// The first of the newest intervals that together come nearest to this length.
    fn first_of(&self, length: Duration) -> Option<usize> {
        let end = self.ring.back()?.end;
        let off = |slice: &Slice| end.saturating_sub(slice.start).abs_diff(length);
        let mut nearest = self.ring.len() - 1;
        for index in (0..nearest).rev() {
            if self.ring[index].end + SEAM < self.ring[index + 1].start {
                break;
            }
            if off(&self.ring[index]) > off(&self.ring[nearest]) {
                break;
            }
            nearest = index;
        }
        (off(&self.ring[nearest]) <= OFF).then_some(nearest)
    }

    /// How many intervals are held.
    #[cfg(test)]
    fn held(&self) -> usize {
        self.ring.len()
    }
}

impl Part {
    fn of(selected: &Selected, needs: Needs) -> Self {
        let Selected { tally, lags } = selected;
        let keep = |needed: bool, latencies: &Latencies| {
            if needed { latencies.sparse() } else { SparseLatencies::default() }
        };
        let counts = Tally {
            offered: tally.offered,
            sent: tally.sent,
            outcomes: tally.outcomes.clone(),
            limits: tally.limits.clone(),
            ..Tally::default()
        };
        Self {
            counts: Selected {
                tally: counts,
                lags: Lags { limits: lags.limits.clone(), ..Lags::default() },
            },
            response: keep(needs.response, &tally.response),
            service: keep(needs.service, &tally.service),
            send_lag: keep(needs.send_lag, &lags.send),
        }
    }

    fn append_to(&self, selected: &mut Selected) {
        selected.append(&self.counts);
        selected.tally.response.merge_sparse(&self.response);
        selected.tally.service.merge_sparse(&self.service);
        selected.lags.send.merge_sparse(&self.send_lag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{answered, selected};
    use plimsoll_domain::Limits;

    fn windows(objectives: &[&str]) -> Windows {
        let parsed: Vec<Objective> = objectives.iter().map(|text| text.parse().unwrap()).collect();
        Windows::new(parsed.iter())
    }

    fn push(windows: &mut Windows, from_ms: u64, to_ms: u64, answer_ms: u64) {
        let limits = Limits::default();
        let group = selected(answered(10, Duration::from_millis(answer_ms), &limits), &limits);
        windows.push(Duration::from_millis(from_ms), Duration::from_millis(to_ms), &[group]);
    }

    #[test]
    fn a_window_is_the_newest_intervals_merged() {
        let mut windows = windows(&["p99 < 1s in every 3s", "error rate < 1% in every 2s"]);
        for index in 0..6 {
            push(&mut windows, index * 1000, index * 1000 + 1000, 10 * (index + 1));
        }
        let three = windows.newest(Duration::from_secs(3), 0).unwrap();
        assert_eq!((three.start.as_secs(), three.end.as_secs()), (3, 6));
        let tally = &three.selected.tally;
        assert_eq!((tally.offered, tally.ended()), (30, 30));
        assert_eq!(tally.response.min(), Some(Duration::from_millis(40)));
        assert_eq!(tally.response.max(), Some(Duration::from_millis(60)));
        let two = windows.newest(Duration::from_secs(2), 0).unwrap();
        assert_eq!(two.selected.tally.offered, 20);
        assert!(windows.held() <= 4, "no more than the longest window needs");
    }

    #[test]
    fn a_window_with_a_gap_or_too_short_is_not_whole() {
        let mut windows = windows(&["p99 < 1s in every 3s"]);
        let length = Duration::from_secs(3);
        for index in [0, 1, 3, 4] {
            push(&mut windows, index * 1000, index * 1000 + 1000, 10);
            assert!(windows.newest(length, 0).is_none(), "after {index}");
        }
        push(&mut windows, 5000, 6000, 10);
        assert_eq!(windows.newest(length, 0).unwrap().start.as_secs(), 3);
    }

    #[test]
    fn an_interval_that_is_too_long_or_too_short_does_not_cost_the_windows_around_it() {
        let mut windows = windows(&["p99 < 1s in every 3s"]);
        let ends = [0, 1000, 2000, 3400, 4000, 5000, 6000, 7000];
        let whole: Vec<_> = ends
            .windows(2)
            .map(|two| {
                push(&mut windows, two[0], two[1], 10);
                windows.newest(Duration::from_secs(3), 0).map(|w| w.length().as_millis())
            })
            .collect();
        assert_eq!(whole, [None, None, Some(3400), Some(3000), Some(3000), Some(2600), Some(3000)]);
    }

    #[test]
    fn a_stalled_interval_is_in_no_window() {
        let mut windows = windows(&["p99 < 1s in every 1s"]);
        push(&mut windows, 0, 1000, 10);
        push(&mut windows, 1000, 4000, 10);
        assert!(windows.newest(Duration::from_secs(1), 0).is_none());
    }
}
