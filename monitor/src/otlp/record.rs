//! What the session hands over for export beside snapshots and alerts: who runs, and how it stands.

use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::common::v1::KeyValue;

use super::metrics::{text, whole};
use crate::{Alert, AlertState, Amount, Standing, Unit, ValidityState, Verdict};

/// The run, as receivers are to know it.
#[derive(Debug, Clone)]
pub struct Run {
    /// Distinguishes this run from every other: `service.instance.id` and `plimsoll.run.id`.
    pub id: String,
    /// The scenario's name.
    pub scenario: String,
    /// plimsoll's version.
    pub version: String,
    /// The wall-clock time of the run's first due time: times in snapshots count from here.
    pub started: SystemTime,
    /// The requests' method.
    pub method: String,
    /// The host that the requests go to.
    pub server_address: String,
    /// The port that the requests go to.
    pub server_port: u16,
    /// More resource attributes.
    pub extra: Vec<(String, String)>,
}

impl Run {
    /// The resource's attributes. The environment's own come last and win.
    pub(super) fn resource(
        &self,
        service_name: Option<&str>,
        environment: &[(String, String)],
    ) -> Vec<(String, String)> {
        let mut attributes: Vec<(String, String)> = Vec::new();
        let mut set = |key: &str, value: &str| {
            attributes.retain(|(known, _)| known != key);
            attributes.push((key.to_owned(), value.to_owned()));
        };
        set("service.name", "plimsoll");
        set("service.version", &self.version);
        set("service.instance.id", &self.id);
        set("plimsoll.run.id", &self.id);
        set("plimsoll.scenario", &self.scenario);
        self.extra.iter().chain(environment).for_each(|(key, value)| set(key, value));
        if let Some(name) = service_name {
            set("service.name", name);
        }
        attributes
    }

    /// What the conventions require of `http.client.request.duration`.
    pub(super) fn convention_attributes(&self) -> Vec<KeyValue> {
        vec![
            text("http.request.method", &self.method),
            text("server.address", &self.server_address),
            whole("server.port", i64::from(self.server_port)),
        ]
    }
}

/// What holds at a moment. Each replaces the one before.
#[derive(Debug, Clone, Default)]
pub struct Gauges {
    /// The moment, since the run's first due time.
    pub at: Duration,
    /// Requests per second that the schedule asks for.
    pub target_rate: Option<f64>,
    /// Running instances by deployment.
    pub instances: Vec<(String, u64)>,
    /// Whether the generator could do what the schedule asked.
    pub validity: Option<ValidityState>,
    objectives: Vec<ObjectiveGauge>,
    alerts: Vec<(String, AlertState)>,
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
    pub fn new(at: Duration, standings: &[Standing<'_>], alerts: &[Alert]) -> Self {
        let objective = |standing: &Standing<'_>| ObjectiveGauge {
            name: standing.objective.to_string(),
            value: standing.value,
            threshold: standing.objective.threshold(),
            verdict: standing.verdict,
        };
        let alert = |alert: &Alert| (alert.rule().name().to_owned(), alert.state());
        Self {
            at,
            objectives: standings.iter().map(objective).collect(),
            alerts: alerts.iter().map(alert).collect(),
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

/// An amount in the base unit that receivers expect, and that unit in UCUM.
pub(super) fn on_the_wire(amount: Amount) -> (f64, &'static str) {
    match amount.unit {
        Unit::Milliseconds => (amount.number / 1e3, "s"),
        Unit::Share => (amount.number, "1"),
        Unit::PerSecond => (amount.number, "{request}/s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environments_attributes_win() {
        let run = Run {
            id: "r1".to_owned(),
            scenario: "quickstart".to_owned(),
            version: "0.1.0".to_owned(),
            started: SystemTime::UNIX_EPOCH,
            method: "POST".to_owned(),
            server_address: "127.0.0.1".to_owned(),
            server_port: 80,
            extra: vec![("plimsoll.endpoint".to_owned(), "blue".to_owned())],
        };
        let environment = [("service.name".to_owned(), "a".to_owned())];
        let find = |attributes: Vec<(String, String)>, key: &str| {
            let found: Vec<_> = attributes.into_iter().filter(|(k, _)| k == key).collect();
            assert_eq!(found.len(), 1, "{key}");
            found[0].1.clone()
        };
        assert_eq!(find(run.resource(None, &[]), "service.name"), "plimsoll");
        assert_eq!(find(run.resource(None, &environment), "service.name"), "a");
        assert_eq!(find(run.resource(Some("b"), &environment), "service.name"), "b");
        assert_eq!(find(run.resource(None, &[]), "plimsoll.endpoint"), "blue");
        assert_eq!(find(run.resource(None, &[]), "service.instance.id"), "r1");
    }
}
