//! `junit.xml`: the verdict for continuous-integration servers.
//!
//! One test case per objective and one for validity. A breach is a failure; what could not be
//! decided is an error, so that no server shows it as passed; objectives of an invalid run, or of
//! one that did not end as planned (killed, interrupted, its endpoint lost), are skipped beside the
//! error that says so.

use std::time::Duration;

use plimsoll_monitor::{ValidityState, Verdict};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::words;
use crate::exit::Exit;
use crate::results::summary::{ObjectiveResult, Summary};

/// The content of the file.
///
/// # Errors
/// Names that XML cannot hold are replaced before, so an error is a fault in the writer.
pub(super) fn junit(summary: &Summary) -> Result<String, quick_junit::SerializeError> {
    let simulated = if summary.is_simulated() { " (simulated)" } else { "" };
    let mut suite = TestSuite::new(format!("{}{simulated}", summary.scenario.name));
    suite.set_time(Duration::from_secs_f64(summary.load.duration_s.max(0.0)));
    for (name, value) in [
        ("run", summary.run.id.clone()),
        ("started", summary.run.started.clone()),
        ("seed", summary.scenario.seed.to_string()),
        ("plimsoll", summary.run.version.clone()),
    ] {
        suite.add_property((name, value.as_str()));
    }
    if summary.is_simulated() {
        suite.add_property(("simulated", "true"));
    }
    suite.add_test_case(case("validity", summary, validity(summary)));
    for objective in &summary.objectives {
        suite.add_test_case(case(&objective.name, summary, judged(objective, summary)));
    }
    for objective in summary.autoscale.iter().flat_map(|of| &of.objectives) {
        let status = status(objective.verdict, &objective.shown, summary);
        suite.add_test_case(case(&objective.name, summary, status));
    }
    let mut report = Report::new("plimsoll");
    report.add_test_suite(suite);
    report.to_string()
}

fn case(name: &str, summary: &Summary, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    let kind = if summary.is_simulated() { "plimsoll.simulated" } else { "plimsoll" };
    case.set_classname(format!("{kind}.{}", summary.scenario.name));
    case
}

fn validity(summary: &Summary) -> TestCaseStatus {
    let reasons = summary.validity.reasons.join("\n");
    if let Some(why) = cut_short(summary) {
        return other(NonSuccessKind::Error, "incomplete", why, &reasons);
    }
    match summary.validity.state {
        ValidityState::Invalid => {
            let why = "the run is invalid: it can be neither passed nor failed";
            other(NonSuccessKind::Error, "invalid", why, &reasons)
        }
        ValidityState::Valid | ValidityState::Degraded
            if summary.exit_code == Some(Exit::Internal.code()) =>
        {
            let why = "not all results could be written";
            other(NonSuccessKind::Error, "results", why, &summary.validity.notes.join("\n"))
        }
        ValidityState::Valid | ValidityState::Degraded => TestCaseStatus::success(),
    }
}

/// Why a run does not count, though what it measured may look well.
fn cut_short(summary: &Summary) -> Option<&'static str> {
    let exit_code = summary.exit_code;
    if !summary.run.complete {
        Some("the run did not end")
    } else if summary.run.interrupted {
        Some("the run was interrupted")
    } else if summary.run.gave_up && summary.verdict != Some(Verdict::Breached) {
        Some("the load was given up: not a single request had got a right answer")
    } else if exit_code == Some(Exit::Deployment.code()) {
        Some("the endpoint could not be brought up, or went away in mid-run")
    } else {
        None
    }
}

fn judged(objective: &ObjectiveResult, summary: &Summary) -> TestCaseStatus {
    status(objective.verdict, &words::evidence(objective), summary)
}

fn status(verdict: Verdict, evidence: &str, summary: &Summary) -> TestCaseStatus {
    if cut_short(summary).is_some() || summary.validity.state == ValidityState::Invalid {
        let mut status = TestCaseStatus::skipped();
        status.set_message("not judged, see `validity`");
        return status;
    }
    match verdict {
        Verdict::Met => TestCaseStatus::success(),
        Verdict::Breached => other(NonSuccessKind::Failure, "breached", evidence, evidence),
        Verdict::Inconclusive => other(NonSuccessKind::Error, "inconclusive", evidence, evidence),
    }
}

fn other(kind: NonSuccessKind, ty: &str, message: &str, text: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(ty).set_message(message).set_description(text);
    status
}
