//! The JSON report of vegeta (`vegeta report -type=json`), for what reads that: times in nanoseconds.
//!
//! What differs from vegeta's own is said by what is left out: it counts a latency from when a request was sent, and
//! here it is response time, from when it was due; `requests` are those that were sent; bytes are not counted, and what
//! was waited for after the last request is not told apart, so that `bytes_in`, `bytes_out`, `wait`, `latest` and
//! `end` are not there. As in vegeta's, failures have their latencies, status 0 is no answer, and the warm-up is
//! left out.

use hdrhistogram::Histogram;
use plimsoll_domain::Class;
use serde_json::{Map, Value, json};

use super::summary::Summary;

/// The report of a run; `latencies`, in nanoseconds, are those of all that was sent and ended.
pub(crate) fn report(summary: &Summary, latencies: &Histogram<u64>) -> Value {
    let (load, outcomes) = (&summary.load, &summary.outcomes);
    let is_empty = latencies.is_empty();
    let at = |quantile: f64| if is_empty { 0 } else { latencies.value_at_quantile(quantile) };
    let (sum, least) =
        (latencies.mean() * latencies.len() as f64, if is_empty { 0 } else { latencies.min() });
    let answered: u64 = outcomes.status.values().sum();
    let mut statuses: Map<String, Value> =
        outcomes.status.iter().map(|(status, count)| (status.clone(), json!(count))).collect();
    if load.sent > answered {
        statuses.insert("0".to_owned(), json!(load.sent - answered));
    }
    let is_error = |class: &Class| class.is_sent() && !class.is_ok() && outcomes.of(*class) > 0;
    let errors: Vec<_> = Class::ALL.into_iter().filter(is_error).map(Class::name).collect();
    let per_second =
        |count: u64| if load.duration_s > 0.0 { count as f64 / load.duration_s } else { 0.0 };
    json!({
        "latencies": {
            "total": sum.round() as u64,
            "mean": latencies.mean().round() as u64,
            "50th": at(0.5),
            "90th": at(0.9),
            "95th": at(0.95),
            "99th": at(0.99),
            "max": at(1.0),
            "min": least,
        },
        "earliest": summary.run.started,
        "duration": (load.duration_s * 1e9).round() as u64,
        "requests": load.sent,
        "rate": per_second(load.sent),
        "throughput": per_second(outcomes.ok),
        "success": if load.sent > 0 { outcomes.ok as f64 / load.sent as f64 } else { 0.0 },
        "status_codes": statuses,
        "errors": errors,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::summary::{OutcomeCounts, Run, ScenarioName};

    #[test]
    fn a_run_is_told_as_vegeta_tells_its_attacks() {
        let run = Run { started: "2026-11-28T16:00:00Z".to_owned(), ..Run::default() };
        let mut summary = Summary::begun(run, ScenarioName::default());
        let counts = |all: &[(&str, u64)]| {
            all.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
        };
        (summary.load.sent, summary.load.duration_s) = (10, 4.0);
        summary.outcomes = OutcomeCounts {
            ok: 7,
            classes: counts(&[
                ("ok", 6),
                ("late", 1),
                ("refused_rate", 2),
                ("closed", 1),
                ("dropped", 5),
            ]),
            status: counts(&[("200", 7), ("429", 2)]),
            ..OutcomeCounts::default()
        };
        let mut latencies = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
        for ms in 1..=10u64 {
            latencies.record(ms * 1_000_000).unwrap();
        }
        let report = report(&summary, &latencies);
        assert_eq!(
            (&report["requests"], &report["duration"]),
            (&json!(10), &json!(4_000_000_000u64))
        );
        assert_eq!(report["status_codes"], json!({"200": 7, "429": 2, "0": 1}));
        assert_eq!(
            report["errors"],
            json!(["refused_rate", "closed"]),
            "what was never sent is no hit"
        );
        let near = |value: &Value, expected: f64| {
            let value = value.as_f64().unwrap();
            assert!((value / expected - 1.0).abs() < 0.001, "{value} instead of {expected}");
        };
        near(&report["latencies"]["50th"], 5e6);
        near(&report["latencies"]["max"], 10e6);
        near(&report["latencies"]["min"], 1e6);
        near(&report["latencies"]["total"], 55e6);
        near(&report["rate"], 2.5);
        near(&report["throughput"], 1.75);
        near(&report["success"], 0.7);
        let nothing = super::report(&summary, &Histogram::new(3).unwrap());
        assert_eq!(nothing["latencies"]["max"], json!(0));
    }
}
