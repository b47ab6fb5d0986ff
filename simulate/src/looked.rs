//! What is told of instances.

use std::time::Duration;

/// The instances of one deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// The deployment's name.
    pub deployment: String,
    /// Those that get requests.
    pub ready: u32,
    /// Those that it should have.
    pub wanted: u32,
    /// Those that are not ready yet.
    pub starting: u32,
}

/// A deployment at one moment, as the local host shows its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// Those that get requests, and those that start. One that leaves is not shown.
    pub instances: Vec<InstanceLook>,
    /// Requests that wait for a slot.
    pub waiting: usize,
}

/// An instance at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstanceLook {
    /// Its number among all that the deployment ever started, from 0.
    pub number: u64,
    /// Whether it gets requests.
    pub ready: bool,
    /// Time that its slots were taken so far, added up.
    pub working: Duration,
    /// Slots that are taken now.
    pub in_flight: u32,
}
