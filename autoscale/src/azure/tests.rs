//! Worked examples of Azure's pages, each with its source; and what holds of every evaluation.

mod examples;
mod laws;
mod profiles;
mod reading;

use std::fmt::Write;

use jiff::Timestamp;

use super::{Parameters, Setting, decide};
use crate::{Decision, Metric, Rules, RulesFile, State};

/// A setting of one default profile, from short conditions: `Cpu > 70 avg 5m: out 2, 5m`.
fn setting(capacity: (u32, u32, u32), rules: &[&str]) -> Setting {
    let (minimum, maximum, default) = capacity;
    let mut script = format!(
        "az monitor autoscale create -n s --min-count {minimum} --max-count {maximum} --count {default}\n"
    );
    for rule in rules {
        let (condition, action) = rule.split_once(": ").expect("`condition: action`");
        let (scale, cooldown) = action.split_once(", ").unwrap_or((action, "5"));
        let _ = writeln!(
            script,
            "az monitor autoscale rule create --condition \"{condition}\" --scale {scale} --cooldown {cooldown}"
        );
    }
    let file = RulesFile::parse("s.sh", &script).unwrap_or_else(|problems| panic!("{problems}"));
    let Rules::Azure(setting) = file.rules else { panic!("it is a setting of Azure") };
    setting
}

fn moment(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// A state in which metrics have these values over any window.
fn state(replicas: u32, values: &[(&str, f64)]) -> State {
    let metrics = values.iter().map(|(name, value)| Metric {
        name: (*name).to_owned(),
        resource: None,
        dimensions: std::collections::BTreeMap::new(),
        value: Some(*value),
        points: Vec::new(),
    });
    State {
        now: moment("2026-11-28T10:00:00Z"),
        replicas,
        instances: Vec::new(),
        in_progress: false,
        metrics: metrics.collect(),
        memory: crate::Memory::default(),
    }
}

fn asked(setting: &Setting, state: &State) -> Decision {
    decide(setting, Parameters::default(), state)
}
