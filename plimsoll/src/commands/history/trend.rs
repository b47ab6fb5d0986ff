//! `plimsoll history trend`: a metric over the nights, and when it changed.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use plimsoll_study::compare::{Metric, Settings};
use plimsoll_study::history;

use super::last;
use crate::commands::compare::Margin;
use crate::exit::Exit;
use crate::history::History;
use crate::report::trend::{Trends, page, text};
use crate::view;

/// `plimsoll history trend`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of the history
    pub dir: PathBuf,

    /// Of which scenario [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub scenario: Option<String>,

    /// What is looked at, such as p99; may be repeated [default: all]
    #[arg(long = "metric", value_name = "METRIC")]
    pub metrics: Vec<Metric>,

    /// A change that does not matter, such as `p99=5%`; of shares in percentage points
    #[arg(long = "margin", value_name = "METRIC=PERCENT")]
    pub margins: Vec<Margin>,

    /// Write a page with a chart of each metric, in one file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let history = match History::read(&args.dir) {
        Ok(history) => history,
        Err(error) => {
            view::error(&error);
            return Ok(Exit::Usage);
        }
    };
    let newest = match last(&history, args.scenario.as_deref()) {
        Ok(newest) => newest,
        Err(reason) => {
            view::note(&format!("error: {reason}"));
            return Ok(Exit::Usage);
        }
    };
    let series = history.series(&newest.outline());
    for reason in &series.left_out {
        view::note(&format!("note: {reason}"));
    }
    let settings = Settings {
        margins: args.margins.iter().map(|margin| (margin.metric, margin.share)).collect(),
        ..Settings::default()
    };
    let is_asked = |metric: &Metric| args.metrics.is_empty() || args.metrics.contains(metric);
    let trend = |metric: Metric| {
        let values: Vec<_> = series.nights.iter().map(|night| night.value(metric)).collect();
        history::trend(metric, &values, settings.margin(metric))
    };
    let metrics = Metric::ALL.into_iter().filter(is_asked).map(trend).collect();
    let trends = Trends { nights: series.nights, left_out: series.left_out, metrics };
    if let Some(path) = &args.html {
        let html = page(&trends).context("the page cannot be composed")?;
        crate::commands::compare::write(path, &html)?;
    }
    if args.json {
        view::json(&trends.json())?;
    } else {
        view::print(&text(&trends));
    }
    Ok(Exit::Success)
}
