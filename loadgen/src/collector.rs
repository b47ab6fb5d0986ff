//! The collector: merges the workers' reports into one snapshot per interval and hands it on.
//!
//! A snapshot goes out when every worker has reported its interval. If the reader's queue is full
//! the snapshot is held and the next one merged into it, so a slow reader gets longer intervals
//! and loses nothing. The last snapshot waits for the reader.

use std::collections::BTreeMap;
use std::time::Duration;

use plimsoll_domain::{Generator, Snapshot};
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::worker::INTERVAL;
use crate::worker::recorder::{Report, State};

/// Merges reports into snapshots.
pub(crate) struct Collector {
    /// By worker: the first interval that it has not reported; `None` when it has ended.
    next: Vec<Option<u64>>,
    states: Vec<State>,
    open: BTreeMap<u64, Snapshot>,
    emitted: u64,
    index: u64,
    at: Duration,
    stopped_early: bool,
    held: Option<Snapshot>,
    out: mpsc::Sender<Snapshot>,
}

impl Collector {
    pub(crate) fn new(workers: usize, out: mpsc::Sender<Snapshot>) -> Self {
        Self {
            next: vec![Some(0); workers],
            states: vec![State::default(); workers],
            open: BTreeMap::new(),
            emitted: 0,
            index: 0,
            at: Duration::ZERO,
            stopped_early: false,
            held: None,
            out,
        }
    }

    /// Collects until every worker is gone; whether any was stopped early, or `None` if one was
    /// lost.
    pub(crate) async fn run(mut self, mut reports: mpsc::Receiver<Report>) -> Option<bool> {
        while let Some(report) = reports.recv().await {
            self.take(report);
            while let Some(snapshot) = self.next_complete() {
                self.offer(snapshot);
            }
        }
        while let Some((interval, _)) = self.open.first_key_value() {
            let snapshot = self.close((*interval).max(self.emitted));
            self.offer(snapshot);
        }
        if let Some(last) = self.held.take() {
            // Without a reader there is nobody to lose anything.
            let _ = self.out.send(last).await;
        }
        self.next.iter().all(Option::is_none).then_some(self.stopped_early)
    }

    fn take(&mut self, report: Report) {
        let Report { worker, interval, at, part, state, last } = report;
        self.at = self.at.max(at);
        self.next[worker] = last.is_none().then_some(interval + 1);
        self.stopped_early |= last.unwrap_or(false);
        self.states[worker] = state;
        let snapshot = self.open.entry(interval).or_default();
        snapshot.warmup.merge(&part.warmup);
        snapshot.measured.merge(&part.measured);
        let generator = &mut snapshot.generator;
        generator.connections_opened += part.connections_opened;
        generator.capped += part.capped;
        generator.socket_exhausted += part.socket_exhausted;
        for (kind, message) in part.examples {
            generator.examples.entry(kind).or_insert(message);
        }
        if let Some((ran, waited)) = state.cpu {
            generator.cpu_cores = Some(generator.cpu_cores.unwrap_or(0.0) + ran);
            generator.cpu_wait = Some(generator.cpu_wait.unwrap_or(0.0).max(waited));
        }
    }

    /// The next interval that every worker has reported or ended before.
    fn next_complete(&mut self) -> Option<Snapshot> {
        let reported = self.next.iter().flatten().min()?;
        (*reported > self.emitted).then(|| self.close(self.emitted))
    }

    fn close(&mut self, interval: u64) -> Snapshot {
        // What late reports put into intervals before this one belongs to it now.
        let later = self.open.split_off(&(interval + 1));
        let mut snapshot = Snapshot::default();
        for (_, part) in std::mem::replace(&mut self.open, later) {
            absorb(&mut snapshot, part);
        }
        snapshot.start = INTERVAL * self.emitted as u32;
        let end = INTERVAL * (interval + 1) as u32;
        let is_last = self.open.is_empty() && self.next.iter().all(Option::is_none);
        snapshot.end = if is_last { self.at.max(snapshot.start) } else { end };
        let generator = &mut snapshot.generator;
        generator.in_flight = self.states.iter().map(|state| state.in_flight).sum();
        generator.backlog = self.states.iter().map(|state| state.backlog).sum();
        generator.connections = self.states.iter().map(|state| state.connections).sum();
        self.emitted = interval + 1;
        snapshot
    }

    fn offer(&mut self, snapshot: Snapshot) {
        let mut next = match self.held.take() {
            None => snapshot,
            Some(mut held) => {
                held.end = snapshot.end;
                absorb(&mut held, snapshot);
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

/// Merges `later` into `snapshot`: counts add up, states are those of the later one.
fn absorb(snapshot: &mut Snapshot, later: Snapshot) {
    snapshot.warmup.merge(&later.warmup);
    snapshot.measured.merge(&later.measured);
    let before = std::mem::replace(&mut snapshot.generator, later.generator);
    let Generator { connections_opened, capped, socket_exhausted, examples, .. } = before;
    let generator = &mut snapshot.generator;
    generator.connections_opened += connections_opened;
    generator.capped += capped;
    generator.socket_exhausted += socket_exhausted;
    generator.examples.extend(examples);
    let greater = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::max);
    generator.cpu_cores = greater(generator.cpu_cores, before.cpu_cores);
    generator.cpu_wait = greater(generator.cpu_wait, before.cpu_wait);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::recorder::Part;

    fn report(worker: usize, interval: u64, offered: u64, last: bool) -> Report {
        let mut part = Box::<Part>::default();
        (0..offered).for_each(|_| part.offer(false));
        let at = INTERVAL * interval as u32 + Duration::from_millis(if last { 300 } else { 1000 });
        let state = State { in_flight: offered, cpu: Some((0.5, 0.1)), ..State::default() };
        Report { worker, interval, at, part, state, last: last.then_some(false) }
    }

    async fn collect(capacity: usize, reports: Vec<Report>) -> (Option<bool>, Vec<Snapshot>) {
        let (out, mut snapshots) = mpsc::channel(capacity);
        let (send, receive) = mpsc::channel(100);
        for report in reports {
            send.send(report).await.unwrap();
        }
        drop(send);
        let collector = tokio::spawn(Collector::new(2, out).run(receive));
        tokio::task::yield_now().await;
        let mut all = Vec::new();
        while let Some(snapshot) = snapshots.recv().await {
            all.push(snapshot);
        }
        (collector.await.unwrap(), all)
    }

    fn rows(snapshots: &[Snapshot]) -> Vec<(u64, u128, u128, u64)> {
        let row =
            |s: &Snapshot| (s.index, s.start.as_millis(), s.end.as_millis(), s.measured.offered);
        snapshots.iter().map(row).collect()
    }

    #[tokio::test]
    async fn an_interval_is_complete_when_all_workers_have_reported_it() {
        let reports = vec![
            report(0, 0, 1, false),
            report(0, 1, 2, false),
            report(1, 0, 10, false),
            report(0, 2, 4, true),
            report(1, 1, 20, false),
            report(1, 2, 40, false),
            report(1, 3, 80, true),
        ];
        let (ended, snapshots) = collect(10, reports).await;
        assert_eq!(ended, Some(false));
        let wanted =
            [(0, 0, 1000, 11), (1, 1000, 2000, 22), (2, 2000, 3000, 44), (3, 3000, 3300, 80)];
        assert_eq!(rows(&snapshots), wanted);
        assert_eq!(snapshots[1].generator.cpu_cores, Some(1.0));
        assert_eq!(snapshots[1].generator.cpu_wait, Some(0.1));
    }

    #[tokio::test]
    async fn a_slow_reader_and_a_skipped_report_lose_nothing() {
        let reports = vec![
            report(0, 0, 1, false),
            report(1, 0, 10, false),
            report(0, 1, 2, false),
            report(0, 2, 4, false),
            report(1, 2, 60, false), // with what belongs to interval 1
            report(0, 3, 8, true),
            report(1, 3, 80, true),
        ];
        let (_, snapshots) = collect(1, reports).await;
        assert_eq!(rows(&snapshots), [(0, 0, 1000, 11), (1, 1000, 3300, 154)]);
        assert_eq!(snapshots[1].generator.in_flight, 88);
    }

    #[tokio::test]
    async fn a_lost_worker_is_noticed_and_its_parts_are_kept() {
        let reports = vec![report(0, 0, 1, false), report(1, 0, 2, true)];
        let (ended, snapshots) = collect(10, reports).await;
        assert_eq!(ended, None);
        assert_eq!(rows(&snapshots)[0].3, 3);
    }
}
