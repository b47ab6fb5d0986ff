//! What is simulated, as plain data.

use std::num::NonZeroU32;
use std::time::Duration;

use plimsoll_domain::schedule::Arrivals;
use plimsoll_domain::{Limits, Names};

use crate::Service;

/// A run of load on deployments.
#[derive(Debug)]
pub struct Model {
    /// When each request is due, and what it asks.
    pub arrivals: Arrivals,
    /// How long the schedule lasts.
    pub length: Duration,
    /// What the results' keys stand for.
    pub names: Names,
    /// The limits that objectives name.
    pub counted: Limits,
    /// For each request of the mix the deployment that it names, by its place in the list.
    pub routes: Vec<Option<usize>>,
    /// Who sends.
    pub client: Client,
    /// What answers: at least one.
    pub deployments: Vec<Deployment>,
    /// How long a snapshot's interval is.
    pub interval: Duration,
    /// Of everything random but the arrivals, which have theirs.
    pub seed: u64,
}

/// The sending side, as the load generator is told.
#[derive(Debug, Clone)]
pub struct Client {
    /// Requests under way at a time; further arrivals wait.
    pub max_connections: usize,
    /// From the sending of a request to the end of its answer; also how long an arrival waits for a
    /// connection.
    pub timeout: Duration,
    /// After the last arrival, how long what is under way is waited for.
    pub drain: Duration,
    /// The ceiling on the send rate.
    pub ceiling_rps: Option<NonZeroU32>,
}

/// A deployment and its instances.
#[derive(Debug)]
pub struct Deployment {
    /// Its name.
    pub name: String,
    /// Its part of the traffic, against the others'.
    pub weight: u32,
    /// Requests that an instance works on at a time.
    pub max_concurrent: NonZeroU32,
    /// How long the endpoint waits for an answer.
    pub timeout: Duration,
    /// Instances that are ready when the load begins.
    pub instances: NonZeroU32,
    /// How long an instance works on a request.
    pub service: Service,
    /// By what share of its service time each other request that its instance works on when it begins
    /// makes a request longer; 0 where they do not slow each other down.
    pub slowdown: f64,
    /// What an answer takes beyond the work and the wait for a slot. It holds no slot meanwhile.
    pub overhead: Duration,
    /// Share of requests that the model answers wrong, 0 to 1.
    pub error_rate: f64,
    /// How long an instance takes from when it is wanted until it is ready.
    pub provisioning: Service,
    /// The mean time until an instance fails, and is started anew; `None` if none does.
    pub mean_time_to_failure: Option<Duration>,
}

impl Deployment {
    /// A deployment that never fails, of instances that start at once.
    pub fn new(
        name: impl Into<String>,
        instances: NonZeroU32,
        max_concurrent: NonZeroU32,
        service: Service,
    ) -> Self {
        Self {
            name: name.into(),
            weight: 100,
            max_concurrent,
            timeout: Duration::from_secs(5),
            instances,
            service,
            slowdown: 0.0,
            overhead: Duration::ZERO,
            error_rate: 0.0,
            provisioning: Service::constant(Duration::ZERO),
            mean_time_to_failure: None,
        }
    }
}

/// A model that cannot be simulated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Times that nothing can be drawn from.
    #[error("{0}")]
    Service(String),
    /// No deployment gets a request.
    #[error(
        "no deployment has a part of the traffic: give one a weight, or name it in the request"
    )]
    NoRoute,
    /// A value out of its range.
    #[error("deployment `{deployment}`: {what}")]
    Deployment {
        /// Its name.
        deployment: String,
        /// What is wrong, and what would be right.
        what: String,
    },
    /// A value out of its range.
    #[error("{0}")]
    Client(&'static str),
}

impl Model {
    /// Whether it can be simulated.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let named = self.routes.iter().all(Option::is_some) && !self.routes.is_empty();
        if !named && self.deployments.iter().all(|deployment| deployment.weight == 0) {
            return Err(Error::NoRoute);
        }
        if self.routes.iter().flatten().any(|&index| index >= self.deployments.len()) {
            return Err(Error::NoRoute);
        }
        for deployment in &self.deployments {
            let wrong = |what: &str| {
                Err(Error::Deployment {
                    deployment: deployment.name.clone(),
                    what: what.to_owned(),
                })
            };
            if !(0.0..=1.0).contains(&deployment.error_rate) {
                return wrong("the error rate must be from 0 to 1");
            }
            if !(deployment.slowdown >= 0.0 && deployment.slowdown.is_finite()) {
                return wrong("a slowdown is a share of the service time, and not below 0");
            }
            if deployment.timeout.is_zero() {
                return wrong("a timeout of 0 lets nothing be answered");
            }
            if deployment.mean_time_to_failure == Some(Duration::ZERO) {
                return wrong("a mean time to failure of 0 lets no instance live");
            }
        }
        if self.client.timeout.is_zero() {
            return Err(Error::Client("a request timeout of 0 lets nothing be answered"));
        }
        if self.client.max_connections == 0 {
            return Err(Error::Client("at most 0 connections let nothing be sent"));
        }
        if self.interval.is_zero() {
            return Err(Error::Client("a snapshot needs an interval longer than 0"));
        }
        Ok(())
    }
}
