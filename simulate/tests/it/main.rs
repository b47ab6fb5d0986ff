//! Runs in virtual time, against what theory and the rules say.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on should stop there, and how near a formula is worth reading"
)]

mod behaviour;
mod failing;
mod queueing;
mod scaling;
mod support;
