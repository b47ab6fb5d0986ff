//! Whether a service got slower from one build to the next: `no change`, `improved`, `regressed`,
//! or `inconclusive`, for several metrics at once.
//!
//! **What is repeated is never the request.** Requests that wait in one queue are slow together, and
//! taking them for independent calls three of four steady services changed. Which unit is repeated
//! depends on what there is:
//!
//! - **runs**, with at least three on each side: Welch's t over the runs' own values (`units.rs`).
//!   This alone sees how much runs of one build differ from each other;
//! - **pairs** of neighbours in time, with at least eight, as an interleaved run has them: a paired t
//!   that allows for the correlation of neighbouring pairs, and sign flips as a check;
//! - **nights**, where a history is the base: how far one more night may lie from them (`nights.rs`);
//! - **blocks of time** within one run of each, 32 to 63 in number (`blocks.rs`). What differs from
//!   run to run is invisible to this, and [`Unit::caveat`] says so.
//!
//! **Several metrics, one false-alarm rate**: p-values are adjusted by Benjamini and Hochberg's
//! (1995) step-up procedure, so that of all changes that are told at most a share of
//! 1 − confidence is false on average; where nothing changed at all that is the chance of any alarm.
//!
//! **A change must matter.** It is told only if it is larger than the metric's [margin](Settings),
//! and `no change` only if the whole interval (at 1 − 2α, two one-sided tests) lies within it. What
//! is between is inconclusive, with how much more would do.
//!
//! Latencies are compared as the ratio new / base, shares (error rate, goodput) as the difference in
//! percentage points, as a ratio to an error rate of zero says nothing.

mod adjust;
mod blocks;
mod metric;
mod nights;
mod run;
mod student;
mod test;
mod units;
mod verdict;

use serde::Serialize;

pub use metric::{Direction, Metric, Scale};
pub use run::{Block, Run, Second};
pub use test::{Effect, NotJudged};
pub use units::LEAST_PAIRS;
pub use verdict::{Answer, Finding};

use test::Test;

/// Blocks of time below which a single run says nothing.
pub const LEAST_BLOCKS: usize = 8;
/// Runs on each side from which on they are what is repeated.
pub const LEAST_RUNS: usize = 3;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// One minus the share of false alarms that is accepted; 0.99 by default.
    pub confidence: f64,
    /// Margins other than the metrics' own, as shares.
    pub margins: Vec<(Metric, f64)>,
    /// The metrics that must be judged. If there are none, all that can be.
    pub metrics: Vec<Metric>,
    /// Each run of the base is the neighbour in time of the new one at its place.
    pub paired: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { confidence: 0.99, margins: Vec::new(), metrics: Vec::new(), paired: false }
    }
}

impl Settings {
    /// The change of this metric that does not matter.
    pub fn margin(&self, metric: Metric) -> f64 {
        let given = self.margins.iter().rev().find(|(of, _)| *of == metric);
        given.map_or(metric.default_margin(), |(_, margin)| *margin)
    }

    /// The metrics that are looked at.
    pub(crate) fn asked(&self) -> Vec<Metric> {
        let chosen = |metric: &Metric| self.metrics.is_empty() || self.metrics.contains(metric);
        Metric::ALL.into_iter().filter(chosen).collect()
    }
}

/// What is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Stretches of one run of each side.
    Blocks,
    /// Runs.
    Runs,
    /// A run of the base and one of the new beside it.
    Pairs,
    /// The runs of a night, against those of nights before.
    Nights,
}

/// Nights of a base below which they do not show how much they differ.
pub const LEAST_NIGHTS: usize = 3;

impl Unit {
    /// What this unit cannot see.
    pub const fn caveat(self) -> Option<&'static str> {
        match self {
            Self::Blocks => Some("differences between two runs of the same build are not excluded"),
            Self::Runs | Self::Pairs | Self::Nights => None,
        }
    }
}

/// Why nothing is compared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Neither one run of each nor enough of both.
    #[error(
        "{base} and {new} runs cannot be compared: give one of each, or at least {LEAST_RUNS} of \
         each, as fewer do not show how much runs of one build differ"
    )]
    Runs {
        /// Of the base.
        base: usize,
        /// Of the new.
        new: usize,
    },
    /// Pairs that are none, or too few.
    #[error(
        "{base} and {new} runs are not at least {LEAST_PAIRS} pairs: give as many of the base as of \
         the new, in the order in which they ran"
    )]
    Pairs {
        /// Of the base.
        base: usize,
        /// Of the new.
        new: usize,
    },
    /// A history that is too short.
    #[error(
        "the base has {nights} nights, and {LEAST_NIGHTS} are needed, as fewer do not show how much \
         nights of one build differ"
    )]
    Nights {
        /// How many there are.
        nights: usize,
    },
    /// A run that is too short.
    #[error(
        "the {side} run has {blocks} blocks of time with requests, and {LEAST_BLOCKS} are needed: \
         let it measure for at least half a minute"
    )]
    Blocks {
        /// `base` or `new`.
        side: &'static str,
        /// How many there are.
        blocks: usize,
    },
    /// Not one metric can be judged.
    #[error("no metric can be judged: {0}")]
    Nothing(String),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// What is repeated.
    pub unit: Unit,
    /// How many there are of the base.
    pub base_units: usize,
    /// How many there are of the new.
    pub new_units: usize,
    /// The length of a block in seconds; of the shorter side. Of runs and pairs their mean length.
    pub unit_s: f64,
    /// The confidence of all answers together.
    pub confidence: f64,
    /// The worst answer of any metric.
    pub answer: Answer,
    /// Each metric that was judged.
    pub findings: Vec<Finding>,
    /// Each that was not, with the reason.
    pub not_judged: Vec<(Metric, NotJudged)>,
}

/// Compares runs of a base with runs of what is new.
///
/// # Errors
/// If there is too little to compare.
pub fn compare(base: &[Run], new: &[Run], settings: &Settings) -> Result<Comparison, Refusal> {
    let unit = unit(base, new, settings)?;
    let alpha = 1.0 - settings.confidence;
    let test = |metric| test(unit, metric, base, new, alpha);
    conclude(unit, Units::of(unit, base, new), settings, test)
}

/// Compares the runs of one night with those of the nights before, each night being one value.
///
/// # Errors
/// If there is too little to compare.
pub fn compare_with_nights(
    base: &[&[Run]],
    new: &[Run],
    settings: &Settings,
) -> Result<Comparison, Refusal> {
    if base.len() < LEAST_NIGHTS || new.is_empty() {
        return Err(Refusal::Nights { nights: base.len() });
    }
    let alpha = 1.0 - settings.confidence;
    let length_s = new.iter().map(Run::seconds).sum::<f64>() / new.len() as f64;
    let units = Units { base: base.len(), new: 1, length_s };
    conclude(Unit::Nights, units, settings, |metric| nights::test(metric, base, new, alpha))
}

/// Tests each metric, and judges all of them together.
fn conclude(
    unit: Unit,
    units: Units,
    settings: &Settings,
    test: impl Fn(Metric) -> Result<Test, NotJudged>,
) -> Result<Comparison, Refusal> {
    let alpha = 1.0 - settings.confidence;
    let (mut tests, mut not_judged) = (Vec::new(), Vec::new());
    for metric in settings.asked() {
        match test(metric) {
            Ok(test) => tests.push((metric, test)),
            Err(reason) => not_judged.push((metric, reason)),
        }
    }
    if tests.is_empty() {
        let reasons = not_judged.iter().map(|(metric, reason)| format!("{metric}: {reason}"));
        return Err(Refusal::Nothing(reasons.collect::<Vec<_>>().join("; ")));
    }
    let adjusted = adjust::adjust(&tests.iter().map(|(_, test)| test.p).collect::<Vec<_>>());
    let findings: Vec<Finding> = tests
        .into_iter()
        .zip(adjusted)
        .map(|((metric, test), adjusted)| {
            let margin = settings.margin(metric);
            let mut finding = verdict::finding(metric, test, adjusted, margin, alpha, units);
            // One night cannot be more than one: it stays as far off as nights differ.
            finding.needed = finding.needed.filter(|_| unit != Unit::Nights);
            finding
        })
        .collect();
    let told = findings.iter().map(|finding| finding.answer);
    let open = not_judged.iter().filter(|(metric, reason)| {
        settings.metrics.contains(metric) || *reason == NotJudged::OneInfinite
    });
    let answer = told.chain(open.map(|_| Answer::Inconclusive)).max();
    Ok(Comparison {
        unit,
        base_units: units.base,
        new_units: units.new,
        unit_s: units.length_s,
        confidence: settings.confidence,
        answer: answer.expect("at least one metric was judged"),
        findings,
        not_judged,
    })
}

fn test(
    unit: Unit,
    metric: Metric,
    base: &[Run],
    new: &[Run],
    alpha: f64,
) -> Result<Test, NotJudged> {
    match unit {
        Unit::Blocks => blocks::test(metric, &base[0], &new[0], alpha),
        Unit::Runs => units::runs(metric, base, new, alpha),
        Unit::Pairs => units::pairs(metric, base, new, alpha),
        Unit::Nights => unreachable!("nights are more than runs"),
    }
}

fn unit(base: &[Run], new: &[Run], settings: &Settings) -> Result<Unit, Refusal> {
    let (left, right) = (base.len(), new.len());
    if settings.paired {
        let enough = left == right && left >= LEAST_PAIRS;
        return if enough {
            Ok(Unit::Pairs)
        } else {
            Err(Refusal::Pairs { base: left, new: right })
        };
    }
    if left >= LEAST_RUNS && right >= LEAST_RUNS {
        return Ok(Unit::Runs);
    }
    if (left, right) != (1, 1) {
        return Err(Refusal::Runs { base: left, new: right });
    }
    for (side, run) in [("base", &base[0]), ("new", &new[0])] {
        let blocks = run.blocks_with_requests();
        if blocks < LEAST_BLOCKS {
            return Err(Refusal::Blocks { side, blocks });
        }
    }
    Ok(Unit::Blocks)
}

/// How many units there are, and how long.
#[derive(Debug, Clone, Copy)]
struct Units {
    base: usize,
    new: usize,
    length_s: f64,
}

impl Units {
    fn of(unit: Unit, base: &[Run], new: &[Run]) -> Self {
        if unit == Unit::Blocks {
            let (left, right) = (&base[0], &new[0]);
            let (base, new) = (left.blocks(), right.blocks());
            let length_s = (left.seconds() / base as f64).min(right.seconds() / new as f64);
            return Self { base, new, length_s };
        }
        let all = base.iter().chain(new);
        let length_s = all.map(Run::seconds).sum::<f64>() / (base.len() + new.len()) as f64;
        Self { base: base.len(), new: new.len(), length_s }
    }

    /// Of the side that has fewer.
    fn fewest(self) -> usize {
        self.base.min(self.new)
    }
}

#[cfg(test)]
mod tests;
