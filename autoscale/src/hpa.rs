//! The `HorizontalPodAutoscaler` of Kubernetes, `autoscaling/v2`, as v1.37.2 decides: with a tolerance
//! for each direction (KEP-4951) and the way from zero (KEP-2021) that are on by default there.
//!
//! Sources, named beside each rule: `pkg/controller/podautoscaler` (`replica_calculator.go`,
//! `horizontal.go`), `pkg/apis/autoscaling` (defaults, validation).
//!
//! What a state says: CPU in cores and memory in bytes stand under `cpu` and `memory` in an
//! instance's `metrics` and `requests`, those of one container under `CONTAINER/cpu`. A metric of an
//! object names it in `resource` (`Ingress/main`); an external metric has no `resource`.
//!
//! Flags of the controller are the cluster's; where they are not the defaults, the file says so by
//! annotations:
//!
//! | Annotation | Default |
//! |---|---|
//! | `plimsoll/horizontal-pod-autoscaler-tolerance` | 0.1 |
//! | `plimsoll/horizontal-pod-autoscaler-downscale-stabilization` | 5m |
//! | `plimsoll/horizontal-pod-autoscaler-cpu-initialization-period` | 5m |
//! | `plimsoll/horizontal-pod-autoscaler-initial-readiness-delay` | 30s |

/// Seconds from one decision to the next (`--horizontal-pod-autoscaler-sync-period`).
pub const SYNC_PERIOD_S: u32 = 15;

mod behavior;
mod calculator;
mod controller;
mod pods;
mod raw;
mod read;
mod spec;
#[cfg(test)]
mod tests;

pub use behavior::{Count, Memory};
pub(crate) use raw::{PolicyType, RawBehavior, RawMetadata, Select};
pub use read::read;
pub(crate) use read::{FORMATS, behavior, parameters};
pub use spec::Hpa;
pub(crate) use spec::{Behavior, Named, PerPod, Policy, Reference, Rules, Selector, Source, Total};
