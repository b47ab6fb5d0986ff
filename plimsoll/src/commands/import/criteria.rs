//! What other tools ask of a run, as objectives.
//!
//! *k6* (<https://grafana.com/docs/k6/latest/using-k6/thresholds/>) says what must hold:
//! `http_req_duration: ["p(95)<500"]`. *Azure Load Testing*
//! (<https://learn.microsoft.com/azure/load-testing/how-to-define-test-criteria>) says what must not:
//! `p95(response_time_ms) > 500`. Both mean times from the sending on; an objective counts from when a
//! request was due, so that it is never easier to hold, and a failure as infinitely slow.

use plimsoll_document::{Document, Value};
use plimsoll_monitor::Objective;

const MEAN: &str = "a mean or an extreme has no honest verdict; ask a percentile";
const RATE: &str = "how much is sent is what `load` says, and not a thing to hold";
const FIRST_BYTE: &str = "the time to the first byte is not told apart; ask the response time";
const SLOW: &str = "only an upper limit of a latency or of errors can be an objective";

/// What is asked, and what is said beside it.
pub(super) struct Criteria {
    asked: Vec<Asked>,
    notes: Vec<String>,
}

/// One criterion, as it is written, and the objective that it is or why it is none.
struct Asked {
    written: String,
    /// Of one request alone.
    of: Option<String>,
    objective: Result<String, String>,
}

impl Criteria {
    /// The objectives of a scenario whose requests have these names, and what is left out.
    pub(super) fn objectives(self, requests: &[&str]) -> (Vec<String>, Vec<String>) {
        let (mut objectives, mut notes) = (Vec::new(), self.notes);
        for Asked { written, of, objective } in self.asked {
            let objective = objective.and_then(|objective| match of {
                None => Ok(objective),
                Some(of) if requests.contains(&of.as_str()) => {
                    let (indicator, rest) =
                        objective.split_once(" <").expect("every objective is a bound");
                    Ok(format!("{indicator} of request {of} <{rest}"))
                }
                Some(of) => Err(format!("no request that is imported with it is named `{of}`")),
            });
            let objective = objective.and_then(|text| match Objective::parse(&text) {
                Ok(_) => Ok(text),
                Err(wrong) => Err(wrong.to_string()),
            });
            match objective {
                Ok(text) if objectives.contains(&text) => {}
                Ok(text) => objectives.push(text),
                Err(why) => notes.push(format!("no mapping: `{written}`: {why}")),
            }
        }
        if !objectives.is_empty() {
            notes.push(
                "objectives count from when a request was due, and failures as infinitely slow: they are stricter"
                    .to_owned(),
            );
        }
        (objectives, notes)
    }
}

/// Of a file of either tool; `None` if it is of neither.
pub(super) fn read(document: &Document) -> Option<Criteria> {
    if document.has("/failureCriteria") {
        return Some(azure(document));
    }
    let at = ["/thresholds", "/options/thresholds"].into_iter().find(|path| document.has(path))?;
    Some(k6(document, at))
}

fn k6(document: &Document, at: &str) -> Criteria {
    let mut asked = Vec::new();
    if let Value::Map(metrics) = &document.find(at).value {
        for (metric, _, list) in metrics {
            let all = match &list.value {
                Value::List(items) => items.as_slice(),
                _ => std::slice::from_ref(list),
            };
            for item in all {
                let text = item.child("threshold").unwrap_or(item);
                let text = text.text().unwrap_or_else(|| document.written(text)).trim().to_owned();
                let objective = threshold(metric, &text);
                asked.push(Asked { written: format!("{metric}: {text}"), of: None, objective });
                if item.child("abortOnFail").is_some_and(|node| node.value == Value::Bool(true)) {
                    asked.push(Asked {
                        written: format!("{metric}: abortOnFail"),
                        of: None,
                        objective: Err("a run is judged at its end, or as soon as it is decided with `--until-decided`".to_owned()),
                    });
                }
            }
        }
    }
    Criteria { asked, notes: Vec::new() }
}

/// A threshold of k6 as an objective.
fn threshold(metric: &str, text: &str) -> Result<String, String> {
    let (what, comparison, number) = parts(text).ok_or("it is no `aggregation < number`")?;
    let (name, tags) = match metric.split_once('{') {
        Some((name, tags)) => (name.trim(), tags.trim_end_matches('}').trim()),
        None => (metric.trim(), ""),
    };
    let only_right = tags == "expected_response:true";
    if !tags.is_empty() && !only_right {
        return Err(format!("the tags `{tags}` are not known here"));
    }
    match name {
        "http_req_duration" => {
            let suffix = if only_right { ", successes only" } else { "" };
            let percentile = match what {
                "med" => "50".to_owned(),
                "avg" | "min" | "max" => return Err(MEAN.to_owned()),
                _ => {
                    let inner = what.strip_prefix("p(").and_then(|rest| rest.strip_suffix(')'));
                    inner.ok_or("the aggregation is not known")?.trim().to_owned()
                }
            };
            Ok(format!("p{percentile} {} {}{suffix}", upper(comparison)?, milliseconds(number)))
        }
        "http_req_failed" if what == "rate" => {
            Ok(format!("error rate {} {}", upper(comparison)?, percentage(number * 100.0)))
        }
        "http_reqs" | "iterations" | "vus" | "vus_max" | "dropped_iterations" => {
            Err(RATE.to_owned())
        }
        "http_req_waiting" => Err(FIRST_BYTE.to_owned()),
        _ => Err(format!("the metric `{name}` is not measured here")),
    }
}

fn azure(document: &Document) -> Criteria {
    let mut asked = Vec::new();
    let list = |path: &str| match &document.find(path).value {
        Value::List(items) => items.clone(),
        _ => Vec::new(),
    };
    let of_client =
        ["/failureCriteria", "/failureCriteria/clientMetrics"].into_iter().flat_map(&list);
    for item in of_client {
        // `- getProducts: avg(response_time_ms) > 300` is a map.
        if let Value::Map(members) = &item.value {
            for (of, _, text) in members {
                let text = text.text().unwrap_or_default().trim().to_owned();
                let objective = fail_criterion(&text);
                asked.push(Asked {
                    written: format!("{of}: {text}"),
                    of: Some(of.clone()),
                    objective,
                });
            }
        } else {
            let text = item.text().unwrap_or_else(|| document.written(&item)).trim().to_owned();
            asked.push(Asked { objective: fail_criterion(&text), written: text, of: None });
        }
    }
    for item in list("/failureCriteria/serverMetrics") {
        let of = |key: &str| item.child(key).and_then(|node| node.text()).unwrap_or("?");
        let written = format!(
            "{} of {}",
            of("metricName"),
            of("resourceId").rsplit('/').next().unwrap_or_default()
        );
        let why = "metrics of Azure resources are not measured here".to_owned();
        asked.push(Asked { written, of: None, objective: Err(why) });
    }
    let known = ["version", "testId", "testName", "displayName", "description", "failureCriteria"];
    let others: Vec<&str> = document.root().keys().filter(|key| !known.contains(key)).collect();
    let mut notes = Vec::new();
    if !others.is_empty() {
        notes.push(format!(
            "left out: {}: only the fail criteria are taken over",
            others.join(", ")
        ));
    }
    Criteria { asked, notes }
}

/// When Azure Load Testing fails a test, as the objective that holds when it does not.
fn fail_criterion(text: &str) -> Result<String, String> {
    let (what, comparison, number) = parts(text).ok_or("it is no `function(metric) > number`")?;
    let (function, metric) = what
        .split_once('(')
        .and_then(|(function, rest)| Some((function.trim(), rest.strip_suffix(')')?.trim())))
        .ok_or("it is no `function(metric) > number`")?;
    let comparison = match comparison {
        ">" => "<=",
        ">=" => "<",
        _ => return Err(SLOW.to_owned()),
    };
    match (metric, function) {
        ("response_time_ms", "avg" | "min" | "max") => Err(MEAN.to_owned()),
        ("response_time_ms", _) if function.starts_with('p') => {
            Ok(format!("{function} {comparison} {}", milliseconds(number)))
        }
        ("error", "percentage") => Ok(format!("error rate {comparison} {}", percentage(number))),
        ("latency", _) => Err(FIRST_BYTE.to_owned()),
        ("requests_per_sec" | "requests", _) => Err(RATE.to_owned()),
        _ => Err(format!("`{function}` of `{metric}` is not measured here")),
    }
}

/// Cuts `p(95) < 500` in three.
fn parts(text: &str) -> Option<(&str, &str, f64)> {
    let at = text.find(['<', '>', '=', '!'])?;
    let (what, rest) = text.split_at(at);
    let length = rest.find(|c: char| !"<>=!".contains(c))?;
    let (comparison, number) = rest.split_at(length);
    Some((
        what.trim(),
        comparison,
        number.trim().parse().ok().filter(|number: &f64| number.is_finite())?,
    ))
}

fn upper(comparison: &str) -> Result<&str, String> {
    if ["<", "<="].contains(&comparison) { Ok(comparison) } else { Err(SLOW.to_owned()) }
}

/// As an objective writes it, exactly to the nanosecond.
fn milliseconds(number: f64) -> String {
    let nanos = (number * 1e6).round() as u64;
    match nanos {
        _ if nanos.is_multiple_of(1_000_000) => format!("{}ms", nanos / 1_000_000),
        _ if nanos.is_multiple_of(1_000) => format!("{}us", nanos / 1_000),
        _ => format!("{nanos}ns"),
    }
}

/// Without the noise of binary fractions.
fn percentage(number: f64) -> String {
    format!("{}%", (number * 1e9).round() / 1e9)
}
