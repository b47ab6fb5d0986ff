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
        let Some(first) = live().next() else {
            // All are gone: what is left goes out interval by interval.
            let left = self.workers.iter().filter_map(|progress| progress.reports.front());
            return left.map(|(interval, _)| *interval).min();
        };
        let mut boundaries = first.reports.iter().map(|(interval, _)| *interval);
        boundaries.find(|boundary| live().all(|progress| ends(progress, *boundary)))
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

#[cfg(test)]
mod tests {
    use plimsoll_domain::{Key, Limits, Names, Recorder};

    use super::*;

    /// A report up to `at` milliseconds, from `from`.
    fn report(worker: usize, interval: u64, (from, at): (u64, u64), offered: u64) -> Message {
        let mut recorder = Recorder::new(Names::default(), Limits::default());
        (0..offered).for_each(|_| recorder.offer(Key::default()));
        let (start, end) = (Duration::from_millis(from), Duration::from_millis(at));
        let mut snapshot = recorder.take(interval, start, end);
        let generator = &mut snapshot.generator;
        generator.in_flight = offered;
        (generator.cpu_cores, generator.cpu_busiest) = (Some(0.5), Some(0.5));
        generator.cpu_wait = Some(0.1);
        Message::Report(Report { worker, interval, snapshot: Box::new(snapshot) })
    }

    fn second(worker: usize, interval: u64, offered: u64) -> Message {
        report(worker, interval, (interval * 1000, interval * 1000 + 1000), offered)
    }

    fn done(worker: usize) -> Message {
        Message::Ended { worker, ending: Ending::Done { stopped_early: false } }
    }

    async fn collect(capacity: usize, messages: Vec<Message>) -> (Collected, Vec<Snapshot>, bool) {
        let (out, mut snapshots) = mpsc::channel(capacity);
        let (send, receive) = mpsc::channel(100);
        for message in messages {
            send.send(message).await.unwrap();
        }
        drop(send);
        let stop = CancellationToken::new();
        let collector = tokio::spawn(Collector::new(2, out, stop.clone()).run(receive));
        tokio::task::yield_now().await;
        let mut all = Vec::new();
        while let Some(snapshot) = snapshots.recv().await {
            all.push(snapshot);
        }
        (collector.await.unwrap(), all, stop.is_cancelled())
    }

    fn rows(snapshots: &[Snapshot]) -> Vec<(u64, u128, u128, u64)> {
        let row = |s: &Snapshot| (s.index, s.start.as_millis(), s.end.as_millis(), s.all().offered);
        snapshots.iter().map(row).collect()
    }

    #[tokio::test]
    async fn an_interval_is_complete_when_all_workers_have_reported_it() {
        let messages = vec![
            second(0, 0, 1),
            second(0, 1, 2),
            second(1, 0, 10),
            report(0, 2, (2000, 2300), 4),
            done(0),
            second(1, 1, 20),
            second(1, 2, 40),
            report(1, 3, (3000, 3300), 80),
            done(1),
        ];
        let (ended, snapshots, stopped) = collect(10, messages).await;
        assert_eq!(ended, Collected { stopped_early: false, lost_workers: 0 });
        assert!(!stopped);
        let wanted =
            [(0, 0, 1000, 11), (1, 1000, 2000, 22), (2, 2000, 3000, 44), (3, 3000, 3300, 80)];
        assert_eq!(rows(&snapshots), wanted);
        let generator = &snapshots[1].generator;
        assert_eq!((generator.cpu_cores, generator.cpu_busiest), (Some(1.0), Some(0.5)));
        assert_eq!((generator.cpu_wait, generator.in_flight), (Some(0.1), 22));
    }

    #[tokio::test]
    async fn a_report_that_comes_late_covers_all_of_its_time() {
        let messages = vec![
            second(0, 0, 1),
            second(1, 0, 10),
            second(0, 1, 2),
            second(0, 2, 4),
            // It was held up, and tells of all of it at once.
            report(1, 3, (1000, 4007), 60),
            second(0, 3, 8),
            done(0),
            done(1),
        ];
        let (_, snapshots, _) = collect(10, messages).await;
        assert_eq!(rows(&snapshots), [(0, 0, 1000, 11), (1, 1000, 4007, 74)]);
        assert_eq!(snapshots[1].length(), Duration::from_millis(3007));
    }

    #[tokio::test]
    async fn a_slow_reader_loses_nothing() {
        let messages = vec![
            second(0, 0, 1),
            second(1, 0, 10),
            second(0, 1, 2),
            second(1, 1, 20),
            report(0, 2, (2000, 2300), 4),
            report(1, 2, (2000, 2400), 40),
            done(0),
            done(1),
        ];
        let (_, snapshots, _) = collect(1, messages).await;
        assert_eq!(rows(&snapshots), [(0, 0, 1000, 11), (1, 1000, 2400, 66)]);
        assert_eq!(snapshots[1].generator.in_flight, 44, "a state is that of the later interval");
    }

    #[tokio::test]
    async fn a_worker_that_is_held_up_does_not_fill_the_memory() {
        let (out, mut snapshots) = mpsc::channel(1);
        let mut collector = Collector::new(2, out, CancellationToken::new());
        (0..100).for_each(|interval| collector.take(second(0, interval, 1)));
        assert_eq!(collector.workers[0].reports.len(), MOST_REPORTS);
        collector.take(report(1, 99, (0, 100_000), 7));
        let snapshot = collector.next_complete().unwrap();
        assert_eq!((snapshot.all().offered, snapshot.end.as_secs()), (107, 100));
        assert!(snapshots.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_lost_worker_stops_the_run_and_what_was_measured_is_kept() {
        let lost = Message::Ended { worker: 1, ending: Ending::Lost };
        let messages = vec![
            second(0, 0, 1),
            second(1, 0, 10),
            second(0, 1, 2),
            lost,
            second(0, 2, 4),
            done(0),
        ];
        let (ended, snapshots, stopped) = collect(10, messages).await;
        assert_eq!(ended, Collected { stopped_early: true, lost_workers: 1 });
        assert!(stopped);
        assert_eq!(rows(&snapshots), [(0, 0, 1000, 11), (1, 1000, 2000, 2), (2, 2000, 3000, 4)]);
        let lost: Vec<_> = snapshots.iter().map(|s| s.generator.lost_workers).collect();
        assert_eq!(lost, [0, 1, 0]);
    }

    #[tokio::test]
    async fn the_last_snapshot_tells_of_a_loss_that_came_after_everything() {
        let lost = |worker| Message::Ended { worker, ending: Ending::Lost };
        let (ended, snapshots, _) = collect(10, vec![second(0, 0, 1), lost(0), lost(1)]).await;
        assert_eq!(ended.lost_workers, 2);
        assert_eq!(rows(&snapshots).iter().map(|row| row.3).sum::<u64>(), 1);
        assert_eq!(snapshots.iter().map(|s| s.generator.lost_workers).sum::<u32>(), 2);
    }
}
