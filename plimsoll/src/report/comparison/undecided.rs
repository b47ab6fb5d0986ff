//! Sides that were measured and cannot be compared: told where the comparison would be, so that no
//! server takes its absence for a success.

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value, json};

use super::SCHEMA;

/// Nothing can be said.
#[derive(Debug)]
pub(crate) struct Undecided {
    pub(crate) scenario: String,
    /// Why, and what would help.
    pub(crate) reason: String,
    pub(crate) exit_code: u8,
}

impl Undecided {
    /// In the place of a comparison.
    pub(crate) fn json(&self) -> Value {
        json!({
            "schema": SCHEMA,
            "scenario": self.scenario,
            "answer": "inconclusive",
            "reason": self.reason,
            "findings": [],
            "exit_code": self.exit_code,
        })
    }

    /// For a pull request.
    pub(crate) fn markdown(&self) -> String {
        let line = |text: &str| text.replace(['\n', '\r'], " ");
        format!("### {}: inconclusive\n\n{}\n", line(&self.scenario), line(&self.reason))
    }

    /// One test case, an error.
    pub(crate) fn junit(&self) -> Result<String, SerializeError> {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type("inconclusive").set_message(&*self.reason).set_description(&*self.reason);
        let mut case = TestCase::new("comparison", status);
        case.set_classname(format!("plimsoll.compare.{}", self.scenario));
        let mut suite = TestSuite::new(&*self.scenario);
        suite.add_test_case(case);
        let mut report = Report::new("plimsoll");
        report.add_test_suite(suite);
        report.to_string()
    }
}
