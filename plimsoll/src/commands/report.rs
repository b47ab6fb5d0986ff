//! `plimsoll report`: the report again, from the files of a results folder.

use std::fs;
use std::path::{Path, PathBuf};

use plimsoll_domain::json_words;
use plimsoll_domain::{Latencies, SparseLatencies};

use crate::exit::Exit;
use crate::results::folder::{HLOG, SUMMARY};
use crate::results::summary::Summary;
use crate::results::{hgrm, hlog, vegeta};
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
    /// Write there, too, the JSON report that `vegeta report -type=json` would (no bytes; a latency counts from
    /// when a request was due)
    #[arg(long, value_name = "FILE")]
    pub vegeta: Option<PathBuf>,
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
    let further = [
        args.hgrm.as_deref().map(|path| (path, distribution(&args.folder))),
        args.vegeta.as_deref().map(|path| (path, as_vegeta(&args.folder))),
    ];
    for (path, content) in further.into_iter().flatten() {
        let write = |text: String| {
            fs::write(path, text)
                .map_err(|error| format!("cannot write {}: {error}", path.display()))
        };
        if let Err(message) = content.and_then(write) {
            view::note(&format!("error: {message}"));
            return Exit::Usage;
        }
        view::print(&path.display());
    }
    Exit::Success
}

/// The distribution of response times over everything measured.
fn distribution(folder: &Path) -> Result<String, String> {
    let whole = whole(folder, &["response"])?;
    if whole.count() == 0 {
        let log = folder.join(HLOG);
        return Err(format!("{} has no response time: nothing was answered right", log.display()));
    }
    Ok(hgrm::text(&Latencies::from(whole).histogram()))
}

/// The run as vegeta would report it.
fn as_vegeta(folder: &Path) -> Result<String, String> {
    let path = folder.join(SUMMARY);
    let wrong = |error: &dyn std::fmt::Display| format!("cannot read {}: {error}", path.display());
    let bytes = fs::read(&path).map_err(|error| wrong(&error))?;
    let summary: Summary =
        serde_json::from_slice(&bytes).map_err(|error| wrong(&json_words(&error)))?;
    let latencies = Latencies::from(whole(folder, &["response", "failed"])?).histogram();
    Ok(format!("{:#}\n", vegeta::report(&summary, &latencies)))
}

/// The latencies of these tags over everything measured.
fn whole(folder: &Path, tags: &[&str]) -> Result<SparseLatencies, String> {
    let log = folder.join(HLOG);
    let bytes =
        fs::read(&log).map_err(|error| format!("cannot read {}: {error}", log.display()))?;
    let mut whole = SparseLatencies::default();
    for interval in hlog::read(&bytes).filter(|interval| tags.contains(&interval.tag.as_str())) {
        whole.merge(&interval.latencies);
    }
    Ok(whole)
}
