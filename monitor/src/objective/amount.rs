//! A value or threshold of an indicator, with its unit.

use std::fmt;
use std::time::Duration;

use plimsoll_domain::Quantile;
use plimsoll_domain::units::{self, three_digits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number with its unit; a latency may be infinite.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Amount {
    /// How much.
    pub number: f64,
    /// Of what.
    pub unit: Unit,
}

/// What an [`Amount`] counts. The names are those of results, where shares are in percent.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Unit {
    /// Latencies.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Shares, from 0 to 1.
    #[serde(rename = "percent")]
    Share,
    /// Rates.
    #[serde(rename = "rps")]
    PerSecond,
    /// Things that are counted.
    #[serde(rename = "count")]
    Count,
}

/// Shares are told apart to this many parts of one, so that `0.7%` and `0.007` are one number.
const SHARE_PARTS: f64 = 1e10;

impl Amount {
    /// A latency.
    pub fn latency(value: Duration) -> Self {
        Self { number: units::millis(value), unit: Unit::Milliseconds }
    }

    /// A latency that may be infinite.
    pub fn quantile(value: Quantile) -> Self {
        value
            .finite()
            .map_or(Self { number: f64::INFINITY, unit: Unit::Milliseconds }, Self::latency)
    }

    /// A share of one.
    pub fn share(value: f64) -> Self {
        Self { number: value, unit: Unit::Share }
    }

    /// A time in seconds.
    pub fn seconds(value: f64) -> Self {
        Self { number: value * 1e3, unit: Unit::Milliseconds }
    }

    /// How many there are of something.
    pub fn count(value: f64) -> Self {
        Self { number: value, unit: Unit::Count }
    }

    /// A number per second.
    pub fn per_second(value: f64) -> Self {
        Self { number: value, unit: Unit::PerSecond }
    }

    /// The number, unless it is infinite: what JSON can carry.
    pub fn finite(self) -> Option<f64> {
        self.number.is_finite().then_some(self.number)
    }

    /// The latency, if it is a finite one.
    pub fn duration(self) -> Option<Duration> {
        let nanos = (self.number * 1e6).round();
        (self.unit == Unit::Milliseconds && nanos.is_finite() && nanos >= 0.0)
            .then(|| Duration::from_nanos(nanos as u64))
    }

    /// The amount with three significant digits, for people: `12.3ms`, `0.5%`, `448/s`, `∞`.
    pub fn short(self) -> String {
        match (self.unit, self.duration()) {
            _ if self.number.is_infinite() => "∞".to_owned(),
            (Unit::Milliseconds, Some(value)) => units::format_duration(value),
            (Unit::Milliseconds, None) => format!("{}ms", three_digits(self.number)),
            (Unit::Share, _) => format!("{}%", three_digits(self.number * 100.0)),
            (Unit::PerSecond, _) => format!("{}/s", three_digits(self.number)),
            (Unit::Count, _) => three_digits(self.number),
        }
    }
}

/// The amount with all its digits.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.number.is_infinite() {
            return f.write_str("∞");
        }
        match self.unit {
            Unit::Milliseconds => f.write_str(&exact_duration(self.duration().unwrap_or_default())),
            Unit::Share => {
                write!(f, "{}%", (self.number * SHARE_PARTS).round() / (SHARE_PARTS / 100.0))
            }
            Unit::PerSecond => write!(f, "{}/s", self.number),
            Unit::Count => write!(f, "{}", self.number),
        }
    }
}

/// A share on the grid on which `0.7%` and `0.007` are one number.
pub(super) fn on_grid(share: f64) -> f64 {
    (share * SHARE_PARTS).round() / SHARE_PARTS
}

/// A duration with all its digits, in the largest unit that needs no fraction.
pub(super) fn exact_duration(value: Duration) -> String {
    let nanos = value.as_nanos();
    let units = [("s", 1_000_000_000_u128), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];
    let whole = units.into_iter().find(|(_, size)| nanos.is_multiple_of(*size));
    let (name, size) = whole.unwrap_or(("ns", 1));
    format!("{}{name}", nanos / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_short_and_exact() {
        let cases = [
            (Amount::latency(Duration::from_micros(1500)), "1.5ms", "1500us"),
            (Amount::latency(Duration::from_secs(2)), "2s", "2s"),
            (Amount::share(0.001), "0.1%", "0.1%"),
            (Amount::share(0.123_456), "12.3%", "12.3456%"),
            (Amount::per_second(449.96), "450/s", "449.96/s"),
            (Amount::count(2.5), "2.5", "2.5"),
            (Amount::quantile(Quantile::Infinite), "∞", "∞"),
        ];
        for (amount, short, exact) in cases {
            assert_eq!((amount.short().as_str(), amount.to_string().as_str()), (short, exact));
        }
    }
}
