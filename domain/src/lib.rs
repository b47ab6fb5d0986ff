//! The shared vocabulary of plimsoll: what at least two of its parts must agree on.
//!
//! Everything here is pure: no I/O, no tasks, no sleeping. The one exception is [`clock`], the only
//! place in the workspace that reads a clock.

pub mod causes;
pub mod clock;
pub mod latencies;
pub mod outcome;
pub mod schedule;
pub mod snapshot;
pub mod tally;
pub mod units;

pub use causes::with_causes;
pub use clock::Moment;
pub use latencies::{Latencies, Quantile, SparseLatencies};
pub use outcome::{Outcome, Sample, Transport};
pub use snapshot::{Generator, Snapshot};
pub use tally::{Outcomes, Tally};
