//! Integration tests of the local host, driven as a run drives it, and of the runtimes.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on should stop there, and one that skips says so"
)]

mod conformance;
mod control;
mod death;
mod gateway;
mod harness;
mod instance;
mod life;
mod limits;
mod load;
mod logs;
mod overload;
mod published;
mod python;
mod quota;
mod rehearsal;
mod replace;
mod restart;
mod rollout;
mod settings;
mod workspace;
