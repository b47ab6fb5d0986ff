//! Others' published test tables, through the path that `plimsoll autoscale decide` uses.
//!
//! Each line of a file in `tests/vectors` is one case in our own form: where it comes from, the
//! rules, the state, and what must come out. The values are those of the tests that are named;
//! moments are given for a `now` of 2026-01-01T00:00:00Z.

use plimsoll_autoscale::{Decision, State};
use plimsoll_document::{Document, Problems};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    /// Module, version and file.
    source: String,
    /// The test in it, and the case.
    test: String,
    /// What of the test could not be said in our form, and how it is said instead.
    #[serde(default)]
    note: Option<String>,
    rules: Value,
    state: State,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// The count that is wanted.
    #[serde(default)]
    replicas: Option<u32>,
    /// What the metric alone asks for: of the first step.
    #[serde(default)]
    proposal: Option<u32>,
    /// The first step's value.
    #[serde(default)]
    value: Option<f64>,
    /// The rules cannot be used; they are told to be wrong when they are read.
    #[serde(default)]
    refused: bool,
    /// The metric cannot be read.
    #[serde(default)]
    failed: bool,
}

/// Runs every case of a file; all that differ are told.
fn run(text: &str, least: usize, decide: impl Fn(&Document, &State) -> Result<Decision, Problems>) {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in text.lines().filter(|line| !line.is_empty()) {
        let vector: Vector = serde_json::from_str(line).expect(line);
        let rules = serde_json::to_string_pretty(&vector.rules).expect("it is JSON");
        let document = Document::parse(&vector.test, &rules).expect(&rules);
        let decision = match decide(&document, &vector.state) {
            Ok(decision) => decision,
            Err(problems) => {
                if !vector.expect.refused {
                    wrong.push(format!("{} {}: {problems}", vector.source, vector.test));
                }
                count += 1;
                continue;
            }
        };
        let first = decision.steps.first();
        let expect = &vector.expect;
        let fits = !expect.refused
            && expect.replicas.is_none_or(|replicas| replicas == decision.replicas)
            && expect.proposal.is_none_or(|wanted| first.and_then(|s| s.replicas) == Some(wanted))
            && expect.value.is_none_or(|wanted| {
                first.and_then(|s| s.value).is_some_and(|value| (value - wanted).abs() < 1e-9)
            })
            && (!expect.failed || first.is_some_and(|step| step.replicas.is_none()));
        assert!(
            expect.failed
                || expect.refused
                || expect.replicas.is_some()
                || expect.proposal.is_some(),
            "{} {} expects nothing ({:?})",
            vector.source,
            vector.test,
            vector.note
        );
        if !fits {
            wrong.push(format!("{} {}: {line}\n{decision:#?}", vector.source, vector.test));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(count >= least, "{count} cases; there were {least}");
}

#[test]
fn kubernetes_decides_alike() {
    run(include_str!("../vectors/hpa.jsonl"), 223, |document, state| {
        Ok(plimsoll_autoscale::hpa::read(document)?.decide(state))
    });
}
