//! What one interval of a run measured: handed from the load generator to the monitor, from one
//! machine or several.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Generator, Key, Lags, Names, Tally};

/// One interval (one second, as a rule). Requests are counted in the interval in which they became
/// due (`offered`), were sent (`sent`) and ended (everything else).
///
/// As JSON, a second at 10,000 requests per second of ten requests and two deployments takes 280 kB;
/// what makes it long are the buckets of the latencies, so the rate hardly matters from there on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Consecutive, from 0.
    pub index: u64,
    /// Since the run's first due time.
    pub start: Duration,
    /// Since the run's first due time.
    pub end: Duration,
    /// What the numbers of the keys stand for.
    pub names: Names,
    /// What was counted, by key. A key has a tally if something happened under it.
    #[serde(with = "pairs")]
    pub tallies: BTreeMap<Key, Tally>,
    /// How late requests were sent, by the number of the stage in which they were due.
    #[serde(with = "pairs")]
    pub lags: BTreeMap<u16, Lags>,
    /// The generator's own state.
    pub generator: Generator,
}

impl Snapshot {
    /// How long the interval is.
    pub fn length(&self) -> Duration {
        self.end.saturating_sub(self.start)
    }

    /// Everything counted under the keys for which `wanted` holds, in one tally.
    pub fn tally(&self, wanted: impl Fn(Key) -> bool) -> Tally {
        let mut all = Tally::default();
        self.tallies.iter().filter(|(key, _)| wanted(**key)).for_each(|(_, t)| all.merge(t));
        all
    }

    /// Everything: what the timeline shows.
    pub fn all(&self) -> Tally {
        self.tally(|_| true)
    }

    /// Everything that was due in a warm-up stage: shown, never judged.
    pub fn warmup(&self) -> Tally {
        self.tally(|key| self.names.is_warmup(key.stage))
    }

    /// Everything that was due in another stage.
    pub fn measured(&self) -> Tally {
        self.tally(|key| !self.names.is_warmup(key.stage))
    }

    /// How late requests were sent that were due in the stages for which `wanted` holds.
    pub fn lags(&self, wanted: impl Fn(u16) -> bool) -> Lags {
        let mut all = Lags::default();
        self.lags.iter().filter(|(stage, _)| wanted(**stage)).for_each(|(_, l)| all.merge(l));
        all
    }

    /// How late requests were sent that were not due in a warm-up stage.
    pub fn measured_lags(&self) -> Lags {
        self.lags(|stage| !self.names.is_warmup(stage))
    }

    /// Adds what another worker, perhaps on another machine, measured in the same interval. The
    /// order in which several are added does not matter, and nothing is lost.
    pub fn merge(&mut self, other: &Self) {
        self.add_counts(other, Tally::merge);
        self.generator.merge(&other.generator);
        self.start = self.start.min(other.start);
        self.end = self.end.max(other.end);
    }

    /// Adds the interval that follows this one.
    pub fn append(&mut self, later: &Self) {
        self.tallies.values_mut().for_each(Tally::forget_overdue);
        self.add_counts(later, Tally::append);
        self.generator.append(&later.generator);
        self.end = later.end;
    }

    fn add_counts(&mut self, other: &Self, add: impl Fn(&mut Tally, &Tally)) {
        for (key, tally) in &other.tallies {
            let key = self.names.translate(&other.names, *key);
            add(self.tallies.entry(key).or_default(), tally);
        }
        for (stage, lags) in &other.lags {
            let key = Key { stage: *stage, ..Key::default() };
            let stage = self.names.translate(&other.names, key).stage;
            self.lags.entry(stage).or_default().merge(lags);
        }
    }
}

/// Maps whose keys are no strings, as lists of pairs.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer, K: Serialize, V: Serialize>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        D: Deserializer<'de>,
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests;
