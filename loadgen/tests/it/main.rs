//! The load generator against real servers on this machine.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod connections;
mod failures;
mod lateness;
mod pauses;
mod requests;
mod run;
mod server;
mod stall;
mod stopping;
mod tls;
