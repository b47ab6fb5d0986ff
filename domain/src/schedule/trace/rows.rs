//! The rows of a trace's text, read one by one and checked as they are.

use std::io::{BufRead, Read};
use std::str::FromStr;

use super::{Kind, Open, Wrong};

/// A line that is longer is of no trace; so a file without lines is not read into memory.
const LONGEST_LINE: u64 = 64 * 1024;

/// Windows are as long as the first, to this share of it.
const SAME_STEP: f64 = 1e-3;

/// One row: an arrival, or the beginning of a window and its rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    /// In seconds.
    pub(super) at: f64,
    /// Arrivals per second; 0 for an arrival.
    pub(super) rate: f64,
}

/// The rows that are left.
pub(super) struct Rows {
    text: Box<dyn BufRead + Send>,
    /// The places of the columns for time and rate.
    time: usize,
    rate: Option<usize>,
    line: u64,
    buffer: Vec<u8>,
    before: Option<f64>,
    step: Option<f64>,
}

impl Rows {
    /// Reads the line of names.
    pub(super) fn open(open: &Open) -> Result<Self, Wrong> {
        let text = open().map_err(|error| Wrong { line: 0, what: error.to_string() })?;
        let mut rows = Self {
            text,
            time: 0,
            rate: None,
            line: 0,
            buffer: Vec::new(),
            before: None,
            step: None,
        };
        let names = rows.read_line()?.unwrap_or_default();
        let place = |name: &str| names.split(',').position(|cell| cell.trim() == name);
        (rows.time, rows.rate) = match (place("offset_s"), place("start_s"), place("rate_rps")) {
            (Some(offset), None, None) => (offset, None),
            (None, Some(start), Some(rate)) => (start, Some(rate)),
            _ if names.is_empty() => return Err(Wrong { line: 0, what: "it is empty".to_owned() }),
            _ => {
                return Err(rows.wrong(
                    "the first line names the columns: `offset_s` for arrivals, or `start_s` and \
                     `rate_rps` for rates",
                ));
            }
        };
        Ok(rows)
    }

    pub(super) fn kind(&self) -> Kind {
        if self.rate.is_some() { Kind::Rates } else { Kind::Offsets }
    }

    /// The number of the line that was read last.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// How long a window is, once two were read.
    pub(super) fn step(&self) -> Option<f64> {
        self.step
    }

    /// The next row.
    pub(super) fn next(&mut self) -> Result<Option<Row>, Wrong> {
        let Some(line) = self.read_line()? else { return Ok(None) };
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let number = |place: usize| {
            let cell = cells.get(place).copied().unwrap_or_default();
            let value = f64::from_str(cell).ok().filter(|value| value.is_finite() && *value >= 0.0);
            value.ok_or_else(|| self.wrong(&format!("`{cell}` is no number from 0")))
        };
        let row = Row {
            at: number(self.time)?,
            rate: self.rate.map(number).transpose()?.unwrap_or_default(),
        };
        self.follows(row.at)?;
        self.before = Some(row.at);
        Ok(Some(row))
    }

    /// Whether this time may follow the one before it.
    fn follows(&mut self, at: f64) -> Result<(), Wrong> {
        let Some(before) = self.before else {
            if self.rate.is_some() && at > 0.0 {
                return Err(self.wrong(&format!("the first window begins at 0, not at {at}")));
            }
            return Ok(());
        };
        if at < before || (self.rate.is_some() && at <= before) {
            return Err(self.wrong(&format!(
                "{at} comes after {before}: the rows are not in the order of time; sort them"
            )));
        }
        if self.rate.is_none() {
            return Ok(());
        }
        let length = at - before;
        let step = *self.step.get_or_insert(length);
        if (length - step).abs() > SAME_STEP * step {
            return Err(self.wrong(&format!(
                "this window begins {length} s after the one before it, and others take {step} s: \
                 rows are missing; give every window its row, with a rate of 0 where there was none"
            )));
        }
        Ok(())
    }

    /// The next line that says something.
    fn read_line(&mut self) -> Result<Option<String>, Wrong> {
        loop {
            self.buffer.clear();
            self.line += 1;
            let read = (&mut self.text).take(LONGEST_LINE).read_until(b'\n', &mut self.buffer);
            let length = read.map_err(|error| self.wrong(&error.to_string()))?;
            if length == 0 {
                self.line -= 1;
                return Ok(None);
            }
            if length as u64 == LONGEST_LINE {
                return Err(self.wrong("it is longer than any row of a trace"));
            }
            let line =
                std::str::from_utf8(&self.buffer).map_err(|_| self.wrong("it is no text"))?;
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                return Ok(Some(line.to_owned()));
            }
        }
    }

    fn wrong(&self, what: &str) -> Wrong {
        Wrong { line: self.line, what: what.to_owned() }
    }
}
