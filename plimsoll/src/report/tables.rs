//! Tables of the report: latencies, outcomes, model time, events.

use super::words;
use crate::results::Event;
use crate::results::summary::{LatencyStats, Summary};

/// A row of cells, the first of which names it.
#[derive(Debug)]
pub(super) struct TableRow {
    pub(super) name: String,
    pub(super) detail: String,
    pub(super) cells: Vec<String>,
    /// How long its bar is, in percent.
    pub(super) bar: f64,
    pub(super) class: &'static str,
}

/// How arrivals ended.
pub(super) fn outcomes(summary: &Summary) -> Vec<TableRow> {
    let (ends, offered) = (&summary.outcomes, summary.load.offered);
    let mut rows = vec![("right answers".to_owned(), "2xx".to_owned(), ends.ok, "ok")];
    for (status, count) in &ends.status {
        rows.push((format!("status {status}"), meaning(status).to_owned(), *count, "bad"));
    }
    rows.push(("timeout".to_owned(), "no whole answer in time".to_owned(), ends.timeout, "bad"));
    let kinds: Vec<String> = ends
        .transport_kinds
        .iter()
        .map(|(kind, count)| {
            let example = summary.generator.examples.get(kind);
            let example = example.map_or(String::new(), |text| format!(" ({text})"));
            format!("{} {kind}{example}", words::count(*count))
        })
        .collect();
    rows.push(("transport".to_owned(), kinds.join("; "), ends.transport, "bad"));
    let aborted = "in flight when the run stopped waiting".to_owned();
    rows.push(("aborted".to_owned(), aborted, ends.aborted, "bad"));
    let dropped = "no connection within the limits; never sent".to_owned();
    rows.push(("dropped".to_owned(), dropped, ends.dropped, "bad"));
    rows.into_iter()
        .filter(|(name, _, count, _)| *count > 0 || name == "right answers")
        .map(|(name, detail, count, class)| TableRow {
            name,
            detail,
            cells: vec![words::count(count), words::percent(count, offered)],
            bar: count as f64 / offered.max(1) as f64 * 100.0,
            class,
        })
        .collect()
}

/// What a status means behind an Azure endpoint.
fn meaning(status: &str) -> &'static str {
    match status {
        "401" | "403" => "the key or token was refused",
        "404" => "no such endpoint or deployment",
        "408" => "the endpoint's own request timeout",
        "424" => "the model answered with an error",
        "429" => "more requests than the deployment admits",
        "500" => "an internal error",
        "502" | "503" => "no instance was ready",
        _ => "",
    }
}

/// The latencies as numbers.
pub(super) fn latencies(summary: &Summary) -> Vec<TableRow> {
    let latency = &summary.latency_ms;
    let mut rows = vec![
        row("response time", "done − due; failures are infinite", &latency.response),
        row("service time", "done − sent, of everything answered", &latency.service),
        row("send lag", "sent − due, of everything sent", &latency.send_lag),
    ];
    let more = [
        ("failed", "response time of what failed, as it was", &latency.failed),
        ("model time", "as the server says: x-ms-run-fn-exec-ms", &latency.model),
        ("the rest", "service time less model time", &latency.overhead),
    ];
    rows.extend(
        more.into_iter()
            .filter_map(|(name, detail, stats)| Some(row(name, detail, stats.as_ref()?))),
    );
    rows
}

fn row(name: &str, detail: &str, stats: &LatencyStats) -> TableRow {
    let exact = |value: Option<f64>| value.map_or("–".to_owned(), words::ms);
    let at = |value: Option<f64>| words::percentile(stats, value);
    TableRow {
        name: name.to_owned(),
        detail: detail.to_owned(),
        cells: vec![
            words::count(stats.count),
            exact(stats.min),
            exact(stats.mean),
            at(stats.p50),
            at(stats.p90),
            at(stats.p95),
            at(stats.p99),
            at(stats.p99_9),
            exact(stats.max),
        ],
        bar: 0.0,
        class: "",
    }
}

/// How the mean service time splits into the model's part and the rest.
#[derive(Debug)]
pub(super) struct Split {
    /// The model's share in percent.
    pub(super) share: f64,
    pub(super) text: String,
    pub(super) model: String,
    pub(super) rest: String,
}

/// The split; `None` if the server does not tell its model time.
pub(super) fn split(summary: &Summary) -> Option<Split> {
    let model = summary.latency_ms.model.as_ref()?;
    let rest = summary.latency_ms.overhead.as_ref()?;
    let (model_mean, rest_mean) = (model.mean?, rest.mean?);
    let share = model_mean / (model_mean + rest_mean).max(f64::MIN_POSITIVE) * 100.0;
    let text = format!(
        "Of a mean service time of {}, the model took {} ({}); the rest is network, queueing and \
         the inference server. At p99 the model took {} and the rest {}.",
        words::ms(model_mean + rest_mean),
        words::ms(model_mean),
        words::percentage(share),
        words::percentile(model, model.p99),
        words::percentile(rest, rest.p99),
    );
    Some(Split { share, text, model: words::ms(model_mean), rest: words::ms(rest_mean) })
}

/// An event as the page shows it.
#[derive(Debug)]
pub(super) struct EventRow {
    pub(super) at: String,
    pub(super) kind: &'static str,
    pub(super) message: String,
}

/// Events shown, at most; the file has all.
pub(super) const MOST_EVENTS: usize = 200;

/// The first events.
pub(super) fn events(events: &[Event]) -> Vec<EventRow> {
    let row = |event: &Event| EventRow {
        at: format!("{:.1}\u{a0}s", event.t_s).replace('-', "−"),
        kind: event.kind.label(),
        message: event.message.clone(),
    };
    events.iter().take(MOST_EVENTS).map(row).collect()
}
