//! The schedule: how the offered rate goes over the run, and when each arrival is due.
//!
//! Pure: profile, process and seed decide every arrival, on any machine and however the arrivals
//! are shared out.

mod arrivals;
mod profile;

pub use arrivals::{Arrival, ArrivalProcess, Arrivals};
pub use profile::{Profile, Stage};
