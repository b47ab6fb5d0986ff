//! Tables of the report: latencies, outcomes, groups, instances, model time, events.

use plimsoll_domain::Class;

use super::words;
use crate::results::Event;
use crate::results::summary::{
    Counts, GroupResult, Groups, InstanceResult, KeyResult, LatencyStats, Machine, OutcomeCounts,
    Summary,
};

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
    let rows = Class::ALL.into_iter().map(|class| (class, ends.of(class)));
    rows.filter(|(class, count)| *count > 0 || *class == Class::Ok)
        .map(|(class, count)| TableRow {
            name: class.name().replace('_', " "),
            detail: detail(summary, class),
            cells: vec![words::count(count), words::percent(count, offered)],
            bar: count as f64 / offered.max(1) as f64 * 100.0,
            class: if class.is_ok() { "ok" } else { "bad" },
        })
        .collect()
}

/// Whole answers by status, as a sentence; empty without any.
pub(super) fn statuses(summary: &Summary) -> String {
    let list = |counts: &Counts| {
        let each = counts.iter().map(|(status, n)| format!("{status} × {}", words::count(*n)));
        each.collect::<Vec<_>>().join(", ")
    };
    let OutcomeCounts { status, model_status, .. } = &summary.outcomes;
    match (status.is_empty(), model_status.is_empty()) {
        (true, _) => String::new(),
        (false, true) => format!("HTTP statuses: {}.", list(status)),
        (false, false) => format!(
            "HTTP statuses: {}. The model's own behind 424: {}.",
            list(status),
            list(model_status)
        ),
    }
}

/// What a class means, and the first example of it.
fn detail(summary: &Summary, class: Class) -> String {
    let mut text = meaning(class).to_owned();
    if let Some(example) = summary.generator.examples.get(class.name()) {
        text = format!("{text}: {example}");
    }
    text
}

fn meaning(class: Class) -> &'static str {
    match class {
        Class::Ok => "2xx",
        Class::Late => "right, but after the strictest limit that the objectives set",
        Class::RefusedAdmission => "429: more requests pending than the deployment admits",
        Class::RefusedRate => "429: a limit on requests per second",
        Class::Throttled => "503 with Retry-After: come again later",
        Class::ServerTimeout => "408 or 504: the endpoint's own request timeout",
        Class::ClientTimeout => "no whole answer within the request timeout",
        Class::ModelError => "424: the model answered with an error",
        Class::ServerError => "5xx: an internal error, or no instance was ready",
        Class::Auth => "401 or 403: the key or token was refused",
        Class::UnexpectedStatus => "another status, such as 404: no such endpoint or deployment",
        Class::FailedCheck => "2xx, but not the content that the scenario asks for",
        Class::Connect => "the connection was refused or not established in time",
        Class::Tls => "the TLS handshake failed",
        Class::Closed => "the connection was closed before the whole answer",
        Class::Protocol => "the answer was not HTTP",
        Class::ClientFault => "this machine had no socket, port or descriptor left",
        Class::Aborted => "in flight when the run stopped waiting",
        Class::Dropped => "no connection within the limits; never sent",
        Class::Missed => {
            "released late by the load generator, then no connection was free; never sent"
        }
        Class::Capped => "above the safety ceiling on the send rate; never sent",
    }
}

/// What was measured, told apart in one way.
#[derive(Debug)]
pub(super) struct Group {
    /// In which.
    pub(super) by: &'static str,
    pub(super) rows: Vec<TableRow>,
}

/// By stage, by deployment where one told, and by request where there is more than one.
pub(super) fn groups(summary: &Summary) -> Vec<Group> {
    let Groups { stages, deployments, requests } = &summary.groups;
    let named = deployments.iter().any(|each| !each.name.is_empty());
    let all = [
        ("Stage", stages, !stages.is_empty()),
        ("Deployment", deployments, named),
        ("Request", requests, requests.len() > 1),
    ];
    let shown = all.into_iter().filter(|(.., is_shown)| *is_shown);
    shown.map(|(by, of, _)| Group { by, rows: of.iter().map(group_row).collect() }).collect()
}

fn group_row(group: &GroupResult) -> TableRow {
    let name = if group.name.is_empty() { "nobody told" } else { &group.name };
    TableRow {
        name: name.to_owned(),
        detail: if group.warmup { "warm-up, not judged".to_owned() } else { String::new() },
        cells: measured(group.ended, group.outcomes.ok, &group.response_ms, &group.service_ms),
        bar: 0.0,
        class: "",
    }
}

/// The same by all three together, where there is more than one request or deployment.
pub(super) fn keys(summary: &Summary) -> Vec<TableRow> {
    let measured = summary.keys.iter().filter(|key| !key.outcomes.classes.is_empty());
    let mut kinds: Vec<_> = measured.clone().map(|key| (&key.request, &key.deployment)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() < 2 { Vec::new() } else { measured.map(key_row).collect() }
}

fn key_row(key: &KeyResult) -> TableRow {
    let ended: u64 = key.outcomes.classes.values().sum();
    let who = key.deployment.as_deref().unwrap_or("nobody told");
    TableRow {
        name: format!("{} · {who}", key.request),
        detail: if key.warmup { format!("{} (warm-up)", key.stage) } else { key.stage.clone() },
        cells: measured(ended, key.outcomes.ok, &key.response_ms, &key.service_ms),
        bar: 0.0,
        class: "",
    }
}

fn measured(ended: u64, ok: u64, response: &LatencyStats, service: &LatencyStats) -> Vec<String> {
    vec![
        words::count(ended),
        words::percent(ended.saturating_sub(ok), ended),
        words::at(response, 0.5),
        words::at(response, 0.95),
        words::at(response, 0.99),
        words::at(service, 0.99),
    ]
}

/// An instance of which a reader wants to know more.
#[derive(Debug)]
pub(super) struct InstanceRow {
    pub(super) name: String,
    pub(super) state: String,
    pub(super) exception: String,
    /// The last lines of its log.
    pub(super) log: String,
}

/// Instances in trouble, and those whose log was kept.
pub(super) fn instances(summary: &Summary) -> Vec<InstanceRow> {
    let shown = |each: &&InstanceResult| each.is_in_trouble() || !each.log.is_empty();
    let row = |each: &InstanceResult| InstanceRow {
        name: format!("{} · {}", each.deployment, each.name),
        state: match (each.ready, each.restarts) {
            (true, 0) => "ready".to_owned(),
            (true, restarts) => format!("ready, started again {restarts} ×"),
            (false, 0) => "not ready".to_owned(),
            (false, restarts) => format!("not ready, started again {restarts} ×"),
        },
        exception: each.exception.clone().unwrap_or_default(),
        log: each.log.join("\n"),
    };
    summary.instances.iter().filter(shown).map(row).collect()
}

/// The machine that the load came from, in a sentence; empty where a summary does not tell.
pub(super) fn machine(machine: &Machine) -> String {
    let Machine { system, kernel, processor, architecture, cores, memory_bytes } = machine;
    if architecture.is_empty() {
        return String::new();
    }
    let or = |text: &str, other: &str| if text.is_empty() { other } else { text }.to_owned();
    let memory = match memory_bytes {
        0 => String::new(),
        bytes => format!(", {} of memory", words::gigabytes(*bytes)),
    };
    format!(
        "{} of {} ({architecture}){memory}; {}, kernel {}.",
        words::counted(u64::from(*cores), "core"),
        or(processor, "a processor without a name"),
        or(system, "Linux"),
        or(kernel, "unknown"),
    )
}

/// The latencies as numbers.
pub(super) fn latencies(summary: &Summary) -> Vec<TableRow> {
    let latency = &summary.latency_ms;
    let mut rows = vec![
        row("response time", "done − due; failures are infinite", &latency.response),
        row("service time", "done − sent, of every answer but refusals", &latency.service),
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
    TableRow {
        name: name.to_owned(),
        detail: detail.to_owned(),
        cells: vec![
            words::count(stats.count),
            exact(stats.min),
            exact(stats.mean),
            words::at(stats, 0.5),
            words::at(stats, 0.9),
            words::at(stats, 0.95),
            words::at(stats, 0.99),
            words::at(stats, 0.999),
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
