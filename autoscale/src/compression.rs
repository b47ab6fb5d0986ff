//! Rule time: the time that rules, metrics and provisioning live in, some times faster than the run.
//!
//! With a time compression of `c`, a second of the run is `c` seconds of rule time, so that every
//! duration of rules, metric pipeline and provisioning takes `1 / c` as long, and the rules
//! themselves are the very ones of the file: what they decide can be decided again from the record
//! without knowing of it. The load is not compressed: its rates, and rates that metrics show, are those
//! of the run.
//!
//! What compression cannot preserve: a grain holds `1 / c` of the requests that it would hold, so that
//! its percentiles are of fewer; and what takes its own time (the start of a process, service times, a
//! backlog, the draining of an instance) takes `c` times as much of rule time.

use std::time::Duration;

use jiff::Timestamp;

/// The grain of Azure's metrics.
const MINUTE_S: i64 = 60;

/// How many times faster rule time goes than the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compression(u32);

impl Compression {
    /// Rule time is the run's.
    pub const NONE: Self = Self(1);

    /// `factor` times. It divides 60, so that a minute of rule time is a whole number of seconds of
    /// the run, which is how long the intervals of measurements are: none lies in two minutes.
    ///
    /// # Errors
    /// What would be right.
    pub fn new(factor: u32) -> Result<Self, String> {
        if factor > 0 && 60 % factor == 0 {
            return Ok(Self(factor));
        }
        Err(format!("{factor} does not divide 60: 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 or 60 do"))
    }

    /// The factor.
    pub fn factor(self) -> u32 {
        self.0
    }
}

/// Which moment of rule time a moment of the run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleTime {
    begins: Timestamp,
    compression: Compression,
}

impl RuleTime {
    /// The run begins in the minute of `begins`, at its first second: a grain begins with the load.
    pub fn new(begins: Timestamp, compression: Compression) -> Self {
        let minute = begins.as_second().div_euclid(MINUTE_S) * MINUTE_S;
        Self { begins: Timestamp::from_second(minute).unwrap_or(begins), compression }
    }

    /// How many times faster it goes.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// The moment `run` after the beginning of the run.
    pub fn at(&self, run: Duration) -> Timestamp {
        self.begins.checked_add(run * self.compression.0).unwrap_or(Timestamp::MAX)
    }

    /// How long after the beginning of the run it is `at`; zero before it.
    pub fn run_at(&self, at: Timestamp) -> Duration {
        self.run(Duration::try_from(at.duration_since(self.begins)).unwrap_or_default())
    }

    /// How long a duration of rule time takes in the run.
    pub fn run(&self, rule: Duration) -> Duration {
        rule / self.compression.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_faster_and_comes_back() {
        let begins: Timestamp = "2026-11-28T10:00:42Z".parse().expect("a moment");
        let time = RuleTime::new(begins, Compression::new(12).expect("it divides 60"));
        assert_eq!(time.at(Duration::from_secs(5)).to_string(), "2026-11-28T10:01:00Z");
        assert_eq!(time.run_at(time.at(Duration::from_millis(1234))), Duration::from_millis(1234));
        assert_eq!(time.run_at(Timestamp::UNIX_EPOCH), Duration::ZERO);
        assert_eq!(time.run(Duration::from_mins(5)), Duration::from_secs(25));
        let whole: Vec<u32> = (0..100).filter(|factor| Compression::new(*factor).is_ok()).collect();
        assert_eq!(whole, [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60]);
    }
}
