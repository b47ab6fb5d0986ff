//! The part of one side in a job in which two deployments took turns under one load.

use plimsoll_study::interleave::{By, Side};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The part of one side in a job in which two deployments took turns under one load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interleaved {
    /// What both sides have in common.
    pub job: String,
    /// `base` or `new`.
    #[schemars(with = "String", extend("enum" = ["base", "new"]))]
    pub side: Side,
    /// What took turns: `block` or `request`.
    #[schemars(with = "String", extend("enum" = ["block", "request"]))]
    pub by: By,
    /// When each of its blocks began and ended, in seconds since the first due time. The other side
    /// has as many, and those of the same number are a pair.
    pub blocks_s: Vec<[f64; 2]>,
}

impl Interleaved {
    /// Which block this time lies in.
    pub fn block_at(&self, time_s: f64) -> Option<usize> {
        self.blocks_s.iter().position(|[start, end]| (*start..*end).contains(&time_s))
    }
}
