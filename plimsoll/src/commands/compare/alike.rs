//! Whether runs may be compared at all: the same scenario under the same load with the same
//! objectives, all measured or all simulated, and none of them twice.

use std::collections::BTreeSet;

use plimsoll_study::interleave::By;

use crate::results::recording::Recording;

/// Target rates within this share of one another are the same.
const SAME_RATE: f64 = 0.01;
/// Lengths of a stage too, where the load changes with time, or within this many seconds.
const SAME_LENGTH: (f64, f64) = (0.02, 1.5);

/// Checks every run against the first.
///
/// # Errors
/// A sentence with both folders and what is different.
pub(super) fn check(base: &[Recording], new: &[Recording]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    let first = &base[0];
    for run in base.iter().chain(new) {
        if !seen.insert(run.summary.run.id.as_str()) {
            let (path, id) = (run.path.display(), &run.summary.run.id);
            return Err(format!(
                "`{path}` holds run {id}, which was given already: a run cannot be compared with \
                 itself; give folders of different runs"
            ));
        }
        if let Some((what, left, right)) = difference(first, run) {
            return Err(format!(
                "`{}` and `{}` cannot be compared: {what} ({left} and {right}); give runs of the \
                 same scenario, unchanged",
                first.path.display(),
                run.path.display()
            ));
        }
    }
    Ok(())
}

fn difference(one: &Recording, other: &Recording) -> Option<(&'static str, String, String)> {
    let told = |what, left: &str, right: &str| {
        (left != right).then(|| (what, left.to_owned(), right.to_owned()))
    };
    let kind = |of: &Recording| if of.summary.is_simulated() { "simulated" } else { "measured" };
    let name = |of: &Recording| of.summary.scenario.name.clone();
    let objectives = |of: &Recording| {
        let names: Vec<&str> =
            of.summary.objectives.iter().map(|objective| objective.name.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    told("one was simulated and the other measured", kind(one), kind(other))
        .or_else(|| told("they took turns with others in another way", turns(one), turns(other)))
        .or_else(|| told("they are of different scenarios", &name(one), &name(other)))
        .or_else(|| told("their requests differ", &requests(one), &requests(other)))
        .or_else(|| load(one, other))
        .or_else(|| told("their objectives differ", &objectives(one), &objectives(other)))
}

fn turns(run: &Recording) -> &'static str {
    match run.summary.interleaved.as_ref().map(|interleaved| interleaved.by) {
        None => "alone",
        Some(By::Block) => "by block",
        Some(By::Request) => "by request",
    }
}

fn requests(run: &Recording) -> String {
    let names: BTreeSet<&str> =
        run.summary.keys.iter().filter(|key| !key.warmup).map(|key| key.request.as_str()).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// A stage as it was driven.
#[derive(Debug, Default)]
struct Stage {
    name: String,
    seconds: f64,
    /// Target rates times seconds.
    arrivals: f64,
    least: f64,
    most: f64,
}

impl Stage {
    fn rate(&self) -> f64 {
        if self.seconds > 0.0 { self.arrivals / self.seconds } else { 0.0 }
    }

    fn is_steady(&self) -> bool {
        same(self.least, self.most, SAME_RATE)
    }
}

fn stages(run: &Recording) -> Vec<Stage> {
    let mut stages = Vec::<Stage>::new();
    for row in run.rows.iter().filter(|row| row.phase == "measured") {
        if stages.last().is_none_or(|last| last.name != row.stage) {
            let (least, name) = (f64::INFINITY, row.stage.clone());
            stages.push(Stage { name, least, ..Stage::default() });
        }
        let last = stages.last_mut().expect("one was pushed");
        last.seconds += row.length_s;
        last.arrivals += row.target_rps * row.length_s;
        // A part of an interval says little of a ramp's rate.
        if row.length_s >= 0.5 {
            last.least = last.least.min(row.target_rps);
            last.most = last.most.max(row.target_rps);
        }
    }
    stages
}

/// The rates of every stage; their lengths too, unless one steady stage is all there is.
fn load(one: &Recording, other: &Recording) -> Option<(&'static str, String, String)> {
    let (left, right) = (stages(one), stages(other));
    let steady = left.len() == 1 && left[0].is_steady() && right.iter().all(Stage::is_steady);
    let alike = |a: &Stage, b: &Stage| {
        let length = (a.seconds - b.seconds).abs() <= SAME_LENGTH.1
            || same(a.seconds, b.seconds, SAME_LENGTH.0);
        a.name == b.name && same(a.rate(), b.rate(), SAME_RATE) && (steady || length)
    };
    let all = left.len() == right.len() && left.iter().zip(&right).all(|(a, b)| alike(a, b));
    (!all).then(|| ("their load differs", told(&left), told(&right)))
}

fn same(one: f64, other: f64, share: f64) -> bool {
    (one - other).abs() <= share * one.abs().max(other.abs())
}

fn told(stages: &[Stage]) -> String {
    let of = |stage: &Stage| {
        format!("{} of {:.0}/s for {:.0} s", stage.name, stage.rate(), stage.seconds)
    };
    stages.iter().map(of).collect::<Vec<_>>().join(", ")
}
