//! The integration tests of the `plimsoll` command, and the rules about the repository itself.

mod load;
mod scenarios;
mod support;
mod tidy;
