//! `plimsoll autoscale calibrate`: how far a model of a deployment can be believed.
//!
//! A model is fitted to measured runs and predicts others; without others each run is predicted by what
//! the rest of them say (leave one out). The same gate is put to models that are wrong on purpose, since
//! runs which cannot tell those from the fitted one say nothing for it.

use std::fmt::Write;

use anyhow::{Result, bail};
use plimsoll_study::prediction::{Cell, Finding, MEDIAN, Overall, Span, WORST, overall};
use serde::Serialize;

use crate::exit::Exit;
use crate::fit::{Fit, Measured, Predicted, Wrong, predict};

/// The answer.
#[derive(Debug, Serialize)]
pub(crate) struct Calibration {
    schema: &'static str,
    /// Of all runs that it was fitted to.
    fit: Fit,
    /// Whether each run was predicted by a fit of the others.
    left_out: bool,
    predicted: Vec<Predicted>,
    overall: Overall,
    /// The same gate with models that are wrong on purpose.
    wrong: Vec<Control>,
    finding: Finding,
    not_known: [&'static str; 5],
}

/// What the gate says of a wrong model.
#[derive(Debug, Serialize)]
struct Control {
    what: String,
    overall: Overall,
}

/// What the model leaves out.
const NOT_KNOWN: [&str; 5] = [
    "that a request which is at work slows down when others join it: its time is set when it begins",
    "jitter of the network and of the gateway: the overhead is always the same",
    "service times that depend on what was asked, on the time of day, or on the one before",
    "cold caches of an instance that has just started, and machines that differ",
    "stalls of the machine that ran the endpoint; on a machine of one's own they are part of the error",
];

/// Fits runs, and predicts others or, if there are none, each by the rest.
///
/// # Errors
/// Runs that cannot be fitted or simulated.
pub(crate) fn calibrate(runs: &[Measured], others: &[Measured]) -> Result<Calibration> {
    let all: Vec<&Measured> = runs.iter().collect();
    let left_out = others.is_empty();
    if left_out && runs.len() < 2 {
        bail!("one run alone cannot be predicted by others: give further runs, or `--predict RUN`");
    }
    let fit = Fit::of(&all)?;
    let ids: Vec<_> = runs.iter().chain(others).map(|run| &run.summary.run.id).collect();
    for (place, id) in ids.iter().enumerate() {
        if ids[..place].contains(id) {
            bail!("the run {id} is there twice: what a model was fitted to says nothing for it");
        }
    }
    let mut cases = Vec::new();
    if left_out {
        for (place, own) in runs.iter().enumerate() {
            let rest = all.iter().enumerate().filter(|(other, _)| *other != place);
            cases.push((own, Fit::of(&rest.map(|(_, run)| *run).collect::<Vec<_>>())?));
        }
    } else {
        cases.extend(others.iter().map(|own| (own, fit.clone())));
    }
    let predicted = judged(&cases, |_| Wrong::NONE)?;
    let overall = taken_together(&predicted);
    let mut wrong = Vec::new();
    let slots = |run: &Measured| run.slots();
    wrong.push((
        "service times × 1.3".to_owned(),
        judged(&cases, |_| Wrong { scale: 1.3, slots: None })?,
    ));
    let more = |run: &Measured| Wrong { scale: 1.0, slots: Some(slots(run) + 1) };
    wrong.push(("one slot more".to_owned(), judged(&cases, more)?));
    if cases.iter().all(|(run, _)| slots(run) > 1) {
        let fewer = |run: &Measured| Wrong { scale: 1.0, slots: Some(slots(run) - 1) };
        wrong.push(("one slot fewer".to_owned(), judged(&cases, fewer)?));
    }
    let control =
        |(what, of): (String, Vec<Predicted>)| Control { what, overall: taken_together(&of) };
    let wrong: Vec<Control> = wrong.into_iter().map(control).collect();
    let counts = predicted.iter().filter_map(|one| one.instances.map(|counted| counted.finding));
    let mut finding = counts.chain([overall.finding]).max().unwrap_or(Finding::Open);
    // The first is the one that any runs must notice.
    if finding == Finding::Holds && wrong[0].overall.finding != Finding::Fails {
        finding = Finding::Open;
    }
    Ok(Calibration {
        schema: "plimsoll.simulated-calibration/v1",
        fit,
        left_out,
        predicted,
        overall,
        wrong,
        finding,
        not_known: NOT_KNOWN,
    })
}

fn judged(
    cases: &[(&Measured, Fit)],
    wrong: impl Fn(&Measured) -> Wrong,
) -> Result<Vec<Predicted>> {
    cases.iter().map(|(run, fit)| predict(run, fit, wrong(run))).collect()
}

fn taken_together(predicted: &[Predicted]) -> Overall {
    let cells: Vec<Cell> = predicted.iter().flat_map(|one| one.cells.iter().cloned()).collect();
    overall(&cells).expect("each run has its percentiles")
}

impl Calibration {
    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self.finding {
            Finding::Holds => Exit::Success,
            Finding::Fails => Exit::Breached,
            Finding::Open => Exit::Inconclusive,
        }
    }

    /// What a terminal shows.
    pub(crate) fn text(&self) -> String {
        let mut text = self.fitted();
        let by = if self.left_out { ", each by a fit of the others" } else { "" };
        let _ = writeln!(text, "predicted (simulated{by})");
        for one in &self.predicted {
            let _ = writeln!(text, "  {} ({} requests)", one.run, one.requests);
            for cell in &one.cells {
                text.push_str(&line(cell));
            }
            let (measured, predicted) = one.refused;
            if measured + predicted > 0.0 {
                let _ = writeln!(
                    text,
                    "    refused  measured {:.2} %, predicted {:.2} %",
                    measured * 100.0,
                    predicted * 100.0
                );
            }
            if let Some(counted) = one.instances {
                let _ = writeln!(
                    text,
                    "    instances equal {:.1} % of the time ({}), instance-hours {:+.1} %",
                    counted.equal * 100.0,
                    words(counted.finding),
                    counted.hours_error * 100.0
                );
            }
        }
        let _ = writeln!(text, "  all: {}", shown(self.overall));
        text.push_str("models that are wrong on purpose\n");
        for control in &self.wrong {
            let noticed =
                if control.overall.finding == Finding::Fails { "noticed" } else { "NOT noticed" };
            let _ = writeln!(text, "  {:<20} {noticed}: {}", control.what, shown(control.overall));
        }
        text.push_str("not known to the model\n");
        for what in self.not_known {
            let _ = writeln!(text, "  {what}");
        }
        let _ = writeln!(text, "{}", self.conclusion());
        text
    }

    fn fitted(&self) -> String {
        let Fit { service_times, service_ms: [mean, p50, p99], slowdown, .. } = &self.fit;
        let grows = match self.fit.slowdown_interval {
            None => "the runs are of one load, so whether it grows with concurrency is not known"
                .to_owned(),
            Some((low, high)) => {
                let range = format!("{:+.2} to {:+.2} %", low * 100.0, high * 100.0);
                if *slowdown > 0.0 {
                    format!(
                        "each further request in the instance: {:+.2} % (line: {range})",
                        slowdown * 100.0
                    )
                } else {
                    format!("it does not grow with concurrency beyond chance ({range} a request)")
                }
            }
        };
        let list = |of: &[f64], nothing: &str| {
            let mut of = of.to_vec();
            of.sort_by(f64::total_cmp);
            match (of.first(), of.last()) {
                (Some(low), Some(high)) => {
                    format!(
                        "{} measured, {low:.1} to {high:.1} s, median {:.1} s",
                        of.len(),
                        of[of.len() / 2]
                    )
                }
                _ => nothing.to_owned(),
            }
        };
        format!(
            "fitted to {service_times} service times\n  service time   mean {mean:.2} ms, p50 {p50:.2} ms, p99 \
             {p99:.2} ms; {grows}\n  overhead       {:.2} ms\n  errors         {:.3} %\n  start          {}\n  \
             provisioning   {}\n  drain          {}\n",
            self.fit.overhead_ms,
            self.fit.error_rate * 100.0,
            list(&self.fit.starts_s, "none measured; what the scenario's probes let expect"),
            list(&self.fit.provisioning_s, "none measured")
                + "; the scenario's distribution is simulated",
            list(&self.fit.drains_s, "none measured") + "; it follows from the service times",
        )
    }

    fn conclusion(&self) -> String {
        let failed = self.wrong[0].overall.finding == Finding::Fails;
        match self.finding {
            Finding::Holds => format!(
                "the model holds: every error within {:.0} %, their median within {:.0} %",
                WORST * 100.0,
                MEDIAN * 100.0
            ),
            Finding::Fails => "the model does not hold: do not believe its predictions".to_owned(),
            Finding::Open if self.overall.finding == Finding::Holds && !failed => {
                "not decided: the runs cannot tell a model with service times × 1.3 from this one; measure nearer \
                 the knee, or longer"
                    .to_owned()
            }
            Finding::Open => "not decided: the intervals are wider than the margin; measure longer".to_owned(),
        }
    }
}

fn words(finding: Finding) -> &'static str {
    match finding {
        Finding::Holds => "holds",
        Finding::Open => "open",
        Finding::Fails => "FAILS",
    }
}

fn shown(overall: Overall) -> String {
    let Overall { median, worst, finding } = overall;
    format!(
        "median error {:.1} %, worst {:.1} %: {}",
        median * 100.0,
        worst * 100.0,
        words(finding)
    )
}

fn line(cell: &Cell) -> String {
    let ms = |span: &Span| span.value.map_or("∞".to_owned(), |value| format!("{value:.1} ms"));
    let error = match (cell.error, cell.interval) {
        (Some(error), Some((low, high))) => {
            format!("{:+.1} % ({:+.1} to {:+.1} %)", error * 100.0, low * 100.0, high * 100.0)
        }
        _ => String::new(),
    };
    format!(
        "    {:<8} measured {:>10}, predicted {:>10}, error {error} {}\n",
        cell.what,
        ms(&cell.measured),
        ms(&cell.predicted),
        words(cell.finding)
    )
}
