//! Which limit of a managed endpoint binds first. All can be raised by a support request.

use std::num::NonZeroU32;

use plimsoll_deploy::limits::EndpointLimits;
use plimsoll_study::plan::{Carried, Demand};
use serde::Serialize;

/// How long a request may take at a managed endpoint: Azure's `request_timeout_ms` goes so far.
const LONGEST_S: f64 = 180.0;

/// A limit, and how much of it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Limit {
    pub(crate) name: &'static str,
    pub(crate) needed: f64,
    pub(crate) at_most: f64,
    /// The share that is taken: above 1 it is too low.
    pub(crate) share: f64,
}

/// The limits by the share that is taken, the tightest first. A connection is taken from a request's
/// arrival to its answer, and new ones are those of callers that keep none.
pub(super) fn of(demand: &Demand, peak: &Carried, payload: Option<f64>) -> Vec<Limit> {
    let rate = demand.rate_rps;
    let azure = EndpointLimits::default();
    let limit = |most: Option<NonZeroU32>| most.map(|most| f64::from(most.get()));
    let needs = [
        ("requests per second", Some(rate), limit(azure.requests)),
        ("connections at a time", Some(peak.pending as f64), limit(azure.active)),
        ("new connections per second if callers keep none", Some(rate), limit(azure.connections)),
        ("bytes per second", payload.map(|payload| rate * payload), limit(azure.bytes)),
        // Before one in the last place there is one request to each slot: it waits for one, and is worked on.
        (
            "seconds for a request in the last place, on average",
            Some(2.0 * demand.service_s),
            Some(LONGEST_S),
        ),
    ];
    let limit = |(name, needed, at_most): (_, Option<f64>, Option<f64>)| {
        let (needed, at_most) = (needed?, at_most?);
        Some(Limit { name, needed, at_most, share: needed / at_most })
    };
    let mut all: Vec<Limit> = needs.into_iter().filter_map(limit).collect();
    all.sort_by(|a, b| b.share.total_cmp(&a.share));
    all
}
