//! The shared vocabulary of plimsoll: what at least two of its parts must agree on.
//!
//! Everything here is pure: no I/O, no tasks, no sleeping. The one exception is [`clock`], the only
//! place in the workspace that reads a clock. What travels between machines is serde.

pub mod causes;
pub mod clock;
mod generator;
mod json;
pub mod latencies;
pub mod limits;
mod names;
mod outcome;
mod outcomes;
pub mod plain;
pub mod quantity;
mod recorder;
mod sample;
pub mod schedule;
mod snapshot;
mod tally;
pub mod units;

pub use causes::with_causes;
pub use clock::Moment;
pub use generator::{Generator, Pause};
pub use json::{json_fault, json_words};
pub use latencies::{Latencies, Quantile, SparseLatencies};
pub use limits::{Latency, Limit, LimitCounts, Limits};
pub use names::{Key, MOST_DEPLOYMENTS, Names, StageName};
pub use outcome::{Class, Hints, Outcome};
pub use outcomes::Outcomes;
pub use recorder::Recorder;
pub use sample::{LATE_RELEASE, Sample};
pub use snapshot::Snapshot;
pub use tally::{Lags, Tally};
