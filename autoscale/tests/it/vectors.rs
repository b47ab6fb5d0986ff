//! Others' published test tables, through the path that `plimsoll autoscale decide` uses.
//!
//! Each line of a file in `tests/vectors` is one case in our own form: where it comes from, the
//! rules, the state, and what must come out; `then` goes on with what the engine remembers. The
//! values are those of the tests that are named; the first `now` is 2026-01-01T00:00:00Z.

use plimsoll_autoscale::azure::Parameters;
use plimsoll_autoscale::{Decision, RulesFile, State};
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
    #[serde(default)]
    then: Vec<Next>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Next {
    /// Other rules from now on.
    rules: Option<Value>,
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
    /// A step by its name, and the count that it asks for.
    #[serde(default)]
    step: Option<(String, u32)>,
    /// The rules cannot be used; they are told to be wrong when they are read.
    #[serde(default)]
    refused: bool,
    /// The first step has no value.
    #[serde(default)]
    silent: bool,
    /// What is remembered, or a part of it.
    #[serde(default)]
    memory: Option<Value>,
    /// The metric cannot be read.
    #[serde(default)]
    failed: bool,
}

impl Expect {
    fn fits(&self, decision: &Decision) -> bool {
        let counts = self.replicas.is_some() || self.proposal.is_some() || self.step.is_some();
        assert!(
            counts || self.value.is_some() || self.silent || self.failed || self.refused,
            "nothing is expected"
        );
        let first = decision.steps.first();
        let same = |wanted: f64| {
            first.and_then(|step| step.value).is_some_and(|value| (value - wanted).abs() < 1e-9)
        };
        let step = |(what, count): &(String, u32)| {
            let mut steps = decision.steps.iter();
            steps.any(|step| step.what == *what && step.replicas == Some(*count))
        };
        !self.refused
            && self.replicas.is_none_or(|wanted| wanted == decision.replicas)
            && self.proposal.is_none_or(|wanted| first.and_then(|s| s.replicas) == Some(wanted))
            && self.value.is_none_or(same)
            && self.step.as_ref().is_none_or(step)
            && (!self.silent || first.is_some_and(|step| step.value.is_none()))
            && self.memory.as_ref().is_none_or(|part| {
                let whole = serde_json::to_value(&decision.memory).expect("it is JSON");
                within(part, &whole)
            })
            && (!self.failed || first.is_some_and(|step| step.replicas.is_none()))
    }
}

/// Whether all of `part` is in `whole`.
fn within(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| within(part, whole)))
        }
        _ => part == whole,
    }
}

/// Runs every case of a file; all that differ are told. There are `count` expectations in it.
fn run(text: &str, count: usize) {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for line in text.lines() {
        let vector: Vector = serde_json::from_str(line).expect(line);
        let place =
            format!("{} {} ({})", vector.source, vector.test, vector.note.unwrap_or_default());
        let first = Next { rules: Some(vector.rules), state: vector.state, expect: vector.expect };
        let (mut rules, mut memory) = (Value::Null, None);
        for next in [first].into_iter().chain(vector.then) {
            rules = next.rules.unwrap_or(rules);
            let mut state = next.state;
            state.memory = memory.unwrap_or(state.memory);
            memory = None;
            let text = serde_json::to_string_pretty(&rules).expect("it is JSON");
            seen += 1;
            match RulesFile::parse(&vector.test, &text) {
                Ok(file) => {
                    let decision = file.rules.decide(Parameters::default(), &state);
                    if !next.expect.fits(&decision) {
                        wrong.push(format!("{place} at {}: {decision:#?}\n{line}", state.now));
                    }
                    memory = Some(decision.memory);
                }
                Err(_) if next.expect.refused => {}
                Err(problems) => wrong.push(format!("{place}: {problems}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {seen} differ:\n{}", wrong.len(), wrong.join("\n\n"));
    assert_eq!(seen, count);
}

#[test]
fn kubernetes_decides_alike() {
    run(include_str!("../vectors/hpa.jsonl"), 223);
}

#[test]
fn knative_decides_alike() {
    run(include_str!("../vectors/knative.jsonl"), 95);
}

#[test]
fn keda_decides_alike() {
    run(include_str!("../vectors/keda.jsonl"), 52);
}
