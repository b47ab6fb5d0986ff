//! Integration tests of the deployment driver.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on should stop there, and one that skips says so"
)]

mod arm;
mod host;
mod python;
