//! Rules about the repository's own text that neither rustc nor clippy can check.
//!
//! A rule without a check decays, so each rule that CONTRIBUTING.md states has its check here. A failure names the file, the line,
//! the rule and why there is such a rule. Each checker is a pure function over text, and has a test on a bad snippet that
//! shows that it can fail.
//!
//! Limits: the checks read tokens and text, not types. A renamed import (`use hyper as h`) is still seen where it is
//! imported; a crate that re-exports another is not seen through.

mod furniture;
mod graph;
mod metrics;
mod repository;
mod source;
mod text;

use std::fmt;

/// One broken rule at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    file: String,
    line: usize,
    rule: String,
    why: String,
}

impl Finding {
    fn new(file: &str, line: usize, rule: impl Into<String>, why: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, rule: rule.into(), why: why.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} ({})", self.file, self.line, self.rule, self.why)
    }
}

/// Fails the test with every finding at once, so that one run shows all there is to mend.
fn assert_tidy(findings: &[Finding]) {
    let list: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{} broken rules:\n{}", list.len(), list.join("\n"));
}
