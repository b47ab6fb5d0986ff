//! A trace: the load of somebody's day, replayed.
//!
//! A trace is text with a line of column names, of one of two kinds. With `offset_s`, each row is one
//! arrival, so many seconds after the beginning; with `start_s` and `rate_rps`, each row is a window
//! of time and the arrivals per second in it, and the arrivals are spaced within as in any other
//! load. Other columns, and lines that begin with `#`, are passed over. The whole text is read once
//! to check it ([`Trace::check`]) and again as it is replayed, row by row: it is never in memory, and
//! may be longer.
//!
//! - `speed` shortens the time: the same arrivals in less of it, so their rate rises with it.
//! - `scale` multiplies the arrivals. Of offsets, each comes ⌊scale⌋ times and once more with the
//!   probability of the rest; the first of them when it was recorded, further ones anywhere until the
//!   next row. So half of a Poisson process is one, where every second arrival would be more even.
//! - repeated, a trace begins again when a pass is over: rates with the end of their last window,
//!   offsets a mean gap after the last of them.

mod course;
mod replay;
mod rows;

use std::fmt;
use std::io::{self, BufRead};
use std::sync::Arc;
use std::time::Duration;

pub use course::Course;
pub(super) use replay::Replay;
use rows::{Row, Rows};

use super::{Profile, Stage};

/// Gives the text from its beginning, each time anew.
pub type Open = Arc<dyn Fn() -> io::Result<Box<dyn BufRead + Send>> + Send + Sync>;

/// A trace that was checked, and how it is replayed.
#[derive(Clone)]
pub struct Trace {
    open: Open,
    kind: Kind,
    pass: Pass,
    speed: f64,
    scale: f64,
    repeats: bool,
    /// Ends it earlier, or a repeated one at all.
    duration: Option<Duration>,
}

/// What the rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Arrivals.
    Offsets,
    /// Windows with a rate.
    Rates,
}

/// The whole text, as it was recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pass {
    /// Rows.
    pub rows: u64,
    /// Arrivals: of rates the expected number.
    pub arrivals: f64,
    /// Seconds until it may begin again.
    pub length_s: f64,
    /// The longest time without an arrival, in seconds.
    pub silence_s: f64,
    /// Seconds that a window takes; 0 for offsets.
    step_s: f64,
}

/// What is wrong with a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// In which line, from 1; 0 if in none.
    pub line: u64,
    /// What, and what would be right.
    pub what: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.what),
            line => write!(f, "line {line}: {}", self.what),
        }
    }
}

impl Trace {
    /// Reads the whole text once.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(open: Open) -> Result<Self, Wrong> {
        let mut rows = Rows::open(&open)?;
        let kind = rows.kind();
        let (mut first, mut last): (Option<f64>, Row) = (None, Row { at: 0.0, rate: 0.0 });
        let (mut count, mut rates, mut silence, mut quiet_since) = (0u64, 0.0, 0.0f64, 0.0);
        while let Some(row) = rows.next()? {
            if kind == Kind::Offsets || last.rate > 0.0 {
                quiet_since = if kind == Kind::Offsets { last.at } else { row.at };
            }
            silence = silence.max(row.at - quiet_since);
            first.get_or_insert(row.at);
            rates += row.rate;
            (last, count) = (row, count + 1);
        }
        let wrong = |line, what: &str| Err(Wrong { line, what: what.to_owned() });
        let Some(first) = first else {
            return wrong(0, "it has no row, so nothing would be sent");
        };
        let step_s = rows.step().unwrap_or_default();
        if kind == Kind::Rates && count < 2 {
            return wrong(
                rows.line(),
                "one row does not tell how long its window is; add the one after it",
            );
        }
        if kind == Kind::Rates && rates <= 0.0 {
            return wrong(0, "every rate is 0, so nothing would be sent");
        }
        let span = last.at - first;
        let gap = if span > 0.0 { span / (count - 1) as f64 } else { 1.0 };
        let pass = match kind {
            Kind::Offsets => Pass {
                rows: count,
                arrivals: count as f64,
                length_s: last.at + gap,
                silence_s: silence,
                step_s: 0.0,
            },
            Kind::Rates => Pass {
                rows: count,
                arrivals: rates * step_s,
                length_s: last.at + step_s,
                silence_s: silence,
                step_s,
            },
        };
        let (speed, scale, repeats, duration) = (1.0, 1.0, false, None);
        Ok(Self { open, kind, pass, speed, scale, repeats, duration })
    }

    /// The same, replayed so many times as fast.
    ///
    /// # Panics
    /// A speed that is no number above 0.
    #[must_use]
    pub fn at_speed(mut self, speed: f64) -> Self {
        assert!(speed > 0.0 && speed.is_finite(), "a speed is a number above 0");
        self.speed = speed;
        self
    }

    /// The same with so many times the arrivals.
    ///
    /// # Panics
    /// A scale that is no number above 0.
    #[must_use]
    pub fn scaled(mut self, scale: f64) -> Self {
        assert!(scale > 0.0 && scale.is_finite(), "a scale is a number above 0");
        self.scale = scale;
        self
    }

    /// The same over and over, for so long.
    #[must_use]
    pub fn repeated(mut self, duration: Duration) -> Self {
        (self.repeats, self.duration) = (true, Some(duration));
        self
    }

    /// The first part of it only.
    #[must_use]
    pub fn cut(mut self, duration: Duration) -> Self {
        self.duration = Some(self.duration().min(duration));
        self
    }

    /// What its rows are.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The text as it was recorded.
    pub fn pass(&self) -> Pass {
        self.pass
    }

    /// How long the replay lasts.
    pub fn duration(&self) -> Duration {
        self.duration.unwrap_or_else(|| Duration::from_secs_f64(self.pass.length_s / self.speed))
    }

    /// How many arrivals it has by each time.
    pub fn course(&self) -> Course {
        Course::new(self)
    }

    /// The replay as stages of even rates, which have its means: what is known of it before a run.
    /// The first `warmup` of it is one.
    pub fn profile(&self, warmup: Duration) -> Profile {
        let (mut course, end) = (self.course(), self.duration());
        let warmup = warmup.min(end);
        let early = course.by(warmup);
        let all = course.by(end);
        let rate = |arrivals: f64, span: Duration| arrivals / span.as_secs_f64().max(1e-9);
        let mut stages = Vec::new();
        if !warmup.is_zero() {
            stages.push(Stage::hold("warm-up", rate(early, warmup), warmup).as_warmup());
        }
        let rest = end.saturating_sub(warmup);
        if !rest.is_zero() {
            stages.push(Stage::hold("trace", rate(all - early, rest), rest));
        }
        Profile::new(stages)
    }

    /// Its rows from the beginning.
    fn passes(&self) -> Passes {
        Passes { trace: self.clone(), rows: None, begins: 0.0 }
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, pass, speed, scale, repeats, duration, .. } = self;
        f.debug_struct("Trace")
            .field("kind", kind)
            .field("pass", pass)
            .field("speed", speed)
            .field("scale", scale)
            .field("repeats", repeats)
            .field("duration", duration)
            .finish_non_exhaustive()
    }
}

/// The rows of a trace, pass after pass, in recorded time.
struct Passes {
    trace: Trace,
    rows: Option<Rows>,
    /// When the pass that goes on began.
    begins: f64,
}

impl Passes {
    /// The next row, counted from the beginning of the first pass.
    fn next(&mut self) -> Option<Row> {
        let Self { trace, rows, begins } = self;
        // Its text was checked before; that it can be read no more is not ours to mend.
        let is_read = |row: Result<Option<Row>, Wrong>| {
            row.unwrap_or_else(|wrong| panic!("a trace changed while it was replayed: {wrong}"))
        };
        let opened = || {
            Rows::open(&trace.open)
                .unwrap_or_else(|wrong| panic!("a trace changed while it was replayed: {wrong}"))
        };
        let mut row = is_read(rows.get_or_insert_with(opened).next());
        if row.is_none() && trace.repeats {
            *begins += trace.pass.length_s;
            row = is_read(rows.insert(opened()).next());
        }
        row.map(|row| Row { at: row.at + *begins, ..row })
    }
}

#[cfg(test)]
mod tests;
