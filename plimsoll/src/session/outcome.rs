//! The end of a session: the last summary, what is printed, and the exit code.

use std::fmt::Write;

use plimsoll_domain::units::{format_duration, three_digits};
use plimsoll_domain::with_causes;
use plimsoll_domain::{Quantile, Tally};
use plimsoll_monitor::{Report, Validity, ValidityState, Verdict};

use super::conclude::{self, Cut};
use super::measure::Measured;
use super::site;
use crate::exit::Exit;
use crate::results::summary::{ObjectiveResult, Otlp, Summary, WarmupCounts};
use crate::results::{Event, EventKind, Results};
use crate::scenario::Scenario;
use crate::{report, view};

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The endpoint that should exist cannot be used.
    #[error(transparent)]
    Target(site::Error),
    /// The endpoint could not be brought up.
    #[error(transparent)]
    Deployment(site::Error),
    /// The load cannot be prepared: a wrong URL, name, certificate, header or body.
    #[error("{}", with_causes(.0.as_ref()))]
    Plan(anyhow::Error),
    /// The export cannot be set up.
    #[error(transparent)]
    Telemetry(plimsoll_monitor::otlp::Error),
    /// The load generator failed.
    #[error(transparent)]
    Generator(plimsoll_loadgen::Error),
    /// The user stopped the run before the load began.
    #[error("interrupted before the load began; what was created is removed")]
    Interrupted,
}

impl Failure {
    fn exit(&self) -> Exit {
        match self {
            Self::Target(_)
            | Self::Plan(_)
            | Self::Telemetry(_)
            | Self::Generator(plimsoll_loadgen::Error::Plan(_)) => Exit::Usage,
            Self::Deployment(_) => Exit::Deployment,
            Self::Generator(_) => Exit::Internal,
            Self::Interrupted => Exit::Interrupted,
        }
    }
}

/// Writes the last results, prints the verdict, and gives the exit code.
pub(super) fn conclude(
    scenario: &Scenario,
    ended: Result<Measured, Failure>,
    mut summary: Summary,
    mut results: Results,
) -> Exit {
    summary.run.complete = true;
    let exit = match ended {
        Ok(measured) => measured_run(scenario, &measured, &mut summary),
        Err(failure) => {
            let message = with_causes(&failure);
            view::note(&format!("error: {message}"));
            results.event(&Event::new(0.0, EventKind::Error, message.clone()));
            let reasons = vec![format!("Nothing was measured: {message}")];
            summary.validity =
                Validity { state: ValidityState::Invalid, reasons, notes: Vec::new() };
            summary.run.interrupted = matches!(failure, Failure::Interrupted);
            failure.exit()
        }
    };
    summary.exit_code = Some(exit.code());
    let folder = results.dir().to_owned();
    let page = report::write_page(&folder, &summary);
    if let Ok(page) = &page {
        view::print(&format!("report: {}", page.display()));
    }
    let written = report::write_junit(&folder, &summary);
    match results.finish(&summary).and(page.map(drop)).and(written) {
        Ok(()) => exit,
        Err(error) => {
            view::note(&format!("error: {error}"));
            Exit::Internal
        }
    }
}

fn measured_run(scenario: &Scenario, measured: &Measured, summary: &mut Summary) -> Exit {
    let Measured { report, generator, cut } = measured;
    let exit = conclude::exit(report, cut);
    summary.run.interrupted = *cut == Cut::Interrupted;
    summary.verdict = report.verdict;
    summary.validity = report.validity.clone();
    if let Cut::Lost(why) = cut {
        summary.validity.state = ValidityState::Invalid;
        summary.validity.reasons.push(format!("the local host went away in mid-run: {why}"));
    }
    let good = conclude::good(&report.totals, &scenario.objectives);
    summary.measure(&report.totals, good, report.measured_time);
    summary.objectives = report.judgements.iter().map(ObjectiveResult::new).collect();
    summary.warmup = WarmupCounts::new(&report.warmup);
    summary.generator = generator.clone();
    view::print(&text(scenario, measured, summary));
    exit
}

fn text(scenario: &Scenario, measured: &Measured, summary: &Summary) -> String {
    let Measured { report, generator, cut } = measured;
    let totals = &report.totals;
    let validity = match cut {
        Cut::Lost(_) => ValidityState::Invalid,
        Cut::None | Cut::Interrupted => report.validity.state,
    };
    let mut text =
        format!("\n{}: {} ({})\n", scenario.name, headline(report, cut), validity.name());
    for judgement in &report.judgements {
        let mark = match judgement.verdict {
            Verdict::Met => "met",
            Verdict::Breached => "BREACHED",
            Verdict::Inconclusive => "inconclusive",
        };
        let value = judgement
            .value
            .map_or_else(|| "no samples".to_owned(), plimsoll_monitor::Amount::short);
        let interval =
            judgement.interval.map(|(low, high)| format!("  [{}, {}]", low.short(), high.short()));
        let needed = judgement.samples_needed.map(|needed| format!(", {needed} more needed"));
        let _ = writeln!(
            text,
            "  {mark:<12}  {:<34} {value}{}  {} samples{}",
            judgement.objective.to_string(),
            interval.unwrap_or_default(),
            judgement.samples,
            needed.unwrap_or_default()
        );
    }
    let _ = writeln!(text, "  {}", counts(totals, summary));
    let _ = writeln!(text, "  {}", latencies(totals));
    for (kind, example) in &generator.examples {
        let _ = writeln!(text, "  {kind}: {example}");
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
    match cut {
        Cut::None => {}
        Cut::Interrupted => {
            text.push_str("  note: interrupted; the results are of the part that ran\n");
        }
        Cut::Lost(why) => {
            let _ = writeln!(text, "  note: the local host went away in mid-run: {why}");
        }
    }
    text.trim_end().to_owned()
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
        Cut::Lost(_) => format!("cut off; {verdict} until then"),
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
    for (status, count) in
        outcomes.status.iter().filter(|(status, _)| !(200..300).contains(*status))
    {
        let _ = write!(text, ", status {status} {count}");
    }
    let rest = [
        ("timeout", outcomes.timeout),
        ("transport", outcomes.transport_total()),
        ("aborted", outcomes.aborted),
        ("dropped", outcomes.dropped),
    ];
    for (name, count) in rest.into_iter().filter(|(_, count)| *count > 0) {
        let _ = write!(text, ", {name} {count}");
    }
    text
}

fn latencies(totals: &Tally) -> String {
    let response = |quantile| match totals.response_quantile(quantile) {
        Some(Quantile::Finite(value)) => format_duration(value),
        Some(Quantile::Infinite) => "∞".to_owned(),
        None => "–".to_owned(),
    };
    let of = |latencies: &plimsoll_domain::Latencies, quantile| {
        latencies.quantile(quantile).map_or_else(|| "–".to_owned(), format_duration)
    };
    let mut text = format!(
        "response p50 {}, p99 {}   service p50 {}, p99 {}   send lag p99 {}",
        response(0.5),
        response(0.99),
        of(&totals.service, 0.5),
        of(&totals.service, 0.99),
        of(&totals.send_lag, 0.99)
    );
    if !totals.model.is_empty() {
        let _ = write!(text, "   model p50 {}", of(&totals.model, 0.5));
    }
    text
}
