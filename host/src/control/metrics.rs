//! Azure Monitor's metrics of endpoints and deployments: what autoscale and dashboards ask for.

use std::time::Duration;

use hyper::{Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Answer, json};
use crate::fault::Fault;
use crate::metrics::{Definition, Question, Sample, Scope, Timeseries, definitions, find};
use crate::query::Query;
use crate::usage::minute;
use crate::{Host, LOCATION};

type Reply = Response<http_body_util::Full<bytes::Bytes>>;

/// Minutes that are shown when no `timespan` is given, and at most.
const USUAL: u64 = 60;
const MOST: u64 = 30 * 24 * 60;

/// An endpoint, or one of its deployments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) endpoint: String,
    pub(super) deployment: Option<String>,
}

impl Subject {
    fn scope(&self) -> Scope {
        if self.deployment.is_some() { Scope::Deployment } else { Scope::Endpoint }
    }

    fn namespace(&self) -> &'static str {
        match self.scope() {
            Scope::Endpoint => "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
            Scope::Deployment => {
                "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments"
            }
        }
    }

    fn path(&self) -> String {
        let Self { endpoint, deployment } = self;
        let deployment = deployment.as_ref().map(|name| format!("/deployments/{name}"));
        format!("onlineEndpoints/{endpoint}{}", deployment.unwrap_or_default())
    }
}

impl Host {
    pub(super) fn metrics(&self, subject: &Subject, query: &Query) -> Answer {
        let id = self.workspace.id(&subject.path());
        let names = query.get("metricnames").or_else(|| query.get("metric")).unwrap_or_default();
        let asked = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        let asked = asked.map(|name| known(subject.scope(), name));
        let asked = asked.collect::<Result<Vec<_>, _>>()?;
        let (minutes, text) = timespan(query.get("timespan"), minute())?;
        let step = step(query.get("interval"))?;
        let split = filter(query.get("$filter").unwrap_or_default())?;
        let wanted = query.get("aggregation").unwrap_or("Average");
        let aggregations = wanted.split(',').map(aggregation).collect::<Result<Vec<_>, _>>()?;
        let mut store = self.store();
        if let Some(deployment) = &subject.deployment {
            store.deployment(&subject.endpoint, deployment)?;
        }
        let meter = store.endpoint(&subject.endpoint)?.gateway.meter().clone();
        drop(store);
        let mut value = Vec::new();
        for definition in asked {
            check(definition, &split)?;
            let deployment = subject.deployment.as_deref();
            let minutes = minutes.clone();
            let question = Question { definition, deployment, split: &split, minutes, step };
            let delay = self.rehearsal.metric_delay.as_secs().div_ceil(60);
            let series = meter.answer(&question, minute().saturating_sub(delay));
            let shown: Vec<_> =
                series.iter().map(|series| show(series, &question, &aggregations)).collect();
            value.push(json!({
                "id": format!("{id}/providers/Microsoft.Insights/metrics/{}", definition.name),
                "type": "Microsoft.Insights/metrics",
                "name": { "value": definition.name, "localizedValue": definition.name },
                "unit": definition.unit,
                "errorCode": "Success",
                "timeseries": shown,
            }));
        }
        Ok(json(
            StatusCode::OK,
            &json!({
                "cost": 0,
                "timespan": text,
                "interval": SignedDuration::from_mins(step.cast_signed()).to_string(),
                "namespace": subject.namespace(),
                "resourceregion": LOCATION,
                "value": value,
            }),
        ))
    }

    pub(super) fn metric_definitions(&self, subject: &Subject) -> Reply {
        let id = self.workspace.id(&subject.path());
        let show = |definition: &Definition| {
            let name = |name: &str| json!({ "value": name, "localizedValue": name });
            let dimensions: Vec<_> = definition.dimensions.iter().map(|each| name(each)).collect();
            json!({
                "id": format!("{id}/providers/Microsoft.Insights/metricDefinitions/{}", definition.name),
                "resourceId": id,
                "namespace": subject.namespace(),
                "name": name(definition.name),
                "unit": definition.unit,
                "primaryAggregationType": "Average",
                "supportedAggregationTypes": definition.aggregations,
                "metricAvailabilities": [{ "timeGrain": "PT1M", "retention": "P1D" }],
                "isDimensionRequired": false,
                "dimensions": dimensions,
            })
        };
        let value: Vec<Value> = definitions(subject.scope()).map(show).collect();
        json(StatusCode::OK, &json!({ "value": value }))
    }
}

fn known(scope: Scope, name: &str) -> Result<&'static Definition, Fault> {
    find(scope, name).ok_or_else(|| {
        let names: Vec<_> = definitions(scope).map(|definition| definition.name).collect();
        let message =
            format!("metric `{name}` is not counted here; there are {}", names.join(", "));
        Fault::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    })
}

fn wrong(what: &str, text: &str, right: &str) -> Fault {
    let message = format!("{what} `{text}` cannot be read; write {right}");
    Fault::new(StatusCode::BAD_REQUEST, "BadRequest", message)
}

/// Minutes from the first to the one after the last, and as text.
fn timespan(text: Option<&str>, now: u64) -> Result<(std::ops::Range<u64>, String), Fault> {
    let minutes = match text {
        None => now.saturating_sub(USUAL)..now,
        Some(text) => {
            let minute = |text: &str| {
                let time: Timestamp = text.parse().ok()?;
                u64::try_from(time.as_second()).ok().map(|seconds| seconds / 60)
            };
            let ends = text.split_once('/').and_then(|(a, b)| Some(minute(a)?..minute(b)?));
            let right = "2026-01-31T10:00:00Z/2026-01-31T11:00:00Z, of at most 30 days";
            let fits = |minutes: &std::ops::Range<u64>| {
                minutes.start < minutes.end && minutes.end - minutes.start <= MOST
            };
            ends.filter(fits).ok_or_else(|| wrong("timespan", text, right))?
        }
    };
    let text = format!("{}/{}", time(minutes.start), time(minutes.end));
    Ok((minutes, text))
}

fn time(minute: u64) -> String {
    let time = Timestamp::UNIX_EPOCH + Duration::from_mins(minute);
    time.to_string()
}

/// Whole minutes.
fn step(text: Option<&str>) -> Result<u64, Fault> {
    let Some(text) = text else { return Ok(1) };
    let span = text.parse::<SignedDuration>().ok();
    let minutes = span.filter(|span| span.as_secs() % 60 == 0).map(|span| span.as_mins());
    let minutes = minutes.and_then(|minutes| u64::try_from(minutes).ok());
    minutes.filter(|minutes| (1..=1440).contains(minutes)).ok_or_else(|| {
        wrong("interval", text, "whole minutes up to a day, for example PT1M or PT1H")
    })
}

/// `name eq 'value' and other eq '*'`.
fn filter(text: &str) -> Result<Vec<(String, Option<String>)>, Fault> {
    let condition = |part: &str| {
        let (name, value) = part.split_once(" eq ")?;
        let value = value.trim().strip_prefix('\'')?.strip_suffix('\'')?;
        let plain = !name.trim().contains(' ') && !value.contains('\'');
        let any = value == "*";
        plain.then(|| (name.trim().to_owned(), (!any).then(|| value.to_owned())))
    };
    let parts = text.split(" and ").map(str::trim).filter(|part| !part.is_empty());
    let right = "dimension eq 'value', or eq '*' for all, joined by `and`";
    parts.map(|part| condition(part).ok_or_else(|| wrong("$filter", text, right))).collect()
}

fn check(definition: &Definition, split: &[(String, Option<String>)]) -> Result<(), Fault> {
    let is_known = |name: &str| {
        definition.dimensions.iter().any(|dimension| dimension.eq_ignore_ascii_case(name))
    };
    match split.iter().find(|(name, _)| !is_known(name)) {
        None => Ok(()),
        Some((name, _)) => {
            let (metric, has) = (definition.name, definition.dimensions.join(", "));
            let message = format!("metric {metric} has no dimension `{name}`; it has {has}");
            Err(Fault::new(StatusCode::BAD_REQUEST, "BadRequest", message))
        }
    }
}

type Aggregation = (&'static str, fn(&Sample) -> f64);

fn aggregation(name: &str) -> Result<Aggregation, Fault> {
    let all: [Aggregation; 5] = [
        ("average", Sample::average),
        ("minimum", |sample| sample.minimum),
        ("maximum", |sample| sample.maximum),
        ("total", |sample| sample.total),
        ("count", |sample| sample.count as f64),
    ];
    let found = all.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
    found.ok_or_else(|| wrong("aggregation", name, "Average, Minimum, Maximum, Total or Count"))
}

/// Every step has a point; one without data has only its time, as on Azure.
fn show(series: &Timeseries, question: &Question<'_>, aggregations: &[Aggregation]) -> Value {
    let names = series.dimensions.iter();
    let dimensions: Vec<_> = names
        .map(|(name, value)| json!({ "name": { "value": name, "localizedValue": name }, "value": value }))
        .collect();
    let starts = question.minutes.clone().step_by(question.step as usize);
    let point = |start: u64| {
        let mut point = json!({ "timeStamp": time(start) });
        if let Some(sample) = series.points.get(&start) {
            for (name, value) in aggregations {
                point[*name] = json!(value(sample));
            }
        }
        point
    };
    json!({ "metadatavalues": dimensions, "data": starts.map(point).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_read_as_azure_monitor_reads_them() {
        let (minutes, text) =
            timespan(Some("1970-01-01T00:10:30Z/1970-01-01T01:00:00Z"), 99).unwrap();
        assert_eq!((minutes, text.as_str()), (10..60, "1970-01-01T00:10:00Z/1970-01-01T01:00:00Z"));
        assert_eq!(timespan(None, 100).unwrap().0, 40..100);
        for wrong in ["", "x/y", "1970-01-01T01:00:00Z/1970-01-01T00:10:00Z", "PT1H"] {
            assert!(timespan(Some(wrong), 99).is_err(), "{wrong}");
        }
        assert_eq!((step(None).unwrap(), step(Some("PT1H")).unwrap()), (1, 60));
        assert!(step(Some("PT30S")).is_err() && step(Some("PT0M")).is_err());
        let read = filter("deployment eq 'blue' and statusCode eq '*'").unwrap();
        assert_eq!(read[0], ("deployment".to_owned(), Some("blue".to_owned())));
        assert_eq!(read[1], ("statusCode".to_owned(), None));
        for wrong in ["deployment", "a eq b", "a eq 'b' or c eq 'd'"] {
            assert!(filter(wrong).is_err(), "{wrong}");
        }
    }
}
