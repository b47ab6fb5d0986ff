//! Which of many settings holds the objectives for the fewest instance-hours: a search over a grid, with two costs.
//!
//! A *candidate* is one value for each [`Parameter`]; a *case* is what it is tried on (a trace and a
//! seed). All candidates are tried on the same cases, so that they differ by what they are and not by
//! the luck of their draw (common random numbers). What a trial costs is measured by the caller; this
//! module decides what to try next ([`Search`]), what is worth keeping ([`front`]), and which of that
//! to take ([`choose`]).
//!
//! **The search.** The first generation is a Latin hypercube (`McKay`, Beckman and Conover 1979) beside
//! the rules that there are; each later one is bred from the front so far: parameters of two parents
//! mixed, then moved by some steps, as evolution strategies do on grids. **Racing**: a generation is
//! tried on one case, then on two, four, and so on; after each round the half that is furthest from
//! the front is cut (successive halving, Jamieson and Talwalkar 2016, with Pareto rank in the place of
//! a loss). Only what was tried on every case can come onto the front.
//!
//! The same space, settings and costs give the same search, on any number of cores: a batch is handed
//! out whole and taken back whole. So a search that was broken off goes on by being run again with the
//! costs that were kept.

mod choice;
mod front;
mod search;
mod space;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use choice::{Choice, Reason, choose};
pub use front::front;
pub use search::{Search, Settings, Task, Trial};
pub use space::{Candidate, Parameter, Space, SpaceError};

/// What a trial costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Time in which an objective did not hold, in seconds.
    pub violation_s: f64,
    /// Instances over time, in hours.
    pub instance_h: f64,
}

impl Cost {
    /// The mean of several; `None` of none.
    pub fn mean(costs: &[Self]) -> Option<Self> {
        let n = costs.len() as f64;
        let mean = |of: fn(&Self) -> f64| costs.iter().map(of).sum::<f64>() / n;
        (!costs.is_empty()).then(|| Self {
            violation_s: mean(|cost| cost.violation_s),
            instance_h: mean(|cost| cost.instance_h),
        })
    }

    /// Whether it is as good as the other in both, and better in one.
    pub fn beats(&self, other: &Self) -> bool {
        self.violation_s <= other.violation_s
            && self.instance_h <= other.instance_h
            && self != other
    }
}
