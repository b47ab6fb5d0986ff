//! Knative's pod autoscaler (KPA), as knative/serving v0.51.0 decides.
//!
//! Sources, named beside each rule: `pkg/autoscaler/scaling/autoscaler.go` (the decision),
//! `pkg/autoscaler/aggregation` (averages), `pkg/reconciler/autoscaling/kpa/scaler.go` (bounds, zero),
//! `pkg/autoscaler/config/config.go` (defaults), `pkg/apis/autoscaling` (annotations).
//!
//! Rules are the annotations `autoscaling.knative.dev/…` of a Service, Configuration or Revision; or
//! a `ConfigMap` `config-autoscaler` alone, for what a revision without annotations gets. Keys of that
//! `ConfigMap` that no annotation sets may stand beside them as `plimsoll/<key>`.
//!
//! What a state says: the metric `concurrency` (requests in flight in all pods together) or `rps`. Its
//! `points` are summed into buckets of a second and averaged over both windows; or the averages
//! are given as two series whose dimension `window` is `stable` and `panic`.
//!
//! Not modelled, for a state cannot show it: whether the activator is in the path. From the moment
//! that a revision is inactive, it is taken to be. A revision that has been ready once is initialized.

/// Seconds from one decision to the next (`tickInterval`).
pub const TICK_S: u32 = 2;

mod average;
mod decide;
mod read;
#[cfg(test)]
mod tests;

pub use decide::Memory;
pub use read::{Kpa, read};
