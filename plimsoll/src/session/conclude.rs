//! How a run ended: the exit code, and the summary in the form that results are written in.

use plimsoll_domain::Tally;
use plimsoll_monitor::{Objective, Report, ValidityState, Verdict};

use crate::exit::Exit;

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
    use plimsoll_monitor::Validity;

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
