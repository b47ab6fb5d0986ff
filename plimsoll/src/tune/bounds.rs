//! What a search may change in rules, and what it tries them on: the file of `--within`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll_document::{Document, Problems, Value};
use plimsoll_domain::units::parse_duration;
use plimsoll_study::tune::{Candidate, Parameter, Space};
use schemars::JsonSchema;
use serde::Deserialize;

use super::editable::Editable;
use crate::scenario::FORMATS;

/// Values of one parameter at most.
const MOST_VALUES: f64 = 1000.0;
/// How many seeds every load is tried with, unless the file says it.
const SEEDS: u32 = 2;

/// Bounds as they are written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawBounds {
    /// What may be changed in the rules.
    #[schemars(required, length(min = 1))]
    parameters: Option<Vec<RawParameter>>,
    /// Recorded loads to search on; the scenario's own load if absent.
    traces: Option<Vec<RawTrace>>,
    /// Recorded loads that the search never sees, and that the choice is made on; if absent, the same
    /// loads with other arrivals.
    held_out: Option<Vec<RawTrace>>,
    /// With how many seeds each load is tried; 2 if absent.
    #[schemars(range(min = 1, max = 100))]
    seeds: Option<u32>,
    /// How long a load may violate objectives, in rule time; not at all if absent.
    #[schemars(extend("format" = "time-span"))]
    allowed_violation: Option<String>,
}

/// A value of the rules that may be another.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawParameter {
    /// What people call it; the path if absent.
    name: Option<String>,
    /// Where it stands in the file of the rules, as a JSON Pointer such as
    /// `/properties/profiles/0/rules/0/metricTrigger/threshold`.
    #[schemars(required)]
    path: Option<String>,
    /// The least number that it may be.
    from: Option<f64>,
    /// The greatest.
    to: Option<f64>,
    /// From one number to the next.
    step: Option<f64>,
    /// All that it may be, neighbours beside each other, instead of `from`, `to` and `step`.
    #[schemars(length(min = 1))]
    values: Option<Vec<serde_json::Value>>,
}

/// A recorded load.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTrace {
    /// The file, as `load.trace.file` of a scenario takes it; relative to this file.
    #[schemars(required)]
    file: Option<String>,
    /// So many times as fast; 1 if absent.
    #[schemars(range(min = 0.001, max = 100_000))]
    speed: Option<f64>,
    /// So many times the arrivals; 1 if absent.
    #[schemars(range(min = 0.000_001, max = 1000))]
    scale: Option<f64>,
}

/// A recorded load, and where the bounds name it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Load {
    pub(crate) file: PathBuf,
    pub(crate) speed: f64,
    pub(crate) scale: f64,
    pub(crate) at: String,
}

/// Bounds that fit the rules.
#[derive(Debug)]
pub(crate) struct Bounds {
    pub(crate) document: Document,
    pub(crate) space: Space,
    /// Of each parameter, where it stands in the rules.
    pub(crate) paths: Vec<String>,
    /// The rules as they are.
    pub(crate) current: Candidate,
    pub(crate) traces: Vec<Load>,
    pub(crate) held_out: Vec<Load>,
    pub(crate) seeds: u32,
    pub(crate) allowed: Duration,
}

/// Reads the bounds for these rules.
///
/// # Errors
/// All that is wrong with them.
pub(crate) fn read(path: &Path, rules: &Editable) -> Result<Bounds, Problems> {
    let document = Document::open(path)?;
    let mut problems = Problems::new();
    let raw: Option<RawBounds> = document.read(FORMATS, &mut problems);
    let Some(raw) = raw else { return Err(problems) };
    let folder = path.parent().unwrap_or(Path::new(""));
    let (mut parameters, mut paths, mut current) = (Vec::new(), Vec::new(), Vec::new());
    for (index, raw) in raw.parameters.into_iter().flatten().enumerate() {
        let at = format!("/parameters/{index}");
        let Some(path) = raw.path.clone() else { continue };
        let read = if paths.contains(&path) {
            Err(("/path", format!("`{path}` is there twice")))
        } else {
            parameter(raw, rules, &path)
        };
        match read {
            Ok((parameter, place)) => {
                parameters.push(parameter);
                current.push(place);
                paths.push(path);
            }
            Err((member, what)) => {
                problems.push(document.problem_at(&format!("{at}{member}"), what));
            }
        }
    }
    let load = |key: &str, index: usize, raw: RawTrace| {
        Some(Load {
            file: folder.join(raw.file?),
            speed: raw.speed.unwrap_or(1.0),
            scale: raw.scale.unwrap_or(1.0),
            at: format!("/{key}/{index}/file"),
        })
    };
    let loads = |key: &str, raw: Option<Vec<RawTrace>>| -> Vec<Load> {
        let all = raw.into_iter().flatten().enumerate();
        all.filter_map(|(index, raw)| load(key, index, raw)).collect()
    };
    let traces = loads("traces", raw.traces);
    let held_out = loads("held_out", raw.held_out);
    let allowed = raw.allowed_violation.and_then(|text| parse_duration(&text).ok());
    let space = Space::new(parameters);
    if let Err(why) = &space
        && problems.is_empty()
    {
        problems.push(document.problem_at("/parameters", why.to_string()));
    }
    let space = problems.or(space.ok())?;
    Ok(Bounds {
        document,
        space,
        paths,
        current: Candidate(current),
        traces,
        held_out,
        seeds: raw.seeds.unwrap_or(SEEDS),
        allowed: allowed.unwrap_or_default(),
    })
}

/// A parameter, and where the rules as they are stand in it; else the member that is wrong, and what is.
fn parameter(
    raw: RawParameter,
    rules: &Editable,
    path: &str,
) -> Result<(Parameter, usize), (&'static str, String)> {
    let now = rules.value(path).map_err(|why| ("/path", why))?;
    let values = values(raw.from, raw.to, raw.step, raw.values).map_err(|why| ("", why))?;
    let place = values.iter().position(|value| is_same(value, &now)).ok_or_else(|| {
        let what = format!(
            "these bounds exclude the rules as they are: `{path}` is {now} in {}, which is none of \
             {}; add it",
            rules.file(),
            words(&values)
        );
        ("", what)
    })?;
    Ok((Parameter { name: raw.name.unwrap_or_else(|| path.to_owned()), values }, place))
}

/// What a parameter may be.
fn values(
    from: Option<f64>,
    to: Option<f64>,
    step: Option<f64>,
    values: Option<Vec<serde_json::Value>>,
) -> Result<Vec<String>, String> {
    if let Some(values) = values {
        if from.is_some() || to.is_some() || step.is_some() {
            return Err("either `values`, or `from`, `to` and `step`, not both".to_owned());
        }
        let written = values.into_iter().map(|value| match value {
            serde_json::Value::String(text) => Ok(text),
            other => other.as_f64().map(number).ok_or("a value is a number or text"),
        });
        let written: Vec<String> = written.collect::<Result<_, _>>()?;
        let twice = written.iter().enumerate().find(|(place, one)| written[..*place].contains(one));
        return match twice {
            Some((_, value)) => Err(format!("`{value}` is there twice")),
            None => Ok(written),
        };
    }
    let (Some(from), Some(to), Some(step)) = (from, to, step) else {
        return Err("say what it may be: `from`, `to` and `step`, or `values`".to_owned());
    };
    let steps = ((to - from) / step + 1e-9).floor();
    if step.is_nan() || step <= 0.0 || steps.is_nan() || steps < 0.0 {
        return Err("`from` is at most `to`, and `step` is above 0".to_owned());
    }
    if steps >= MOST_VALUES {
        return Err(format!("these are more than {MOST_VALUES} values; take a longer `step`"));
    }
    Ok((0..=steps as u32).map(|place| number(from + step * f64::from(place))).collect())
}

/// A number without the noise of its sum: `0.3`, `70`.
fn number(value: f64) -> String {
    ((value * 1e9).round() / 1e9).to_string()
}

fn is_same(one: &str, other: &str) -> bool {
    one == other || one.parse::<f64>().is_ok_and(|one| other.parse() == Ok(one))
}

fn words(values: &[String]) -> String {
    match values {
        [first, .., last] if values.len() > 8 => {
            format!("{} values from {first} to {last}", values.len())
        }
        all => all.join(", "),
    }
}

/// A scalar as people write it; `None` for what holds others.
pub(super) fn scalar(document: &Document, path: &str) -> Option<String> {
    let node = document.find(path);
    match &node.value {
        Value::Text(text) => Some(text.clone()),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => Some(document.written(node).to_owned()),
        Value::Null | Value::List(_) | Value::Map(_) | Value::Unreadable => None,
    }
}
