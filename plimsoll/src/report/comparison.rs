//! A comparison of runs as text, Markdown, `JUnit`'s XML, JSON, and a page in one file.

mod charts;
mod table;
mod undecided;

use std::fmt::Write;

use askama::Template;
use plimsoll_study::compare::{Answer, Comparison, Finding, Unit};
use plimsoll_study::interleave::By;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use super::chart::Chart;
use super::words;
use crate::results::recording::{Pairs, Recording};
use table::Row;

pub(crate) use undecided::Undecided;

/// Runs of both sides, and what was made of them.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) base: Vec<Recording>,
    pub(crate) new: Vec<Recording>,
    /// The blocks that were compared, if the sides took turns.
    pub(crate) pairs: Option<Pairs>,
    pub(crate) comparison: Comparison,
    pub(crate) exit_code: u8,
}

/// The value of `schema`.
const SCHEMA: &str = "plimsoll.comparison/v1";
/// What sides that took turns within one job cannot show.
const START_CAVEAT: &str = "differences between two starts of the same build are not excluded";
/// What splitting by request costs.
const HALF_THE_LOAD: &str = "By request each side got half of the load, and both were busy at once: \
     one that uses up the machine slows down the other, so that differences look smaller than they \
     are.";

/// What `--json` prints: stable within its version.
#[derive(Debug, Serialize)]
pub(crate) struct Json<'a> {
    schema: &'static str,
    scenario: &'a str,
    base: Vec<JsonRun<'a>>,
    new: Vec<JsonRun<'a>>,
    caveat: Option<&'static str>,
    /// What took turns, if the sides did: `block` or `request`.
    #[serde(skip_serializing_if = "Option::is_none")]
    interleaved: Option<By>,
    #[serde(flatten)]
    comparison: &'a Comparison,
    exit_code: u8,
}

#[derive(Debug, Serialize)]
struct JsonRun<'a> {
    folder: String,
    run: &'a str,
    started: &'a str,
    version: &'a str,
    validity: plimsoll_monitor::ValidityState,
}

impl Compared {
    pub(crate) fn json(&self) -> Json<'_> {
        fn run(run: &Recording) -> JsonRun<'_> {
            let summary = &run.summary;
            JsonRun {
                folder: run.path.display().to_string(),
                run: &summary.run.id,
                started: &summary.run.started,
                version: &summary.run.version,
                validity: summary.validity.state,
            }
        }
        Json {
            schema: SCHEMA,
            scenario: self.scenario(),
            base: self.base.iter().map(run).collect(),
            new: self.new.iter().map(run).collect(),
            caveat: self.caveat(),
            interleaved: self.pairs.as_ref().map(|pairs| pairs.by),
            comparison: &self.comparison,
            exit_code: self.exit_code,
        }
    }

    /// What the comparison cannot see.
    fn caveat(&self) -> Option<&'static str> {
        let turns = self.pairs.as_ref().map(|_| START_CAVEAT);
        turns.or(self.comparison.unit.caveat())
    }

    pub(crate) fn scenario(&self) -> &str {
        &self.base[0].summary.scenario.name
    }

    /// What was compared with what.
    fn units(&self) -> String {
        let Comparison { unit, base_units, new_units, unit_s, confidence, .. } = &self.comparison;
        let length = words::span(*unit_s);
        let of = match unit {
            Unit::Blocks => format!("{new_units} blocks of time with {base_units}, of {length}"),
            Unit::Runs => format!("{new_units} runs with {base_units}, of {length}"),
            Unit::Pairs if self.pairs.is_some() => {
                format!("{new_units} pairs of blocks that took turns, of {length} each")
            }
            Unit::Pairs => format!("{new_units} pairs of runs, of {length} each"),
        };
        format!("{of}; at {} confidence", words::percentage(confidence * 100.0))
    }

    /// What the reader must know beside the answer.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(pairs) = &self.pairs {
            notes.push(format!(
                "The sides took turns under one load, but each was started once: {START_CAVEAT}. \
                 `plimsoll aa` measures how often that alarms on this machine."
            ));
            if pairs.by == By::Request {
                notes.push(HALF_THE_LOAD.to_owned());
            }
            if pairs.left_out_s > 0.0 {
                notes.push(format!(
                    "{} of all blocks are left out, as requests of the other side were still being \
                     answered.",
                    words::span(pairs.left_out_s)
                ));
            }
        }
        if let Some(caveat) = self.comparison.unit.caveat() {
            notes.push(format!(
                "One run of each: {caveat}. At least three of each show them; five of a minute show \
                 more than one of five minutes."
            ));
        }
        for (metric, reason) in &self.comparison.not_judged {
            notes.push(format!("{metric} is not judged: {reason}."));
        }
        for run in self.base.iter().chain(&self.new) {
            if run.summary.validity.state == plimsoll_monitor::ValidityState::Degraded {
                let reasons = run.summary.validity.reasons.join("; ");
                notes.push(format!("{} is degraded: {reasons}.", run.path.display()));
            }
        }
        notes
    }

    fn needed(&self, finding: &Finding) -> String {
        if finding.answer != Answer::Inconclusive {
            return String::new();
        }
        let Some(needed) = finding.needed else {
            return "how much more would decide cannot be told from so little".to_owned();
        };
        match self.comparison.unit {
            Unit::Blocks => format!(
                "{} of each would decide, that is {} more",
                words::counted(needed, "further block"),
                words::span(needed as f64 * self.comparison.unit_s)
            ),
            Unit::Runs => {
                format!("{} of each would decide", words::counted(needed, "further run"))
            }
            Unit::Pairs if self.pairs.is_some() => {
                format!("{} would decide (`--pairs`)", words::counted(needed, "further pair"))
            }
            Unit::Pairs => format!("{} would decide", words::counted(needed, "further pair")),
        }
    }

    fn rows(&self) -> Vec<Row> {
        let findings = self.comparison.findings.iter();
        findings.map(|finding| Row::new(finding, self.needed(finding))).collect()
    }
}

/// What a terminal shows.
pub(crate) fn text(compared: &Compared) -> String {
    let mut text = format!(
        "{}: {} ({})\n\n",
        compared.scenario(),
        compared.comparison.answer.name(),
        compared.units()
    );
    for row in compared.rows() {
        let Row { metric, base, new, change, interval, answer, .. } = &row;
        let _ = writeln!(
            text,
            "  {metric:<11} {base:>9} → {new:<9} {change:>9}  {interval:<22} {answer}"
        );
        if !row.detail.is_empty() {
            let _ = writeln!(text, "              {}", row.detail);
        }
    }
    for note in compared.notes() {
        let _ = write!(text, "\n{note}");
    }
    text
}

/// What a pull request shows.
pub(crate) fn markdown(compared: &Compared) -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace(['\n', '\r'], " ");
    let mut text = format!(
        "### {}: {}\n\nCompared: {}.\n\n| Metric | Base | New | Change | Interval | Margin | Answer |\n\
         |---|--:|--:|--:|---|--:|---|\n",
        cell(compared.scenario()),
        compared.comparison.answer.name(),
        compared.units()
    );
    for row in compared.rows() {
        let detail =
            if row.detail.is_empty() { String::new() } else { format!(" ({})", row.detail) };
        let Row { metric, base, new, change, interval, margin, answer, .. } = &row;
        let _ = writeln!(
            text,
            "| {metric} | {base} | {new} | {change} | {interval} | ±{margin} | **{answer}**{detail} |"
        );
    }
    for note in compared.notes() {
        let _ = write!(text, "\n- {}", cell(&note));
    }
    text
}

/// `JUnit`'s XML: a regression is a failure, what is inconclusive an error, so that no server shows
/// it as passed.
pub(crate) fn junit(compared: &Compared) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new(compared.scenario());
    for (finding, row) in compared.comparison.findings.iter().zip(compared.rows()) {
        let message = row.sentence();
        let other = |kind, ty: &str| {
            let mut status = TestCaseStatus::non_success(kind);
            status.set_type(ty).set_message(message.as_str()).set_description(message.as_str());
            status
        };
        let status = match finding.answer {
            Answer::NoChange | Answer::Improved => TestCaseStatus::success(),
            Answer::Regressed => other(NonSuccessKind::Failure, "regressed"),
            Answer::Inconclusive => other(NonSuccessKind::Error, "inconclusive"),
        };
        let mut case = TestCase::new(row.metric, status);
        case.set_classname(format!("plimsoll.compare.{}", compared.scenario()));
        suite.add_test_case(case);
    }
    for (metric, reason) in &compared.comparison.not_judged {
        let mut status = TestCaseStatus::skipped();
        status.set_message(reason.to_string());
        suite.add_test_case(TestCase::new(metric.name(), status));
    }
    let mut report = Report::new("plimsoll");
    report.add_test_suite(suite);
    report.to_string()
}

#[derive(Debug, Template)]
#[template(path = "comparison.html")]
struct Page<'a> {
    scenario: &'a str,
    answer: &'static str,
    class: &'static str,
    symbol: &'static str,
    units: String,
    exit_code: u8,
    notes: Vec<String>,
    rows: Vec<Row>,
    charts: Vec<Chart>,
    base: &'a [Recording],
    new: &'a [Recording],
}

/// The page: it refers to nothing outside itself and needs no script.
pub(crate) fn page(compared: &Compared) -> Result<String, askama::Error> {
    let (class, symbol) = table::class(compared.comparison.answer);
    let page = Page {
        scenario: compared.scenario(),
        answer: compared.comparison.answer.name(),
        class,
        symbol,
        units: compared.units(),
        exit_code: compared.exit_code,
        notes: compared.notes(),
        rows: compared.rows(),
        charts: charts::all(compared),
        base: &compared.base,
        new: &compared.new,
    };
    page.render()
}
