//! Which limit of a managed endpoint binds first. All can be raised by a support request.

use std::num::NonZeroU32;

use plimsoll_deploy::limits::EndpointLimits;
use plimsoll_study::plan::Demand;
use serde::Serialize;

/// A limit, and how much of it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Limit {
    pub(super) name: &'static str,
    pub(super) needed: f64,
    pub(super) at_most: f64,
}

impl Limit {
    pub(super) fn share(&self) -> f64 {
        self.needed / self.at_most
    }
}

/// The limits by the share that is taken, the tightest first. A connection is taken for as long as a slot
/// works; what waits comes on top.
pub(super) fn of(demand: &Demand, payload: Option<f64>) -> Vec<Limit> {
    let rate = demand.rate_rps;
    let azure = EndpointLimits::default();
    let needs = [
        ("requests per second", Some(rate), azure.requests),
        ("connections", Some(rate * demand.service_s), azure.active),
        ("bytes per second", payload.map(|payload| rate * payload), azure.bytes),
    ];
    let limit = |(name, needed, at_most): (_, Option<f64>, Option<NonZeroU32>)| {
        Some(Limit { name, needed: needed?, at_most: at_most?.get().into() })
    };
    let mut all: Vec<Limit> = needs.into_iter().filter_map(limit).collect();
    all.sort_by(|a, b| b.share().total_cmp(&a.share()));
    all
}
