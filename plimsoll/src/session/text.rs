//! How a run ended, as it is printed.

mod histogram;
mod rules;

use std::fmt::Write;

use plimsoll_domain::units::{format_duration, three_digits};
use plimsoll_domain::{Class, Lags, Latencies, Quantile, Tally};
use plimsoll_monitor::few::least_requests;
use plimsoll_monitor::{Amount, Judgement, Report, Verdict, WindowCounts};

use super::measured::{Cut, Measured};
use crate::results::summary::{Otlp, Summary};

/// The verdict, the evidence and the figures of a run.
pub(super) fn text(scenario: &str, measured: &Measured, summary: &Summary) -> String {
    let Measured { report, generator, cut, .. } = measured;
    let totals = &report.totals;
    let validity = report.validity.state.name();
    let simulated = if summary.is_simulated() { ", simulated" } else { "" };
    let mut text = format!("\n{scenario}{simulated}: {} ({validity})\n", headline(report, cut));
    for judgement in &report.judgements {
        let _ = writeln!(text, "  {}", evidence(judgement));
    }
    for line in summary.autoscale.iter().flat_map(rules::lines) {
        let _ = writeln!(text, "  {line}");
    }
    let _ = writeln!(text, "  {}", counts(totals, summary));
    for line in latencies(totals, &report.lags).into_iter().chain(statuses(totals)) {
        let _ = writeln!(text, "  {line}");
    }
    for line in histogram::lines(totals) {
        let _ = writeln!(text, "  {line}");
    }
    for (class, example) in &generator.examples {
        let _ = writeln!(text, "  {class}: {example}");
    }
    for line in report.validity.reasons.iter().chain(&report.validity.notes) {
        let _ = writeln!(text, "  note: {line}");
    }
    if let Some(line) = summary.otlp.as_ref().and_then(losses) {
        let _ = writeln!(text, "  note: {line}");
    }
    if totals.outcomes.ok() == 0 {
        let _ = writeln!(text, "  note: no request got a right answer");
    }
    if *cut == Cut::Interrupted {
        text.push_str("  note: interrupted; the results are of the part that ran\n");
    }
    text.trim_end().to_owned()
}

fn evidence(judgement: &Judgement) -> String {
    let mark = match judgement.verdict {
        Verdict::Met => "met",
        Verdict::Breached => "BREACHED",
        Verdict::Inconclusive => "inconclusive",
    };
    let value = judgement.value.map_or_else(|| "no samples".to_owned(), Amount::short);
    let mut text = format!("{mark:<12}  {:<34} {value}", judgement.objective.to_string());
    if let Some(evidence) = &judgement.evidence {
        let (low, high) = evidence.interval;
        let _ = write!(text, "  [{}, {}]", low.short(), high.short());
        let _ = write!(text, "  {} samples", judgement.samples);
        if evidence.design_effect >= 1.5 {
            let _ = write!(text, ", worth {}", three_digits(evidence.effective_samples));
        }
    } else if let Some(windows) = &judgement.windows {
        let WindowCounts { planned, judged, wrong, .. } = windows;
        let _ = write!(text, "  at worst; {wrong} of {judged} windows wrong");
        if judged < planned {
            let _ = write!(text, ", {} not judged", planned - judged);
        }
    }
    if let Some(miss) = miss(judgement) {
        let _ = write!(text, "  {miss}");
    }
    if let Some(share) = missed(judgement) {
        let _ = write!(text, "  {share}");
    }
    if let Some(undecided) = &judgement.undecided {
        let _ = write!(text, "\n{:16}{undecided}", "");
    }
    text
}

/// What the export lost, and why.
fn losses(otlp: &Otlp) -> Option<String> {
    let Otlp { receiver, points_lost, logs_lost, rejected, errors, .. } = otlp;
    let totals = if otlp.complete { "the totals arrived" } else { "the totals are not there" };
    (points_lost + logs_lost + rejected > 0).then(|| {
        format!(
            "the export to {receiver} lost {points_lost} points and {logs_lost} alerts \
             ({rejected} refused), {totals}: {}",
            errors.join("; ")
        )
    })
}

fn headline(report: &Report, cut: &Cut) -> String {
    let verdict = report.verdict.map_or("no objectives", Verdict::name);
    match cut {
        Cut::None => verdict.to_owned(),
        Cut::GaveUp(_) => format!("given up; {verdict} until then"),
        Cut::Interrupted => format!("interrupted; {verdict} until then"),
        Cut::Lost(_) | Cut::Failed(_) => format!("cut off; {verdict} until then"),
    }
}

fn counts(totals: &Tally, summary: &Summary) -> String {
    let outcomes = &totals.outcomes;
    let mut text = format!(
        "offered {} ({}/s), sent {}, ok {}",
        totals.offered,
        three_digits(summary.load.offered_rps),
        totals.sent,
        outcomes.ok()
    );
    for (class, count) in outcomes.classes() {
        if class != Class::Ok {
            let _ = write!(text, ", {} {count}", class.name());
        }
    }
    text
}

/// The percentiles that people ask for. One beyond the last request would be its value again.
fn percentiles(of: &Latencies, infinite: u64) -> String {
    const USUAL: [(f64, &str); 5] =
        [(0.5, "p50"), (0.9, "p90"), (0.95, "p95"), (0.99, "p99"), (0.999, "p99.9")];
    let count = of.count() + infinite;
    let told = USUAL.into_iter().filter(|(quantile, _)| count >= least_requests(*quantile));
    let mut text: Vec<String> = told
        .map(|(quantile, name)| match of.quantile_with_infinite(quantile, infinite) {
            Some(Quantile::Finite(value)) => format!("{name} {}", format_duration(value)),
            Some(Quantile::Infinite) => format!("{name} ∞"),
            None => format!("{name} –"),
        })
        .collect();
    text.extend(of.max().map(|max| format!("longest {}", format_duration(max))));
    if text.is_empty() { "–".to_owned() } else { text.join("   ") }
}

fn latencies(totals: &Tally, lags: &Lags) -> Vec<String> {
    let mut lines = vec![
        format!("response  {}", percentiles(&totals.response, totals.infinite())),
        format!("service   {}", percentiles(&totals.service, 0)),
    ];
    if !totals.model.is_empty() {
        lines.push(format!("model     {}", percentiles(&totals.model, 0)));
    }
    lines.push(format!("send lag  {}", percentiles(&lags.send, 0)));
    lines
}

/// Whole answers by status.
fn statuses(totals: &Tally) -> Option<String> {
    let each = totals.outcomes.statuses().into_iter();
    let each: Vec<_> = each.map(|(status, count)| format!("{status} × {count}")).collect();
    (!each.is_empty()).then(|| format!("statuses  {}", each.join(", ")))
}

/// The share of all that missed the limit, where the objective is not met.
fn missed(judgement: &Judgement) -> Option<String> {
    let (missed, of) = judgement.missed.filter(|(missed, _)| *missed > 0)?;
    let share = missed as f64 / of as f64 * 100.0;
    let is_met = judgement.verdict == Verdict::Met;
    (!is_met).then(|| format!("{} % missed the limit", three_digits(share)))
}

/// By how much a value misses its bound; nothing if it does not.
fn miss(judgement: &Judgement) -> Option<String> {
    let (value, bound) = (judgement.value?.number, judgement.threshold.number);
    if judgement.verdict != Verdict::Breached || !value.is_finite() || bound <= 0.0 {
        return None;
    }
    let side = if judgement.objective.comparison().is_upper_bound() { "above" } else { "below" };
    let share = value / bound;
    Some(if share >= 2.0 {
        format!("{} × the bound", three_digits(share))
    } else {
        format!("{} % {side} the bound", three_digits((share - 1.0).abs() * 100.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn latencies_of(count: u64) -> Latencies {
        let mut latencies = Latencies::new();
        (1..=count).for_each(|ms| latencies.record(Duration::from_millis(ms)));
        latencies
    }

    #[test]
    fn percentiles_are_those_that_there_are_requests_for() {
        assert_eq!(percentiles(&latencies_of(15), 0), "p50 8ms   p90 14ms   longest 15ms");
        assert_eq!(
            percentiles(&latencies_of(90), 10),
            "p50 50ms   p90 90ms   p95 ∞   p99 ∞   longest 90ms"
        );
        assert!(percentiles(&latencies_of(1000), 0).contains("p99.9 999ms"));
        assert_eq!(percentiles(&Latencies::new(), 0), "–");
    }

    #[test]
    fn a_miss_says_by_how_much() {
        let of = |objective: &str, number: f64| {
            let objective = objective.parse().unwrap();
            let mut judgement = Judgement::pending(&objective);
            judgement.verdict = Verdict::Breached;
            judgement.value = Some(Amount { number, ..judgement.threshold });
            miss(&judgement).unwrap_or_default()
        };
        assert_eq!(of("p99 < 200ms", 250.0), "25 % above the bound");
        assert_eq!(of("error rate < 1%", 0.05), "5 × the bound");
        assert_eq!(of("goodput > 90% within 1s", 0.45), "50 % below the bound");
        assert_eq!(of("p99 < 200ms", f64::INFINITY), "");
    }

    #[test]
    fn the_share_that_missed_is_told_unless_the_objective_is_met() {
        let mut judgement = Judgement::pending(&"p99 < 200ms".parse().unwrap());
        judgement.missed = Some((53, 1000));
        assert_eq!(missed(&judgement).unwrap(), "5.3 % missed the limit");
        judgement.verdict = Verdict::Met;
        assert_eq!(missed(&judgement), None);
    }
}
