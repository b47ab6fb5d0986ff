//! Objectives on rules: `time to first extra ready instance < 6m`, `flaps <= 0`.

use std::fmt;
use std::time::Duration;

use plimsoll_domain::units::{parse_duration, three_digits};

use super::{Findings, span};

/// What is asked of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indicator {
    /// From the first need to the first extra ready instance.
    FirstExtra,
    /// The longest stretch of violation.
    BackUnder,
    /// Time in violation of any objective.
    Violation,
    /// The share of requests that were refused (429).
    Refused,
    /// The most instances beyond demand.
    Overshoot,
    /// The most instances that demand lacked.
    Undershoot,
    /// Changes of direction beyond those of the load.
    Flaps,
    /// Hours of instances.
    InstanceHours,
    /// The most instances that one change added or removed.
    LargestStep,
}

/// What an indicator is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds of rule time.
    Time,
    /// Shares, from 0 to 1; written in percent.
    Percent,
    /// Instances, changes or hours.
    Count,
}

/// What an indicator comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// In the indicator's unit.
    pub value: f64,
    /// Whether this is a time of something that goes on: it will be more.
    pub goes_on: bool,
}

impl Indicator {
    /// All, with their names in objectives.
    pub const ALL: [(&'static str, Self); 9] = [
        ("time to first extra ready instance", Self::FirstExtra),
        ("time back under", Self::BackUnder),
        ("violation time", Self::Violation),
        ("refused share", Self::Refused),
        ("overshoot", Self::Overshoot),
        ("undershoot", Self::Undershoot),
        ("flaps", Self::Flaps),
        ("instance hours", Self::InstanceHours),
        ("largest step", Self::LargestStep),
    ];

    /// Its name in objectives.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, of)| *of == self).map_or("", |(name, _)| name)
    }

    /// What it is counted in.
    pub fn unit(self) -> Unit {
        match self {
            Self::FirstExtra | Self::BackUnder | Self::Violation => Unit::Time,
            Self::Refused => Unit::Percent,
            Self::Overshoot
            | Self::Undershoot
            | Self::Flaps
            | Self::InstanceHours
            | Self::LargestStep => Unit::Count,
        }
    }

    /// What it comes to.
    ///
    /// # Errors
    /// Why there is nothing to tell.
    pub fn figure(self, findings: &Findings) -> Result<Figure, &'static str> {
        let seconds = |time: Duration| time.as_secs_f64();
        let whole = |value: f64| Figure { value, goes_on: false };
        Ok(match self {
            Self::FirstExtra => {
                let first = findings.scale_outs.first();
                let first = first.ok_or("no more instances were ever wanted")?;
                Figure { value: seconds(first.total()), goes_on: first.came.is_none() }
            }
            Self::BackUnder => {
                let longest = findings.back_under.iter().max_by_key(|(_, time, _)| *time);
                longest.map_or(whole(0.0), |(_, time, ended)| Figure {
                    value: seconds(*time),
                    goes_on: !ended,
                })
            }
            Self::Violation => whole(seconds(findings.violation)),
            Self::Refused => match findings.refused {
                (_, 0) => return Err("no request was answered"),
                (refused, all) => whole(refused as f64 / all as f64),
            },
            Self::Overshoot => whole(findings.overshoot.into()),
            Self::Undershoot => whole(findings.undershoot.into()),
            Self::Flaps => whole(findings.flaps.into()),
            Self::InstanceHours => whole(findings.instance_hours),
            Self::LargestStep => whole(findings.largest_step.into()),
        })
    }
}

/// An objective on rules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Objective {
    /// What is asked.
    pub indicator: Indicator,
    /// Whether the bound itself is allowed.
    pub inclusive: bool,
    /// Seconds of rule time, a share from 0 to 1, or a count.
    pub bound: f64,
}

/// What became of an objective.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judged {
    /// It holds: the value.
    Met(f64),
    /// It does not: the value, infinite if what was waited for never came.
    Breached(f64),
    /// There was nothing to judge: why.
    Undecided(&'static str),
}

impl Objective {
    /// Whether a text asks for one of the indicators on rules.
    pub fn is_meant(text: &str) -> bool {
        let text = text.trim_start();
        Indicator::ALL.iter().any(|(name, _)| text.starts_with(name))
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let known = Indicator::ALL.iter().find(|(name, _)| text.starts_with(name));
        let Some((name, indicator)) = known else {
            let all: Vec<_> = Indicator::ALL.iter().map(|(name, _)| *name).collect();
            return Err(format!(
                "there is no such indicator of rules; there are {}",
                all.join(", ")
            ));
        };
        let rest = text[name.len()..].trim_start();
        let (inclusive, bound) = match (rest.strip_prefix("<="), rest.strip_prefix('<')) {
            (Some(bound), _) => (true, bound.trim()),
            (None, Some(bound)) => (false, bound.trim()),
            (None, None) => return Err(format!("`{name}` is followed by `<` or `<=` and a bound")),
        };
        let number =
            |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
        let bound = match indicator.unit() {
            Unit::Time => parse_duration(bound)?.as_secs_f64(),
            Unit::Percent => {
                let percent = bound.strip_suffix('%').and_then(number);
                percent.ok_or_else(|| format!("`{bound}` is no share, such as `1%`"))? / 100.0
            }
            Unit::Count => {
                number(bound).ok_or_else(|| format!("`{bound}` is no number of at least 0"))?
            }
        };
        Ok(Self { indicator: *indicator, inclusive, bound })
    }

    /// Whether it held. What had not ended is beyond its bound if it was so already, and undecided
    /// else: it would have become more.
    pub fn judge(&self, findings: &Findings) -> Judged {
        let Figure { value, goes_on } = match self.indicator.figure(findings) {
            Ok(figure) => figure,
            Err(why) => return Judged::Undecided(why),
        };
        match (self.holds(value), goes_on) {
            (true, false) => Judged::Met(value),
            (true, true) => Judged::Undecided("the run ended before what was waited for came"),
            (false, false) => Judged::Breached(value),
            (false, true) => Judged::Breached(f64::INFINITY),
        }
    }

    /// Whether a value is within the bound.
    pub fn holds(&self, value: f64) -> bool {
        if self.inclusive { value <= self.bound } else { value < self.bound }
    }

    /// A value of its indicator, for people.
    pub fn show(&self, value: f64) -> String {
        match self.indicator.unit() {
            _ if value.is_infinite() => "∞".to_owned(),
            Unit::Time => span(Duration::from_secs_f64(value.max(0.0))),
            Unit::Percent => format!("{} %", three_digits(value * 100.0)),
            Unit::Count => three_digits(value),
        }
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.inclusive { "<=" } else { "<" };
        let bound = self.show(self.bound).replace(" %", "%");
        write!(f, "{} {sign} {bound}", self.indicator.name())
    }
}
