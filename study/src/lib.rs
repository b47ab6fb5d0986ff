//! Answers that take many runs: pure, with no clock, no file and no process.

pub mod calibrate;
pub mod capacity;
pub mod compare;
pub mod history;
pub mod interleave;
pub mod plan;
pub mod prediction;
pub mod tune;
