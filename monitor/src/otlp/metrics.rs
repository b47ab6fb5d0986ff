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

use opentelemetry_proto::tonic::metrics::v1::Metric;

mod build;
mod counter;
mod gauge;
mod histogram;
mod view;

pub(super) use self::view::View;

/// The metrics that have at least one point.
pub(super) fn metrics(view: &View<'_>) -> Vec<Metric> {
    let mut metrics = counter::metrics(view);
    metrics.extend(histogram::metrics(view));
    metrics.extend(gauge::metrics(view));
    metrics
}

#[cfg(test)]
mod tests;
