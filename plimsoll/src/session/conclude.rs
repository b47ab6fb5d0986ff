//! How a session ended: the one place that decides the exit code, the last files, and what is
//! printed.

use std::path::{Path, PathBuf};

use plimsoll_domain::with_causes;
use plimsoll_loadgen::Error as LoadError;
use plimsoll_monitor::{Report, Validity, ValidityState, Verdict};

use super::failure::Failure;
use super::measured::{Cut, Measured};
use super::run::Printing;
use super::sink::Folder;
use super::text;
use crate::exit::Exit;
use crate::results::summary::{Groups, KeyResult, ObjectiveResult, Summary, WarmupCounts};
use crate::results::{Error, Event, EventKind, Loss, Results, folder};
use crate::{report, view};

/// What was measured, or why nothing was.
pub(super) type Ended = Result<Measured, Failure>;

/// The exit code of a run, written whole or not.
fn exit(ended: &Ended, losses: &[Loss]) -> Exit {
    match ended {
        _ if !losses.is_empty() => Exit::Internal,
        Ok(measured) => judged(&measured.report, &measured.cut),
        Err(
            Failure::Target(_)
            | Failure::Plan(_)
            | Failure::Telemetry(_)
            | Failure::Generator(LoadError::Plan(_)),
        ) => Exit::Usage,
        Err(Failure::Quota | Failure::Deployment(_)) => Exit::Deployment,
        Err(Failure::Generator(_)) => Exit::Internal,
        Err(Failure::Interrupted) => Exit::Interrupted,
    }
}

fn judged(report: &Report, cut: &Cut) -> Exit {
    match (cut, report.validity.state, report.verdict) {
        (Cut::Lost(_), ..) => Exit::Deployment,
        (Cut::Interrupted, ..) => Exit::Interrupted,
        (
            Cut::GaveUp(_),
            ValidityState::Valid | ValidityState::Degraded,
            Some(Verdict::Breached),
        ) => Exit::Breached,
        // A load that was given up never passes.
        (Cut::Failed(_) | Cut::GaveUp(_), ..)
        | (Cut::None, ValidityState::Invalid, _)
        | (Cut::None, _, Some(Verdict::Inconclusive)) => Exit::Inconclusive,
        (Cut::None, _, Some(Verdict::Breached)) => Exit::Breached,
        // Without objectives a run is judged by nothing; but no answer at all is no success.
        (Cut::None, _, None) if report.totals.outcomes.ok() == 0 => Exit::Inconclusive,
        (Cut::None, _, Some(Verdict::Met) | None) => Exit::Success,
    }
}

/// Writes the last results, prints how it ended, and gives the exit code: the one in the file.
/// `decided` is told it once nothing can change it any more. Printing comes last, since it may
/// block for as long as nobody reads.
pub(super) fn conclude(
    scenario: &str,
    ended: &Ended,
    folder: Folder,
    printing: Printing,
    decided: impl FnOnce(Exit),
) -> Exit {
    let Folder { results, summary } = judge(ended, folder);
    let text = match ended {
        Ok(measured) => Ok(text::text(scenario, measured, &summary)),
        Err(failure) => Err(with_causes(failure)),
    };
    let Written { exit, page, losses, summary } = write(ended, results, summary);
    decided(exit);
    match text {
        Ok(text) if !printing.json => view::print(&text),
        Ok(_) => {}
        Err(message) => view::note(&format!("error: {message}")),
    }
    if printing.json {
        view::json(&summary).expect("a summary has only string keys");
    }
    for loss in losses {
        view::note(&format!("error: {loss}"));
    }
    if let Some(page) = page.filter(|_| !printing.json) {
        view::print(&format!("report: {}", page.display()));
    }
    exit
}

/// The same without a word, of one of several folders: the exit code in its summary, and what could
/// not be written.
pub(super) fn close(ended: &Ended, folder: Folder) -> (Exit, Vec<String>) {
    let Folder { results, summary } = judge(ended, folder);
    let Written { exit, losses, .. } = write(ended, results, summary);
    (exit, losses)
}

/// Puts into the summary what came of the run.
fn judge(ended: &Ended, folder: Folder) -> Folder {
    let Folder { mut results, mut summary } = folder;
    summary.run.complete = true;
    match ended {
        Ok(measured) => complete(&mut summary, measured),
        Err(failure) => {
            let message = with_causes(failure);
            results.event(&Event::new(0.0, EventKind::Error, message.clone()));
            let reasons = vec![format!("Nothing was measured: {message}")];
            summary.validity =
                Validity { state: ValidityState::Invalid, reasons, notes: Vec::new() };
            summary.run.interrupted = matches!(failure, Failure::Interrupted);
        }
    }
    Folder { results, summary }
}

fn complete(summary: &mut Summary, measured: &Measured) {
    let Measured { report, generator, cut } = measured;
    summary.run.interrupted = *cut == Cut::Interrupted;
    summary.run.gave_up = matches!(cut, Cut::GaveUp(_));
    summary.verdict = report.verdict;
    summary.validity = report.validity.clone();
    summary.measure(&report.totals, &report.lags, report.measured_time);
    summary.keys = KeyResult::all(&report.whole);
    summary.groups = Groups::new(&report.whole);
    summary.objectives = report.judgements.iter().map(ObjectiveResult::new).collect();
    summary.warmup = WarmupCounts::new(&report.whole.warmup());
    summary.generator = generator.clone();
}

/// What became of the last files.
struct Written {
    exit: Exit,
    /// The report, if there is one.
    page: Option<PathBuf>,
    /// What could not be written, as sentences.
    losses: Vec<String>,
    /// What the file says, or should.
    summary: Summary,
}

/// Writes what is made from the results and then the summary, which thereby says how the process
/// ends also when some of the rest cannot be written.
fn write(ended: &Ended, mut results: Results, mut summary: Summary) -> Written {
    let dir = results.dir().to_owned();
    summary.exit_code = Some(exit(ended, results.losses()).code());
    let page = report::write_page(&dir, &summary);
    // The page may take the room that is left; the others have theirs.
    results.release();
    let junit = report::write_junit(&dir, &summary);
    let written = (page.is_ok(), junit.is_ok());
    results.keep(page.map(drop));
    results.keep(junit);
    let exit = exit(ended, results.losses());
    let mut losses: Vec<String> = results.losses().iter().map(ToString::to_string).collect();
    let notes = losses.iter().map(|loss| format!("not all results could be written: {loss}"));
    summary.validity.notes.extend(notes);
    if summary.exit_code != Some(exit.code()) {
        summary.exit_code = Some(exit.code());
        write_again(&dir, &summary, written);
    }
    let page = Some(dir.join(folder::REPORT)).filter(|page| page.is_file());
    let Err(error) = results.finish(&summary) else {
        return Written { exit, page, losses, summary };
    };
    let code = Exit::Internal.code();
    losses.push(format!("{error}, and does not say that the exit code is {code}"));
    summary.exit_code = Some(code);
    write_again(&dir, &summary, written);
    let page = page.filter(|page| page.is_file());
    Written { exit: Exit::Internal, page, losses, summary }
}

/// Writes again what tells another exit code than the process will end with. What cannot be
/// written again goes: it would mislead.
fn write_again(dir: &Path, summary: &Summary, (page, junit): (bool, bool)) {
    let page = if page { report::write_page(dir, summary).map(drop) } else { Ok(()) };
    let junit = if junit { report::write_junit(dir, summary) } else { Ok(()) };
    for failed in [page, junit].into_iter().filter_map(Result::err) {
        if let Error::Write { path, .. } | Error::Compose { path, .. } = failed {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::summary::GeneratorTotals;
    use plimsoll_domain::{Lags, Outcome, Snapshot, Tally};

    fn measured(state: ValidityState, verdict: Option<Verdict>, cut: Cut) -> Measured {
        let mut totals = Tally::default();
        totals.outcomes.add(Outcome::status(200), 1);
        let report = Report {
            judgements: Vec::new(),
            verdict,
            validity: Validity { state, reasons: Vec::new(), notes: Vec::new() },
            totals,
            lags: Lags::default(),
            whole: Snapshot::default(),
            measured_time: std::time::Duration::ZERO,
        };
        Measured::new(report, GeneratorTotals::default(), cut)
    }

    fn code(state: ValidityState, verdict: Option<Verdict>, cut: Cut) -> u8 {
        exit(&Ok(measured(state, verdict, cut)), &[]).code()
    }

    #[test]
    fn a_run_without_objectives_and_without_an_answer_is_no_success() {
        let mut measured = measured(ValidityState::Valid, None, Cut::None);
        measured.report.totals = Tally::default();
        assert_eq!(exit(&Ok(measured), &[]), Exit::Inconclusive);
    }

    #[test]
    fn an_invalid_run_neither_passes_nor_fails() {
        for verdict in [None, Some(Verdict::Met), Some(Verdict::Breached)] {
            assert_eq!(code(ValidityState::Invalid, verdict, Cut::None), 4);
        }
    }

    #[test]
    fn the_verdict_of_a_valid_or_degraded_run_is_its_exit_code() {
        for state in [ValidityState::Valid, ValidityState::Degraded] {
            let of = |verdict| code(state, verdict, Cut::None);
            assert_eq!(of(None), 0);
            assert_eq!(of(Some(Verdict::Met)), 0);
            assert_eq!(of(Some(Verdict::Breached)), 3);
            assert_eq!(of(Some(Verdict::Inconclusive)), 4);
        }
    }

    #[test]
    fn a_run_that_was_cut_says_so_whatever_it_measured() {
        let of = |cut| code(ValidityState::Valid, Some(Verdict::Breached), cut);
        assert_eq!(of(Cut::Interrupted), 130);
        assert_eq!(of(Cut::Lost("gone".into())), 5);
        assert_eq!(of(Cut::Failed("a worker was lost".into())), 4);
        assert_eq!(of(Cut::GaveUp(std::time::Duration::ZERO)), 3);
        for verdict in [None, Some(Verdict::Met), Some(Verdict::Inconclusive)] {
            let gave_up = Cut::GaveUp(std::time::Duration::ZERO);
            assert_eq!(code(ValidityState::Valid, verdict, gave_up), 4, "it never passes");
        }
    }

    #[test]
    fn results_that_cannot_be_written_are_an_internal_error_whatever_the_verdict() {
        let error = Error::Compose { path: "x".into(), reason: "y".into() };
        let lost = [Loss { from_s: 1.0, error }];
        for verdict in [Verdict::Met, Verdict::Breached] {
            let measured = measured(ValidityState::Valid, Some(verdict), Cut::None);
            assert_eq!(exit(&Ok(measured), &lost), Exit::Internal);
        }
        assert_eq!(exit(&Err(Failure::Interrupted), &lost), Exit::Internal);
        assert_eq!(exit(&Err(Failure::Interrupted), &[]), Exit::Interrupted);
    }
}
