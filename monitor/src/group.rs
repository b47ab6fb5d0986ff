//! Groups: objectives that are about the same part of what was measured look at one selection,
//! which is made once per interval.

use plimsoll_domain::{Lags, Latencies, Latency, Snapshot, Tally};

use crate::objective::{Objective, Selector};

/// What was measured of one group's requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selected {
    /// Counts and latencies.
    pub(crate) tally: Tally,
    /// How late they were sent: of the stages that the group is about.
    pub(crate) lags: Lags,
}

impl Selected {
    /// The finite latencies of this kind.
    pub(crate) fn latencies(&self, of: Latency) -> &Latencies {
        match of {
            Latency::Response => &self.tally.response,
            Latency::Service => &self.tally.service,
            Latency::SendLag => &self.lags.send,
        }
    }

    /// Adds the interval that follows.
    pub(crate) fn append(&mut self, later: &Self) {
        self.tally.append(&later.tally);
        self.lags.merge(&later.lags);
    }
}

/// The groups that a run's objectives and alerts need. The first is everything measured.
#[derive(Debug, Clone)]
pub(crate) struct Groups(Vec<Vec<Selector>>);

impl Groups {
    /// The groups of these objectives.
    pub(crate) fn new<'a>(objectives: impl Iterator<Item = &'a Objective>) -> Self {
        let mut groups = vec![Vec::new()];
        for objective in objectives {
            let selectors = objective.selectors().to_vec();
            if !groups.contains(&selectors) {
                groups.push(selectors);
            }
        }
        Self(groups)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The number of the objective's group.
    pub(crate) fn of(&self, objective: &Objective) -> usize {
        let found = self.0.iter().position(|selectors| selectors == objective.selectors());
        found.expect("every objective has its group since the beginning")
    }

    /// What one interval measured, by group.
    pub(crate) fn select(&self, snapshot: &Snapshot) -> Vec<Selected> {
        self.0.iter().map(|selectors| select(selectors, snapshot)).collect()
    }
}

fn select(selectors: &[Selector], snapshot: &Snapshot) -> Selected {
    let names = &snapshot.names;
    let measured = |stage| !names.is_warmup(stage);
    if selectors.is_empty() {
        return Selected { tally: snapshot.measured(), lags: snapshot.measured_lags() };
    }
    let tally = snapshot.tally(|key| {
        measured(key.stage) && selectors.iter().all(|selector| selector.selects(names, key))
    });
    // Lags are known by stage: those of every stage that has a key of the group.
    let wanted = |stage| {
        measured(stage)
            && snapshot
                .tallies
                .keys()
                .any(|key| key.stage == stage && selectors.iter().all(|s| s.selects(names, *key)))
    };
    Selected { tally, lags: snapshot.lags(wanted) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{answered, second};
    use plimsoll_domain::{Key, Limits};
    use std::time::Duration;

    #[test]
    fn a_group_counts_its_own_requests_only() {
        let limits = Limits::default();
        let objectives: Vec<Objective> =
            ["p99 < 1s", "p99 of green < 1s", "error rate of green < 1%", "p99 of blue < 1s"]
                .iter()
                .map(|text| text.parse().unwrap())
                .collect();
        let groups = Groups::new(objectives.iter());
        assert_eq!(groups.0.len(), 3);
        let mut snapshot = second(0, answered(10, Duration::from_millis(1), &limits));
        let deployment = snapshot.names.deployment("green");
        let green = answered(7, Duration::from_millis(1), &limits);
        let stage = snapshot.tallies.keys().next().unwrap().stage;
        snapshot.tallies.insert(Key { stage, deployment, ..Key::default() }, green);
        let selected = groups.select(&snapshot);
        let counts: Vec<_> =
            objectives.iter().map(|o| selected[groups.of(o)].tally.ended()).collect();
        assert_eq!(counts, [17, 7, 7, 0]);
    }
}
