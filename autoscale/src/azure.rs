//! Azure Monitor autoscale: its settings as people have them, and its engine as Microsoft describes it.
//!
//! Sources, named beside each rule below: Microsoft's pages *Understand autoscale settings* (2026-08),
//! *Autoscale flapping*, *Autoscale best practices*, the REST reference `autoscalesettings`
//! 2022-10-01, and `az monitor autoscale` of azure-cli 2.91. What Microsoft does not document is a
//! [`Parameters`] of its own, with a default and a sentence.
//!
//! [`read`] takes a setting from a file, [`decide`] evaluates it once. Who evaluates often keeps an
//! [`Engine`] and its [`History`] instead.

mod at;
mod decide;
mod duration;
mod flapping;
mod history;
mod observe;
mod parameters;
mod profile;
mod read;
mod script;
mod setting;
mod short;
mod steps;
mod zone;

pub use decide::{Engine, Moment, decide};
pub use flapping::{Guarded, guard};
pub use history::History;
pub use parameters::{PARAMETERS, Parameter, Parameters, Rounding};
pub use profile::in_force;
pub use read::read;
pub(crate) use script::Spans;
pub use script::{is_script, read_script};
pub use setting::{
    Action, Aggregation, Capacity, Change, Dimension, Direction, Operator, Profile, Rule, Setting,
    Statistic, When,
};
pub use short::{Condition, condition};
pub use steps::Memory;
pub use zone::{Zone, windows_zones};

/// What an instance count of a managed online deployment may not exceed.
///
/// Source: *Manage and increase quotas*, managed online endpoints, instances per deployment.
pub const MOST_INSTANCES: u32 = 50;

#[cfg(test)]
mod tests;
