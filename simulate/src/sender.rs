//! The sending side: connections, arrivals that wait for one, and the ceiling.

use std::collections::VecDeque;
use std::time::Duration;

use plimsoll_domain::{Generator, Key};

use crate::Client;

/// Arrivals that wait for a connection; one more is dropped. The load generator has the same bound.
const MOST_WAITING: usize = 262_144;

/// An arrival that has not been sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unsent {
    pub(crate) key: Key,
    pub(crate) due: u64,
}

/// What becomes of an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    /// It is sent at once.
    Send,
    /// It waits for a connection.
    Wait,
    /// It exceeds the ceiling.
    Capped,
    /// Too many wait.
    Dropped,
}

#[derive(Debug)]
pub(crate) struct Sender {
    max_connections: usize,
    pub(crate) timeout: u64,
    pub(crate) drain: u64,
    /// Nanoseconds between two arrivals at the ceiling.
    gap: Option<f64>,
    /// Where the ceiling's bucket stands: the time at which it is empty again.
    empty_at: f64,
    /// How far it may stand ahead.
    burst: f64,
    pub(crate) in_flight: usize,
    /// Opened in the interval, and open.
    opened: u64,
    connections: usize,
    waiting: VecDeque<Unsent>,
}

impl Sender {
    pub(crate) fn new(client: &Client) -> Self {
        let gap = client.ceiling_rps.map(|rps| 1e9 / f64::from(rps.get()));
        // A tenth of a second's worth may go at once, as in the load generator.
        let burst = client.ceiling_rps.map_or(0.0, |rps| f64::from(rps.get().div_ceil(10)));
        Self {
            max_connections: client.max_connections,
            timeout: nanos(client.timeout),
            drain: nanos(client.drain),
            gap,
            empty_at: 0.0,
            burst: (burst - 1.0).max(0.0) * gap.unwrap_or_default(),
            in_flight: 0,
            opened: 0,
            connections: 0,
            waiting: VecDeque::new(),
        }
    }

    /// An arrival became due.
    pub(crate) fn release(&mut self, unsent: Unsent, now: u64) -> Release {
        if let Some(gap) = self.gap {
            let ahead = self.empty_at - now as f64;
            if ahead > self.burst {
                return Release::Capped;
            }
            self.empty_at = self.empty_at.max(now as f64) + gap;
        }
        if self.in_flight < self.max_connections && self.waiting.is_empty() {
            return Release::Send;
        }
        if self.waiting.len() >= MOST_WAITING {
            return Release::Dropped;
        }
        self.waiting.push_back(unsent);
        Release::Wait
    }

    /// A request takes a connection.
    pub(crate) fn send(&mut self) {
        self.in_flight += 1;
        if self.in_flight > self.connections {
            self.connections += 1;
            self.opened += 1;
        }
    }

    /// The next of those that wait, if there is a connection for it.
    pub(crate) fn next_to_send(&mut self) -> Option<Unsent> {
        if self.in_flight >= self.max_connections {
            return None;
        }
        self.waiting.pop_front()
    }

    /// When the first of those that wait gives up.
    pub(crate) fn gives_up_at(&self) -> u64 {
        self.waiting.front().map_or(u64::MAX, |first| first.due.saturating_add(self.timeout))
    }

    /// The first of those that wait, which gives up.
    pub(crate) fn give_up(&mut self) -> Option<Unsent> {
        self.waiting.pop_front()
    }

    /// Whether nothing is under way or waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.waiting.is_empty()
    }

    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Unsent> {
        self.waiting.iter()
    }

    /// Fills in the generator's state at an interval's end.
    pub(crate) fn tell(&mut self, generator: &mut Generator) {
        generator.in_flight = self.in_flight as u64;
        generator.backlog = self.waiting.len() as u64;
        generator.connections = self.connections as u64;
        generator.connections_opened = std::mem::take(&mut self.opened);
    }
}

/// A span in nanoseconds; what is too long to count is for ever.
pub(crate) fn nanos(span: Duration) -> u64 {
    let seconds = span.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(span.subsec_nanos().into())
}
