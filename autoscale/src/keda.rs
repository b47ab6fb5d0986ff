//! KEDA's `ScaledObject`, as KEDA v2.21.0 decides: KEDA itself takes the target from zero (or idle) to its
//! minimum and back; between minimum and maximum a `HorizontalPodAutoscaler` decides that KEDA writes
//! ([`crate::hpa`]).
//!
//! Sources, named beside each rule: `pkg/scaling/executor/scale_scaledobjects.go`,
//! `pkg/scaling/scale_handler.go`, `pkg/fallback/fallback.go`, `pkg/scalers/*_scaler.go`,
//! `controllers/keda/hpa.go`, `apis/keda/v1alpha1/scaledobject_types.go`.
//!
//! What a state says: a trigger's value is the metric of the target that has the trigger's `name`, or,
//! if it has none, `s<index>-<type>`, as in `s0-prometheus`; left out or without a value, the trigger
//! fails. A trigger of type `cron` needs none. One decision reads each trigger once: the reading serves
//! KEDA's own poll, if one is due, and the synchronisation of the `HorizontalPodAutoscaler`.

mod cron;
mod decide;
mod raw;
mod read;
#[cfg(test)]
mod tests;

pub use decide::Memory;
pub use read::{ScaledObject, read};
