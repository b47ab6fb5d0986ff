//! The base out of a history: its last good nights that are like the new one.

use std::path::{Path, PathBuf};

use plimsoll_study::compare::{LEAST_NIGHTS, Settings};
use plimsoll_study::history::{Base, LEAST_OF_LEVEL, base};

use super::{Sides, alike, read};
use crate::history::History;
use crate::results::night::Night;
use crate::view;

/// The base and the new night.
///
/// # Errors
/// If a file cannot be read, or too few nights are left, with the reasons.
pub(super) fn sides(
    dir: &Path,
    folders: &[PathBuf],
    most: usize,
    settings: &Settings,
) -> Result<Sides, String> {
    let new = read(folders)?;
    let history = History::read(dir).map_err(|error| format!("{error:#}"))?;
    let series = history.series(&new[0]);
    let good: Vec<&Night> = series.nights.iter().copied().filter(|night| night.is_good()).collect();
    let breached = series.nights.len() - good.len();
    let Base { nights, since, until } = base(good.len(), most, settings, |metric| {
        good.iter().map(|night| night.value(metric)).collect()
    });
    let of_base = &good[nights.clone()];
    if of_base.len() < LEAST_NIGHTS {
        let mut reasons = vec![format!(
            "`{}` has {} good nights of `{}` that are like this one, and {LEAST_NIGHTS} are needed; add \
             them with `plimsoll history add`",
            dir.display(),
            of_base.len(),
            new[0].summary.scenario.name
        )];
        if breached > 0 {
            reasons.push(format!("{breached} more had a breached objective"));
        }
        reasons.extend(series.left_out);
        return Err(reasons.join("\n"));
    }
    for reason in &series.left_out {
        view::note(&format!("note: {reason}"));
    }
    let mut all = Vec::new();
    for night in of_base {
        all.extend(night.recordings()?);
    }
    alike::check(&all, &new)?;
    let mut about = vec![format!(
        "The base is {} nights of {}, {} to {}.",
        of_base.len(),
        dir.display(),
        of_base[0].day(),
        of_base[of_base.len() - 1].day()
    )];
    if let Some(metric) = since {
        about.push(format!("It begins where {metric} changed."));
    }
    if let Some(metric) = until {
        about.push(format!(
            "It ends where {metric} changed, on {}: fewer than {LEAST_OF_LEVEL} nights since then.",
            good[nights.end].day()
        ));
    }
    if breached > 0 {
        about.push(format!("Left out: {breached} with a breached objective."));
    }
    let runs = of_base.iter().map(|night| night.runs.len()).collect();
    Ok(Sides { base: all, new, nights: Some(runs), about: vec![about.join(" ")] })
}
