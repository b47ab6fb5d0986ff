//! The due times of a trace.

use std::collections::VecDeque;
use std::time::Duration;

use rand::RngExt;
use rand_pcg::Pcg64;

use super::rows::Row;
use super::{Kind, Passes, Trace};
use crate::schedule::arrivals::Spacing;

/// The stream of random numbers that a scale draws from; one stream per purpose.
const STREAM: u128 = 0x7363_616c_6500;

/// The due times that are left.
pub(in crate::schedule) struct Replay {
    trace: Trace,
    spacing: Spacing,
    seed: u64,
    /// Due times that were given.
    given: u64,
    stream: Option<Stream>,
}

/// What is read and drawn as it goes.
struct Stream {
    passes: Passes,
    next: Option<Row>,
    spacing: Spacing,
    random: Pcg64,
    /// Due times of one row, in recorded time.
    copies: VecDeque<f64>,
    /// Arrivals of the windows before `next`.
    area: f64,
    /// Where among them the next arrival lies, once it was drawn.
    drawn: Option<f64>,
}

impl Replay {
    pub(in crate::schedule) fn new(trace: &Trace, spacing: Spacing, seed: u64) -> Self {
        Self { trace: trace.clone(), spacing, seed, given: 0, stream: None }
    }

    /// The next due time.
    pub(in crate::schedule) fn next(&mut self) -> Option<Duration> {
        let Self { trace, spacing, seed, .. } = self;
        let stream = self.stream.get_or_insert_with(|| {
            let mut passes = trace.passes();
            Stream {
                next: passes.next(),
                passes,
                spacing: spacing.clone(),
                random: Pcg64::new(u128::from(*seed), STREAM),
                copies: VecDeque::new(),
                area: 0.0,
                drawn: None,
            }
        });
        let at = match trace.kind {
            Kind::Offsets => stream.offset(trace)?,
            Kind::Rates => stream.within_rates(trace, self.given)?,
        };
        let due = Duration::from_secs_f64(at / trace.speed);
        if due >= trace.duration() {
            return None;
        }
        self.given += 1;
        Some(due)
    }
}

impl Stream {
    fn offset(&mut self, trace: &Trace) -> Option<f64> {
        loop {
            if let Some(at) = self.copies.pop_front() {
                return Some(at);
            }
            let row = self.next?;
            self.next = self.passes.next();
            let until = self.next.map_or(trace.pass.length_s, |next| next.at).max(row.at);
            let rest = trace.scale.fract();
            let once_more = rest > 0.0 && self.random.random::<f64>() < rest;
            let count = trace.scale as u64 + u64::from(once_more);
            // A whole scale of 1 draws nothing: the trace as it was recorded.
            let mut copies: Vec<f64> = (1..count)
                .map(|_| row.at + (until - row.at) * self.random.random::<f64>())
                .collect();
            copies.sort_by(f64::total_cmp);
            self.copies.extend((count > 0).then_some(row.at).into_iter().chain(copies));
        }
    }

    fn within_rates(&mut self, trace: &Trace, number: u64) -> Option<f64> {
        let spacing = &mut self.spacing;
        let wanted = *self.drawn.get_or_insert_with(|| spacing.next_area(number));
        loop {
            let row = self.next?;
            let rate = row.rate * trace.scale;
            let end = self.area + rate * trace.pass.step_s;
            if wanted < end {
                self.drawn = None;
                let within = ((wanted - self.area) / rate).clamp(0.0, trace.pass.step_s);
                return Some(row.at + within);
            }
            self.area = end;
            self.next = self.passes.next();
        }
    }
}

impl Clone for Replay {
    /// One that stands where this one does. It reads from the beginning to get there.
    fn clone(&self) -> Self {
        let mut again = Self::new(&self.trace, self.spacing.clone(), self.seed);
        while again.given < self.given && again.next().is_some() {}
        again
    }
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { trace, given, .. } = self;
        f.debug_struct("Replay").field("trace", trace).field("given", given).finish_non_exhaustive()
    }
}
