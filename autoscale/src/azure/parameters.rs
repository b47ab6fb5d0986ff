//! What Microsoft does not document of its engine: each a parameter with a name, a default and a sentence.

use plimsoll_domain::json_words;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is assumed where Microsoft documents nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// How a share of an instance is rounded when `PercentChangeCount` adds some.
    pub percent_out: Rounding,
    /// How a share of an instance is rounded when `PercentChangeCount` removes some.
    pub percent_in: Rounding,
    /// The least change of `PercentChangeCount`, in instances.
    pub least_step: u32,
    /// The step of `ServiceAllowedNextValue`, in instances.
    pub next_value_step: u32,
    /// The seconds between two evaluations.
    pub interval_s: u32,
    /// The seconds after the end of a grain before its value can be read.
    pub metric_delay_s: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            percent_out: Rounding::Up,
            percent_in: Rounding::Down,
            least_step: 1,
            next_value_step: 1,
            interval_s: 60,
            metric_delay_s: 0,
        }
    }
}

/// How a share of an instance becomes whole ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// To the next larger number.
    Up,
    /// To the next smaller number.
    Down,
    /// To the nearest number, halves up.
    Nearest,
}

impl Rounding {
    /// `count · percent / 100` in whole instances.
    pub fn percent_of(self, count: u32, percent: u32) -> u32 {
        let hundredths = u64::from(count) * u64::from(percent);
        let whole = match self {
            Self::Up => hundredths.div_ceil(100),
            Self::Down => hundredths / 100,
            Self::Nearest => (hundredths + 50) / 100,
        };
        u32::try_from(whole).unwrap_or(u32::MAX)
    }
}

/// A parameter, for help texts.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it means, and what is documented.
    pub words: &'static str,
}

/// All parameters.
pub const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "percent_out",
        words: "how PercentChangeCount rounds what it adds: up, down or nearest",
    },
    Parameter {
        name: "percent_in",
        words: "how PercentChangeCount rounds what it removes: up, down or nearest",
    },
    Parameter { name: "least_step", words: "the least change of PercentChangeCount, in instances" },
    Parameter {
        name: "next_value_step",
        words: "the step of ServiceAllowedNextValue; endpoints allow every count",
    },
    Parameter {
        name: "interval_s",
        words: "seconds between evaluations; documented is 30 to 60, depending on the resource",
    },
    Parameter {
        name: "metric_delay_s",
        words: "seconds until a metric can be read; none is published for online endpoints",
    },
];

impl Parameters {
    /// The same with `NAME=VALUE`.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn with(self, assignment: &str) -> Result<Self, String> {
        let names = || PARAMETERS.iter().map(|p| p.name).collect::<Vec<_>>().join(", ");
        let Some((name, value)) = assignment.split_once('=') else {
            return Err(format!("`{assignment}` is no NAME=VALUE; names: {}", names()));
        };
        let mut all = serde_json::to_value(self).map_err(|error| error.to_string())?;
        let Some(place) = all.get_mut(name) else {
            return Err(format!("`{name}` is no parameter; known: {}", names()));
        };
        *place = value.parse::<u32>().map_or_else(|_| value.into(), serde_json::Value::from);
        let wrong = |error: &dyn std::fmt::Display| format!("`{assignment}`: {error}");
        let changed: Self =
            serde_json::from_value(all).map_err(|error| wrong(&json_words(&error)))?;
        if changed.interval_s == 0 {
            return Err(wrong(&"evaluations need at least 1 second between them"));
        }
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_is_named_and_can_be_set() {
        let all = serde_json::to_value(Parameters::default()).expect("JSON");
        let fields: Vec<_> = all.as_object().expect("a map").keys().cloned().collect();
        let mut names: Vec<_> = PARAMETERS.iter().map(|p| p.name.to_owned()).collect();
        names.sort_unstable();
        let mut sorted = fields;
        sorted.sort_unstable();
        assert_eq!(names, sorted);
        let set = |text: &str| Parameters::default().with(text);
        assert_eq!(set("interval_s=30").map(|p| p.interval_s), Ok(30));
        assert_eq!(set("percent_in=up").map(|p| p.percent_in), Ok(Rounding::Up));
        for wrong in ["interval_s", "speed=1", "percent_in=1", "interval_s=fast", "interval_s=0"] {
            assert!(set(wrong).is_err(), "{wrong}");
        }
    }
}
