//! An autoscale setting as it is evaluated: every value checked, every time zone known.
//!
//! Source: REST reference `autoscalesettings` 2022-10-01.

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};

use super::Zone;

/// An autoscale setting of one target.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Its name; empty if it has none.
    pub name: String,
    /// Whether it is switched on. The API's default is off.
    pub enabled: bool,
    /// The ARM id of what is scaled, if the file says it.
    pub target: Option<String>,
    /// Which capacity and rules are for when.
    pub profiles: Vec<Profile>,
}

/// Capacity and rules for some time.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// How many instances it allows.
    pub capacity: Capacity,
    /// Its rules, up to ten.
    pub rules: Vec<Rule>,
    /// When it is in force.
    pub when: When,
    /// Where it stands in the file.
    pub at: String,
}

/// How many instances a profile allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// At least.
    pub minimum: u32,
    /// At most.
    pub maximum: u32,
    /// At least this many where metrics are missing.
    pub default: u32,
}

/// When a profile is in force.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// When no other is.
    Default,
    /// From one moment to another.
    Fixed {
        /// The first moment.
        start: Timestamp,
        /// The last moment.
        end: Timestamp,
    },
    /// From a weekly start until the next start of any recurring profile.
    Weekly {
        /// Whose wall clock the times are of.
        zone: Zone,
        /// On which days.
        days: Vec<Weekday>,
        /// At which times of these days.
        times: Vec<Time>,
    },
}

/// A condition on a metric, and what to do when it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The metric's name.
    pub metric: String,
    /// The ARM id of the resource that emits it; the target itself if left out.
    pub resource: Option<String>,
    /// The length in seconds of the buckets in which samples of instances are combined.
    pub grain_s: u32,
    /// How they are combined.
    pub statistic: Statistic,
    /// How many seconds are looked back.
    pub window_s: u32,
    /// How the buckets of the window are combined.
    pub aggregation: Aggregation,
    /// How the value is compared.
    pub operator: Operator,
    /// With what.
    pub threshold: f64,
    /// Which series count: all that fit every one of these.
    pub dimensions: Vec<Dimension>,
    /// Whether the value is divided by the number of instances.
    pub divide_per_instance: bool,
    /// What to do.
    pub action: Action,
    /// Where it stands in the file.
    pub at: String,
}

/// What a rule does when its condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    /// Which way.
    pub direction: Direction,
    /// How the value is meant.
    pub change: Change,
    /// Instances or per cent, at least 1.
    pub value: u32,
    /// For how many seconds no rule acts after this one did.
    pub cooldown_s: u32,
}

/// A filter on a metric's dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dimension {
    /// Its name.
    pub name: String,
    /// Whether it must have one of the values, or none of them.
    pub equals: bool,
    /// The values.
    pub values: Vec<String>,
}

impl Dimension {
    /// Whether a series with these dimensions counts. One that has no such dimension equals nothing.
    pub fn fits(&self, dimensions: &std::collections::BTreeMap<String, String>) -> bool {
        let found = dimensions.iter().find(|(name, _)| name.eq_ignore_ascii_case(&self.name));
        let among = found.is_some_and(|(_, value)| {
            self.values.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
        });
        among == self.equals
    }
}

/// An enumeration that Azure writes as a word.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// All of them with the word that Azure uses.
            pub const ALL: &[(&'static str, Self)] = &[$((stringify!($variant), Self::$variant),)+];

            /// The word that Azure uses.
            pub fn word(self) -> &'static str {
                let found = Self::ALL.iter().find(|(_, value)| *value == self);
                found.map_or("", |(word, _)| word)
            }
        }
    };
}

words! {
    /// How samples of instances within one grain are combined.
    Statistic {
        /// Their mean.
        Average,
        /// The smallest.
        Min,
        /// The largest.
        Max,
        /// Their sum.
        Sum,
        /// How many there are.
        Count,
    }
}

words! {
    /// How the grains of a window are combined.
    Aggregation {
        /// Their mean.
        Average,
        /// The smallest.
        Minimum,
        /// The largest.
        Maximum,
        /// Their sum.
        Total,
        /// How many there are.
        Count,
        /// The newest.
        Last,
    }
}

words! {
    /// How a value is compared with the threshold.
    Operator {
        /// `==`
        Equals,
        /// `!=`
        NotEquals,
        /// `>`
        GreaterThan,
        /// `>=`
        GreaterThanOrEqual,
        /// `<`
        LessThan,
        /// `<=`
        LessThanOrEqual,
    }
}

words! {
    /// Which way a rule changes the count.
    Direction {
        /// Neither: only `ExactCount` does something then.
        None,
        /// Out.
        Increase,
        /// In.
        Decrease,
    }
}

words! {
    /// How the value of an action is meant.
    Change {
        /// So many instances more or fewer.
        ChangeCount,
        /// So many per cent of the present count more or fewer.
        PercentChangeCount,
        /// Exactly so many.
        ExactCount,
        /// The next count that the service allows.
        ServiceAllowedNextValue,
    }
}

impl Operator {
    /// Whether the comparison holds.
    #[expect(clippy::float_cmp, reason = "Azure's Equals is an exact comparison")]
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Equals => value == threshold,
            Self::NotEquals => value != threshold,
            Self::GreaterThan => value > threshold,
            Self::GreaterThanOrEqual => value >= threshold,
            Self::LessThan => value < threshold,
            Self::LessThanOrEqual => value <= threshold,
        }
    }

    /// As it is written in the short syntax.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Equals => "==",
            Self::NotEquals => "!=",
            Self::GreaterThan => ">",
            Self::GreaterThanOrEqual => ">=",
            Self::LessThan => "<",
            Self::LessThanOrEqual => "<=",
        }
    }

    /// Whether it is about large values.
    pub fn is_upper(self) -> bool {
        matches!(self, Self::GreaterThan | Self::GreaterThanOrEqual)
    }

    /// Whether it is about small values.
    pub fn is_lower(self) -> bool {
        matches!(self, Self::LessThan | Self::LessThanOrEqual)
    }
}

impl Rule {
    /// The condition, as the short syntax writes it.
    pub fn words(&self) -> String {
        let Self { metric, operator, threshold, aggregation, window_s, .. } = self;
        let window = super::duration::short(*window_s);
        let divided = if self.divide_per_instance { " per instance" } else { "" };
        let word = aggregation.word().to_lowercase();
        format!("{metric} {} {threshold} {word} {window}{divided}", operator.sign())
    }

    /// Whether both look at the same metric of the same resource and series.
    pub fn same_metric(&self, other: &Self) -> bool {
        self.metric.eq_ignore_ascii_case(&other.metric)
            && same_resource(self.resource.as_deref(), other.resource.as_deref())
            && self.dimensions == other.dimensions
    }
}

/// ARM ids do not depend on case.
pub(crate) fn same_resource(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        _ => false,
    }
}
