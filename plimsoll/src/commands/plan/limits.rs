//! Which limit of a managed endpoint binds first. All can be raised by a support request.

use plimsoll_study::plan::Demand;
use serde::Serialize;

/// Requests per second of an endpoint, all deployments together.
const RATE: f64 = 500.0;
/// Connections that are open at a time.
const CONNECTIONS: f64 = 500.0;
/// Bytes per second, beyond which requests are delayed.
const BANDWIDTH: f64 = 5e6;

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
    let mut all = vec![
        Limit { name: "requests per second", needed: rate, at_most: RATE },
        Limit { name: "connections", needed: rate * demand.service_s, at_most: CONNECTIONS },
    ];
    all.extend(payload.map(|payload| Limit {
        name: "bytes per second",
        needed: rate * payload,
        at_most: BANDWIDTH,
    }));
    all.sort_by(|a, b| b.share().total_cmp(&a.share()));
    all
}
