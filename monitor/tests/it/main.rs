//! The monitor against real servers.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says on standard output what it skips"
)]

mod collector;
mod otlp;
