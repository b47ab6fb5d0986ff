//! One scenario in virtual time: a day of traffic in a second.
//!
//! A simulation replaces the endpoint and the clock, and nothing else. The schedule is that of
//! [`plimsoll_domain::schedule`], who is admitted decides [`plimsoll_deploy::admission`], what is
//! counted is counted by [`plimsoll_domain::Recorder`], and what comes out are the same snapshots as
//! those of a live run. What is modelled here is what stands in for machines: instances that work on
//! so many requests at a time ([`Deployment`]), how long each takes ([`Service`]), how long an
//! instance takes to start, and when it fails. How many there are says the caller ([`Simulation::want`]),
//! who is shown what they do ([`Simulation::look`]): autoscale rules are not here.
//!
//! There is no task, no clock and no file: a simulation is a value, and [`Simulation::advance`] moves it
//! on. The same model and seed give the same snapshots. Nothing grows with the length of the run.
//!
//! Not modelled: the network (a request arrives when it is sent, and its answer takes the same
//! [overhead](Deployment::overhead) as every other), the generator's own lateness (it has none), and
//! requests that slow down one that is at work already: what others cost it is known when it
//! [begins](Deployment::slowdown).

mod calendar;
mod engine;
mod fleet;
mod flight;
mod looked;
mod model;
mod sender;
mod service;

pub use engine::{Happening, Simulation};
pub use looked::{Counts, InstanceLook, Looked};
pub use model::{Client, Deployment, Error, Model};
pub use service::Service;
