//! Hand-made intervals for the tests of this crate.

use std::collections::BTreeMap;
use std::time::Duration;

use plimsoll_domain::{
    Key, Lags, Limits, Moment, Names, Outcome, Sample, Snapshot, StageName, Tally,
};

use crate::group::Selected;

/// The stage whose arrivals are judged; stage 0 is a warm-up.
pub(crate) const MEASURED: Key = Key { stage: 1, request: 0, deployment: 0 };
/// The warm-up.
pub(crate) const WARMUP: Key = Key { stage: 0, request: 0, deployment: 0 };

/// A request that ended so, after `time`.
pub(crate) fn sample(outcome: Outcome, time: Duration) -> Sample {
    let due = Moment::from_nanos(1_000_000);
    Sample::new(due, due + time, outcome)
}

/// Requests that ended so, after `time`.
pub(crate) fn ended(count: u64, outcome: Outcome, time: Duration, limits: &Limits) -> Tally {
    let mut tally = Tally { offered: count, sent: count, ..Tally::default() };
    (0..count).for_each(|_| tally.record(&sample(outcome, time), limits));
    tally
}

/// Right answers after `time`.
pub(crate) fn answered(count: u64, time: Duration, limits: &Limits) -> Tally {
    ended(count, Outcome::status(200), time, limits)
}

/// Two tallies in one.
pub(crate) fn both(mut one: Tally, other: &Tally) -> Tally {
    one.merge(other);
    one
}

/// Everything that a tally sent, sent in time.
pub(crate) fn in_time(tally: &Tally, limits: &Limits) -> Lags {
    late(tally.ended() - tally.outcomes.dropped(), Duration::ZERO, limits)
}

/// Requests that the generator sent late by `lag`.
pub(crate) fn late(count: u64, lag: Duration, limits: &Limits) -> Lags {
    let mut lags = Lags::default();
    let mut late = sample(Outcome::status(200), lag);
    late.released = late.due + lag;
    late.sent = late.released;
    (0..count).for_each(|_| lags.record(&late, limits));
    lags
}

/// A tally as the group of everything measured sees it.
pub(crate) fn selected(tally: Tally, limits: &Limits) -> Selected {
    let lags = in_time(&tally, limits);
    Selected { tally, lags }
}

fn names() -> Names {
    let stage = |name: &str, warmup| StageName { name: name.to_owned(), warmup };
    let stages = vec![stage("warm-up", true), stage("hold", false)];
    Names::new(stages, vec!["score".to_owned()], [])
}

/// The interval from `index` s to `index + 1` s, of arrivals under this key.
pub(crate) fn second_of(index: u64, key: Key, tally: Tally) -> Snapshot {
    let (start, end) = (Duration::from_secs(index), Duration::from_secs(index + 1));
    let lags = BTreeMap::from([(key.stage, in_time(&tally, &Limits::default()))]);
    let tallies = BTreeMap::from([(key, tally)]);
    Snapshot { index, start, end, names: names(), tallies, lags, ..Snapshot::default() }
}

/// The interval from `index` s to `index + 1` s, of judged arrivals.
pub(crate) fn second(index: u64, measured: Tally) -> Snapshot {
    second_of(index, MEASURED, measured)
}
