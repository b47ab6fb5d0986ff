//! Gauges: what holds at the moment, stamped with the moment for which it holds.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint};

use super::super::gauges::{Autoscale, ObjectiveGauge};
use super::super::wire::{attributes, base, whole};
use super::build::metric;
use super::view::View;
use crate::{AlertState, Amount, ValidityState, Verdict};

type Points = Vec<(Vec<KeyValue>, Number)>;

/// All gauges that are known.
pub(super) fn metrics(view: &View<'_>) -> Vec<Metric> {
    let mut all = generator(view);
    all.extend(judgement(view));
    all.extend(autoscale(view));
    all
}

/// Autoscale rules: each metric by deployment.
fn autoscale(view: &View<'_>) -> Vec<Metric> {
    let Some(gauges) = view.gauges.filter(|gauges| !gauges.autoscale.is_empty()) else {
        return Vec::new();
    };
    let name = |of: &Autoscale| KeyValue::new("plimsoll.deployment", of.deployment.clone());
    let each = |count: fn(&Autoscale) -> u64| -> Points {
        let points = gauges.autoscale.iter();
        points.map(|of| (vec![name(of)], Number::AsInt(whole(count(of))))).collect()
    };
    let held = gauges.autoscale.iter().filter_map(|of| {
        let guard = KeyValue::new("plimsoll.autoscale.guard", of.held.clone()?);
        Some((vec![name(of), guard], Number::AsInt(1)))
    });
    let all: [(&str, &str, &str, Points); 8] = [
        (
            "plimsoll.autoscale.wanted",
            "Instances that autoscale rules want",
            "{instance}",
            each(|of| of.wanted),
        ),
        (
            "plimsoll.autoscale.unguarded",
            "Instances that autoscale rules would want without any guard",
            "{instance}",
            each(|of| of.unguarded),
        ),
        (
            "plimsoll.autoscale.provisioned",
            "Instances that have a machine",
            "{instance}",
            each(|of| of.provisioned),
        ),
        (
            "plimsoll.autoscale.evaluations",
            "Evaluations of autoscale rules so far",
            "{evaluation}",
            each(|of| of.evaluations),
        ),
        (
            "plimsoll.autoscale.changes",
            "Changes of the count of instances so far",
            "{change}",
            each(|of| of.changes),
        ),
        (
            "plimsoll.autoscale.refused",
            "Changes that the quota refused so far",
            "{change}",
            each(|of| of.refused),
        ),
        (
            "plimsoll.autoscale.held",
            "1 while the guard that its attribute names holds autoscale rules back",
            "",
            held.collect(),
        ),
        (
            "plimsoll.autoscale.indicator",
            "An indicator of autoscale rules so far, in rule time and the unit that its attribute names",
            "",
            indicators(&gauges.autoscale),
        ),
    ];
    build(view, gauges.at, all)
}

/// What indicators of rules come to.
fn indicators(autoscale: &[Autoscale]) -> Points {
    let of_one = |of: &Autoscale| {
        let deployment = KeyValue::new("plimsoll.deployment", of.deployment.clone());
        let point = move |(indicator, amount): &(&'static str, Amount)| {
            let (value, unit) = base(*amount);
            let indicator = KeyValue::new("plimsoll.autoscale.indicator.name", *indicator);
            let labels = [deployment.clone(), indicator, KeyValue::new("plimsoll.unit", unit)];
            (labels.into(), Number::AsDouble(value))
        };
        of.indicators.iter().map(point).collect::<Points>()
    };
    autoscale.iter().flat_map(of_one).collect()
}

fn generator(view: &View<'_>) -> Vec<Metric> {
    let Some(state) = view.generator else {
        return Vec::new();
    };
    let one = |value: u64| vec![(Vec::new(), Number::AsInt(whole(value)))];
    let gauges: [(&str, &str, &str, Points); 3] = [
        ("plimsoll.requests.in_flight", "Requests in flight", "{request}", one(state.in_flight)),
        (
            "plimsoll.requests.backlog",
            "Requests due that wait for a connection",
            "{request}",
            one(state.backlog),
        ),
        ("plimsoll.connections", "Open connections", "{connection}", one(state.connections)),
    ];
    build(view, view.to, gauges)
}

fn judgement(view: &View<'_>) -> Vec<Metric> {
    let Some(gauges) = view.gauges else {
        return Vec::new();
    };
    let objectives = |of: fn(&ObjectiveGauge) -> Option<Amount>| -> Points {
        let points = gauges.objectives().iter().filter_map(|objective| {
            let (value, unit) = base(of(objective)?);
            let name = KeyValue::new("plimsoll.objective", objective.name.clone());
            Some((vec![name, KeyValue::new("plimsoll.unit", unit)], Number::AsDouble(value)))
        });
        points.collect()
    };
    let verdicts = gauges.objectives().iter().map(|objective| {
        let name = KeyValue::new("plimsoll.objective", objective.name.clone());
        (vec![name], Number::AsInt(verdict(objective.verdict)))
    });
    let rate = gauges.target_rate.map(|rate| (Vec::new(), Number::AsDouble(rate)));
    let instances = gauges.instances.iter().flat_map(|of| {
        let states = [("ready", of.ready), ("wanted", of.wanted), ("starting", of.starting)];
        states.map(|(state, count)| {
            let name = KeyValue::new("plimsoll.deployment", of.deployment.clone());
            let state = KeyValue::new("plimsoll.instance.state", state);
            (vec![name, state], Number::AsInt(whole(count)))
        })
    });
    let alerts = gauges.alerts().iter().map(|(rule, state)| {
        (vec![KeyValue::new("plimsoll.alert.rule", rule.clone())], Number::AsInt(alert(*state)))
    });
    let validity = gauges.validity.map(|state| (Vec::new(), Number::AsInt(validity(state))));
    let all: [(&str, &str, &str, Points); 7] = [
        (
            "plimsoll.load.target_rate",
            "The rate that the schedule asks for",
            "{request}/s",
            rate.into_iter().collect(),
        ),
        ("plimsoll.instances", "Instances of a deployment", "{instance}", instances.collect()),
        (
            "plimsoll.objective.value",
            "The value that an objective judges, in the unit that its attribute names",
            "",
            objectives(|objective| objective.value),
        ),
        (
            "plimsoll.objective.threshold",
            "The threshold of an objective, in the unit that its attribute names",
            "",
            objectives(|objective| Some(objective.threshold)),
        ),
        ("plimsoll.objective.verdict", "0 met, 1 breached, 2 inconclusive", "", verdicts.collect()),
        (
            "plimsoll.alert.state",
            "0 inactive, 1 pending, 2 firing, 3 resolved",
            "",
            alerts.collect(),
        ),
        ("plimsoll.validity", "0 valid, 1 degraded, 2 invalid", "", validity.into_iter().collect()),
    ];
    build(view, gauges.at, all)
}

fn build<const N: usize>(
    view: &View<'_>,
    at: Duration,
    gauges: [(&str, &str, &str, Points); N],
) -> Vec<Metric> {
    let time = view.at(at);
    gauges
        .into_iter()
        .filter(|(.., points)| !points.is_empty())
        .map(|(name, description, unit, points)| {
            let data_points = points.into_iter().map(|(labels, value)| NumberDataPoint {
                attributes: attributes(labels),
                time_unix_nano: time,
                value: Some(value),
                ..NumberDataPoint::default()
            });
            let data = Data::Gauge(Gauge { data_points: data_points.collect() });
            metric(name, description, unit, data)
        })
        .collect()
}

// The numbers are part of the format (no unit: Prometheus would call a unit of 1 a ratio): dashboards and rules compare with them.

fn verdict(verdict: Verdict) -> i64 {
    match verdict {
        Verdict::Met => 0,
        Verdict::Breached => 1,
        Verdict::Inconclusive => 2,
    }
}

fn alert(state: AlertState) -> i64 {
    match state {
        AlertState::Inactive => 0,
        AlertState::Pending => 1,
        AlertState::Firing => 2,
        AlertState::Resolved => 3,
    }
}

fn validity(state: ValidityState) -> i64 {
    match state {
        ValidityState::Valid => 0,
        ValidityState::Degraded => 1,
        ValidityState::Invalid => 2,
    }
}
