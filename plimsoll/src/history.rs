//! A history: a folder with a file for each night, which may lie in a git branch or a cache.
//!
//! Nothing else is in its files but what [`Night`] says, and nothing but the files tells of it: a
//! night is forgotten by removing its file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::commands::unlike;
use crate::results::night::Night;
use crate::results::recording::Recording;
use crate::results::summary::Machine;

/// All nights of a folder, in the order of time.
#[derive(Debug)]
pub(crate) struct History {
    dir: PathBuf,
    pub(crate) nights: Vec<Night>,
}

/// The nights that are of one kind, and why each of the others is not.
#[derive(Debug, Default)]
pub(crate) struct Series<'a> {
    pub(crate) nights: Vec<&'a Night>,
    /// Sentences.
    pub(crate) left_out: Vec<String>,
}

impl History {
    /// Reads all files `*.json` of a folder. One that is not there has no nights.
    ///
    /// # Errors
    /// If it cannot be listed, or a file is no night.
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let mut nights = Vec::new();
        if dir.symlink_metadata().is_ok() {
            let of_dir = || format!("`{}` cannot be read as a history", dir.display());
            for entry in dir.read_dir().with_context(of_dir)? {
                let path = entry.with_context(of_dir)?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                if name.ends_with(".json") && !name.starts_with('.') {
                    nights.push(Night::read(&path).map_err(anyhow::Error::msg)?);
                }
            }
        }
        nights
            .sort_by(|one, other| (one.started(), &one.path).cmp(&(other.started(), &other.path)));
        Ok(Self { dir: dir.to_owned(), nights })
    }

    /// Adds a night, and gives its file.
    ///
    /// # Errors
    /// If one of its runs is there already, or it cannot be written.
    pub(crate) fn add(&mut self, night: Night) -> Result<PathBuf> {
        let known = self.nights.iter().flat_map(|old| {
            old.runs.iter().map(move |run| (run.summary.run.id.as_str(), &old.path))
        });
        let ids: BTreeSet<&str> =
            night.runs.iter().map(|run| run.summary.run.id.as_str()).collect();
        if let Some((id, path)) = known.into_iter().find(|(id, _)| ids.contains(id)) {
            bail!("run {id} is in `{}` already; a run is of one night", path.display());
        }
        std::fs::create_dir_all(&self.dir)
            .with_context(|| format!("`{}` cannot be made", self.dir.display()))?;
        let path = night.write(&self.dir)?;
        self.nights.push(Night { path: path.clone(), ..night });
        self.nights.sort_by(|one, other| one.started().cmp(other.started()));
        Ok(path)
    }

    /// Removes the files of all but the last nights of a scenario, and gives them.
    ///
    /// # Errors
    /// If one cannot be removed.
    pub(crate) fn keep(&mut self, most: usize, scenario: &str) -> Result<Vec<PathBuf>> {
        let of = |night: &&Night| night.scenario() == scenario;
        let more = self.nights.iter().filter(of).count().saturating_sub(most);
        let old: Vec<PathBuf> =
            self.nights.iter().filter(of).take(more).map(|night| night.path.clone()).collect();
        for path in &old {
            std::fs::remove_file(path)
                .with_context(|| format!("`{}` cannot be removed", path.display()))?;
        }
        self.nights.retain(|night| !old.contains(&night.path));
        Ok(old)
    }

    /// The names of scenarios.
    pub(crate) fn scenarios(&self) -> BTreeSet<&str> {
        self.nights.iter().map(Night::scenario).collect()
    }

    /// The nights that may be compared with this run: of the same scenario, load, objectives and
    /// machine. Those of other scenarios are none of its business, and are not told.
    pub(crate) fn series(&self, like: &Recording) -> Series<'_> {
        let mut series = Series::default();
        for night in &self.nights {
            if night.scenario() != like.summary.scenario.name {
                continue;
            }
            let outline = night.outline();
            match unlike(&outline, like).or_else(|| machines(&outline, like)) {
                None => series.nights.push(night),
                Some(reason) => {
                    let path = night.path.display();
                    series.left_out.push(format!("`{path}` is left out: {reason}"));
                }
            }
        }
        series
    }
}

/// How the machines differ in what makes a number another.
fn machines(one: &Recording, other: &Recording) -> Option<String> {
    let [left, right] = [one, other].map(|run| words(&run.summary.run.machine));
    (left != right).then(|| format!("the load came from different machines ({left} and {right})"))
}

/// A machine in a few words.
pub(crate) fn words(machine: &Machine) -> String {
    let name = if machine.processor.is_empty() { "unknown" } else { &machine.processor };
    format!("{} × {name}, {}", machine.cores, machine.architecture)
}
