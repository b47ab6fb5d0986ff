//! Windows, objectives, verdicts, validity, alerts and OTLP of plimsoll.
//!
//! [`Monitor`] is the decision half: it takes the snapshots of a run and judges them. It is pure:
//! no clock, no task, no I/O.

pub mod alert;
pub mod batches;
mod effect;
mod evidence;
pub mod facts;
pub mod inference;
pub mod interval;
pub mod looks;
mod monitor;
pub mod objective;
pub mod otlp;
#[cfg(test)]
mod testing;
pub mod validity;
pub mod verdict;
mod window;

pub use alert::{Alert, AlertError, AlertEvent, AlertRule, AlertState, Severity};
pub use batches::{Batch, Batches};
pub use inference::{Inference, Interval, Question, Undecided, infer};
pub use monitor::{Monitor, MonitorConfig, Report, Standing};
pub use objective::{Amount, Comparison, Indicator, Latency, Objective, ParseError, Unit};
pub use validity::{Validity, ValidityState};
pub use verdict::{Judgement, Verdict, WindowCounts};
