//! How a run ended: the exit code, and the summary in the form that results are written in.

use plimsoll_domain::Tally;
use plimsoll_monitor::{
    Amount, Comparison, Indicator, Judgement, Latency, Objective, Report, Unit, Validity,
    ValidityState, Verdict, WindowCounts,
};

use crate::exit::Exit;
use crate::results::summary as file;

/// What ended a run before its schedule did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cut {
    /// Nothing did.
    None,
    /// The user.
    Interrupted,
    /// What the run had brought up went away: why.
    Lost(String),
}

/// The exit code of a run that was measured.
pub(super) fn exit(report: &Report, cut: &Cut) -> Exit {
    match (cut, report.validity.state, report.verdict) {
        (Cut::Lost(_), ..) => Exit::Deployment,
        (Cut::Interrupted, ..) => Exit::Interrupted,
        (Cut::None, ValidityState::Invalid, _) | (Cut::None, _, Some(Verdict::Inconclusive)) => {
            Exit::Inconclusive
        }
        (Cut::None, _, Some(Verdict::Breached)) => Exit::Breached,
        // Without objectives a run is judged by nothing; but no answer at all is no success.
        (Cut::None, _, None) if report.totals.outcomes.ok() == 0 => Exit::Inconclusive,
        (Cut::None, _, Some(Verdict::Met) | None) => Exit::Success,
    }
}

/// The verdict in results.
pub(super) fn verdict(verdict: Verdict) -> file::Verdict {
    match verdict {
        Verdict::Met => file::Verdict::Met,
        Verdict::Breached => file::Verdict::Breached,
        Verdict::Inconclusive => file::Verdict::Inconclusive,
    }
}

/// The validity in results.
pub(super) fn validity(validity: &Validity) -> file::Validity {
    file::Validity {
        state: match validity.state {
            ValidityState::Valid => file::ValidityState::Valid,
            ValidityState::Degraded => file::ValidityState::Degraded,
            ValidityState::Invalid => file::ValidityState::Invalid,
        },
        reasons: validity.reasons.clone(),
        notes: validity.notes.clone(),
    }
}

/// An objective's evidence in results.
pub(super) fn objective(judgement: &Judgement) -> file::ObjectiveResult {
    let objective = &judgement.objective;
    let (of, quantile) = match objective.indicator() {
        Indicator::Latency { percentile, of } => {
            let of = match of {
                Latency::Response => file::Series::Response,
                Latency::Service => file::Series::Service,
                Latency::SendLag => file::Series::SendLag,
            };
            (of, Some(percentile / 100.0))
        }
        Indicator::ErrorRate => (file::Series::ErrorRate, None),
        Indicator::Goodput { .. } => (file::Series::Goodput, None),
    };
    file::ObjectiveResult {
        name: objective.to_string(),
        verdict: verdict(judgement.verdict),
        value: judgement.value.and_then(number),
        comparison: match objective.comparison() {
            Comparison::Below => file::Comparison::Below,
            Comparison::AtMost => file::Comparison::AtMost,
            Comparison::Above => file::Comparison::Above,
            Comparison::AtLeast => file::Comparison::AtLeast,
        },
        threshold: number(judgement.threshold).expect("a threshold is finite"),
        unit: match judgement.threshold.unit {
            Unit::Milliseconds => file::Unit::Ms,
            Unit::Share => file::Unit::Percent,
            Unit::PerSecond => file::Unit::Rps,
        },
        interval: judgement.interval.map(|(low, high)| file::Interval(number(low), number(high))),
        samples: judgement.samples,
        samples_needed: judgement.samples_needed,
        windows: objective
            .window()
            .zip(judgement.windows)
            .map(|(length, counts)| windows(length.as_secs_f64(), counts, judgement.value)),
        of,
        quantile,
    }
}

fn windows(length_s: f64, counts: WindowCounts, worst: Option<Amount>) -> file::Windows {
    file::Windows {
        length_s,
        total: counts.total,
        breached: counts.wrong,
        worst_at_s: counts.worst_at.map(|at| at.as_secs_f64()),
        worst: worst.and_then(number),
    }
}

/// The number in the unit of results: shares as percent.
fn number(amount: Amount) -> Option<f64> {
    let number = amount.finite()?;
    Some(if amount.unit == Unit::Share { number * 100.0 } else { number })
}

/// How many right answers came within the objectives: within the strictest limit that they set on
/// response time; all of them where they set none.
pub(super) fn good(totals: &Tally, objectives: &[Objective]) -> u64 {
    match objectives.iter().filter_map(Objective::response_limit).min() {
        Some(limit) => totals.good(limit),
        None => totals.outcomes.ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(state: ValidityState, verdict: Option<Verdict>) -> Report {
        Report {
            judgements: Vec::new(),
            verdict,
            validity: Validity { state, reasons: Vec::new(), notes: Vec::new() },
            totals: answered(),
            warmup: Tally::default(),
            measured_time: std::time::Duration::ZERO,
        }
    }

    fn answered() -> Tally {
        let mut totals = Tally::default();
        totals.outcomes.status.insert(200, 1);
        totals
    }

    #[test]
    fn a_run_without_objectives_and_without_an_answer_is_no_success() {
        let mut report = report(ValidityState::Valid, None);
        report.totals = Tally::default();
        assert_eq!(exit(&report, &Cut::None), Exit::Inconclusive);
    }

    #[test]
    fn an_invalid_run_neither_passes_nor_fails() {
        for verdict in [None, Some(Verdict::Met), Some(Verdict::Breached)] {
            let report = report(ValidityState::Invalid, verdict);
            assert_eq!(exit(&report, &Cut::None), Exit::Inconclusive);
        }
    }

    #[test]
    fn the_verdict_of_a_valid_or_degraded_run_is_its_exit_code() {
        for state in [ValidityState::Valid, ValidityState::Degraded] {
            let of = |verdict| exit(&report(state, verdict), &Cut::None).code();
            assert_eq!(of(None), 0);
            assert_eq!(of(Some(Verdict::Met)), 0);
            assert_eq!(of(Some(Verdict::Breached)), 3);
            assert_eq!(of(Some(Verdict::Inconclusive)), 4);
        }
    }

    #[test]
    fn an_interrupted_run_says_so_whatever_it_measured() {
        let report = report(ValidityState::Valid, Some(Verdict::Breached));
        assert_eq!(exit(&report, &Cut::Interrupted).code(), 130);
        assert_eq!(exit(&report, &Cut::Lost("gone".into())).code(), 5);
    }
}
