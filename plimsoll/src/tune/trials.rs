//! Trials on all cores: each contender on each case, with the costs kept, so that a search that was
//! broken off goes on where it was.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use plimsoll_autoscale::Rules;
use plimsoll_study::tune::{Candidate, Cost};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::bounds::Bounds;
use super::editable::Editable;
use super::rivals;
use crate::scenario::Scenario;
use crate::session::{Trial, Who, trial};

/// The schema of the first line of what is kept.
const SCHEMA: &str = "plimsoll.tune-costs/v1";

/// Who is tried.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Contender {
    /// The rules with other values.
    Tuned(Candidate),
    /// Other rules.
    Other(Box<Rules>),
    /// A schedule that knows the load, with this share of the slots at work.
    Clairvoyant(f64),
}

/// What contenders are tried on: a load with a seed.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// The load, for people.
    pub(super) name: String,
    pub(super) scenario: Scenario,
    pub(super) set: Set,
}

/// What a case is for. What was chosen on some arrivals looks better on these than it is, so that its
/// figures are those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    /// The search sees it.
    Searched,
    /// Held out of the search, for the choice from its front.
    Choice,
    /// Held out of both: what is shown.
    Shown,
}

/// What cannot go on.
#[derive(Debug)]
pub(super) enum Stop {
    /// The user wants it to end.
    Interrupted,
    /// Something is wrong with the scenario: a sentence.
    Wrong(String),
}

/// A cost that is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    candidate: Candidate,
    case: usize,
    #[serde(flatten)]
    cost: Cost,
}

/// The first line: what the costs are of.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    schema: String,
    of: String,
}

/// Where costs are kept.
#[derive(Debug)]
pub(super) struct Costs {
    known: HashMap<(Candidate, usize), Cost>,
    file: Mutex<File>,
}

impl Costs {
    /// The file at this path: a new one, or what is there already of the same search. `of` says of
    /// which.
    pub(super) fn open(path: &Path, of: &str, resume: bool) -> Result<Self> {
        let said = || format!("`{}`", path.display());
        let header = Header { schema: SCHEMA.to_owned(), of: of.to_owned() };
        let mut known = HashMap::new();
        let mut file = if resume {
            let file = File::open(path).with_context(|| format!("{} cannot be read", said()))?;
            let mut lines = BufReader::new(file).lines();
            let first = lines.next().transpose()?.unwrap_or_default();
            if serde_json::from_str::<Header>(&first).ok().as_ref() != Some(&header) {
                bail!(
                    "{} is of another search: of other rules, bounds, loads, seed, or of another \
                     version; take another folder",
                    said()
                );
            }
            for line in lines {
                // The last line of a process that was killed may be half a one.
                let Ok(kept) = serde_json::from_str::<Kept>(&line?) else { continue };
                known.insert((kept.candidate, kept.case), kept.cost);
            }
            OpenOptions::new().append(true).open(path)
        } else {
            File::create_new(path)
        }
        .with_context(|| format!("{} cannot be written; `--resume` goes on with it", said()))?;
        if resume {
            writeln!(file)?;
        } else {
            serde_json::to_writer(&file, &header)?;
            writeln!(file)?;
        }
        Ok(Self { known, file: Mutex::new(file) })
    }

    /// How many costs were there already.
    pub(super) fn found(&self) -> usize {
        self.known.len()
    }

    fn keep(&self, candidate: &Candidate, case: usize, cost: Cost) {
        let kept = Kept { candidate: candidate.clone(), case, cost };
        let Ok(mut line) = serde_json::to_vec(&kept) else { return };
        line.push(b'\n');
        // What could not be kept is tried again.
        let _ = self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line);
    }
}

/// Everything that a trial needs.
#[derive(Debug)]
pub(super) struct Trials<'a> {
    pub(super) rules: &'a Editable,
    pub(super) bounds: &'a Bounds,
    pub(super) cases: &'a [Case],
    pub(super) costs: Costs,
    pub(super) stop: CancellationToken,
}

impl Trials<'_> {
    /// What they cost, each on its case, in the same order, on all cores.
    pub(super) fn costs(&self, all: &[(Contender, usize)]) -> Result<Vec<Cost>, Stop> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(all.len());
        let next = AtomicUsize::new(0);
        let results: Mutex<Vec<Option<Result<Cost, Stop>>>> =
            Mutex::new(all.iter().map(|_| None).collect());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while !self.stop.is_cancelled() {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        let Some((contender, case)) = all.get(place) else { break };
                        let cost = self.cost(contender, *case);
                        let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                        results[place] = Some(cost);
                    }
                });
            }
        });
        let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.into_iter().map(|result| result.unwrap_or(Err(Stop::Interrupted))).collect()
    }

    fn cost(&self, contender: &Contender, case: usize) -> Result<Cost, Stop> {
        if let Contender::Tuned(candidate) = contender
            && let Some(cost) = self.costs.known.get(&(candidate.clone(), case))
        {
            return Ok(*cost);
        }
        let Some(trial) = self.run(contender, case)? else {
            // Values that do not go together: nobody would take them.
            return Ok(Cost { violation_s: f64::INFINITY, instance_h: f64::INFINITY });
        };
        let cost =
            Cost { violation_s: trial.violation.as_secs_f64(), instance_h: trial.instance_hours };
        if let Contender::Tuned(candidate) = contender {
            self.costs.keep(candidate, case, cost);
        }
        Ok(cost)
    }

    /// One trial; nothing of values that are no rules together.
    pub(super) fn run(&self, contender: &Contender, case: usize) -> Result<Option<Trial>, Stop> {
        let mut scenario = self.cases[case].scenario.clone();
        let steps = match contender {
            Contender::Clairvoyant(share) => Some(
                rivals::clairvoyant(&scenario, *share)
                    .ok_or_else(|| Stop::Wrong("the load of a schedule is not known".to_owned()))?,
            ),
            Contender::Tuned(_) | Contender::Other(_) => None,
        };
        let rules = match contender {
            Contender::Tuned(candidate) => {
                let Ok(rules) = self.rules.rules(&self.text(candidate)) else { return Ok(None) };
                Some(rules)
            }
            Contender::Other(rules) => Some((**rules).clone()),
            Contender::Clairvoyant(_) => None,
        };
        if let (Some(autoscale), Some(rules)) = (&mut scenario.autoscale, rules) {
            autoscale.rules = rules;
        }
        let who = steps.as_deref().map_or(Who::Rules, Who::Schedule);
        match trial(&scenario, who, &|| self.stop.is_cancelled()) {
            Ok(Some(trial)) => Ok(Some(trial)),
            Ok(None) => Err(Stop::Interrupted),
            Err(reasons) => Err(Stop::Wrong(reasons.join("; "))),
        }
    }

    /// The text of the rules with a candidate's values.
    pub(super) fn text(&self, candidate: &Candidate) -> String {
        let paths = self.bounds.paths.iter().map(String::as_str);
        self.rules.with(paths.zip(self.bounds.space.values(candidate)))
    }
}
