//! The open-loop load generator of plimsoll.

mod arrivals;
mod error;
mod limits;
mod payloads;
mod profile;
mod request;
mod target;

pub use arrivals::{Arrival, ArrivalProcess, Arrivals};
pub use error::Error;
pub use limits::{DEFAULT_MAX_CONNECTIONS, Limits, MAX_BACKLOG};
pub use payloads::Payloads;
pub use profile::{Profile, Stage};
pub use request::Request;
pub use target::{Target, TlsOptions};
