//! Histograms: how long it took.

use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{ExponentialHistogram, Metric};
use plimsoll_domain::{Latencies, Tally};

use super::super::exponential;
use super::super::wire::attributes;
use super::build::{metric, temporality};
use super::view::View;

/// Latencies and the attributes that tell them from the others of the same metric.
type Labelled<'a> = Vec<(Vec<KeyValue>, &'a Latencies)>;

/// The histograms that have a point.
pub(super) fn metrics(view: &View<'_>) -> Vec<Metric> {
    let response = view.used().flat_map(|series| {
        let outcomes = [("ok", &series.tally.response), ("failed", &series.tally.failed)];
        outcomes.map(|(outcome, latencies)| {
            (series.with([KeyValue::new("plimsoll.outcome", outcome)]), latencies)
        })
    });
    let service = view
        .used()
        .map(|series| (series.with(view.run.convention_attributes()), &series.tally.service));
    let each = |of: fn(&Tally) -> &Latencies| -> Labelled<'_> {
        view.used().map(|series| (series.with([]), of(series.tally))).collect()
    };
    let histograms: [(&str, &str, Labelled<'_>); 5] = [
        (
            "plimsoll.response.duration",
            "Response time: from when a request was due to when it ended",
            response.collect(),
        ),
        (
            "http.client.request.duration",
            "Service time: from when a request was sent to when it was answered, refusals left out",
            service.collect(),
        ),
        (
            "plimsoll.send.lag",
            "From when a request was due to when it was sent",
            view.lag(|lags| &lags.send),
        ),
        (
            "plimsoll.release.lag",
            "The generator's own part of the send lag",
            view.lag(|lags| &lags.release),
        ),
        (
            "plimsoll.model.duration",
            "The time that the server says its model took",
            each(|tally| &tally.model),
        ),
    ];
    histograms
        .into_iter()
        .filter_map(|(name, description, points)| histogram(view, name, description, points))
        .collect()
}

fn histogram(
    view: &View<'_>,
    name: &str,
    description: &str,
    points: Labelled<'_>,
) -> Option<Metric> {
    let data_points: Vec<_> = points
        .into_iter()
        .filter(|(_, latencies)| !latencies.is_empty())
        .map(|(labels, latencies)| {
            let mut point = exponential::point(latencies);
            point.attributes = attributes(labels);
            point.start_time_unix_nano = view.at(view.from);
            point.time_unix_nano = view.at(view.to);
            point
        })
        .collect();
    (!data_points.is_empty()).then(|| {
        let data = Data::ExponentialHistogram(ExponentialHistogram {
            data_points,
            aggregation_temporality: temporality(view.temporality),
        });
        metric(name, description, "s", data)
    })
}
