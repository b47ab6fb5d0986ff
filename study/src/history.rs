//! Whether a number that is measured every night has changed, and since when.
//!
//! What is repeated is the *night*: runs of one night share the machine's mood of that night, so
//! they are one value ([`value`]), the mean of the runs' own. Latencies are looked at in logarithms.
//!
//! Change points are found as E-divisive does (Matteson and James, 2014, with the exponent 2, which
//! compares means): of all places to cut the nights in two, the one with the largest
//! m·n / (m + n) · (difference of means)² is a change if so large a maximum is rare among the same
//! nights in random order; then both halves are cut again. The order of the nights being all that a
//! permutation destroys, this asks nothing of their distribution: one odd night, however odd, is no
//! change, as it is as odd at any other place. The permutations come from a fixed seed, so the
//! answer is one of the data alone.
//!
//! A change is told from [`LEAST_NIGHTS`] nights on, and only if it is larger than the metric's
//! margin. **How often it is right** is measured by `benches/history` (the module's test does so
//! with fewer seeds), asking after every night as a user would: a step of 10 % among nights that
//! differ by 3 % is mostly told after two or three nights, and a metric that is steady for a year is told
//! less than one change. With several metrics there are as many chances.
//!
//! Limits: nights that depend on each other (a level that drifts over weeks) are told as changes,
//! which in a way they are. Each night counts the same, however long it measured.

mod base;
mod split;
mod trend;

pub use base::{Base, LEAST_OF_LEVEL, base};
pub use split::{LEAST_NIGHTS, SIGNIFICANCE, Split, splits};
pub use trend::{Change, Trend, trend, value};

#[cfg(test)]
mod tests;
