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
//! | percentile of service time | everything sent | sent to done; +∞ without any answer, or with a refusal (429, 401, 403, 503 with `Retry-After`) |
//! | percentile of send lag | every arrival that ended | due to sent; +∞ if never sent |
//! | error rate | every arrival that ended | the share without a right answer |
//! | goodput | every arrival | right answers within the limit: their share, or their number per second |
//!
//! An objective is about everything measured, or about one stage, request or deployment: `p99 of
//! green < 200ms`. Who answered is known from the answer: a request that got none belongs to no
//! deployment unless the scenario sends it to one.
//!
//! **In every window** it is a statement of fact about this run: all requests of a window were
//! measured, there is nothing behind them to infer. `in 99% of 5s windows` allows one in a hundred
//! to be wrong.
//!
//! Deliberately absent: `mean` and `max`. A mean over requests of which one is infinite is
//! infinite, and no number of samples bounds a maximum, so neither can be given an honest verdict.
//! For the same reason a share of exactly 0 % or 100 % is refused as a threshold.

mod amount;
mod parse;
mod selector;

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

pub use amount::{Amount, Unit};
pub use parse::ParseError;
pub use plimsoll_domain::Latency;
use plimsoll_domain::schedule::Profile;
use plimsoll_domain::{Key, Limit, Names};
use schemars::JsonSchema;
pub use selector::{Part, Selector};
use serde::{Deserialize, Serialize};

/// What must hold, of what, over which time.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    indicator: Indicator,
    comparison: Comparison,
    threshold: Amount,
    selectors: Vec<Selector>,
    windows: Option<InWindows>,
    successes_only: bool,
}

/// In which windows an objective must hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InWindows {
    /// How long they are.
    pub length: Duration,
    /// The share of them, above 0 and at most 1, in which it must hold.
    pub share: f64,
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

    /// The length of the sliding windows in which it must hold; `None` for over the run.
    pub fn window(&self) -> Option<Duration> {
        self.windows.map(|windows| windows.length)
    }

    /// The windows in which it must hold; `None` for over the run.
    pub fn windows(&self) -> Option<InWindows> {
        self.windows
    }

    /// What it is about; nothing for everything measured.
    pub fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// Whether it is about what this key counts. Warm-up is never judged.
    pub fn selects(&self, names: &Names, key: Key) -> bool {
        !names.is_warmup(key.stage)
            && self.selectors.iter().all(|selector| selector.selects(names, key))
    }

    /// The part of the schedule that it is about: the stage that it names, or all that is judged.
    /// What is answered later still counts.
    pub fn measured(&self, profile: &Profile) -> Range<Duration> {
        let named = |name: &str| self.selectors.iter().any(|selector| selector.is_stage(name));
        let stage = profile.ranges().find(|(stage, _)| named(&stage.name));
        stage.map_or_else(|| profile.measured(), |(_, range)| range)
    }

    /// The limit that must be counted exactly for it; a share of failures or a rate has none.
    pub fn limit(&self) -> Option<Limit> {
        match self.indicator {
            Indicator::Latency { of, .. } => self.threshold.duration().map(|at| Limit { of, at }),
            Indicator::Goodput { within, .. } => Some(Limit { of: Latency::Response, at: within }),
            Indicator::ErrorRate => None,
        }
    }

    /// The share of requests that may be bad, from 0 to 1: 0.01 of `p99 < …` and of
    /// `error rate < 1%`. `None` for a rate per second, which is no share.
    pub fn allowed_share(&self) -> Option<f64> {
        match self.indicator {
            Indicator::Latency { percentile, .. } => Some(1.0 - percentile / 100.0),
            Indicator::ErrorRate => Some(self.threshold.number),
            Indicator::Goodput { per_second: false, .. } => Some(1.0 - self.threshold.number),
            Indicator::Goodput { per_second: true, .. } => None,
        }
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

    /// The same over the run, where it is in windows: what a search for a rate asks, as windows tell
    /// what happened and not what would happen again.
    #[must_use]
    pub fn over_the_run(&self) -> Self {
        Self { windows: None, ..self.clone() }
    }

    /// Whether only right answers are looked at.
    pub fn successes_only(&self) -> bool {
        self.successes_only
    }

    /// Whether a value is on the right side of the threshold.
    pub fn holds(&self, value: f64) -> bool {
        self.comparison.holds(value, self.threshold.number)
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
        f.write_str(&self.indicator.to_string())?;
        for selector in &self.selectors {
            write!(f, " of {selector}")?;
        }
        write!(f, " {} {}", self.comparison.symbol(), self.threshold)?;
        if let Indicator::Goodput { within, .. } = self.indicator {
            write!(f, " within {}", amount::exact_duration(within))?;
        }
        if let Some(InWindows { length, share }) = self.windows {
            let length = amount::exact_duration(length);
            if share < 1.0 {
                write!(f, " in {} of {length} windows", Amount::share(share))?;
            } else {
                write!(f, " in every {length}")?;
            }
        }
        if self.successes_only {
            f.write_str(", successes only")?;
        }
        Ok(())
    }
}
