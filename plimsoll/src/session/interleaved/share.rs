//! What of an event is one side's.

use plimsoll_domain::{Key, Names, Snapshot};
use plimsoll_study::interleave::Side;

use crate::scenario::Scenario;
use crate::session::source::{Event, Instances};

/// Knows what belongs to a side.
#[derive(Debug)]
pub(super) struct Share {
    side: Side,
    /// The stages and requests as a run of this side alone names them.
    names: Names,
}

impl Share {
    /// Of a side; `own` is what it gets.
    pub(super) fn new(own: &Scenario, side: Side) -> Self {
        let requests = own.requests.iter().map(|request| request.name.clone()).collect();
        Self { side, names: Names::new(own.load.profile.names(), requests, []) }
    }

    /// The event as this side is told it.
    pub(super) fn of(&self, event: &Event) -> Event {
        match event {
            Event::Interval(snapshot) => Event::Interval(Box::new(self.snapshot(snapshot))),
            Event::Instances { at, instances } => {
                let own = |of: &&Instances| of.deployment == self.side.name();
                Event::Instances {
                    at: *at,
                    instances: instances.iter().filter(own).cloned().collect(),
                }
            }
            other => other.clone(),
        }
    }

    /// What was asked of this side: the requests come once for each side, in this order. The
    /// generator is that of both, and so are its lags.
    fn snapshot(&self, whole: &Snapshot) -> Snapshot {
        let deployments = whole.names.deployments().iter().skip(1).cloned();
        let (stages, requests) = (self.names.stages.clone(), self.names.requests.clone());
        let count = requests.len() as u16;
        let own = |key: &Key| key.request / count == self.side as u16;
        let tallies = whole.tallies.iter().filter(|(key, _)| own(key));
        let tallies = tallies
            .map(|(key, tally)| (Key { request: key.request % count, ..*key }, tally.clone()))
            .collect();
        Snapshot { names: Names::new(stages, requests, deployments), tallies, ..whole.clone() }
    }
}
