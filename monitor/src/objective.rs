//! Objectives: an indicator, a comparison and a threshold, over the run or in every window.
//!
//! An objective is written as people say it: `p99 < 200ms`, `error rate < 1% in every 10s`,
//! `goodput >= 95% within 200ms`. Every arrival belongs to the interval in which it ended, so that
//! the share of a window needs no guess about what is still in flight; over the whole run that is
//! every arrival offered. What each indicator counts:
//!
//! | Indicator | Among | Value |
//! |---|---|---|
//! | percentile of response time | every arrival that ended | due to done; +∞ without a right answer |
//! | … `successes only` | right answers | due to done |
//! | percentile of service time | everything sent | sent to done; +∞ without any answer |
//! | percentile of send lag | every arrival that ended | due to sent; +∞ if never sent |
//! | error rate | every arrival that ended | the share without a right answer |
//! | goodput | every arrival | right answers within the limit: their share, or their number per second |
//!
//! Deliberately absent: `mean` and `max`. A mean over requests of which one is infinite is
//! infinite, and no number of samples bounds a maximum, so neither can be given an honest verdict.
//! For the same reason a share of exactly 0 % or 100 % is refused as a threshold.

mod amount;
mod parse;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub use amount::{Amount, Unit};
pub use parse::ParseError;
use plimsoll_domain::Tally;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What must hold, of what, over which time.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    indicator: Indicator,
    comparison: Comparison,
    threshold: Amount,
    window: Option<Duration>,
    successes_only: bool,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Indicator {
    /// A percentile of a latency.
    Latency {
        /// The percentile, such as 99.9.
        percentile: f64,
        /// Of which latency.
        of: Latency,
    },
    /// The share of ended arrivals without a right answer.
    ErrorRate,
    /// Right answers within a limit: as a share of all arrivals, or per second.
    Goodput {
        /// The response time up to which an answer counts.
        within: Duration,
        /// Per second instead of as a share.
        per_second: bool,
    },
}

/// Which latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latency {
    /// done − due.
    Response,
    /// done − sent.
    Service,
    /// sent − due.
    SendLag,
}

/// How the indicator's value must stand to the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Comparison {
    /// `<`
    #[serde(rename = "<")]
    Below,
    /// `<=`
    #[serde(rename = "<=")]
    AtMost,
    /// `>`
    #[serde(rename = ">")]
    Above,
    /// `>=`
    #[serde(rename = ">=")]
    AtLeast,
}

impl Objective {
    /// Reads an objective as people write it.
    ///
    /// # Errors
    /// What is wrong, where in the text, and what would be right.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::objective(text)
    }

    /// What is measured.
    pub fn indicator(&self) -> Indicator {
        self.indicator
    }

    /// How the value must stand to the threshold.
    pub fn comparison(&self) -> Comparison {
        self.comparison
    }

    /// The bound, in the indicator's unit.
    pub fn threshold(&self) -> Amount {
        self.threshold
    }

    /// The length of the sliding windows in each of which it must hold; `None` for over the run.
    pub fn window(&self) -> Option<Duration> {
        self.window
    }

    /// The limit that it sets on response time, if it does: a percentile's threshold, or goodput's
    /// `within`.
    pub fn response_limit(&self) -> Option<Duration> {
        match self.indicator {
            Indicator::Goodput { within, .. } => Some(within),
            Indicator::Latency { of: Latency::Response, .. } => self.threshold.duration(),
            Indicator::Latency { .. } | Indicator::ErrorRate => None,
        }
    }

    /// The limit that it sets on something that includes the generator's own lateness: response
    /// time or send lag.
    pub(crate) fn lag_limit(&self) -> Option<Duration> {
        match self.indicator {
            Indicator::Latency { of: Latency::SendLag, .. } => self.threshold.duration(),
            _ => self.response_limit(),
        }
    }

    /// Whether only right answers are looked at.
    pub fn successes_only(&self) -> bool {
        self.successes_only
    }

    /// Whether a value is on the right side of the threshold.
    pub fn holds(&self, value: f64) -> bool {
        self.comparison.holds(value, self.threshold.number)
    }

    /// Its value in `tally`, which took `span`; `None` without a sample.
    pub fn value(&self, tally: &Tally, span: Duration) -> Option<Amount> {
        crate::evidence::Evidence::of(self, tally, span).map(|evidence| evidence.value())
    }
}

impl Comparison {
    /// Whether `value` stands so to `threshold`.
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Below => value < threshold,
            Self::AtMost => value <= threshold,
            Self::Above => value > threshold,
            Self::AtLeast => value >= threshold,
        }
    }

    /// Whether smaller values are better.
    pub fn is_upper_bound(self) -> bool {
        matches!(self, Self::Below | Self::AtMost)
    }

    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Above => ">",
            Self::AtLeast => ">=",
        }
    }
}

impl Indicator {
    /// The unit of its values.
    pub fn unit(self) -> Unit {
        match self {
            Self::Latency { .. } => Unit::Milliseconds,
            Self::ErrorRate | Self::Goodput { per_second: false, .. } => Unit::Share,
            Self::Goodput { per_second: true, .. } => Unit::PerSecond,
        }
    }
}

impl FromStr for Objective {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl fmt::Display for Indicator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency { percentile, of } => {
                write!(f, "p{percentile}")?;
                f.write_str(match of {
                    Latency::Response => "",
                    Latency::Service => " of service time",
                    Latency::SendLag => " of send lag",
                })
            }
            Self::ErrorRate => f.write_str("error rate"),
            Self::Goodput { .. } => f.write_str("goodput"),
        }
    }
}

/// The canonical text: reading it gives the same objective.
impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.indicator, self.comparison.symbol(), self.threshold)?;
        if let Indicator::Goodput { within, .. } = self.indicator {
            write!(f, " within {}", amount::exact_duration(within))?;
        }
        if let Some(window) = self.window {
            write!(f, " in every {}", amount::exact_duration(window))?;
        }
        if self.successes_only {
            f.write_str(", successes only")?;
        }
        Ok(())
    }
}
