//! Which values of autoscale rules hold the objectives for the fewest instance-hours: a search in
//! virtual time.
//!
//! What is searched is said by [`bounds`]; how, by [`plimsoll_study::tune`]. Every candidate is tried
//! on the same cases ([`trials`]): loads, each with the same seeds, so that candidates differ by what
//! they are. The choice is made on loads that the search never saw, beside what else could have been
//! done ([`rivals`]).

pub(crate) mod bounds;
mod editable;
mod rivals;
#[cfg(test)]
mod tests;
mod trials;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use plimsoll_domain::clock;
use plimsoll_domain::schedule::Trace;
use plimsoll_domain::units::format_duration;
use plimsoll_study::tune::{Candidate, Choice, Cost, Search, Settings, choose};
use tokio_util::sync::CancellationToken;

pub(crate) use bounds::Bounds;
pub(crate) use editable::Editable;
use trials::{Case, Contender, Costs, Set, Stop, Trials};

use crate::scenario::Scenario;
use crate::session::Trial;
use crate::view::View;

/// The file of costs in the folder of a search.
pub(crate) const COSTS: &str = "tune.jsonl";

/// What is to be found out.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) scenario: Scenario,
    pub(crate) rules: Editable,
    pub(crate) bounds: Bounds,
    pub(crate) seed: u64,
    /// Trials that may be spent.
    pub(crate) budget: usize,
    /// Candidates of a generation.
    pub(crate) generation: usize,
    pub(crate) folder: PathBuf,
    /// Whether to go on with what the folder holds.
    pub(crate) resume: bool,
    pub(crate) quiet: bool,
}

/// A contender's name and its mean costs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tried {
    pub(crate) name: String,
    /// On the loads of the search.
    pub(crate) searched: Cost,
    /// On arrivals that neither the search nor the choice has seen.
    pub(crate) held_out: Cost,
}

/// A candidate of the front.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OnFront {
    pub(crate) candidate: Candidate,
    pub(crate) tried: Tried,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Tuned {
    pub(crate) front: Vec<OnFront>,
    /// The rules as they were.
    pub(crate) current: Tried,
    /// What the vendor proposes, if it does.
    pub(crate) vendor: Option<Tried>,
    /// Schedules that know the load, by the share of slots at work.
    pub(crate) clairvoyant: Vec<Tried>,
    pub(crate) choice: Option<Choice>,
    /// The text of the chosen rules.
    pub(crate) text: Option<String>,
    /// One step from the choice: the parameter's place, the candidate, and its cost on the loads of
    /// the search.
    pub(crate) neighbours: Vec<(usize, Candidate, Cost)>,
    /// The first held-out case under the rules as they were and as they were chosen.
    pub(crate) courses: Option<(String, Trial, Trial)>,
    /// Trials of the search, and of how many candidates.
    pub(crate) spent: usize,
    pub(crate) candidates: usize,
    /// Searched on, chosen on, and shown.
    pub(crate) cases: [usize; 3],
    pub(crate) interrupted: bool,
}

/// Searches, on all cores, until the budget is spent or `stop` is told; what was found is judged also
/// then, unless `abort` is told: then nothing comes of it but the costs that are kept.
///
/// # Errors
/// What of the scenario cannot be simulated, or a file that cannot be read or written.
pub(crate) fn tune(
    asked: &Asked,
    stop: CancellationToken,
    abort: CancellationToken,
) -> Result<Option<Tuned>> {
    let cases = cases(asked)?;
    let searched = cases.iter().filter(|case| case.set == Set::Searched).count();
    let costs = Costs::open(&asked.folder.join(COSTS), &identity(asked, &cases), asked.resume)?;
    let trials = Trials { rules: &asked.rules, bounds: &asked.bounds, cases: &cases, costs, stop };
    let mut progress = Progress::new(asked, trials.costs.found());
    let settings = Settings {
        cases: searched,
        budget: asked.budget,
        generation: asked.generation,
        seed: asked.seed,
    };
    let current = asked.bounds.current.clone();
    let mut search = Search::new(asked.bounds.space.clone(), settings, vec![current]);
    let mut interrupted = false;
    loop {
        let tasks = search.next();
        if tasks.is_empty() {
            break;
        }
        let contender = |trial: usize| Contender::Tuned(search.trials()[trial].candidate.clone());
        let all: Vec<_> = tasks.iter().map(|task| (contender(task.trial), task.case)).collect();
        progress.say(&search, tasks.len());
        match trials.costs(&all) {
            Ok(costs) => search.observe(&costs),
            Err(Stop::Wrong(why)) => anyhow::bail!(why),
            Err(Stop::Interrupted) => {
                interrupted = true;
                break;
            }
        }
    }
    progress.view.clear();
    let trials = Trials { stop: abort, ..trials };
    match judge(asked, &trials, &search, interrupted) {
        Ok(tuned) => Ok(Some(tuned)),
        Err(Stop::Interrupted) => Ok(None),
        Err(Stop::Wrong(why)) => anyhow::bail!(why),
    }
}

/// Each load with each seed, those of the search first, and of these the first seed of all loads
/// before the second, so that a short race has seen each load.
fn cases(asked: &Asked) -> Result<Vec<Case>> {
    let Asked { scenario, bounds, .. } = asked;
    let with = |load: &bounds::Load| {
        let mut scenario = scenario.clone();
        scenario.replay_as(&load.file, load.speed, load.scale).map(|()| {
            let name = load.file.file_name().map(|name| name.to_string_lossy().into_owned());
            (name.unwrap_or_default(), scenario)
        })
    };
    let loads = |all: &[bounds::Load]| -> Result<Vec<(String, Scenario)>> {
        all.iter().map(|load| with(load).map_err(anyhow::Error::msg)).collect()
    };
    let own = || vec![("the scenario's own load".to_owned(), scenario.clone())];
    let searched = if bounds.traces.is_empty() { own() } else { loads(&bounds.traces)? };
    let held_out = if bounds.held_out.is_empty() {
        searched
            .iter()
            .map(|(name, load)| (format!("{name}, other arrivals"), load.clone()))
            .collect()
    } else {
        loads(&bounds.held_out)?
    };
    let mut cases = Vec::new();
    for (loads, set) in
        [(&searched, Set::Searched), (&held_out, Set::Choice), (&held_out, Set::Shown)]
    {
        for number in 0..u64::from(bounds.seeds) {
            for (name, scenario) in loads {
                let mut scenario = scenario.clone();
                // Other numbers than those of any other case, whatever the seed is.
                scenario.seed = asked.seed.wrapping_add((3 * number + set as u64) << 32);
                cases.push(Case { name: name.clone(), scenario, set });
            }
        }
    }
    Ok(cases)
}

/// What the costs of a search are of: two with the same answer have the same costs.
fn identity(asked: &Asked, cases: &[Case]) -> String {
    let mut hash = DefaultHasher::new();
    let mut add = |text: &str| text.hash(&mut hash);
    add(env!("CARGO_PKG_VERSION"));
    add(asked.rules.text());
    add(&format!("{:?}{:?}", asked.bounds.space, asked.bounds.paths));
    for case in cases {
        let Scenario { seed, place, requests, timeout, load, objectives, autoscale, .. } =
            &case.scenario;
        add(&format!("{seed} {place:?} {timeout:?} {objectives:?} {}", requests.len()));
        add(&format!(
            "{:?} {:?} {:?}",
            load.profile,
            load.trace.as_ref().map(Trace::pass),
            load.drain
        ));
        let of = autoscale.as_ref();
        add(&format!(
            "{:?}",
            of.map(|of| (&of.subject, of.parameters, of.compression, &of.provisioning))
        ));
    }
    format!("{:016x}", hash.finish())
}

/// Tries what is worth it on what was held out, and chooses.
fn judge(
    asked: &Asked,
    trials: &Trials<'_>,
    search: &Search,
    interrupted: bool,
) -> Result<Tuned, Stop> {
    let places = |set: Set| {
        let all = trials.cases.iter().enumerate();
        all.filter(move |(_, case)| case.set == set).map(|(place, _)| place)
    };
    let mean = |contender: &Contender, set: Set| -> Result<Cost, Stop> {
        let all: Vec<_> = places(set).map(|case| (contender.clone(), case)).collect();
        let costs = trials.costs(&all)?;
        Cost::mean(&costs).ok_or(Stop::Interrupted)
    };
    let tried = |name: String, contender: &Contender| -> Result<Tried, Stop> {
        let searched = mean(contender, Set::Searched)?;
        Ok(Tried { name, searched, held_out: mean(contender, Set::Shown)? })
    };
    let (mut front, mut costs) = (Vec::new(), Vec::new());
    for (trial, _) in search.front() {
        let contender = Contender::Tuned(trial.candidate.clone());
        let name = values(asked, &trial.candidate);
        costs.push(mean(&contender, Set::Choice)?);
        front.push(OnFront { candidate: trial.candidate.clone(), tried: tried(name, &contender)? });
    }
    let current = Contender::Tuned(asked.bounds.current.clone());
    let current_tried = tried("the rules as they are".to_owned(), &current)?;
    let rules = asked.scenario.autoscale.as_ref().map(|of| &of.rules);
    let vendor = match rules.and_then(rivals::vendor) {
        Some((words, rules)) => Some(tried(words.to_owned(), &Contender::Other(Box::new(rules)))?),
        None => None,
    };
    let mut clairvoyant = Vec::new();
    for share in rivals::SHARES {
        let name = format!("a schedule that knows the load, {} % of slots at work", share * 100.0);
        clairvoyant.push(tried(name, &Contender::Clairvoyant(share))?);
    }
    let choice = choose(&costs, asked.bounds.allowed.as_secs_f64());
    let chosen = choice.map(|choice| front[choice.place].candidate.clone());
    let (mut neighbours, mut courses) = (Vec::new(), None);
    if let Some(chosen) = &chosen {
        for (parameter, other) in asked.bounds.space.neighbours(chosen) {
            let cost = mean(&Contender::Tuned(other.clone()), Set::Searched)?;
            neighbours.push((parameter, other, cost));
        }
        if let Some(case) = places(Set::Shown).next() {
            let old = trials.run(&current, case)?;
            let new = trials.run(&Contender::Tuned(chosen.clone()), case)?;
            let name = trials.cases[case].name.clone();
            courses = old.zip(new).map(|(old, new)| (name, old, new));
        }
    }
    Ok(Tuned {
        front,
        current: current_tried,
        vendor,
        clairvoyant,
        choice,
        text: chosen.as_ref().map(|chosen| trials.text(chosen)),
        neighbours,
        courses,
        spent: search.spent(),
        candidates: search.trials().len(),
        cases: [Set::Searched, Set::Choice, Set::Shown].map(|set| places(set).count()),
        interrupted,
    })
}

/// A candidate's values in words.
pub(crate) fn values(asked: &Asked, candidate: &Candidate) -> String {
    let space = &asked.bounds.space;
    let pairs = space.parameters().iter().zip(space.values(candidate));
    pairs
        .map(|(parameter, value)| format!("{} {value}", parameter.name))
        .collect::<Vec<_>>()
        .join(", ")
}

/// How far a search is.
struct Progress {
    view: View,
    began: plimsoll_domain::Moment,
    budget: usize,
    found: usize,
}

impl Progress {
    fn new(asked: &Asked, found: usize) -> Self {
        let view = View::new(asked.quiet);
        if found > 0 {
            view.line(format!("{found} trials are known already"));
        }
        Self { view, began: clock::now(), budget: asked.budget, found }
    }

    fn say(&mut self, search: &Search, now: usize) {
        let spent = search.spent();
        let least = search.front().first().map(|(_, cost)| *cost);
        let so_far = least.map_or(String::new(), |cost| {
            format!(
                "; the front begins at {:.3} instance-hours, {:.0} s violated",
                cost.instance_h, cost.violation_s
            )
        });
        let new = spent.saturating_sub(self.found);
        let left = if new == 0 {
            String::new()
        } else {
            let each = clock::now().since(self.began).as_secs_f64() / new as f64;
            let left = each * self.budget.saturating_sub(spent) as f64;
            format!(", about {} left", format_duration(Duration::from_secs(left.ceil() as u64)))
        };
        let step = format!("trial {spent} of {}{left}", self.budget);
        self.view.step(&step, &format!("{now} now{so_far}"));
    }
}
