//! `plimsoll compare`: whether runs got slower, from their results folders.

mod alike;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result};
use plimsoll_study::compare::{Answer, Metric, Run, Settings, compare};

use crate::exit::Exit;
use crate::report::comparison::{Compared, junit, markdown, page, text};
use crate::results::recording::Recording;
use crate::view;

/// `plimsoll compare BASE NEW`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Results folders of the base; the last of two is the new one unless `--new` is given
    #[arg(required = true, value_name = "BASE")]
    pub folders: Vec<PathBuf>,

    /// Results folders of what is new
    #[arg(long, num_args = 1.., value_name = "NEW")]
    pub new: Vec<PathBuf>,

    /// The folders are neighbours in time, in the order in which they ran
    #[arg(long)]
    pub paired: bool,

    /// What must be judged, such as p99; may be repeated [default: all that can be]
    #[arg(long = "metric", value_name = "METRIC")]
    pub metrics: Vec<Metric>,

    /// A change that does not matter, such as `p99=5%`; of shares in percentage points
    #[arg(long = "margin", value_name = "METRIC=PERCENT")]
    pub margins: Vec<Margin>,

    /// One minus the share of false alarms that is accepted
    #[arg(long, default_value = "0.99", value_parser = confidence, value_name = "SHARE")]
    pub confidence: f64,

    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,

    /// Write a summary for a pull request; `-` prints it instead of text
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub markdown: Option<PathBuf>,

    /// Write `junit.xml`, a test case for each metric
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// Write a page with all charts in one file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// A change that does not matter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margin {
    /// Of which metric.
    pub metric: Metric,
    /// As a share.
    pub share: f64,
}

impl FromStr for Margin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (metric, percent) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}` names no metric; write it as `p99=5%`"))?;
        let number = percent.trim().strip_suffix('%').and_then(|number| number.trim().parse().ok());
        let number: f64 = number
            .filter(|number| *number > 0.0 && *number <= 100.0)
            .ok_or_else(|| format!("`{percent}` is no margin; write above 0% and up to 100%"))?;
        Ok(Self { metric: metric.trim().parse()?, share: number / 100.0 })
    }
}

fn confidence(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.8..=0.9999).contains(share));
    share.ok_or_else(|| "write a share from 0.8 to 0.9999, such as 0.99".to_owned())
}

pub(crate) fn run(args: Args) -> Result<Exit> {
    let Args { mut folders, mut new, .. } = args;
    if new.is_empty() {
        if folders.len() != 2 {
            view::note(&"error: give one folder of each, or `--new` before those of what is new");
            return Ok(Exit::Usage);
        }
        new.extend(folders.pop());
    }
    let read = |paths: &[PathBuf]| paths.iter().map(|path| Recording::read(path)).collect();
    let (base, new): (Result<Vec<_>, _>, Result<Vec<_>, _>) = (read(&folders), read(&new));
    let (base, new) = match (base, new) {
        (Ok(base), Ok(new)) => (base, new),
        (base, new) => {
            for refused in [base.err(), new.err()].into_iter().flatten() {
                view::note(&format!("error: {refused}"));
            }
            return Ok(Exit::Usage);
        }
    };
    if let Err(unlike) = alike::check(&base, &new) {
        view::note(&format!("error: {unlike}"));
        return Ok(Exit::Usage);
    }
    let settings = Settings {
        confidence: args.confidence,
        margins: args.margins.iter().map(|margin| (margin.metric, margin.share)).collect(),
        metrics: args.metrics,
        paired: args.paired,
    };
    let runs = |side: &[Recording]| side.iter().map(|one| one.run.clone()).collect::<Vec<Run>>();
    let comparison = match compare(&runs(&base), &runs(&new), &settings) {
        Ok(comparison) => comparison,
        Err(refusal) => {
            view::note(&format!("error: {refusal}"));
            return Ok(Exit::Usage);
        }
    };
    let exit = exit(comparison.answer);
    let compared = Compared { base, new, comparison, exit_code: exit.code() };
    if let Some(path) = &args.junit {
        write(path, &junit(&compared).context("the JUnit file cannot be composed")?)?;
    }
    if let Some(path) = &args.html {
        write(path, &page(&compared).context("the page cannot be composed")?)?;
    }
    match &args.markdown {
        Some(path) if path.as_os_str() == "-" => view::print(&markdown(&compared)),
        Some(path) => {
            write(path, &markdown(&compared))?;
            view::print(&text(&compared));
        }
        None if args.json => view::json(&compared.json())?,
        None => view::print(&text(&compared)),
    }
    Ok(exit)
}

/// How the command ends.
fn exit(answer: Answer) -> Exit {
    match answer {
        Answer::NoChange | Answer::Improved => Exit::Success,
        Answer::Regressed => Exit::Breached,
        Answer::Inconclusive => Exit::Inconclusive,
    }
}

fn write(path: &Path, content: &str) -> Result<()> {
    let content = plimsoll_domain::plain::text(content);
    std::fs::write(path, content.as_bytes())
        .with_context(|| format!("`{}` cannot be written; give another file", path.display()))
}

#[cfg(test)]
mod tests;
