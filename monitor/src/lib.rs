//! Windows, objectives, verdicts, validity, alerts and OTLP of plimsoll.
//!
//! [`Monitor`] is the decision half: it takes the snapshots of a run and judges them. It is pure:
//! no clock, no task, no I/O.

pub mod alert;
pub mod batches;
mod counts;
pub mod effect;
pub mod few;
mod group;
pub mod inference;
pub mod interval;
pub mod looks;
mod monitor;
pub mod objective;
pub mod otlp;
#[cfg(test)]
mod testing;
mod track;
pub mod validity;
pub mod verdict;
mod window;
pub mod window_record;

pub use alert::{Alert, AlertError, AlertEvent, AlertRule, AlertState, AlertTerms, Severity};
pub use batches::{Batch, Batches};
pub use inference::{Inference, Interval, Question, Undecided, infer, walk_above};
pub use monitor::{DEFAULT_CONFIDENCE, Monitor, MonitorConfig, Report, Standing, limits};
pub use objective::{
    Amount, Comparison, InWindows, Indicator, Latency, Objective, ParseError, Part, Selector, Unit,
};
pub use validity::{Validity, ValidityState};
pub use verdict::{Evidence, Judgement, Verdict};
pub use window_record::WindowCounts;
