//! What one worker recorded since it last reported. Only its own thread touches it: recording
//! takes no lock, and reporting swaps the whole part for an empty one.

use std::collections::BTreeMap;
use std::time::Duration;

use plimsoll_domain::{Sample, Tally, Transport};

/// Counts and latencies of one worker in one interval.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) warmup: Tally,
    pub(crate) measured: Tally,
    pub(crate) connections_opened: u64,
    pub(crate) capped: u64,
    pub(crate) socket_exhausted: u64,
    pub(crate) examples: BTreeMap<Transport, String>,
}

impl Part {
    fn tally(&mut self, warmup: bool) -> &mut Tally {
        if warmup { &mut self.warmup } else { &mut self.measured }
    }

    pub(crate) fn offer(&mut self, warmup: bool) {
        self.tally(warmup).offered += 1;
    }

    pub(crate) fn send(&mut self, warmup: bool) {
        self.tally(warmup).sent += 1;
    }

    pub(crate) fn drop_one(&mut self, warmup: bool) {
        self.tally(warmup).drop_one();
    }

    pub(crate) fn record(&mut self, warmup: bool, sample: &Sample) {
        self.tally(warmup).record(sample);
    }

    /// Keeps the first message of each kind.
    pub(crate) fn example(&mut self, kind: Transport, message: &str) {
        self.examples.entry(kind).or_insert_with(|| message.to_owned());
    }
}

/// What a worker tells the collector at the end of an interval.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) worker: usize,
    /// The interval that ended, from 0. What the worker could not report earlier is in it too.
    pub(crate) interval: u64,
    /// When, since t0.
    pub(crate) at: Duration,
    pub(crate) part: Box<Part>,
    pub(crate) state: State,
    /// Set in a worker's last report: whether it was stopped before the end of its schedule.
    pub(crate) last: Option<bool>,
}

/// A worker's state at the end of an interval.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct State {
    pub(crate) in_flight: u64,
    pub(crate) backlog: u64,
    pub(crate) connections: u64,
    /// Shares of the time since its last report: on a processor, and waiting for one.
    pub(crate) cpu: Option<(f64, f64)>,
}
