//! The folder of a job: both sides' results folders, and their comparison beside them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use plimsoll_domain::{clock, plain};
use plimsoll_study::interleave::Side;
use serde::Serialize;

use crate::results::{folder::replace, new_default_dir};

/// The page with all charts.
pub(super) const PAGE: &str = "comparison.html";
/// For a pull request.
pub(super) const MARKDOWN: &str = "comparison.md";
/// For CI servers.
pub(super) const JUNIT: &str = "junit.xml";
/// What `--json` prints.
const JSON: &str = "comparison.json";

/// Takes the folder that is asked for, or a new one. One that is there must be new, empty, or an
/// earlier job's, whose comparison goes; the sides' own folders are looked at when they are taken.
pub(super) fn take(given: Option<PathBuf>, scenario: &str) -> Result<PathBuf> {
    let Some(folder) = given else {
        let name = format!("{scenario}-ab");
        return Ok(new_default_dir(Path::new("results"), &name, clock::wall())?);
    };
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    let entries = std::fs::read_dir(&folder)
        .with_context(|| format!("cannot list the folder `{}`", folder.display()))?;
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let files = [PAGE, MARKDOWN, JUNIT, JSON];
        let is_side = Side::BOTH.iter().any(|side| side.name() == name);
        if !is_side && !files.contains(&name.as_str()) {
            bail!(
                "`{}` holds `{name}`, which is no earlier result of two sides; give `--out` an empty \
                 or new folder",
                folder.display()
            );
        }
    }
    for name in [PAGE, MARKDOWN, JUNIT, JSON] {
        match std::fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot replace `{name}`"));
            }
            _ => {}
        }
    }
    Ok(folder)
}

/// Writes one of its files.
pub(super) fn write(folder: &Path, name: &str, content: &str) -> Result<()> {
    Ok(replace(&folder.join(name), plain::text(content).as_bytes())?)
}

/// Writes what `--json` prints.
pub(super) fn write_json(folder: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)? + "\n";
    Ok(replace(&folder.join(JSON), text.as_bytes())?)
}
