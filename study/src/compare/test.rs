//! What a test of one metric gives, however it was made.

use std::fmt;

use serde::{Serialize, Serializer};

/// A change, and the interval in which it lies. A ratio is 1 and a difference 0 where nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Effect {
    /// What was measured.
    pub estimate: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end; infinite (`null` in JSON) if there is none.
    pub high: f64,
}

/// Before other metrics are looked at; ratios as logarithms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Test {
    /// The value of each side: milliseconds, or a share.
    pub(super) base: f64,
    pub(super) new: f64,
    /// The chance of so large a change if there is none.
    pub(super) p: f64,
    /// The change and the ends of its interval at 1 − 2α.
    pub(super) effect: Effect,
    /// Of sign flips, where there are pairs.
    pub(super) check: Option<f64>,
}

/// Why a metric is not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotJudged {
    /// Nothing of it was measured, on one side at least.
    Absent,
    /// Nothing can be late, or nothing was: goodput is then one minus the error rate.
    NothingLate,
    /// A percentile of so few requests is none.
    TooFew {
        /// Of the shorter run.
        requests: u64,
        /// How many are needed.
        needs: u64,
    },
    /// So many failed, on both sides, that the percentile is infinite.
    Infinite,
    /// The same on one side alone.
    OneInfinite,
}

impl fmt::Display for NotJudged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => write!(f, "not measured on both sides"),
            Self::NothingLate => write!(f, "nothing was late, so it is one minus the error rate"),
            Self::TooFew { requests, needs } => {
                write!(f, "a run has {requests} requests, and {needs} are needed")
            }
            Self::Infinite => write!(f, "infinite on both sides, as so many requests failed"),
            Self::OneInfinite => write!(f, "infinite on one side, as so many requests failed"),
        }
    }
}

impl Serialize for NotJudged {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Both values, if both are finite.
pub(super) fn both<T, U>(base: Option<T>, new: Option<U>) -> Result<(T, U), NotJudged> {
    match (base, new) {
        (Some(base), Some(new)) => Ok((base, new)),
        (None, None) => Err(NotJudged::Infinite),
        _ => Err(NotJudged::OneInfinite),
    }
}
