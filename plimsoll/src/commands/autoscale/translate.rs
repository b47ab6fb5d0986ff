//! `plimsoll autoscale translate`: rules of Azure Monitor as a `HorizontalPodAutoscaler`, or back.

use std::path::PathBuf;

use anyhow::Result;
use plimsoll_autoscale::{RulesFile, translate};

use crate::exit::Exit;
use crate::view;

/// `plimsoll autoscale translate FILE`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Rules of Azure Monitor, which become a `HorizontalPodAutoscaler`, or one, which becomes rules of
    /// Azure Monitor
    pub file: PathBuf,
    /// Print rules, differences and what is equal as one JSON object; without it the rules go to standard
    /// output, and what is not the same to standard error
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let file = match RulesFile::open(&args.file) {
        Ok(file) => file,
        Err(problems) => {
            view::problems(&problems);
            return Ok(Exit::Usage);
        }
    };
    let translated = match translate(&file.rules) {
        Ok(translated) => translated,
        Err(wrong) => {
            view::note(&format!("error: {}: {wrong}", args.file.display()));
            return Ok(Exit::Usage);
        }
    };
    if args.json {
        view::json(&translated)?;
        return Ok(Exit::Success);
    }
    view::json(&translated.rules)?;
    view::note(&format!("this is {}; not the same as what it was:", translated.kind().words()));
    for difference in &translated.differences {
        view::note(&format!("  {}: {}", difference.what, difference.why));
    }
    match translated.equal {
        Some(when) => view::note(&format!("the same count: {when}")),
        None => view::note(&"the counts of one evaluation may differ: see above"),
    }
    Ok(Exit::Success)
}
