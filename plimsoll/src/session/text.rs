//! How a run ended, as it is printed.

use std::fmt::Write;

use plimsoll_domain::units::{format_duration, three_digits};
use plimsoll_domain::{Class, Lags, Latencies, Quantile, Tally};
use plimsoll_monitor::{Amount, Judgement, Report, Verdict, WindowCounts};

use super::measured::{Cut, Measured};
use crate::results::summary::{Otlp, Summary};

/// The verdict, the evidence and the figures of a run.
pub(super) fn text(scenario: &str, measured: &Measured, summary: &Summary) -> String {
    let Measured { report, generator, cut, .. } = measured;
    let totals = &report.totals;
    let validity = report.validity.state.name();
    let mut text = format!("\n{scenario}: {} ({validity})\n", headline(report, cut));
    for judgement in &report.judgements {
        let _ = writeln!(text, "  {}", evidence(judgement));
    }
    let _ = writeln!(text, "  {}", counts(totals, summary));
    let _ = writeln!(text, "  {}", latencies(totals, &report.lags));
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

fn latencies(totals: &Tally, lags: &Lags) -> String {
    let response = |quantile| match totals.response_quantile(quantile) {
        Some(Quantile::Finite(value)) => format_duration(value),
        Some(Quantile::Infinite) => "∞".to_owned(),
        None => "–".to_owned(),
    };
    let of = |latencies: &Latencies, quantile| {
        latencies.quantile(quantile).map_or_else(|| "–".to_owned(), format_duration)
    };
    let mut text = format!(
        "response p50 {}, p99 {}   service p50 {}, p99 {}   send lag p99 {}",
        response(0.5),
        response(0.99),
        of(&totals.service, 0.5),
        of(&totals.service, 0.99),
        of(&lags.send, 0.99)
    );
    if !totals.model.is_empty() {
        let _ = write!(text, "   model p50 {}", of(&totals.model, 0.5));
    }
    text
}
