//! What one worker (or a simulation) recorded since it last reported.
//!
//! Only its owner touches it: recording takes no lock. [`Recorder::take`] hands over everything
//! recorded and begins anew, so nothing grows with the number of requests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::limits::LimitCounts;
use crate::{
    Class, Generator, Key, Lags, Latency, Limits, Names, Outcome, Pause, Sample, Snapshot, Tally,
};

/// Counts arrivals and their endings.
#[derive(Debug, Clone)]
pub struct Recorder {
    limits: Limits,
    names: Names,
    tallies: Recent<Key, Tally>,
    lags: Recent<u16, Lags>,
    generator: Generator,
}

/// What was recorded by key. Requests of the same key mostly come one after another, so the places of
/// the two keys that were asked for last are known: arrivals are offered and sent under one, and end
/// under another.
#[derive(Debug, Clone)]
struct Recent<K, V> {
    all: Vec<(K, V)>,
    last: [usize; 2],
}

impl<K: Copy + Ord, V: Default> Recent<K, V> {
    const fn new() -> Self {
        Self { all: Vec::new(), last: [0; 2] }
    }

    #[inline]
    fn entry(&mut self, key: K) -> &mut V {
        let [newest, other] = self.last;
        let is_at = |place: usize| self.all.get(place).is_some_and(|(known, _)| *known == key);
        if !is_at(newest) {
            let place = if is_at(other) { other } else { self.place(key) };
            self.last = [place, newest];
        }
        &mut self.all[self.last[0]].1
    }

    fn place(&mut self, key: K) -> usize {
        self.all.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            self.all.push((key, V::default()));
            self.all.len() - 1
        })
    }

    fn take(&mut self) -> BTreeMap<K, V> {
        std::mem::take(&mut self.all).into_iter().collect()
    }
}

impl Recorder {
    /// Nothing recorded yet.
    pub fn new(names: Names, limits: Limits) -> Self {
        let (tallies, lags) = (Recent::new(), Recent::new());
        Self { limits, names, tallies, lags, generator: Generator::default() }
    }

    /// An arrival became due.
    pub fn offer(&mut self, key: Key) {
        self.tallies.entry(key).offered += 1;
    }

    /// An arrival became due and is sent at once.
    pub fn offer_and_send(&mut self, key: Key) {
        let tally = self.tallies.entry(key);
        tally.offered += 1;
        tally.sent += 1;
    }

    /// A request was sent, or its connection was attempted.
    pub fn send(&mut self, key: Key) {
        self.tallies.entry(key).sent += 1;
    }

    /// An arrival will never be sent; `class` is of those never sent.
    pub fn drop(&mut self, key: Key, class: Class) {
        debug_assert!(!class.is_sent(), "what was sent has a sample");
        self.tallies.entry(key).drop_one(Outcome::of(class));
    }

    /// A request ended; `key` names the deployment that answered, if it told. A right answer after
    /// the objectives' strictest limit becomes [`Class::Late`] here.
    pub fn record(&mut self, key: Key, sample: &Sample) {
        let Self { limits, lags, tallies, .. } = self;
        lags.entry(key.stage).record(sample, limits);
        let tally = tallies.entry(key);
        if sample.outcome.class == Class::Ok
            && limits.is_late_after(sample.done.nanos_since(sample.due))
        {
            let outcome = Outcome { class: Class::Late, ..sample.outcome };
            tally.record(&Sample { outcome, ..*sample }, limits);
        } else {
            tally.record(sample, limits);
        }
    }

    /// An arrival that became due `age` ago has not ended at the interval's end.
    pub fn overdue(&mut self, key: Key, age: Duration) {
        for (index, limit) in self.limits.iter().enumerate() {
            if limit.of != Latency::Response || age < limit.at {
                continue;
            }
            let counts = &mut self.tallies.entry(key).limits;
            if counts.len() <= index {
                counts.resize(index + 1, LimitCounts::default());
            }
            counts[index].overdue += 1;
        }
    }

    /// The shortest time after which an unfinished arrival counts as overdue at some limit.
    pub fn overdue_after(&self) -> Option<Duration> {
        let response = self.limits.iter().filter(|limit| limit.of == Latency::Response);
        response.map(|limit| limit.at).min()
    }

    /// The number of the deployment with this name.
    pub fn deployment(&mut self, name: &str) -> u16 {
        self.names.deployment(name)
    }

    /// The names so far.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Keeps the first message of each class.
    pub fn example(&mut self, class: Class, message: impl FnOnce() -> String) {
        self.generator.examples.entry(class).or_insert_with(message);
    }

    /// A connection was opened to this address.
    pub fn opened(&mut self, address: SocketAddr) {
        self.generator.connections_opened += 1;
        self.generator.addresses.insert(address);
    }

    /// The owner did not run for a while, though it had something to do.
    pub fn pause(&mut self, pause: Pause) {
        self.generator.pause(pause);
    }

    /// Everything since the last call, as the interval from `start` to `end`. The states of the
    /// generator (in flight, backlog, connections, processor) are the caller's to fill in.
    pub fn take(&mut self, index: u64, start: Duration, end: Duration) -> Snapshot {
        Snapshot {
            index,
            start,
            end,
            names: self.names.clone(),
            tallies: self.tallies.take(),
            lags: self.lags.take(),
            generator: std::mem::take(&mut self.generator),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limit, Moment, StageName};

    fn recorder() -> Recorder {
        let stage = |name: &str, warmup| StageName { name: name.to_owned(), warmup };
        let stages = vec![stage("warm-up", true), stage("hold", false)];
        let limit = Limit { of: Latency::Response, at: Duration::from_millis(200) };
        Recorder::new(
            Names::new(stages, vec!["score".to_owned()], []),
            Limits::new([limit], Some(limit.at)),
        )
    }

    fn answered(millis: u64) -> Sample {
        let due = Moment::from_nanos(1_000_000);
        let done = due + Duration::from_millis(millis);
        let outcome = Outcome::status(200);
        Sample::new(due, done, outcome)
    }

    #[test]
    fn taking_begins_anew_and_the_parts_are_the_whole() {
        let mut recorder = recorder();
        let key = Key { stage: 1, ..Key::default() };
        let mut whole = Snapshot::default();
        for millis in [10, 300] {
            recorder.offer_and_send(key);
            let green = Key { deployment: recorder.deployment("green"), ..key };
            recorder.record(green, &answered(millis));
            whole.append(&recorder.take(0, Duration::ZERO, Duration::ZERO));
        }
        assert!(recorder.take(0, Duration::ZERO, Duration::ZERO).all().is_empty());
        let all = whole.measured();
        assert_eq!((all.offered, all.sent, all.ended()), (2, 2, 2));
        assert_eq!((all.outcomes.of(Class::Ok), all.outcomes.of(Class::Late)), (1, 1));
        assert_eq!(all.outcomes.ok(), 2, "a late answer is a right one");
        assert_eq!(whole.measured_lags().send.count(), 2);
        assert!(whole.warmup().is_empty());
    }

    #[test]
    fn an_arrival_is_overdue_at_the_limits_that_it_has_passed() {
        let mut recorder = recorder();
        recorder.overdue(Key::default(), Duration::from_millis(199));
        assert!(recorder.take(0, Duration::ZERO, Duration::ZERO).all().limits.is_empty());
        recorder.overdue(Key::default(), Duration::from_millis(200));
        assert_eq!(recorder.take(0, Duration::ZERO, Duration::ZERO).all().limits[0].overdue, 1);
        assert_eq!(recorder.overdue_after(), Some(Duration::from_millis(200)));
    }
}
