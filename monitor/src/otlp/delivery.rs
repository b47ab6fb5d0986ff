//! What reached the receiver and what did not.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// The balance of an export. Points are metric data points: with cumulative temporality a lost one
/// is made good by the next that is delivered, since that carries everything since the run began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Metric points that the receiver took.
    pub points_sent: u64,
    /// Metric points that were given up, the rejected ones not among them.
    pub points_lost: u64,
    /// Alerts that the receiver took.
    pub logs_sent: u64,
    /// Alerts that were given up, or pushed out of a full queue.
    pub logs_lost: u64,
    /// Points and alerts that the receiver answered it did not want (partial success).
    pub rejected: u64,
    /// Whether the receiver has the run's whole totals: the last export of metrics arrived, and
    /// with delta temporality every one did. Also true when there was nothing to export.
    pub complete: bool,
    /// The last few distinct failures, oldest first.
    pub errors: Vec<String>,
}

impl Delivery {
    /// Whether anything was lost or rejected on the way.
    pub fn has_losses(&self) -> bool {
        self.points_lost + self.logs_lost + self.rejected > 0
    }
}

/// Which signal a count belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Points,
    Logs,
}

/// The counts while the export is running. What is on its way when the run's end cuts it off is
/// counted as lost, so that nothing is ever unaccounted for.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    delivery: Delivery,
    on_their_way: [u64; 2],
    errors: VecDeque<String>,
    incomplete: bool,
}

const ERRORS: usize = 5;

/// What is said of a request that the run's end cuts off.
pub(super) const CUT_OFF: &str = "no answer before the export had to end";

impl Ledger {
    /// `count` points or alerts leave.
    pub(super) fn begin(&self, kind: Kind, count: u64) {
        self.lock().on_their_way[kind as usize] += count;
    }

    /// Of `count` that left, all but `rejected` arrived.
    pub(super) fn arrived(&self, kind: Kind, count: u64, rejected: u64) {
        let rejected = rejected.min(count);
        let mut counts = self.lock();
        counts.on_their_way[kind as usize] -= count;
        counts.delivery.rejected += rejected;
        match kind {
            Kind::Points => counts.delivery.points_sent += count - rejected,
            Kind::Logs => counts.delivery.logs_sent += count - rejected,
        }
    }

    /// `count` that left did not arrive.
    pub(super) fn lost(&self, kind: Kind, count: u64, error: &str) {
        let mut counts = self.lock();
        counts.on_their_way[kind as usize] -= count;
        counts.lose(kind, count);
        counts.note(error);
    }

    /// One alert never left: the queue was full.
    pub(super) fn pushed_out(&self) {
        let mut counts = self.lock();
        counts.lose(Kind::Logs, 1);
        counts.note("more alerts than the queue holds; the oldest were given up");
    }

    /// Whether the receiver has the totals up to now.
    pub(super) fn set_complete(&self, complete: bool) {
        self.lock().incomplete = !complete;
    }

    /// Keeps a message, if it is not among the last few already.
    pub(super) fn note(&self, error: &str) {
        self.lock().note(error);
    }

    /// The balance, with everything still on its way given up.
    pub(super) fn close(&self) -> Delivery {
        let mut counts = self.lock();
        let [points, logs] = std::mem::take(&mut counts.on_their_way);
        counts.lose(Kind::Points, points);
        counts.lose(Kind::Logs, logs);
        if points + logs > 0 {
            counts.note(CUT_OFF);
        }
        let complete = !counts.incomplete && points == 0;
        let errors = counts.errors.iter().cloned().collect();
        Delivery { complete, errors, ..counts.delivery.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Counts are whole after every step, whatever thread panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn lose(&mut self, kind: Kind, count: u64) {
        match kind {
            Kind::Points => self.delivery.points_lost += count,
            Kind::Logs => self.delivery.logs_lost += count,
        }
    }

    fn note(&mut self, error: &str) {
        if self.errors.iter().any(|known| known == error) {
            return;
        }
        if self.errors.len() == ERRORS {
            self.errors.pop_front();
        }
        self.errors.push_back(error.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_leaves_is_accounted_for() {
        let ledger = Ledger::default();
        ledger.begin(Kind::Points, 10);
        ledger.arrived(Kind::Points, 10, 3);
        ledger.begin(Kind::Points, 5);
        ledger.lost(Kind::Points, 5, "refused");
        ledger.begin(Kind::Logs, 2);
        ledger.pushed_out();
        ledger.begin(Kind::Points, 4);
        let delivery = ledger.close();
        assert_eq!((delivery.points_sent, delivery.points_lost), (7, 9));
        assert_eq!((delivery.logs_sent, delivery.logs_lost, delivery.rejected), (0, 3, 3));
        assert!(!delivery.complete && delivery.has_losses());
        assert_eq!(delivery.errors.len(), 3);
    }

    #[test]
    fn the_last_few_distinct_errors_are_kept() {
        let ledger = Ledger::default();
        (0..20).for_each(|n| ledger.note(&format!("error {}", n / 2)));
        let errors = ledger.close().errors;
        assert_eq!(errors, ["error 5", "error 6", "error 7", "error 8", "error 9"]);
    }
}
