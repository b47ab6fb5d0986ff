//! How many arrivals a trace has by each time.

use std::time::Duration;

use super::rows::Row;
use super::{Kind, Passes, Trace};

/// The arrivals of a replay by ever later times. It goes through the rows once.
pub struct Course {
    passes: Passes,
    next: Option<Row>,
    /// Of the rows that are over.
    counted: f64,
}

impl std::fmt::Debug for Course {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Course").field("counted", &self.counted).finish_non_exhaustive()
    }
}

impl Course {
    pub(super) fn new(trace: &Trace) -> Self {
        let mut passes = trace.passes();
        Self { next: passes.next(), passes, counted: 0.0 }
    }

    /// The arrivals before `t`, which is not before that of the last call: of rates, and with a scale,
    /// the expected number.
    pub fn by(&mut self, t: Duration) -> f64 {
        let trace = &self.passes.trace;
        let (kind, scale, step) = (trace.kind, trace.scale, trace.pass.step_s);
        let t = t.min(trace.duration()).as_secs_f64() * trace.speed;
        while let Some(row) = self.next {
            let (end, arrivals) = match kind {
                Kind::Offsets => (row.at, scale),
                Kind::Rates => (row.at + step, row.rate * scale * step),
            };
            if end >= t {
                let part = if step > 0.0 { ((t - row.at) / step).max(0.0) } else { 0.0 };
                return self.counted + arrivals * part;
            }
            self.counted += arrivals;
            self.next = self.passes.next();
        }
        self.counted
    }
}
