//! `plimsoll report`: the report again, from the files of a results folder.

use std::fs;
use std::path::{Path, PathBuf};

use hdrhistogram::Histogram;

use crate::exit::Exit;
use crate::results::folder::HLOG;
use crate::results::{hgrm, hlog};
use crate::{report, view};

/// `plimsoll report`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The results folder of a run
    pub folder: PathBuf,
    /// Write there, too, how response times are distributed (of right answers, in milliseconds), as
    /// plotters of HDR histograms take it
    #[arg(long, value_name = "FILE")]
    pub hgrm: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Exit {
    let goes_on = report::goes_on(&args.folder);
    let page = match report::rebuild(&args.folder) {
        Ok(page) => page,
        Err(error) => {
            view::note(&format!("error: {error}"));
            return Exit::Usage;
        }
    };
    if goes_on {
        view::note(&"note: the run goes on; this is what it has measured until now");
    }
    view::print(&page.display());
    if let Some(path) = &args.hgrm {
        if let Err(message) = distribution(&args.folder, path) {
            view::note(&format!("error: {message}"));
            return Exit::Usage;
        }
        view::print(&path.display());
    }
    Exit::Success
}

/// Writes the distribution of response times over everything measured.
fn distribution(folder: &Path, path: &Path) -> Result<(), String> {
    let log = folder.join(HLOG);
    let bytes =
        fs::read(&log).map_err(|error| format!("cannot read {}: {error}", log.display()))?;
    let mut whole: Option<Histogram<u64>> = None;
    for interval in hlog::read(&bytes).filter(|interval| interval.tag == "response") {
        match &mut whole {
            None => whole = Some(interval.histogram),
            Some(whole) => whole.add(&interval.histogram).map_err(|error| {
                format!("{} holds histograms that do not go together: {error}", log.display())
            })?,
        }
    }
    let whole = whole.ok_or_else(|| {
        format!("{} has no response time: nothing was answered right", log.display())
    })?;
    fs::write(path, hgrm::text(&whole))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}
