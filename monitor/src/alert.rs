//! Alerts: inactive → pending → firing → resolved, as Prometheus rules do it.
//!
//! An alert looks at the value of its objective in the newest whole window, without statistics:
//! an alert is a reason to look, not a verdict. It becomes pending with the first wrong value,
//! fires once values were wrong for the whole of `for_`, and resolves once they were right for the
//! whole of `keep_firing_for`. A pending alert that sees a right value is inactive again: flapping
//! inside `for_` never fires. A resolved alert becomes pending like an inactive one. Without data
//! an alert keeps its state; an arrival that is overdue is data, so a total stall fires while it
//! lasts. Times are compared with a tenth of an interval of slack, since no timer is exact. When
//! the run ends, an alert that is pending or firing ends with it, and says so.

use std::hash::Hasher;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::objective::{Amount, Objective};

/// When to raise an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRule {
    objective: Objective,
    terms: AlertTerms,
}

/// What an alert says of itself, and how long it waits: all of a rule but what tells its value, which
/// need not be an objective of the monitor's.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertTerms {
    /// The rule's name.
    pub name: String,
    /// What must hold, in words.
    pub objective: String,
    /// The bound.
    pub threshold: Amount,
    /// For how long it must not hold before the alert fires.
    pub hold: Duration,
    /// For how long it must hold again before the alert resolves.
    pub keep_firing_for: Duration,
    /// How urgent it is.
    pub severity: Severity,
}

/// How urgent an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For the record.
    Info,
    /// Look at it in working hours.
    #[default]
    Warning,
    /// Look at it now.
    Critical,
}

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Nothing was wrong yet.
    #[default]
    Inactive,
    /// Wrong, but not yet for long enough.
    Pending,
    /// Wrong for long enough.
    Firing,
    /// It fired, and is over.
    Resolved,
}

/// A change of an alert's state.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertEvent {
    /// When, since the run's first due time.
    pub at: Duration,
    /// The rule's name.
    pub rule: String,
    /// The rule's severity.
    pub severity: Severity,
    /// The rule's objective.
    pub objective: String,
    /// The state before.
    pub from: AlertState,
    /// The state now.
    pub to: AlertState,
    /// The value that brought the change.
    pub value: Amount,
    /// The bound.
    pub threshold: Amount,
    /// The same for every event of the same rule: 16 hexadecimal digits.
    pub fingerprint: String,
    /// Whether it changed only because the run ended.
    pub run_ended: bool,
}

/// Why a rule cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlertError {
    /// The objective is over the run.
    #[error("alert `{0}`: its objective needs a window; add for example `in every 10s`")]
    NoWindow(String),
}

impl AlertRule {
    /// A rule that alerts when `objective` does not hold in its newest window.
    ///
    /// # Errors
    /// An objective over the whole run has no newest window.
    pub fn try_new(
        name: impl Into<String>,
        objective: Objective,
        hold: Duration,
        keep_firing_for: Duration,
        severity: Severity,
    ) -> Result<Self, AlertError> {
        let name = name.into();
        if objective.window().is_none() {
            return Err(AlertError::NoWindow(name));
        }
        let terms = AlertTerms {
            name,
            objective: objective.to_string(),
            threshold: objective.threshold(),
            hold,
            keep_firing_for,
            severity,
        };
        Ok(Self { objective, terms })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.terms.name
    }

    /// For how long it must not hold before the alert fires.
    pub fn hold(&self) -> Duration {
        self.terms.hold
    }

    /// What must hold.
    pub fn objective(&self) -> &Objective {
        &self.objective
    }

    /// All of it but how the objective is evaluated.
    pub fn terms(&self) -> &AlertTerms {
        &self.terms
    }
}

impl AlertTerms {
    /// The same for every event of the same rule: FNV-1a over name and objective, which unlike the
    /// standard library's hash is the same in every release.
    pub fn fingerprint(&self) -> String {
        let mut hasher = fnv::FnvHasher::default();
        hasher.write(format!("{}\n{}", self.name, self.objective).as_bytes());
        format!("{:016x}", hasher.finish())
    }
}

impl AlertState {
    /// The name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

impl Severity {
    /// The name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// By how much the interval's end may be early: a tenth of an interval.
const SLACK: Duration = Duration::from_millis(100);

/// An alert and where it stands.
#[derive(Debug, Clone)]
pub struct Alert {
    terms: AlertTerms,
    state: AlertState,
    /// Since when values are wrong (pending), or right again (firing).
    since: Option<Duration>,
    /// The newest value.
    value: Option<Amount>,
}

impl Alert {
    /// An alert that nothing happened to yet.
    pub fn new(terms: AlertTerms) -> Self {
        Self { terms, state: AlertState::Inactive, since: None, value: None }
    }

    /// What it says of itself.
    pub fn terms(&self) -> &AlertTerms {
        &self.terms
    }

    /// Where it stands.
    pub fn state(&self) -> AlertState {
        self.state
    }

    /// Takes the objective's value in the window that ends `now` into account, and whether it
    /// `holds` there.
    pub fn step(&mut self, now: Duration, value: Amount, holds: bool) -> Option<AlertEvent> {
        let wrong = !holds;
        self.value = Some(value);
        let from = self.state;
        let to = match (from, wrong) {
            (AlertState::Pending, false) => AlertState::Inactive,
            (AlertState::Firing, true) => {
                self.since = None;
                return None;
            }
            (AlertState::Firing, false) if self.lasted(now, self.terms.keep_firing_for) => {
                AlertState::Resolved
            }
            (_, true) if self.lasted(now, self.terms.hold) => AlertState::Firing,
            (AlertState::Inactive | AlertState::Resolved, true) => AlertState::Pending,
            _ => return None,
        };
        self.state = to;
        if to != AlertState::Pending {
            self.since = None;
        }
        Some(self.event(now, from, value, false))
    }

    /// The run ends `now`: what is pending was nothing, what fires is over.
    pub fn end(&mut self, now: Duration) -> Option<AlertEvent> {
        let (from, value) = (self.state, self.value?);
        self.state = match from {
            AlertState::Pending => AlertState::Inactive,
            AlertState::Firing => AlertState::Resolved,
            AlertState::Inactive | AlertState::Resolved => return None,
        };
        self.since = None;
        Some(self.event(now, from, value, true))
    }

    /// Whether what began with the first call has lasted for `span`.
    fn lasted(&mut self, now: Duration, span: Duration) -> bool {
        let since = *self.since.get_or_insert(now);
        now.saturating_sub(since) + SLACK >= span
    }

    fn event(&self, at: Duration, from: AlertState, value: Amount, run_ended: bool) -> AlertEvent {
        AlertEvent {
            at,
            rule: self.terms.name.clone(),
            severity: self.terms.severity,
            objective: self.terms.objective.clone(),
            from,
            to: self.state,
            value,
            threshold: self.terms.threshold,
            fingerprint: self.terms.fingerprint(),
            run_ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AlertState::{Firing, Inactive, Pending, Resolved};

    fn rule(for_: u64, keep: u64) -> AlertRule {
        let objective = "p99 < 200ms in every 1s".parse().unwrap();
        let (for_, keep) = (Duration::from_secs(for_), Duration::from_secs(keep));
        AlertRule::try_new("slow", objective, for_, keep, Severity::Critical).unwrap()
    }

    /// Steps once a second through `values` (`x` wrong, `.` right, `?` no data) and returns the
    /// changes: the second and the state that it brought.
    fn changes(rule: &AlertRule, values: &str) -> Vec<(u64, AlertState)> {
        let mut alert = Alert::new(rule.terms().clone());
        let mut changes = Vec::new();
        for (second, value) in values.chars().enumerate() {
            let now = Duration::from_secs(second as u64);
            let (value, holds) = match value {
                'x' => (Amount::latency(Duration::from_millis(300)), false),
                '.' => (Amount::latency(Duration::from_millis(100)), true),
                _ => continue,
            };
            let before = alert.state();
            if let Some(event) = alert.step(now, value, holds) {
                assert_eq!((event.from, event.to, event.at), (before, alert.state(), now));
                assert_eq!((event.value, event.run_ended), (value, false));
                changes.push((second as u64, event.to));
            }
        }
        changes
    }

    #[test]
    fn alerts_walk_their_states() {
        let cases = [
            // for, keep, values, changes
            (0, 0, "..x.", vec![(2, Firing), (3, Resolved)]),
            (2, 0, ".xxxx.", vec![(1, Pending), (3, Firing), (5, Resolved)]),
            (2, 0, "xx.xx.", vec![(0, Pending), (2, Inactive), (3, Pending), (5, Inactive)]),
            (2, 0, "x?x", vec![(0, Pending), (2, Firing)]),
            (2, 0, "xx????.", vec![(0, Pending), (6, Inactive)]),
            (0, 2, "x..x....", vec![(0, Firing), (6, Resolved)]),
            (0, 2, "x.?.", vec![(0, Firing), (3, Resolved)]),
            (
                1,
                0,
                "xx.xx",
                vec![(0, Pending), (1, Firing), (2, Resolved), (3, Pending), (4, Firing)],
            ),
            (
                1,
                0,
                "xx.x.",
                vec![(0, Pending), (1, Firing), (2, Resolved), (3, Pending), (4, Inactive)],
            ),
            (1, 1, "????", vec![]),
        ];
        for (for_, keep, values, wanted) in cases {
            assert_eq!(changes(&rule(for_, keep), values), wanted, "{for_} {keep} {values}");
        }
    }

    #[test]
    fn two_milliseconds_of_jitter_are_no_second() {
        let mut alert = Alert::new(rule(5, 0).terms().clone());
        let slow = Amount::latency(Duration::from_millis(300));
        let mut fired = None;
        for second in 1..9u64 {
            let jitter = Duration::from_millis(if second == 1 { 2 } else { 0 });
            let now = Duration::from_secs(second) + jitter;
            let event = alert.step(now, slow, false);
            fired = fired.or(event.filter(|event| event.to == Firing).map(|event| event.at));
        }
        assert_eq!(fired, Some(Duration::from_secs(6)));
    }

    #[test]
    fn a_run_that_ends_takes_its_alerts_along() {
        let slow = Amount::latency(Duration::from_millis(300));
        let end = Duration::from_secs(9);
        let ended = |for_, steps: u64| {
            let mut alert = Alert::new(rule(for_, 0).terms().clone());
            (0..steps)
                .for_each(|second| drop(alert.step(Duration::from_secs(second), slow, false)));
            alert.end(end).map(|event| (event.from, event.to, event.at, event.run_ended))
        };
        assert_eq!(ended(0, 1), Some((Firing, Resolved, end, true)));
        assert_eq!(ended(5, 2), Some((Pending, Inactive, end, true)));
        assert_eq!(ended(0, 0), None);
    }

    #[test]
    fn an_alert_over_the_run_is_refused_with_a_remedy() {
        let objective = "p99 < 200ms".parse().unwrap();
        let zero = Duration::ZERO;
        let error = AlertRule::try_new("slow", objective, zero, zero, Severity::Info).unwrap_err();
        assert!(error.to_string().contains("`in every 10s`"), "{error}");
    }

    #[test]
    fn fingerprints_tell_rules_apart_and_never_change() {
        assert_eq!(rule(1, 1).terms().fingerprint(), rule(2, 2).terms().fingerprint());
        let other = "p99 < 201ms in every 1s".parse().unwrap();
        let zero = Duration::ZERO;
        let other = AlertRule::try_new("slow", other, zero, zero, Severity::Info).unwrap();
        assert_ne!(rule(1, 1).terms().fingerprint(), other.terms().fingerprint());
        assert_eq!(rule(1, 1).terms().fingerprint().len(), 16);
    }
}
