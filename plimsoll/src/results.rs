//! The results folder of a run, written as the run goes, so that a killed run leaves what it
//! measured.
//!
//! Each interval appends to `timeline.csv`, `timeline-by-key.csv` and `latency.hlog` and replaces `summary.json` (with
//! `complete: false`); [`Results::finish`] writes the last summary. What is made from these files
//! (`report.html`, `junit.xml`) is the [`report`](crate::report)'s.
//!
//! A file that cannot be written never stops the run: the error is kept and told once as an event,
//! that file is written no more, the others go on, and [`Results::losses`] has the errors. The
//! summary is replaced as a whole, so that one which cannot be replaced for a while, as long as
//! descriptors have run out, costs nothing in the end. Room for the last one is kept from the start,
//! so that a disk which fills up does not cost the result.
//!
//! The calls write at once and without a buffer, so that nothing is lost with the process (a power
//! failure may cost the last seconds). They block for as long as the disk does: call them beside
//! the load, never in its path.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use plimsoll_domain::latencies::Encoder;
use plimsoll_domain::{Snapshot, Tally};

pub use events::{Event, EventKind};
pub use summary::Summary;

use folder::Appender;
use summary::{Run, ScenarioName};

pub mod events;
pub mod folder;
pub(crate) mod hgrm;
pub mod hlog;
pub mod night;
pub(crate) mod recording;
pub mod summary;
pub mod timeline;
pub(crate) mod vegeta;

/// Why results could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder cannot be made or listed.
    #[error("cannot use `{}` for results: {source}; choose another with `--out`", path.display())]
    Create {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder is somebody else's.
    #[error(
        "`{}` holds `{name}`, which is no earlier plimsoll result (a `summary.json` and the files \
         beside it); give `--out` an empty or new folder, or one with an earlier result alone, \
         which is then replaced",
        path.display()
    )]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// What of its content is not ours.
        name: String,
    },
    /// Another run writes to it.
    #[error(
        "`{}` is in use by another run; wait for its end, or give `--out` another folder",
        path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error("cannot write `{}`: {source}; it stays as it was before", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder holds no summary to report on.
    #[error(
        "`{}` holds no `summary.json` that this version reads ({reason}); give the folder that \
         `plimsoll run` wrote",
        path.display()
    )]
    NoSummary {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The report or `junit.xml` could not be composed.
    #[error("cannot compose `{}`: {reason}", path.display())]
    Compose {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// What is known of a run before it begins.
#[derive(Debug, Clone)]
pub struct Header {
    /// Which run it is; `started` is filled in from [`Header::started`].
    pub run: Run,
    /// What is run.
    pub scenario: ScenarioName,
    /// When it began.
    pub started: SystemTime,
    /// Whether it happens in virtual time.
    pub simulated: bool,
}

/// What of an interval is not in its snapshot.
#[derive(Debug, Clone)]
pub struct IntervalInfo {
    /// The phase at the interval's start.
    pub phase: Phase,
    /// The stage's name.
    pub stage: String,
    /// What the schedule asked in the interval, per second.
    pub target_rps: f64,
    /// Instances of all deployments, if known.
    pub instances: Option<InstanceCount>,
}

/// How many instances there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InstanceCount {
    /// Those that get requests.
    pub ready: u32,
    /// Those that there should be.
    pub wanted: u32,
    /// Those that run and are not ready yet.
    pub starting: u32,
}

/// A phase of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Shown, never judged.
    Warmup,
    /// Judged.
    Measured,
    /// After the last stage: waiting for answers.
    Drain,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::Warmup => "warmup",
            Self::Measured => "measured",
            Self::Drain => "drain",
        }
    }
}

/// The results folder of a run that goes on.
#[derive(Debug)]
pub struct Results {
    dir: PathBuf,
    run: String,
    timeline: Appender,
    by_key: Appender,
    hlog: Appender,
    encoder: Encoder,
    events: Appender,
    /// From the first evaluation of autoscale rules on.
    autoscale: Option<Appender>,
    rows: u64,
    /// Whether the timeline by key has begun.
    has_keys: bool,
    last_s: f64,
    summary_is_old: bool,
    losses: Vec<Loss>,
    _claim: folder::Claim,
}

/// A file that is not whole.
#[derive(Debug)]
pub struct Loss {
    /// From when on it lacks something, in seconds since the first due time.
    pub from_s: f64,
    /// Why.
    pub error: Error,
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (at {:.1} s)", self.error, self.from_s)
    }
}

impl Results {
    /// Takes `dir` and begins every file.
    ///
    /// # Errors
    /// If the folder cannot be made, is somebody else's, or its files cannot be begun.
    pub fn create(dir: &Path, mut header: Header) -> Result<Self, Error> {
        let claim = folder::claim(dir)?;
        header.run.started = utc(header.started);
        let begun = Summary::begun(header.run.clone(), header.scenario);
        let begun = if header.simulated { begun.simulated() } else { begun };
        // First, as it tells whose folder this is.
        folder::replace(&dir.join(folder::SUMMARY), &json(&begun))?;
        let results = Self {
            dir: dir.to_owned(),
            run: if header.simulated {
                format!("{} (simulated)", header.run.id)
            } else {
                header.run.id
            },
            timeline: Appender::create(dir.join(folder::TIMELINE))?,
            by_key: Appender::create(dir.join(folder::BY_KEY))?,
            hlog: Appender::create(dir.join(folder::HLOG))?,
            encoder: Encoder::default(),
            events: Appender::create(dir.join(folder::EVENTS))?,
            autoscale: None,
            rows: 0,
            has_keys: false,
            last_s: 0.0,
            summary_is_old: false,
            losses: Vec::new(),
            _claim: claim,
        };
        folder::reserve(dir);
        Ok(results)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What is not whole, and will not be: each file once.
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// The load begins: times count from the first due time, which a bring-up may delay by minutes.
    pub fn begin(&mut self, first_due: SystemTime) {
        let written = self.hlog.append(&hlog::header(first_due, &self.run));
        self.keep(written);
    }

    /// Appends one interval; `all` is every tally of the snapshot, merged.
    pub fn interval(&mut self, snapshot: &Snapshot, all: &Tally, info: &IntervalInfo) {
        let row = timeline::Row::new(snapshot, all, info);
        self.last_s = row.t_s;
        let written = self.timeline.append(&timeline::lines(&row, self.rows == 0));
        self.keep(written);
        self.rows += 1;
        let lines = timeline::by_key::lines(snapshot, !self.has_keys);
        self.has_keys |= !lines.is_empty();
        let written = self.by_key.append(&lines);
        self.keep(written);
        let written = self.hlog.append(&hlog::lines(&mut self.encoder, snapshot));
        self.keep(written);
    }

    /// Appends one event.
    pub fn event(&mut self, event: &Event) {
        let written = self.events.append(event.line().as_bytes());
        self.keep(written);
    }

    /// Appends one evaluation of autoscale rules, as a line of their record.
    pub fn evaluation(&mut self, line: &str) {
        if self.autoscale.is_none() {
            match Appender::create(self.dir.join(folder::AUTOSCALE)) {
                Ok(file) => self.autoscale = Some(file),
                // Tried again with the next one: the record lacks this one.
                Err(error) => return self.keep(Err(error)),
            }
        }
        let file = self.autoscale.as_mut().expect("it was created");
        let written = file.append(format!("{line}\n").as_bytes());
        self.keep(written);
    }

    /// Replaces the summary while the run goes on. If that fails, the next one is as good.
    pub fn summary(&mut self, summary: &Summary) {
        let written = folder::replace(&self.dir.join(folder::SUMMARY), &json(summary));
        if let Err(error) = &written
            && !self.summary_is_old
        {
            let message = format!("{error}; it is tried again each second");
            self.event(&Event::new(self.last_s, EventKind::Warning, message));
        }
        self.summary_is_old = written.is_err();
    }

    /// Gives back the room that was kept for the last files.
    pub(crate) fn release(&self) {
        folder::release(&self.dir);
    }

    /// Writes the last summary, in the room that was kept for it.
    ///
    /// # Errors
    /// It cannot be written, and is as it was before.
    pub fn finish(self, summary: &Summary) -> Result<(), Error> {
        self.release();
        folder::replace(&self.dir.join(folder::SUMMARY), &json(summary))
    }

    /// Keeps an error and tells it, also of what is made from the results.
    pub(crate) fn keep(&mut self, written: Result<(), Error>) {
        let Err(error) = written else {
            return;
        };
        let event = Event::new(self.last_s, EventKind::Error, error.to_string());
        self.losses.push(Loss { from_s: self.last_s, error });
        // If the events are what cannot be written, the end of the run still tells.
        let _ = self.events.append(event.line().as_bytes());
    }
}

/// The default folder's name: `<scenario>-<UTC time>`.
fn default_name(scenario: &str, started: SystemTime) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = scenario.chars().map(safe).collect();
    let time = utc(started).replace(['-', ':'], "");
    format!("{}-{time}", name.trim_start_matches('.'))
}

/// Makes the default folder in `parent`. One that is there belongs to another run, perhaps one
/// that began in the same second, so the name gets a number then.
///
/// # Errors
/// If no folder can be made.
pub fn new_default_dir(
    parent: &Path,
    scenario: &str,
    started: SystemTime,
) -> Result<PathBuf, Error> {
    let failed = |path: &Path, source| Error::Create { path: path.to_owned(), source };
    std::fs::create_dir_all(parent).map_err(|source| failed(parent, source))?;
    let name = default_name(scenario, started);
    for number in 1.. {
        let dir = match number {
            1 => parent.join(&name),
            _ => parent.join(format!("{name}-{number}")),
        };
        match std::fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(failed(&dir, source)),
        }
    }
    unreachable!("a folder has fewer members than there are numbers")
}

/// A moment in UTC to the second: `2026-11-23T03:40:00Z`.
pub fn utc(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

fn json(summary: &Summary) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(summary).expect("a summary has only string keys");
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
pub(crate) mod tests;
