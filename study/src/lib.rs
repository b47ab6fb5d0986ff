//! Answers that take many runs: pure, with no clock, no file and no process.

pub mod compare;
pub mod interleave;
