//! `plimsoll history list`: the nights.

use std::path::PathBuf;

use anyhow::Result;
use plimsoll_study::compare::Metric;
use serde::Serialize;

use crate::exit::Exit;
use crate::history::{History, words};
use crate::report::trend::metric_value;
use crate::results::night::Night;
use crate::view;

/// `plimsoll history list`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of the history
    pub dir: PathBuf,

    /// Only nights of this scenario
    #[arg(long, value_name = "NAME")]
    pub scenario: Option<String>,

    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// A night as it is listed.
#[derive(Debug, Serialize)]
struct Row<'a> {
    file: String,
    started: &'a str,
    scenario: &'a str,
    commit: Option<&'a str>,
    runs: usize,
    machine: String,
    simulated: bool,
    /// Whether it may be part of a base: no objective was breached.
    good: bool,
    values: &'a std::collections::BTreeMap<String, Option<f64>>,
}

impl<'a> Row<'a> {
    fn new(night: &'a Night) -> Self {
        Self {
            file: night.path.display().to_string(),
            started: night.started(),
            scenario: night.scenario(),
            commit: night.commit.as_deref(),
            runs: night.runs.len(),
            machine: words(&night.runs[0].summary.run.machine),
            simulated: night.runs[0].summary.is_simulated(),
            good: night.is_good(),
            values: &night.values,
        }
    }
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let history = match History::read(&args.dir) {
        Ok(history) => history,
        Err(error) => {
            view::error(&error);
            return Ok(Exit::Usage);
        }
    };
    let wanted =
        |night: &&Night| args.scenario.as_deref().is_none_or(|name| name == night.scenario());
    let nights: Vec<&Night> = history.nights.iter().filter(wanted).collect();
    if args.json {
        let rows: Vec<Row<'_>> = nights.iter().map(|night| Row::new(night)).collect();
        view::json(&rows)?;
        return Ok(Exit::Success);
    }
    if nights.is_empty() {
        view::print(&format!("{} has no such night", args.dir.display()));
        return Ok(Exit::Success);
    }
    for night in nights {
        view::print(&line(night));
    }
    Ok(Exit::Success)
}

fn line(night: &Night) -> String {
    let values = [Metric::P50, Metric::P99, Metric::ErrorRate].map(|metric| {
        let value =
            night.value(metric).map_or("–".to_owned(), |value| metric_value(metric, value));
        format!("{metric} {value}")
    });
    format!(
        "{}  {}  {:<10}  {} {}  {}{}",
        night.started(),
        night.scenario(),
        night.short_commit(),
        night.runs.len(),
        if night.runs.len() == 1 { "run " } else { "runs" },
        values.join("  "),
        if night.is_good() { "" } else { "  breached" }
    )
}
