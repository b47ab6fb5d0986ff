//! `plimsoll compare`: whether runs got slower, from their results folders.

mod alike;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result};
use plimsoll_study::compare::{Answer, Metric, Run, Settings, compare};

use crate::exit::Exit;
use crate::report::comparison::{Compared, junit, markdown, page, text};
use crate::results::recording::{Recording, pairs};
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

    /// What is judged, and how strictly.
    #[command(flatten)]
    pub asked: Asked,

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

/// What is judged, and how strictly.
#[derive(Debug, Clone, clap::Args)]
pub struct Asked {
    /// What must be judged, such as p99; may be repeated [default: all that can be]
    #[arg(long = "metric", value_name = "METRIC")]
    pub metrics: Vec<Metric>,

    /// A change that does not matter, such as `p99=5%`; of shares in percentage points
    #[arg(long = "margin", value_name = "METRIC=PERCENT")]
    pub margins: Vec<Margin>,

    /// One minus the share of false alarms that is accepted
    #[arg(long, default_value = "0.99", value_parser = confidence, value_name = "SHARE")]
    pub confidence: f64,
}

impl Asked {
    pub(super) fn settings(&self, paired: bool) -> Settings {
        Settings {
            confidence: self.confidence,
            margins: self.margins.iter().map(|margin| (margin.metric, margin.share)).collect(),
            metrics: self.metrics.clone(),
            paired,
        }
    }
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
    let compared = match compared(base, new, args.asked.settings(args.paired)) {
        Ok(compared) => compared,
        Err(refusal) => {
            view::note(&format!("error: {refusal}"));
            return Ok(Exit::Usage);
        }
    };
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
    Ok(exit(compared.comparison.answer))
}

/// Compares runs: the pairs of two that took turns, else the runs or their blocks of time.
///
/// # Errors
/// Why they cannot be compared.
pub(super) fn compared(
    base: Vec<Recording>,
    new: Vec<Recording>,
    mut settings: Settings,
) -> Result<Compared, String> {
    alike::check(&base, &new)?;
    let pairs = match (base.as_slice(), new.as_slice()) {
        ([base], [new]) => pairs(base, new)?,
        _ => None,
    };
    let comparison = if let Some(pairs) = &pairs {
        settings.paired = true;
        compare(&pairs.base, &pairs.new, &settings)
    } else {
        let runs = |all: &[Recording]| all.iter().map(|one| one.run.clone()).collect::<Vec<Run>>();
        compare(&runs(&base), &runs(&new), &settings)
    };
    let comparison = comparison.map_err(|refusal| refusal.to_string())?;
    let exit_code = exit(comparison.answer).code();
    Ok(Compared { base, new, pairs, comparison, exit_code })
}

/// How the command ends.
pub(super) fn exit(answer: Answer) -> Exit {
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
