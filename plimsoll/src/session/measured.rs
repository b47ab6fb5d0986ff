//! What came of a load, once it has ended.

use std::time::Duration;

use plimsoll_monitor::{Report, ValidityState, Verdict};

use super::autoscale::Worth;
use super::patience;
use crate::results::summary::GeneratorTotals;

/// What came of the load.
#[derive(Debug)]
pub(super) struct Measured {
    /// Verdicts, validity and totals.
    pub(super) report: Report,
    /// The generator's own state over the run.
    pub(super) generator: GeneratorTotals,
    /// What ended the run before its schedule did.
    pub(super) cut: Cut,
    /// What autoscale rules were worth, if there are any.
    pub(super) rules: Option<Worth>,
}

/// What ended a run before its schedule did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cut {
    /// Nothing did.
    None,
    /// The user.
    Interrupted,
    /// Nothing had got a right answer until then.
    GaveUp(Duration),
    /// What the run had brought up went away: why.
    Lost(String),
    /// The generator could not go on: why, as a sentence.
    Failed(String),
}

impl Measured {
    /// What was measured until the cut. A run whose endpoint or generator went away is invalid: it
    /// can be neither passed nor failed.
    pub(super) fn new(mut report: Report, mut generator: GeneratorTotals, cut: Cut) -> Self {
        let reason = match &cut {
            Cut::None | Cut::Interrupted => None,
            Cut::GaveUp(at) => {
                report.validity.notes.push(patience::message(*at));
                None
            }
            Cut::Lost(why) => Some(format!("the local host went away in mid-run: {why}")),
            Cut::Failed(why) => Some(why.clone()),
        };
        if let Some(reason) = reason {
            report.validity.state = ValidityState::Invalid;
            report.validity.reasons.push(reason);
        }
        generator.set_release_lag(&report.lags.release);
        Self { report, generator, cut, rules: None }
    }

    /// Of a shift that was held up, as the new version was worse under mirrored load: a regression, unless nothing can
    /// be decided.
    pub(super) fn held_up(mut self, why: String) -> Self {
        self.report.verdict = Some(Verdict::Breached);
        self.report.validity.notes.push(why);
        self
    }

    /// With what autoscale rules were worth: the verdict is that of their objectives, too.
    pub(super) fn with_rules(mut self, rules: Option<Worth>) -> Self {
        let of_rules = rules.as_ref().and_then(Worth::verdict);
        let verdicts = [self.report.verdict, of_rules];
        let worst = [Verdict::Breached, Verdict::Inconclusive, Verdict::Met];
        self.report.verdict = worst.into_iter().find(|worst| verdicts.contains(&Some(*worst)));
        Self { rules, ..self }
    }
}
