//! How many arrivals ended in which way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Class, Outcome};

/// Counts by outcome, of which each occurs once, in ascending order: there are few, and nearly every
/// request is looked for among them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(Outcome, u64)>", into = "Vec<(Outcome, u64)>")]
pub struct Outcomes(Vec<(Outcome, u64)>);

impl Outcomes {
    /// Counts `count` more arrivals that ended so.
    pub fn add(&mut self, outcome: Outcome, count: u64) {
        if let Some((_, sum)) = self.0.iter_mut().find(|(known, _)| *known == outcome) {
            *sum += count;
            return;
        }
        let place = self.0.partition_point(|(known, _)| *known < outcome);
        self.0.insert(place, (outcome, count));
    }

    /// Each outcome that occurred and its count, in the order of the classes.
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, u64)> + '_ {
        self.0.iter().copied()
    }

    /// How many ended in this class.
    pub fn of(&self, class: Class) -> u64 {
        self.sum(|outcome| outcome.class == class)
    }

    /// The classes that occurred and their counts, in their order.
    pub fn classes(&self) -> BTreeMap<Class, u64> {
        let mut classes = BTreeMap::new();
        for (outcome, count) in self.iter() {
            *classes.entry(outcome.class).or_default() += count;
        }
        classes
    }

    /// Whole answers by HTTP status.
    pub fn statuses(&self) -> BTreeMap<u16, u64> {
        let mut statuses = BTreeMap::new();
        for (outcome, count) in self.iter() {
            if let Some(status) = outcome.status {
                *statuses.entry(status).or_default() += count;
            }
        }
        statuses
    }

    /// Whole answers, right or wrong.
    pub fn answered(&self) -> u64 {
        self.sum(Outcome::is_answered)
    }

    /// Whole answers that were worked for, right or wrong.
    pub fn served(&self) -> u64 {
        self.sum(Outcome::is_served)
    }

    /// Right answers, however late.
    pub fn ok(&self) -> u64 {
        self.sum(Outcome::is_ok)
    }

    /// Failed connections.
    pub fn transport(&self) -> u64 {
        self.sum(|outcome| outcome.class.is_transport())
    }

    /// Arrivals that were never sent.
    pub fn dropped(&self) -> u64 {
        self.sum(|outcome| !outcome.class.is_sent())
    }

    /// Arrivals that ended as they did because of the generator or its machine.
    pub fn ours(&self) -> u64 {
        self.sum(|outcome| outcome.class.is_ours())
    }

    /// Arrivals that more requests at once than the target takes may have ended.
    pub fn overload(&self) -> u64 {
        self.sum(|outcome| outcome.class.is_overload())
    }

    /// Everything that ended.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        other.iter().for_each(|(outcome, count)| self.add(outcome, count));
    }

    fn sum(&self, counts: impl Fn(Outcome) -> bool) -> u64 {
        self.iter().filter(|(outcome, _)| counts(*outcome)).map(|(_, count)| count).sum()
    }
}

impl FromIterator<(Outcome, u64)> for Outcomes {
    fn from_iter<I: IntoIterator<Item = (Outcome, u64)>>(counts: I) -> Self {
        let mut outcomes = Self::default();
        counts.into_iter().for_each(|(outcome, count)| outcomes.add(outcome, count));
        outcomes
    }
}

impl From<Vec<(Outcome, u64)>> for Outcomes {
    fn from(counts: Vec<(Outcome, u64)>) -> Self {
        counts.into_iter().collect()
    }
}

impl From<Outcomes> for Vec<(Outcome, u64)> {
    fn from(outcomes: Outcomes) -> Self {
        outcomes.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_sum_to_everything_that_ended() {
        let mut outcomes: Outcomes = [
            (Outcome::status(200), 3),
            (Outcome::status(424), 1),
            (Outcome::of(Class::ClientTimeout), 1),
            (Outcome::of(Class::Connect), 2),
            (Outcome::of(Class::Capped), 1),
        ]
        .into_iter()
        .collect();
        outcomes.add(Outcome { class: Class::Late, ..Outcome::status(200) }, 1);
        assert_eq!(outcomes.total(), 9);
        assert_eq!((outcomes.answered(), outcomes.ok()), (5, 4));
        assert_eq!((outcomes.transport(), outcomes.dropped(), outcomes.ours()), (2, 1, 1));
        assert_eq!(outcomes.statuses(), BTreeMap::from([(200, 4), (424, 1)]));
        assert_eq!(outcomes.classes().values().sum::<u64>(), 9);
        let text = serde_json::to_string(&outcomes).unwrap();
        assert_eq!(serde_json::from_str::<Outcomes>(&text).unwrap(), outcomes);
    }
}
