//! A results folder as a comparison reads it: summary, timeline, and the blocks of time of its
//! interval log. The log is read line by line, so memory does not grow with the run.
//!
//! A folder is refused unless it holds all of a run that counts: one that ended as planned, was
//! valid, and whose files tell of as many requests as its summary.

mod pairs;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll_domain::json_words;
use plimsoll_monitor::ValidityState;
use plimsoll_study::compare::{Run, Second};

use super::folder;
use super::hlog::{self, Interval};
use super::summary::{Interleaved, SCHEMA, Summary};
use super::timeline::by_key::{self, interval};
use super::timeline::{self, Row};
use crate::exit::Exit;

pub(crate) use pairs::{Pairs, pairs};

/// One run, as far as it is compared.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) path: PathBuf,
    pub(crate) summary: Summary,
    pub(crate) rows: Vec<Row>,
    pub(crate) run: Run,
    /// What its blocks measured, if it took turns with another; else nothing.
    blocks: Vec<Block>,
}

/// Why a folder cannot be compared.
#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be compared: {reason}", path.display())]
pub(crate) struct Refused {
    path: PathBuf,
    reason: String,
}

impl Recording {
    /// Reads a folder.
    ///
    /// # Errors
    /// If it does not hold all of a run that counts.
    pub(crate) fn read(path: &Path) -> Result<Self, Refused> {
        let refused = |reason| Refused { path: path.to_owned(), reason };
        Self::try_read(path).map_err(refused)
    }

    /// One that was kept elsewhere, and took turns with no other.
    pub(super) fn kept(path: &Path, summary: Summary, rows: Vec<Row>, run: Run) -> Self {
        Self { path: path.to_owned(), summary, rows, run, blocks: Vec::new() }
    }

    fn try_read(path: &Path) -> Result<Self, String> {
        let summary = summary(path)?;
        counts(&summary)?;
        let rows = timeline::read(&text(path, folder::TIMELINE)?);
        let (run, blocks) = blocks(path, &summary, &rows)?;
        Ok(Self { path: path.to_owned(), summary, rows, run, blocks })
    }
}

fn text(path: &Path, name: &str) -> Result<String, String> {
    let bytes = folder::read(&path.join(name)).ok_or_else(|| {
        format!("it has no `{name}`; give the whole folder that `plimsoll run` wrote")
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn summary(path: &Path) -> Result<Summary, String> {
    let wrong = |error: serde_json::Error| {
        format!(
            "its `summary.json` is not what this version reads ({}); run it again",
            json_words(&error)
        )
    };
    let text = text(path, folder::SUMMARY)?;
    let json: serde_json::Value = serde_json::from_str(&text).map_err(wrong)?;
    let schema = json["schema"].as_str().unwrap_or("none");
    if !Summary::is_known(schema) {
        return Err(format!(
            "the schema of its summary is `{schema}`, and this version reads `{SCHEMA}`; run it \
             again with this version"
        ));
    }
    serde_json::from_value(json).map_err(wrong)
}

/// Refuses a run that does not count, whatever it measured.
fn counts(summary: &Summary) -> Result<(), String> {
    let run = &summary.run;
    if !run.complete || summary.exit_code.is_none() {
        return Err("its run did not end, or was killed; run it again".to_owned());
    }
    if run.interrupted {
        return Err("its run was interrupted; let it measure to its end".to_owned());
    }
    if summary.exit_code == Some(Exit::Deployment.code()) {
        let why = "its endpoint could not be brought up, or went away in mid-run; run it again";
        return Err(why.to_owned());
    }
    if summary.exit_code == Some(Exit::Internal.code()) {
        return Err("not all of its results could be written; run it again".to_owned());
    }
    if summary.validity.state == ValidityState::Invalid {
        let reasons = summary.validity.reasons.join("; ");
        return Err(format!("its run is invalid ({reasons}); mend that and run it again"));
    }
    Ok(())
}

/// What one block of an interleaved run measured: each interval, by its end.
type Block = Vec<(u64, Second)>;

/// Where an interval goes: into the run, and into the block in which it was measured.
struct Blocks<'a> {
    run: Run,
    interleaved: Option<&'a Interleaved>,
    of_turns: Vec<Block>,
}

impl Blocks<'_> {
    fn add(&mut self, middle_s: f64, end: u64, second: Second) {
        self.run.add(&second);
        let at = self.interleaved.and_then(|interleaved| interleaved.block_at(middle_s));
        if let Some(at) = at {
            self.of_turns[at].push((end, second));
        }
    }
}

/// The blocks of the measured time: what was due in a warm-up is left out, and what ended in the
/// drain belongs to the last second.
fn blocks(path: &Path, summary: &Summary, rows: &[Row]) -> Result<(Run, Vec<Block>), String> {
    let warmups: BTreeSet<&str> =
        summary.keys.iter().filter(|key| key.warmup).map(|key| key.stage.as_str()).collect();
    let losses = by_key::losses(&text(path, folder::BY_KEY)?, |stage| warmups.contains(stage));
    let log = path.join(folder::HLOG);
    let unread = |error: std::io::Error| format!("its `{}` cannot be read: {error}", folder::HLOG);
    let file = File::open(log).map_err(unread)?;
    let tags = ["response", "model"];
    let mut intervals = hlog::read_tagged(BufReader::new(file), &tags).peekable();
    let interleaved = summary.interleaved.as_ref();
    let of_turns = vec![Block::new(); interleaved.map_or(0, |job| job.blocks_s.len())];
    let mut sum = Blocks { run: Run::new(), interleaved, of_turns };
    let mut open: Option<(f64, u64, Second)> = None;
    let (mut ok, mut failed) = (0, 0);
    for row in rows {
        let missing = losses.get(&interval(row.t_s)).copied().unwrap_or_default();
        let measured = row.phase == "measured";
        let length = Duration::from_secs_f64(if measured { row.length_s.max(0.0) } else { 0.0 });
        let mut second =
            Second { length, failed: missing.failed, late: missing.late, ..Second::default() };
        while let Some(read) = intervals.next_if(|read| is_before(read, row.t_s)) {
            let Interval { tag, latencies, .. } = read.map_err(unread)?;
            let of = if tag == "model" { &mut second.model } else { &mut second.response };
            of.merge(&latencies);
        }
        ok += second.response.count();
        failed += second.failed;
        match &mut open {
            Some((.., last)) if !measured => merge(last, &second),
            _ if measured || second.response.count() + second.failed > 0 => {
                let middle_s = row.start_s().midpoint(row.t_s);
                if let Some((middle_s, end, last)) =
                    open.replace((middle_s, interval(row.t_s), second))
                {
                    sum.add(middle_s, end, last);
                }
            }
            _ => {}
        }
    }
    if let Some((middle_s, end, last)) = open {
        sum.add(middle_s, end, last);
    }
    whole("right answers", summary.outcomes.ok, ok)?;
    let all: u64 = summary.outcomes.classes.values().sum();
    whole("failed arrivals", all - summary.outcomes.ok, failed)?;
    Ok((sum.run, sum.of_turns))
}

/// Whether an interval of the log ends with the row that ends then; an error is the next row's.
fn is_before(read: &std::io::Result<Interval>, row_s: f64) -> bool {
    let end = |interval: &Interval| (interval.start + interval.length).as_secs_f64();
    // The log has start and length in whole milliseconds, so their sum is off by one at most.
    read.as_ref().map_or(true, |interval| end(interval) <= row_s + 0.0015)
}

fn merge(last: &mut Second, later: &Second) {
    last.response.merge(&later.response);
    last.model.merge(&later.model);
    last.failed += later.failed;
    last.late += later.late;
}

fn whole(what: &str, told: u64, found: u64) -> Result<(), String> {
    if told == found {
        return Ok(());
    }
    Err(format!(
        "its files tell of {found} {what}, and its summary of {told}: the folder is cut off; copy \
         it whole, or run it again"
    ))
}
