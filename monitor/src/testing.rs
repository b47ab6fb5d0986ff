//! Hand-made intervals for the tests of this crate.

use std::time::Duration;

use plimsoll_domain::{Moment, Outcome, Sample, Snapshot, Tally};

/// Requests that ended so, after `time`.
pub(crate) fn ended(count: u64, outcome: Outcome, time: Duration) -> Tally {
    let due = Moment::from_nanos(1_000_000);
    let sample =
        Sample { due, released: due, sent: due, done: due + time, outcome, model_time: None };
    let mut tally = Tally { offered: count, sent: count, ..Tally::default() };
    (0..count).for_each(|_| tally.record(&sample));
    tally
}

/// Right answers after `time`.
pub(crate) fn answered(count: u64, time: Duration) -> Tally {
    ended(count, Outcome::Answered(200), time)
}

/// Two tallies in one.
pub(crate) fn both(mut one: Tally, other: &Tally) -> Tally {
    one.merge(other);
    one
}

/// The interval from `index` s to `index + 1` s.
pub(crate) fn second(index: u64, measured: Tally) -> Snapshot {
    let (start, end) = (Duration::from_secs(index), Duration::from_secs(index + 1));
    Snapshot { index, start, end, measured, ..Snapshot::default() }
}
