//! `report.html` and `junit.xml`: a run for people and for CI servers, composed from the files of
//! its folder alone.
//!
//! `report.html` is one self-contained page. It refers to nothing outside itself and
//! needs no script: charts are drawn here as SVG, with their axis labels as text of the page, so
//! that they stay readable at any width. Where scripts run, one of ours shows the values under the
//! pointer, which the drawings hold as attributes. Long runs are
//! thinned to about a thousand points a line: counts as rates over the thinned stretch, percentiles
//! as the worst in it, because percentiles cannot be averaged.

use std::path::{Path, PathBuf};

use askama::Template;
use plimsoll_domain::{json_words, plain};

use crate::results::summary::Summary;
use crate::results::{Error, Event, events, folder, timeline};
pub(crate) use autoscale::autoscale_page;
use latency_charts::further_quantiles;
use page::Page;
use recorded::Recorded;

pub(crate) mod annotations;
mod autoscale;
pub(crate) mod calibration;
pub(crate) mod capacity;
mod chart;
pub(crate) mod comparison;
mod figures;
mod heat_map;
mod junit;
mod lanes;
mod latency_charts;
mod objectives;
mod page;
pub(crate) mod plan;
mod rate_charts;
mod recorded;
mod rules;
mod scale;
mod spectrum;
mod tables;
mod thin;
pub(crate) mod trend;
pub(crate) mod tune;
mod words;

/// All that a report is composed from.
#[derive(Debug)]
struct Run {
    summary: Summary,
    rows: Vec<timeline::Row>,
    events: Vec<Event>,
    recorded: Recorded,
}

/// Writes the report of a folder again (and its `junit.xml`), from its files alone: also of a run
/// that was killed. Of a run that goes on it writes the report alone, which that run replaces at its
/// end. This is `plimsoll report FOLDER`.
///
/// # Errors
/// If the folder holds no summary that this version reads, or cannot be written.
pub fn rebuild(dir: &Path) -> Result<PathBuf, Error> {
    let no_summary = |reason: String| Error::NoSummary { path: dir.into(), reason };
    let bytes = folder::read(&dir.join(folder::SUMMARY))
        .ok_or_else(|| no_summary("there is no such file".to_owned()))?;
    let summary: Summary =
        serde_json::from_slice(&bytes).map_err(|error| no_summary(json_words(&error)))?;
    if !Summary::is_known(&summary.schema) {
        return Err(no_summary(format!("its schema is `{}`", summary.schema)));
    }
    if !folder::is_in_use(dir) {
        folder::release(dir);
        write_junit(dir, &summary)?;
    }
    write_page(dir, &summary)
}

/// Whether the run of a folder has not ended yet.
pub(crate) fn goes_on(dir: &Path) -> bool {
    folder::is_in_use(dir)
}

/// Writes `junit.xml` of `summary`.
pub(crate) fn write_junit(dir: &Path, summary: &Summary) -> Result<(), Error> {
    let path = dir.join(folder::JUNIT);
    let text = junit::junit(summary)
        .map_err(|error| Error::Compose { path: path.clone(), reason: error.to_string() })?;
    folder::replace(&path, plain::text(&text).as_bytes())
}

/// Writes `report.html` of `summary` and of the folder's other files.
pub(crate) fn write_page(dir: &Path, summary: &Summary) -> Result<PathBuf, Error> {
    let path = dir.join(folder::REPORT);
    let text = |name: &str| {
        let bytes = folder::read(&dir.join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let rows = timeline::read(&text(folder::TIMELINE));
    let hlog = folder::read(&dir.join(folder::HLOG)).unwrap_or_default();
    let run = Run {
        summary: summary.clone(),
        recorded: Recorded::read(&hlog, &rows, &further_quantiles(&summary.objectives)),
        events: events::read(&text(folder::EVENTS)),
        rows,
    };
    let html = Page::new(&run)
        .render()
        .map_err(|error| Error::Compose { path: path.clone(), reason: error.to_string() })?;
    folder::replace(&path, plain::text(&html).as_bytes())?;
    Ok(path)
}

#[cfg(test)]
mod tests;
