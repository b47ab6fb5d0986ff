//! The shared vocabulary of plimsoll: what at least two of its parts must agree on.
//!
//! Everything here is pure: no I/O, no tasks, no sleeping. The one exception is [`clock`], the only
//! place in the workspace that reads a clock.

pub mod clock;
pub mod diagnostic;
pub mod document;
pub mod latencies;
pub mod outcome;
pub mod snapshot;
pub mod tally;
pub mod units;

pub use clock::Moment;
pub use diagnostic::{Problem, Problems};
pub use document::Document;
pub use latencies::{Latencies, Quantile, SparseLatencies};
pub use outcome::{Outcome, Sample, Transport};
pub use snapshot::{Generator, Snapshot};
pub use tally::{Outcomes, Tally};
