//! The integration tests of the `plimsoll` command, and the rules about the repository itself.

mod ab;
mod autoscale;
mod azure;
mod capacity;
mod ci;
mod files;
mod host;
mod load;
mod processes;
mod run;
mod scenarios;
mod standing;
mod started;
mod support;
mod tidy;
