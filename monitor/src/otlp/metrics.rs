//! What is measured, as OTLP metrics.
//!
//! All of them are built here, as protobuf messages, and none through the SDK's meters: the SDK
//! takes only single values, one call each, where we have merged histograms; it stamps points with
//! the time of the export, where a snapshot knows the interval that it covers; and counters and
//! histograms that left by two ways would disagree whenever one of them failed.
//!
//! Names and attributes follow the semantic conventions where these have one:
//! `http.client.request.duration` is the service time, from the send. The response time, from the
//! due time, is `plimsoll.response.duration`, so that neither hides the other. Percentiles of
//! response time count failures as infinite; a receiver has to add the points with
//! `plimsoll.outcome` `failed` and the dropped requests for the same.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, Metric, NumberDataPoint, Sum,
};
use plimsoll_domain::{Generator, Latencies, Tally};

use super::config::Temporality;
use super::{Gauges, Run, exponential};

mod gauge;

/// Latencies and the attributes that tell them from the others of the same metric.
type Labelled<'a> = Vec<(Vec<KeyValue>, &'a Latencies)>;

/// Everything that one export says.
pub(super) struct View<'a> {
    pub(super) run: &'a Run,
    pub(super) temporality: Temporality,
    /// What the tallies cover, since the run's first due time.
    pub(super) from: Duration,
    pub(super) to: Duration,
    pub(super) warmup: &'a Tally,
    pub(super) measured: &'a Tally,
    pub(super) generator: Option<&'a Generator>,
    pub(super) gauges: Option<&'a Gauges>,
}

impl View<'_> {
    /// The metrics that have at least one point.
    pub(super) fn metrics(&self) -> Vec<Metric> {
        let mut metrics = self.counters();
        metrics.extend(self.histograms());
        metrics.extend(gauge::metrics(self));
        metrics
    }

    fn counters(&self) -> Vec<Metric> {
        let per_phase = |of: fn(&Tally) -> u64| {
            self.phases().map(|(phase, tally)| self.count(vec![phase], of(tally))).collect()
        };
        let completed: Vec<_> = self
            .phases()
            .flat_map(|(phase, tally)| endings(tally).map(move |end| (phase.clone(), end)))
            .map(|(phase, (mut attributes, count))| {
                attributes.push(phase);
                self.count(attributes, count)
            })
            .collect();
        let sums = [
            (
                "plimsoll.requests.offered",
                "Requests that became due",
                per_phase(|tally| tally.offered),
            ),
            ("plimsoll.requests.sent", "Requests sent", per_phase(|tally| tally.sent)),
            (
                "plimsoll.requests.dropped",
                "Requests never sent, for want of a connection",
                per_phase(|tally| tally.outcomes.dropped),
            ),
            ("plimsoll.requests.completed", "Requests sent that ended, in whatever way", completed),
        ];
        sums.into_iter()
            .filter(|(_, _, points)| !points.is_empty())
            .map(|(name, description, data_points)| {
                let data = Data::Sum(Sum {
                    data_points,
                    aggregation_temporality: self.temporality_on_the_wire(),
                    is_monotonic: true,
                });
                metric(name, description, "{request}", data)
            })
            .collect()
    }

    fn histograms(&self) -> Vec<Metric> {
        let response = self
            .phases()
            .flat_map(|(phase, tally)| {
                let outcomes = [("ok", &tally.response), ("failed", &tally.failed)];
                outcomes.map(|(outcome, latencies)| {
                    (vec![text("plimsoll.outcome", outcome), phase.clone()], latencies)
                })
            })
            .collect();
        let simple = |of: fn(&Tally) -> &Latencies| {
            self.phases().map(|(phase, tally)| (vec![phase], of(tally))).collect()
        };
        let service = self.phases().map(|(phase, tally)| {
            let mut attributes = self.run.convention_attributes();
            attributes.push(phase);
            (attributes, &tally.service)
        });
        let histograms: [(&str, &str, Labelled<'_>); 4] = [
            (
                "plimsoll.response.duration",
                "Response time: from when a request was due to when it ended",
                response,
            ),
            (
                "http.client.request.duration",
                "Service time: from when a request was sent to when it was answered",
                service.collect(),
            ),
            (
                "plimsoll.send.lag",
                "From when a request was due to when it was sent",
                simple(|tally| &tally.send_lag),
            ),
            (
                "plimsoll.model.duration",
                "The time that the server says its model took",
                simple(|tally| &tally.model),
            ),
        ];
        histograms
            .into_iter()
            .filter_map(|(name, description, points)| self.histogram(name, description, points))
            .collect()
    }

    fn histogram(&self, name: &str, description: &str, points: Labelled<'_>) -> Option<Metric> {
        let data_points: Vec<_> = points
            .into_iter()
            .filter(|(_, latencies)| !latencies.is_empty())
            .map(|(attributes, latencies)| {
                let mut point = exponential::point(latencies);
                point.attributes = attributes;
                point.start_time_unix_nano = self.at(self.from);
                point.time_unix_nano = self.at(self.to);
                point
            })
            .collect();
        (!data_points.is_empty()).then(|| {
            let data = Data::ExponentialHistogram(ExponentialHistogram {
                data_points,
                aggregation_temporality: self.temporality_on_the_wire(),
            });
            metric(name, description, "s", data)
        })
    }

    /// The phases in which something happened.
    fn phases(&self) -> impl Iterator<Item = (KeyValue, &Tally)> {
        [("warmup", self.warmup), ("measured", self.measured)]
            .into_iter()
            .filter(|(_, tally)| tally.offered + tally.ended() > 0)
            .map(|(name, tally)| (text("plimsoll.phase", name), tally))
    }

    fn count(&self, attributes: Vec<KeyValue>, count: u64) -> NumberDataPoint {
        NumberDataPoint {
            attributes,
            start_time_unix_nano: self.at(self.from),
            time_unix_nano: self.at(self.to),
            value: Some(Number::AsInt(i64::try_from(count).unwrap_or(i64::MAX))),
            ..NumberDataPoint::default()
        }
    }

    /// A moment of the run on the wall clock.
    fn at(&self, since_start: Duration) -> u64 {
        unix_nanos(self.run.started + since_start)
    }

    fn temporality_on_the_wire(&self) -> i32 {
        match self.temporality {
            Temporality::Cumulative => AggregationTemporality::Cumulative as i32,
            Temporality::Delta => AggregationTemporality::Delta as i32,
        }
    }
}

/// How the sent requests of a tally ended: attributes and count.
fn endings(tally: &Tally) -> impl Iterator<Item = (Vec<KeyValue>, u64)> {
    let outcomes = &tally.outcomes;
    let answered = outcomes.status.iter().map(|(status, count)| {
        let mut attributes = vec![whole("http.response.status_code", i64::from(*status))];
        if (200..300).contains(status) {
            attributes.push(text("plimsoll.outcome", "ok"));
        } else {
            // The convention: the status, as a string, is the type of the error.
            attributes.push(text("plimsoll.outcome", "failed"));
            attributes.push(text("error.type", &status.to_string()));
        }
        (attributes, *count)
    });
    let failed = |kind: &str, count| {
        (vec![text("plimsoll.outcome", "failed"), text("error.type", kind)], count)
    };
    let transport = outcomes.transport.iter().map(move |(kind, count)| failed(kind.name(), *count));
    let others = [("timeout", outcomes.timeout), ("aborted", outcomes.aborted)]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(move |(kind, count)| failed(kind, count));
    answered.chain(transport).chain(others)
}

fn metric(name: &str, description: &str, unit: &str, data: Data) -> Metric {
    Metric {
        name: name.to_owned(),
        description: description.to_owned(),
        unit: unit.to_owned(),
        metadata: Vec::new(),
        data: Some(data),
    }
}

/// An attribute that is a string.
pub(super) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

/// An attribute that is a whole number.
pub(super) fn whole(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn unix_nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
