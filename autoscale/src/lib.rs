//! Autoscale rules that people have, as engines: pure functions from what is known to what is wanted.
//!
//! An engine is an executable specification. It is asked with a [`State`] (the moment, the instances,
//! the metrics, and what it remembers) and answers with a [`Decision`] that holds every intermediate
//! value and the memory to carry on. None of them reads a clock, draws a random number or does I/O, so
//! that the live host, the simulator and a replay of a record decide alike.

pub mod azure;
mod backtest;
mod compression;
pub mod controller;
mod decision;
pub mod hpa;
pub mod keda;
pub mod knative;
pub mod lint;
pub mod pipeline;
mod rules;
mod samples;
mod settings;
pub mod span;
mod state;
mod state_file;
mod time;
mod translate;
pub mod utilization;
pub mod verdict;

pub use backtest::{Evaluation, Plan, Replayed, backtest, record_line, replay};
pub use compression::{Compression, RuleTime};
pub use decision::{Decision, Held, Step};
pub use rules::{Kind, Rules, RulesFile};
pub use samples::Samples;
pub use state::{Instance, Memory, Metric, Phase, Point, Reading, State};
pub use state_file::{Given, carry_on, read_states};
pub use translate::{Difference, Translation, translate};
