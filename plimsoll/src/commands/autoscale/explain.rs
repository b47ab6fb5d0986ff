//! `plimsoll autoscale explain`: a metric history replayed through rules.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use plimsoll_autoscale::azure::{Parameters, When};
use plimsoll_autoscale::{
    Evaluation, Held, Plan, Replayed, Rules, RulesFile, Samples, backtest, record_line, replay,
};
use plimsoll_document::Problems;
use plimsoll_domain::plain;
use plimsoll_domain::units::parse_duration;

use super::{Assumed, means_nothing, rows, text};
use crate::exit::Exit;
use crate::{report, view};

/// `plimsoll autoscale explain --rules FILE --metrics FILE`
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("input").required(true))]
pub struct Args {
    /// The rules, as `plimsoll autoscale decide` takes them
    #[arg(long, value_name = "FILE")]
    pub rules: PathBuf,

    /// The history as CSV: `time,metric,value`, and `instance`, `resource`, `dimension=NAME` if there
    /// are any; `-` for standard input
    #[arg(long, value_name = "FILE", group = "input")]
    pub metrics: Option<PathBuf>,

    /// Decide again what a record holds, and compare to the byte; exit code 3 if a decision differs
    #[arg(long, value_name = "FILE", group = "input", conflicts_with_all = ["record", "html", "json", "start", "replicas", "provisioning", "assume"])]
    pub replay: Option<PathBuf>,

    /// When a history of offsets starts: profiles go by the time of day and the day of the week
    #[arg(long, value_name = "TIME")]
    pub start: Option<Timestamp>,

    /// How many instances there are at the beginning [default: the default count of the rules]
    #[arg(long, value_name = "COUNT")]
    pub replicas: Option<u32>,

    /// How long a change is under way; no rule acts until then
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "0s")]
    pub provisioning: Duration,

    /// What is assumed.
    #[command(flatten)]
    pub assumed: Assumed,

    /// Print JSON instead of a table: every evaluation with all its values
    #[arg(long)]
    pub json: bool,

    /// Write a page with charts, all in one file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Write a record, which `--replay` decides again
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let parameters = match args.assumed.parameters() {
        Ok(parameters) => parameters,
        Err(wrong) => {
            view::note(&format!("error: {wrong}"));
            return Ok(Exit::Usage);
        }
    };
    match (&args.metrics, &args.replay) {
        (Some(metrics), _) => history(args, metrics, parameters),
        (None, Some(record)) => Ok(again(args, record)),
        (None, None) => Ok(Exit::Usage),
    }
}

fn history(args: &Args, metrics: &Path, parameters: Parameters) -> Result<Exit> {
    let mut problems = Problems::new();
    let file = RulesFile::open(&args.rules).map_err(|found| problems.append(found)).ok();
    let start = args.start.unwrap_or(Timestamp::UNIX_EPOCH);
    let samples = text(metrics).and_then(|(name, text)| Samples::read(&name, &text, start));
    let samples = samples.map_err(|found| problems.append(found)).ok();
    let (file, samples) = match problems.or(file.zip(samples)) {
        Ok(read) => read,
        Err(problems) => {
            view::problems(&problems);
            return Ok(Exit::Usage);
        }
    };
    if samples.offsets && args.start.is_none() && goes_by_the_calendar(&file.rules) {
        view::note(
            &"error: profiles of these rules go by the calendar, and the history by offsets; say when \
              it starts, such as `--start 2026-11-28T00:00:00Z`",
        );
        return Ok(Exit::Usage);
    }
    if !samples.offsets && args.start.is_some() {
        view::note(&"error: --start is for a history of offsets; this one says its times itself");
        return Ok(Exit::Usage);
    }
    for note in samples.gaps.iter().cloned().chain(strangers(&file.rules, &samples)) {
        view::note(&format!("note: {note}"));
    }
    let kind = file.rules.kind();
    let is_slow = !args.provisioning.is_zero();
    if means_nothing(!args.assumed.assume.is_empty(), "--assume", kind)
        || means_nothing(is_slow, "--provisioning", kind)
    {
        return Ok(Exit::Usage);
    }
    let provisioning_s = u32::try_from(args.provisioning.as_secs()).unwrap_or(u32::MAX);
    let plan = Plan { replicas: args.replicas, provisioning_s, parameters };
    let all = backtest(&file.rules, &samples, plan);
    if let Some(path) = &args.record {
        let line = |one: &Evaluation| record_line(parameters, &one.state, &one.decision) + "\n";
        write(path, &all.iter().map(line).collect::<String>())?;
    }
    if let Some(path) = &args.html {
        let name = args.rules.display().to_string();
        write(path, &report::autoscale_page(&name, &all)?)?;
    }
    if args.json {
        view::json(&all.iter().map(evaluation).collect::<Vec<_>>())?;
    } else {
        view::print(&table(&all));
    }
    Ok(Exit::Success)
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn goes_by_the_calendar(rules: &Rules) -> bool {
    match rules {
        Rules::Azure(setting) => setting.profiles.iter().any(|p| p.when != When::Default),
        Rules::ScaledObject(object) => object.goes_by_the_calendar(),
        Rules::Hpa(_) | Rules::Knative(_) | Rules::Utilization(_) => false,
    }
}

/// Metrics of the history that no rule of Azure's looks at, and of such rules that the history has
/// not; other engines say in their steps what they miss.
fn strangers(rules: &Rules, samples: &Samples) -> Vec<String> {
    let Rules::Azure(setting) = rules else { return Vec::new() };
    let mut wanted: Vec<&str> = Vec::new();
    for rule in setting.profiles.iter().flat_map(|profile| &profile.rules) {
        if !wanted.iter().any(|name| name.eq_ignore_ascii_case(&rule.metric)) {
            wanted.push(&rule.metric);
        }
    }
    let mut given: Vec<&str> = samples.series.iter().map(|series| series.name.as_str()).collect();
    given.sort_unstable();
    given.dedup();
    let among = |name: &str, all: &[&str]| all.iter().any(|other| other.eq_ignore_ascii_case(name));
    let missing = wanted.iter().filter(|name| !among(name, &given));
    let missing = missing.map(|name| format!("the history has no metric `{name}`"));
    let unused = given.iter().filter(|name| !among(name, &wanted));
    let unused = unused.map(|name| format!("no rule looks at the metric `{name}`"));
    missing.chain(unused).collect()
}

fn evaluation(one: &Evaluation) -> serde_json::Value {
    let Evaluation { state, decision } = one;
    serde_json::json!({
        "now": state.now,
        "replicas": state.replicas,
        "in_progress": state.in_progress,
        "memory": state.memory,
        "decision": decision,
    })
}

fn table(all: &[Evaluation]) -> String {
    let mut lines = vec![
        ["time", "instances", "rules alone", "held back by", "why"].map(str::to_owned).to_vec(),
    ];
    for Evaluation { state, decision } in all {
        let why: Vec<String> = decision
            .steps
            .iter()
            .filter(|step| step.what != "profile")
            .map(|step| match step.value {
                Some(value) => format!("{} = {}: {}", step.what, rows::number(value), step.result),
                None => format!("{}: {}", step.what, step.result),
            })
            .collect();
        lines.push(vec![
            state.now.to_string(),
            rows::change(state.replicas, decision.replicas),
            decision.unguarded.to_string(),
            decision.held.map_or("–", Held::words).to_owned(),
            plain::line(&why.join("; ")).into_owned(),
        ]);
    }
    let changes = all.iter().filter(|one| one.decision.replicas != one.state.replicas).count();
    format!("{}\n\n{} evaluations, {changes} changes", rows::columns(&lines), all.len())
}

fn again(args: &Args, record: &Path) -> Exit {
    let mut problems = Problems::new();
    let file = RulesFile::open(&args.rules).map_err(|found| problems.append(found)).ok();
    let read = text(record).map_err(|found| problems.append(found)).ok();
    let (file, (name, text)) = match problems.or(file.zip(read)) {
        Ok(read) => read,
        Err(problems) => {
            view::problems(&problems);
            return Exit::Usage;
        }
    };
    match replay(&file.rules, &name, &text) {
        Ok(Replayed { count, differs: None }) => {
            view::print(&format!("{count} decisions, all equal to the byte"));
            Exit::Success
        }
        Ok(Replayed { differs: Some((line, now)), .. }) => {
            view::print(&format!("{name}:{line}: another decision now:\n{now}"));
            Exit::Breached
        }
        Err((line, why)) => {
            view::note(&format!("error: {name}:{line}: this is no line of a record: {why}"));
            Exit::Usage
        }
    }
}
