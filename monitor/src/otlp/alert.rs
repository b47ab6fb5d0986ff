//! Alerts as log events.
//!
//! There is no agreed convention for alerts over OTLP; a log record with an event name is what the
//! specification calls an event. One record is one change of state and says all of it: which rule,
//! what from, what to, by which value. Every change has its record, also the one that ends an alert
//! which still fires when the run ends.

use std::time::SystemTime;

use opentelemetry::logs::Severity;
use opentelemetry::{KeyValue, Value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;

use super::wire::{attributes, base, unix_nanos};
use crate::{AlertEvent, AlertState};

/// The event's name.
const NAME: &str = "plimsoll.alert";

/// The record of a change. Times in alerts count from `started`.
pub(super) fn record(alert: &AlertEvent, run_id: &str, started: SystemTime) -> LogRecord {
    let severity = severity(alert);
    let time = unix_nanos(started + alert.at);
    let (value, unit) = base(alert.value);
    let (threshold, _) = base(alert.threshold);
    let sentence = format!(
        "{} is {}: {} against {} ({})",
        alert.rule,
        alert.to.name(),
        alert.value.short(),
        alert.threshold.short(),
        alert.objective
    );
    LogRecord {
        event_name: NAME.to_owned(),
        time_unix_nano: time,
        observed_time_unix_nano: time,
        severity_number: severity as i32,
        severity_text: severity.name().to_owned(),
        body: Some(Value::from(sentence).into()),
        attributes: attributes([
            KeyValue::new("plimsoll.alert.rule", alert.rule.clone()),
            KeyValue::new("plimsoll.alert.state", alert.to.name()),
            KeyValue::new("plimsoll.alert.previous_state", alert.from.name()),
            KeyValue::new("plimsoll.alert.severity", alert.severity.name()),
            KeyValue::new("plimsoll.alert.value", value),
            KeyValue::new("plimsoll.alert.threshold", threshold),
            KeyValue::new("plimsoll.unit", unit),
            KeyValue::new("plimsoll.alert.fingerprint", alert.fingerprint.clone()),
            KeyValue::new("plimsoll.objective", alert.objective.clone()),
            KeyValue::new("plimsoll.alert.run_ended", alert.run_ended),
            KeyValue::new("plimsoll.run.id", run_id.to_owned()),
        ]),
        ..LogRecord::default()
    }
}

/// Firing is as severe as the rule; every other state only informs.
fn severity(alert: &AlertEvent) -> Severity {
    match (alert.to, alert.severity) {
        (AlertState::Firing, crate::Severity::Critical) => Severity::Error,
        (AlertState::Firing, crate::Severity::Warning) => Severity::Warn,
        _ => Severity::Info,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

    use super::*;
    use crate::Amount;

    fn event(from: AlertState, to: AlertState) -> AlertEvent {
        AlertEvent {
            at: Duration::from_millis(12_500),
            rule: "slow\u{1b}[2J".to_owned(),
            severity: crate::Severity::Critical,
            objective: "p99 < 200ms in every 10s".to_owned(),
            from,
            to,
            value: Amount::latency(Duration::from_millis(250)),
            threshold: Amount::latency(Duration::from_millis(200)),
            fingerprint: "00ff".to_owned(),
            run_ended: false,
        }
    }

    #[test]
    fn a_record_says_what_changed_from_what_by_which_value() {
        let started = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let record = record(&event(AlertState::Firing, AlertState::Resolved), "run-1", started);
        assert_eq!(record.event_name, "plimsoll.alert");
        assert_eq!(record.time_unix_nano, 1_000_000_012_500_000_000);
        assert_eq!(record.observed_time_unix_nano, record.time_unix_nano);
        assert_eq!(
            (record.severity_number(), &*record.severity_text),
            (SeverityNumber::Info, "INFO")
        );
        let found: Vec<_> = record
            .attributes
            .iter()
            .map(|one| (one.key.as_str(), one.value.clone().unwrap().value.unwrap()))
            .collect();
        let text = |value: &str| Any::StringValue(value.to_owned());
        let expected = [
            // As it is: OTLP carries any text, and who shows it makes it safe.
            ("plimsoll.alert.rule", text("slow\u{1b}[2J")),
            ("plimsoll.alert.state", text("resolved")),
            ("plimsoll.alert.previous_state", text("firing")),
            ("plimsoll.alert.severity", text("critical")),
            ("plimsoll.alert.value", Any::DoubleValue(0.25)),
            ("plimsoll.alert.threshold", Any::DoubleValue(0.2)),
            ("plimsoll.unit", text("s")),
            ("plimsoll.alert.fingerprint", text("00ff")),
            ("plimsoll.objective", text("p99 < 200ms in every 10s")),
            ("plimsoll.alert.run_ended", Any::BoolValue(false)),
            ("plimsoll.run.id", text("run-1")),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn only_what_fires_is_severe() {
        use crate::Severity::{Critical, Info, Warning};
        let of = |to, severity| {
            let event = AlertEvent { severity, ..event(AlertState::Pending, to) };
            record(&event, "", UNIX_EPOCH).severity_number()
        };
        assert_eq!(of(AlertState::Firing, Critical), SeverityNumber::Error);
        assert_eq!(of(AlertState::Firing, Warning), SeverityNumber::Warn);
        assert_eq!(of(AlertState::Firing, Info), SeverityNumber::Info);
        assert_eq!(of(AlertState::Pending, Critical), SeverityNumber::Info);
    }
}
