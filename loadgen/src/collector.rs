//! The collector: merges the workers' reports into one snapshot per interval and hands it on.
//!
//! A snapshot goes out up to the latest moment at which every worker has made a report; a worker
//! that is gone has made all that it ever will. As a rule that is one second; if a worker was held
//! up, the snapshot is as long as its report, and says so. If the reader's queue is full the snapshot
//! is held and the next one appended to it, so a slow reader gets longer intervals and loses nothing.
//! The last snapshot waits for the reader.
//!
//! When a worker is lost the others are stopped, and what was measured goes on as always.

use std::collections::VecDeque;
use std::time::Duration;

use plimsoll_domain::Snapshot;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;

use crate::report::{Ending, Message, Report};

/// Reports of one worker that wait for the others'; further ones are appended to the last.
const MOST_REPORTS: usize = 16;

/// Merges reports into snapshots.
pub(crate) struct Collector {
    workers: Vec<Progress>,
    stop: CancellationToken,
    index: u64,
    at: Duration,
    stopped_early: bool,
    lost: u32,
    /// Lost workers that no snapshot has told of yet.
    untold: u32,
    held: Option<Snapshot>,
    out: mpsc::Sender<Snapshot>,
}

/// How far a worker has come.
#[derive(Debug, Default)]
struct Progress {
    /// By the last interval that each covers.
    reports: VecDeque<(u64, Snapshot)>,
    ended: bool,
}

/// What became of the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Collected {
    /// Whether any was stopped before the end of its schedule.
    pub(crate) stopped_early: bool,
    pub(crate) lost_workers: u32,
}

impl Collector {
    /// Cancels `stop` when a worker is lost.
    pub(crate) fn new(
        workers: usize,
        out: mpsc::Sender<Snapshot>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            workers: (0..workers).map(|_| Progress::default()).collect(),
            stop,
            index: 0,
            at: Duration::ZERO,
            stopped_early: false,
            lost: 0,
            untold: 0,
            held: None,
            out,
        }
    }

    /// Collects until every worker is gone.
    pub(crate) async fn run(mut self, mut messages: mpsc::Receiver<Message>) -> Collected {
        while let Some(message) = messages.recv().await {
            self.take(message);
            while let Some(snapshot) = self.next_complete() {
                self.offer(snapshot);
            }
        }
        if self.untold > 0 {
            let (start, end) = (self.at, self.at);
            self.offer(Snapshot { start, end, ..Snapshot::default() });
        }
        if let Some(last) = self.held.take() {
            // Without a reader there is nobody to lose anything.
            let _ = self.out.send(last).await;
        }
        Collected { stopped_early: self.stopped_early, lost_workers: self.lost }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Report(Report { worker, interval, snapshot }) => {
                let reports = &mut self.workers[worker].reports;
                if reports.len() < MOST_REPORTS {
                    reports.push_back((interval, *snapshot));
                } else if let Some((last, whole)) = reports.back_mut() {
                    *last = interval;
                    whole.append(&snapshot);
                }
            }
            Message::Ended { worker, ending } => {
                self.workers[worker].ended = true;
                match ending {
                    Ending::Done { stopped_early } => self.stopped_early |= stopped_early,
                    Ending::Lost => {
                        tracing::error!(
                            worker,
                            "a worker of the load generator is lost; the run is stopped"
                        );
                        self.lost += 1;
                        self.untold += 1;
                        self.stopped_early = true;
                        self.stop.cancel();
                    }
                }
            }
        }
    }

    /// Everything up to the first interval at whose end every worker has made a report.
    fn next_complete(&mut self) -> Option<Snapshot> {
        let boundary = self.next_boundary()?;
        let mut all: Option<Snapshot> = None;
        for progress in &mut self.workers {
            let mut one: Option<Snapshot> = None;
            while progress.reports.front().is_some_and(|(interval, _)| *interval <= boundary) {
                let Some((_, report)) = progress.reports.pop_front() else { break };
                match &mut one {
                    None => one = Some(report),
                    Some(one) => one.append(&report),
                }
            }
            match (&mut all, one) {
                (Some(all), Some(one)) => all.merge(&one),
                (None, one) => all = one,
                (Some(_), None) => {}
            }
        }
        let mut snapshot = all?;
        snapshot.start = self.at;
        snapshot.end = snapshot.end.max(self.at);
        self.at = snapshot.end;
        Some(snapshot)
    }

    /// The first interval that ends a report of every worker. One that is gone has reported all
    /// intervals after its last report.
    fn next_boundary(&self) -> Option<u64> {
        let live = || self.workers.iter().filter(|progress| !progress.ended);
        let ends = |progress: &Progress, boundary: u64| {
            progress.reports.iter().any(|(interval, _)| *interval == boundary)
        };
        match live().next() {
            Some(first) => first
                .reports
                .iter()
                .map(|(interval, _)| *interval)
                .find(|boundary| live().all(|progress| ends(progress, *boundary))),
            // All are gone: what is left goes out interval by interval.
            None => {
                let left = self.workers.iter().filter_map(|progress| progress.reports.front());
                left.map(|(interval, _)| *interval).min()
            }
        }
    }

    fn offer(&mut self, mut snapshot: Snapshot) {
        snapshot.generator.lost_workers += std::mem::take(&mut self.untold);
        let mut next = match self.held.take() {
            None => snapshot,
            Some(mut held) => {
                held.append(&snapshot);
                held
            }
        };
        next.index = self.index;
        match self.out.try_send(next) {
            Ok(()) => self.index += 1,
            Err(TrySendError::Full(held)) => self.held = Some(held),
            Err(TrySendError::Closed(_)) => {}
        }
    }
}
