//! Counters: how many requests were due, left, and how they ended.

use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, Sum};
use plimsoll_domain::Tally;

use super::super::wire::{attributes, whole};
use super::build::{metric, temporality};
use super::view::View;

/// The counters that have a point.
pub(super) fn metrics(view: &View<'_>) -> Vec<Metric> {
    let each = |of: fn(&Tally) -> u64| -> Vec<NumberDataPoint> {
        view.used().map(|series| point(view, series.with([]), of(series.tally))).collect()
    };
    let completed = view.used().flat_map(|series| {
        endings(series.tally).map(|(how, count)| point(view, series.with(how), count))
    });
    let sums = [
        ("plimsoll.requests.offered", "Requests that became due", each(|tally| tally.offered)),
        ("plimsoll.requests.sent", "Requests sent", each(|tally| tally.sent)),
        (
            "plimsoll.requests.dropped",
            "Requests never sent, for want of a connection or above the safety ceiling",
            each(|tally| tally.outcomes.dropped()),
        ),
        (
            "plimsoll.requests.completed",
            "Requests sent that ended, in whatever way",
            completed.collect(),
        ),
    ];
    sums.into_iter()
        .filter(|(_, _, points)| !points.is_empty())
        .map(|(name, description, data_points)| {
            let data = Data::Sum(Sum {
                data_points,
                aggregation_temporality: temporality(view.temporality),
                is_monotonic: true,
            });
            metric(name, description, "{request}", data)
        })
        .collect()
}

fn point(view: &View<'_>, labels: Vec<KeyValue>, count: u64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(labels),
        start_time_unix_nano: view.at(view.from),
        time_unix_nano: view.at(view.to),
        value: Some(Number::AsInt(whole(count))),
        ..NumberDataPoint::default()
    }
}

/// How the sent requests of a tally ended: attributes and count. The type of an error is the class
/// of its outcome; where Azure's gateway passes on an error of the model, its status is told, too.
fn endings(tally: &Tally) -> impl Iterator<Item = (Vec<KeyValue>, u64)> {
    let sent = tally.outcomes.iter().filter(|(outcome, _)| outcome.class.is_sent());
    sent.map(|(outcome, count)| {
        let mut how = Vec::new();
        if let Some(status) = outcome.status {
            how.push(KeyValue::new("http.response.status_code", i64::from(status)));
        }
        if let Some(status) = outcome.model_status {
            how.push(KeyValue::new("plimsoll.model.status_code", i64::from(status)));
        }
        let ok = outcome.is_ok();
        how.push(KeyValue::new("plimsoll.outcome", if ok { "ok" } else { "failed" }));
        how.push(KeyValue::new("plimsoll.outcome.class", outcome.class.name()));
        if !ok {
            how.push(KeyValue::new("error.type", outcome.class.name()));
        }
        (how, count)
    })
}
