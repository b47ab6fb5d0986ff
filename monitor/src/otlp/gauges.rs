//! How the run stands: what the session hands over beside snapshots and alerts.

use std::time::Duration;

use crate::{Alert, AlertState, Amount, Standing, ValidityState, Verdict};

/// What holds at a moment. Each replaces the one before.
#[derive(Debug, Clone, Default)]
pub struct Gauges {
    /// The moment, since the run's first due time.
    pub at: Duration,
    /// Requests per second that the schedule asks for.
    pub target_rate: Option<f64>,
    /// Instances by deployment.
    pub instances: Vec<Instances>,
    /// Autoscale rules by the deployment that they scale.
    pub autoscale: Vec<Autoscale>,
    /// Whether the generator could do what the schedule asked.
    pub validity: Option<ValidityState>,
    objectives: Vec<ObjectiveGauge>,
    alerts: Vec<(String, AlertState)>,
}

/// The instances of one deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instances {
    /// The deployment's name.
    pub deployment: String,
    /// Instances that take requests.
    pub ready: u64,
    /// Instances that there should be.
    pub wanted: u64,
    /// Instances that are being started.
    pub starting: u64,
}

/// How the autoscale rules of one deployment stand.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Autoscale {
    /// The deployment's name.
    pub deployment: String,
    /// Instances that are wanted.
    pub wanted: u64,
    /// Instances that the rules would want without any guard.
    pub unguarded: u64,
    /// Instances that have a machine.
    pub provisioned: u64,
    /// Evaluations so far.
    pub evaluations: u64,
    /// Changes of the count so far.
    pub changes: u64,
    /// Changes that the quota refused so far.
    pub refused: u64,
    /// The guard that holds the rules back, if one does.
    pub held: Option<String>,
    /// What indicators of the rules come to so far, by name.
    pub indicators: Vec<(&'static str, Amount)>,
}

/// An objective and how it stands.
#[derive(Debug, Clone)]
pub(super) struct ObjectiveGauge {
    pub(super) name: String,
    pub(super) value: Option<Amount>,
    pub(super) threshold: Amount,
    pub(super) verdict: Verdict,
}

impl Gauges {
    /// How the objectives and alerts stand `at` this time. The other fields are the caller's.
    pub fn new<'a>(
        at: Duration,
        standings: &[Standing<'_>],
        alerts: impl IntoIterator<Item = &'a Alert>,
    ) -> Self {
        let objective = |standing: &Standing<'_>| ObjectiveGauge {
            name: standing.objective.to_string(),
            value: standing.value,
            threshold: standing.objective.threshold(),
            verdict: standing.verdict,
        };
        let alert = |alert: &Alert| (alert.terms().name.clone(), alert.state());
        Self {
            at,
            objectives: standings.iter().map(objective).collect(),
            alerts: alerts.into_iter().map(alert).collect(),
            ..Self::default()
        }
    }

    pub(super) fn objectives(&self) -> &[ObjectiveGauge] {
        &self.objectives
    }

    pub(super) fn alerts(&self) -> &[(String, AlertState)] {
        &self.alerts
    }
}
