//! A night of a history: the runs of one build in one file, as much of them as a comparison needs.
//!
//! That is each run's summary, its timeline in at most about 64 rows, and its blocks of time, whose
//! histograms are HDR's own V2 encoding, deflated and in base64 (`HISTFAAAA…`), so that other HDR tools
//! read them. The values of each metric stand beside them: a trend needs no more, so it is quick.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll_domain::json_words;
use plimsoll_monitor::Verdict;
use plimsoll_study::compare::{Block, Metric, Run};
use plimsoll_study::history::value;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::recording::Recording;
use super::summary::{self, Summary};
use super::timeline::{self, Row};
use super::{folder, hlog};

/// The value of `schema`.
pub(crate) const SCHEMA: &str = "plimsoll.night/v1";
/// Rows of a timeline, about.
const ROWS: usize = 64;

/// The runs of one build in one night.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "plimsoll night, version 1")]
pub struct Night {
    /// `plimsoll.night/v1`.
    #[schemars(extend("enum" = [SCHEMA]))]
    pub schema: String,
    /// What was built; `null` if nobody said.
    pub commit: Option<String>,
    /// The value of each metric: the geometric mean of its runs' latencies in milliseconds, or the
    /// mean of their shares; `null` where there is none, or it is infinite.
    pub values: BTreeMap<String, Option<f64>>,
    /// The runs, in the order of time.
    pub runs: Vec<NightRun>,
    /// The file.
    #[serde(skip)]
    pub(crate) path: PathBuf,
}

/// A run of a night.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct NightRun {
    /// Its `summary.json`.
    pub summary: Summary,
    /// Its `timeline.csv`, in fewer rows: counts are summed, percentiles are the worst.
    pub timeline: String,
    /// Its measured time in blocks.
    pub blocks: Vec<NightBlock>,
}

/// A stretch of a run's measured time.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct NightBlock {
    /// Its length in seconds.
    pub length_s: f64,
    /// Arrivals that ended without a right answer.
    pub failed: u64,
    /// Right answers that were late.
    pub late: u64,
    /// Response times of right answers in nanoseconds: an HDR histogram, V2, deflated, in base64.
    pub response: String,
    /// Model times; an empty histogram where the server does not tell.
    pub model: String,
}

impl Night {
    /// The night of these runs, the first of which began it.
    pub(crate) fn new(mut runs: Vec<Recording>, commit: Option<String>) -> Self {
        runs.sort_by(|one, other| one.summary.run.started.cmp(&other.summary.run.started));
        let measured: Vec<Run> = runs.iter().map(|run| run.run.clone()).collect();
        let values = Metric::ALL.map(|metric| (metric.name().to_owned(), value(metric, &measured)));
        Self {
            schema: SCHEMA.to_owned(),
            commit,
            values: BTreeMap::from(values),
            runs: runs.iter().map(NightRun::new).collect(),
            path: PathBuf::new(),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it is no night that this version reads.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let wrong = |reason: String| format!("`{shown}` is no night that can be read: {reason}");
        let bytes = folder::read(path).ok_or_else(|| wrong("it is no file".to_owned()))?;
        let json: serde_json::Value =
            serde_json::from_slice(&bytes).map_err(|error| wrong(json_words(&error)))?;
        let schema = json["schema"].as_str().unwrap_or("none");
        if schema != SCHEMA {
            return Err(wrong(format!(
                "its schema is `{schema}`, and this version reads `{SCHEMA}`; `plimsoll history` \
                 needs a folder of its own"
            )));
        }
        let night: Self =
            serde_json::from_value(json).map_err(|error| wrong(json_words(&error)))?;
        let known = |run: &NightRun| Summary::is_known(&run.summary.schema);
        match night.runs.iter().find(|run| !known(run)) {
            Some(run) => Err(wrong(format!(
                "the schema of a summary in it is `{}`, and this version reads `{}`",
                run.summary.schema,
                summary::SCHEMA
            ))),
            None if night.runs.is_empty() => Err(wrong("it has no run".to_owned())),
            None => Ok(Self { path: path.to_owned(), ..night }),
        }
    }

    /// Writes it beside the others: `TIME-SCENARIO-COMMIT.json`, with a number behind it where there is one of the same second.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn write(&self, dir: &Path) -> Result<PathBuf, super::Error> {
        let fits = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        let time = self.started().replace(':', "");
        let scenario: String = self.scenario().chars().map(fits).collect();
        let commit: String = self.short_commit().chars().map(fits).collect();
        let parts = [time.as_str(), &scenario, &commit].into_iter().filter(|part| !part.is_empty());
        let name = parts.collect::<Vec<_>>().join("-");
        // An underscore comes after the dot, so that the second one is behind the first in the order of names, too.
        let later = (2..).map(|number| format!("{name}_{number}"));
        let path = std::iter::once(name.clone())
            .chain(later)
            .map(|name| dir.join(format!("{name}.json")))
            .find(|path| path.symlink_metadata().is_err())
            .expect("there is always a next number");
        let text = serde_json::to_vec(self).expect("a night has only string keys");
        folder::replace(&path, &text)?;
        Ok(path)
    }

    /// What was run.
    pub(crate) fn scenario(&self) -> &str {
        &self.runs[0].summary.scenario.name
    }

    /// When its first run began, in UTC.
    pub(crate) fn started(&self) -> &str {
        &self.runs[0].summary.run.started
    }

    /// The day, such as `2026-11-28`.
    pub(crate) fn day(&self) -> &str {
        self.started().get(..10).unwrap_or(self.started())
    }

    /// The first characters of the commit, or nothing.
    pub(crate) fn short_commit(&self) -> &str {
        let commit = self.commit.as_deref().unwrap_or_default();
        commit.get(..10).unwrap_or(commit)
    }

    /// Whether no objective was breached.
    pub(crate) fn is_good(&self) -> bool {
        self.runs.iter().all(|run| run.summary.verdict != Some(Verdict::Breached))
    }

    pub(crate) fn value(&self, metric: Metric) -> Option<f64> {
        self.values.get(metric.name()).copied().flatten()
    }

    /// Its first run without the blocks: what it is of.
    pub(crate) fn outline(&self) -> Recording {
        self.runs[0].recording(&self.path, Run::new())
    }

    /// Its runs as a comparison takes them.
    ///
    /// # Errors
    /// If a histogram cannot be read.
    pub(crate) fn recordings(&self) -> Result<Vec<Recording>, String> {
        let all = self.runs.iter().map(|run| Some(run.recording(&self.path, run.blocks()?)));
        all.collect::<Option<_>>().ok_or_else(|| {
            let path = self.path.display();
            format!("`{path}` holds a histogram that is none of HDR's V2; add that night again")
        })
    }
}

impl NightRun {
    fn new(run: &Recording) -> Self {
        let block = |block: &Block| NightBlock {
            length_s: block.length.as_secs_f64(),
            failed: block.failed,
            late: block.late,
            response: hlog::encoded(&block.response),
            model: hlog::encoded(&block.model),
        };
        Self {
            summary: run.summary.clone(),
            timeline: timeline::text(&thinned(&run.rows)),
            blocks: run.run.to_blocks().iter().map(block).collect(),
        }
    }

    fn recording(&self, path: &Path, run: Run) -> Recording {
        Recording::kept(path, self.summary.clone(), timeline::read(&self.timeline), run)
    }

    fn blocks(&self) -> Option<Run> {
        let block = |block: &NightBlock| {
            Some(Block {
                length: Duration::try_from_secs_f64(block.length_s).ok()?,
                failed: block.failed,
                late: block.late,
                response: hlog::decoded(&block.response)?,
                model: hlog::decoded(&block.model)?,
            })
        };
        let blocks: Option<Vec<Block>> = self.blocks.iter().map(block).collect();
        Some(Run::of_blocks(&blocks?))
    }
}

/// Fewer rows, none of which is of two stages.
fn thinned(rows: &[Row]) -> Vec<Row> {
    let each = rows.len().div_ceil(ROWS).max(1);
    let stages =
        rows.chunk_by(|one, other| (&one.phase, &one.stage) == (&other.phase, &other.stage));
    stages.flat_map(|stage| stage.chunks(each)).map(timeline::merged).collect()
}
