//! The open-loop load generator of plimsoll: it sends what the schedule says when the schedule
//! says it, whatever the target does, and tells honestly what came of it.
//!
//! A [`LoadPlan`] names a [`Target`] (resolved before the run), a [`Request`] with its bodies, a
//! [`Profile`] of rates, how [`Arrivals`] are spaced, and [`Limits`]. Starting it gives a
//! [`Running`] and, over a bounded channel, one [`Snapshot`](plimsoll_domain::Snapshot) per second.
//!
//! How it works:
//!
//! - The arrivals are a pure sequence of profile, process and seed. Each worker (a thread with its
//!   own runtime) walks its share of them; nothing in the path of a request is shared.
//! - A timerfd wakes the worker when an arrival is due. The clock never waits: an arrival without a
//!   free connection stands in line with its due time, and what the wait costs is in its response
//!   time (done − due), while service time (done − sent) and send lag (sent − due) tell it apart.
//! - A new connection is opened for an arrival that finds none free, up to the limit; whichever
//!   connection is free first takes the oldest arrival in line.
//! - Everything is counted: once a run has ended, offered = sent + dropped, and sent = answered +
//!   timeout + transport + aborted. A failure has a latency too.
//!
//! Limits: Linux only; HTTP/1.1 only. An arrival is an arrival of the whole run, so a body is
//! chosen by its number and not by its worker.

mod collector;
mod connection;
mod error;
mod limits;
mod payloads;
mod plan;
mod request;
mod target;
mod worker;

pub use error::Error;
pub use limits::{DEFAULT_MAX_CONNECTIONS, Limits, MAX_BACKLOG};
pub use payloads::Payloads;
pub use plan::{Finished, LoadPlan, Running};
pub use request::Request;
pub use target::{Target, TlsOptions};
