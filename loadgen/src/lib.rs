//! The open-loop load generator of plimsoll: it sends what the schedule says when the schedule
//! says it, whatever the target does, and tells honestly what came of it.
//!
//! A [`LoadPlan`] is plain data: a URL, weighted [`NamedRequest`]s with their bodies, a profile of
//! rates, how arrivals are spaced, and [`Limits`]. With its [`Target`], resolved before the run, it
//! is started and gives a [`Running`] and, over a bounded channel, one
//! [`Snapshot`](plimsoll_domain::Snapshot) per second.
//!
//! How it works:
//!
//! - The arrivals are a pure sequence of profile, process, mix and seed. Each worker (a thread with
//!   its own runtime) walks its share of them.
//! - A timerfd wakes the worker when an arrival is due. The clock never waits: an arrival without a
//!   free connection waits in the backlog with its due time, and what the wait costs is in its
//!   response time (done − due), while service time (done − sent) and send lag (sent − due) tell it
//!   apart.
//! - A new connection is opened for an arrival that finds none free, up to the limit; whichever
//!   connection is free first takes the oldest arrival that waits.
//! - Everything is counted: once a run has ended, offered = sent + dropped, and sent is the sum of
//!   all endings of what was sent. A failure has a latency too.
//! - A worker that is lost is noticed at once: the run stops, and what was measured is kept.
//!
//! Limits: Linux only; HTTP/1.1 only. An arrival is an arrival of the whole run, so its request and
//! its body are chosen by its number and not by its worker.

mod collector;
mod connection;
mod error;
mod limits;
mod payloads;
mod plan;
mod report;
mod request;
mod run;
mod target;
mod worker;

pub use error::Error;
pub use limits::{DEFAULT_MAX_CONNECTIONS, Limits, MAX_BACKLOG};
pub use payloads::{Payloads, STDIN};
pub use plan::{LoadPlan, WithSecrets};
pub use request::{NamedRequest, Request};
pub use run::{Finished, Running};
pub use target::{Checked, Target, TlsOptions};
