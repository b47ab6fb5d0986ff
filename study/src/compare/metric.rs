//! What is compared.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A number that each run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// The median of response time.
    P50,
    /// Its 95th percentile.
    P95,
    /// Its 99th percentile.
    P99,
    /// Its 99.9th percentile.
    P999,
    /// The median of the time that the server says its model took.
    ModelTime,
    /// The share of arrivals without a right answer.
    ErrorRate,
    /// The share of arrivals with a right answer that was not late.
    Goodput,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// As new / base.
    Ratio,
    /// As new − base, of shares.
    Difference,
}

/// Which way is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// More is worse.
    Up,
    /// Less is worse.
    Down,
}

impl Metric {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 7] = [
        Self::P50,
        Self::P95,
        Self::P99,
        Self::P999,
        Self::ModelTime,
        Self::ErrorRate,
        Self::Goodput,
    ];

    /// Its name, also for options and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
            Self::ModelTime => "model-time",
            Self::ErrorRate => "error-rate",
            Self::Goodput => "goodput",
        }
    }

    /// How it is compared.
    pub const fn scale(self) -> Scale {
        match self {
            Self::ErrorRate | Self::Goodput => Scale::Difference,
            _ => Scale::Ratio,
        }
    }

    /// Which way is worse.
    pub const fn worse(self) -> Direction {
        if matches!(self, Self::Goodput) { Direction::Down } else { Direction::Up }
    }

    /// The change that does not matter unless it is said otherwise: 5 % of a latency, half a
    /// percentage point of the error rate and one of goodput.
    pub const fn default_margin(self) -> f64 {
        match self {
            Self::ErrorRate => 0.005,
            Self::Goodput => 0.01,
            _ => 0.05,
        }
    }

    /// The quantile of latency that it is.
    pub(super) const fn quantile(self) -> Option<f64> {
        match self {
            Self::P50 | Self::ModelTime => Some(0.5),
            Self::P95 => Some(0.95),
            Self::P99 => Some(0.99),
            Self::P999 => Some(0.999),
            Self::ErrorRate | Self::Goodput => None,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|metric| metric.name() == text);
        found.ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|metric| metric.name()).collect();
            format!("`{text}` is no metric; they are {}", names.join(", "))
        })
    }
}
