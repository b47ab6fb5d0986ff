//! What workers tell the collector.

use plimsoll_domain::Snapshot;
use tokio::sync::mpsc::{self, OwnedPermit};

/// What a worker tells.
#[derive(Debug)]
pub(crate) enum Message {
    /// What it recorded since its last report.
    Report(Report),
    /// It is gone.
    Ended { worker: usize, ending: Ending },
}

/// What one worker recorded since its last report.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) worker: usize,
    /// The interval that ended with it, from 0. Intervals that the worker could not report when
    /// they ended are in it too: its snapshot covers all of the time since its last report.
    pub(crate) interval: u64,
    pub(crate) snapshot: Box<Snapshot>,
}

/// How a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With its last report.
    Done { stopped_early: bool },
    /// Without it: what it had not reported is lost.
    Lost,
}

/// Tells that a worker is gone, also if it panics. The place for that message is reserved from the
/// beginning, so that telling it never has to wait.
#[derive(Debug)]
pub(crate) struct Farewell {
    worker: usize,
    ending: Ending,
    place: Option<OwnedPermit<Message>>,
}

impl Farewell {
    /// A worker begins; `None` if there is no place for its farewell.
    pub(crate) fn new(worker: usize, messages: mpsc::Sender<Message>) -> Option<Self> {
        let place = messages.try_reserve_owned().ok()?;
        Some(Self { worker, ending: Ending::Lost, place: Some(place) })
    }

    /// The worker has made its last report.
    pub(crate) fn done(mut self, stopped_early: bool) {
        self.ending = Ending::Done { stopped_early };
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            place.send(Message::Ended { worker: self.worker, ending: self.ending });
        }
    }
}
