//! The schedule: how the offered rate goes over the run, and when each arrival is due.
//!
//! Pure: profile (or trace), process, mix and seed decide every arrival, on any machine and however
//! the arrivals are shared out.

mod arrivals;
mod mix;
mod profile;
pub mod trace;

pub use arrivals::{Arrival, ArrivalProcess, Arrivals};
pub use mix::{Draw, Mix};
pub use profile::{Profile, Stage, Wave};
pub use trace::Trace;
