//! Whether the target serves connections side by side, and what follows if it does not.
//!
//! A server that takes one connection at a time, and keeps it until it is closed, answers nothing
//! on a second one before the first is gone. A client that keeps using the first starves the
//! second. So, while nothing shows that the target serves connections side by side, connections
//! that have answered *give way* as soon as the first request on another has waited longer than
//! [`PATIENCE`] times the longest service on a connection that had answered before: they are closed
//! when they have nothing in flight.
//!
//! What shows it: a connection answers once more after another one, younger than its own first
//! answer, has answered for the first time. From then on no connection gives way. With most servers
//! that is so after the first few requests.

use std::collections::BTreeSet;
use std::time::Duration;

use plimsoll_domain::Moment;

use super::SlotId;

/// How many times the longest service a first request may wait, and at least how long.
const PATIENCE: u32 = 3;
const LEAST_PATIENCE: Duration = Duration::from_millis(10);

/// What the answers so far show.
#[derive(Debug)]
pub(super) struct Sharing {
    side_by_side: bool,
    /// Connections that have answered.
    answered: u64,
    /// Of requests on connections that had answered before.
    longest: Duration,
    /// No patience is longer.
    most: Duration,
    /// Requests under way on connections that have never answered, by when they were taken.
    first: BTreeSet<(Moment, SlotId)>,
}

impl Sharing {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            side_by_side: false,
            answered: 0,
            longest: Duration::ZERO,
            most: timeout / 4,
            first: BTreeSet::new(),
        }
    }

    /// A slot took an arrival.
    pub(super) fn sent(&mut self, slot: SlotId, first_answer: Option<u64>, now: Moment) {
        if !self.side_by_side && first_answer.is_none() {
            self.first.insert((now, slot));
        }
    }

    /// What a slot took at this time has ended.
    pub(super) fn ended(&mut self, slot: SlotId, taken: Moment) {
        if !self.first.is_empty() {
            self.first.remove(&(taken, slot));
        }
    }

    /// A slot's connection has answered.
    pub(super) fn answered(&mut self, first_answer: &mut Option<u64>, service: Duration) {
        match *first_answer {
            None => {
                self.answered += 1;
                *first_answer = Some(self.answered);
            }
            Some(_) if self.side_by_side => {}
            Some(rank) => {
                self.longest = self.longest.max(service);
                if rank < self.answered {
                    self.side_by_side = true;
                    self.first.clear();
                }
            }
        }
    }

    /// Whether connections that have answered are to give way.
    pub(super) fn someone_waits(&self, now: Moment) -> bool {
        let oldest = self.first.first();
        oldest.is_some_and(|(taken, _)| now >= *taken + self.span())
    }

    /// After how long others give way for a first request; `None` if never.
    pub(super) fn patience(&self) -> Option<Duration> {
        (!self.side_by_side).then(|| self.span())
    }

    fn span(&self) -> Duration {
        (self.longest * PATIENCE).max(LEAST_PATIENCE).min(self.most)
    }
}
