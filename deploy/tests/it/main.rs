//! Integration tests of the deployment driver.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod arm;
mod azure;
mod published;
