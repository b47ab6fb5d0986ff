//! What to try next.

use std::collections::{BTreeSet, HashSet};

use rand::RngExt;
use rand_pcg::Pcg64;

use super::front::{front, ranks};
use super::{Candidate, Cost, Space};

/// How the search goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Cases that every candidate may be tried on, from 1.
    pub cases: usize,
    /// Trials (one candidate on one case) that may be spent. A generation that has begun is finished.
    pub budget: usize,
    /// Candidates of a generation, from 2.
    pub generation: usize,
    /// Of everything random.
    pub seed: u64,
}

/// One candidate to be tried on one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// The candidate, by its place in [`Search::trials`].
    pub trial: usize,
    /// The case, from 0.
    pub case: usize,
}

/// A candidate and what it cost so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// What was tried.
    pub candidate: Candidate,
    /// What it cost on the cases 0, 1, …
    pub costs: Vec<Cost>,
}

/// A search under way.
#[derive(Debug)]
pub struct Search {
    space: Space,
    settings: Settings,
    random: Pcg64,
    trials: Vec<Trial>,
    known: HashSet<Candidate>,
    /// Those of this generation that are still in the race.
    racing: Vec<usize>,
    /// The cases that they must have been tried on for this round.
    round: usize,
    spent: usize,
    given: usize,
}

impl Search {
    /// A search that has tried nothing. What is `given` (the rules that there are, say) is tried on
    /// every case, whatever it costs.
    pub fn new(space: Space, settings: Settings, given: Vec<Candidate>) -> Self {
        let settings = Settings {
            cases: settings.cases.max(1),
            generation: settings.generation.max(2),
            ..settings
        };
        let mut search = Self {
            random: Pcg64::new(settings.seed.into(), 0x7475_6e65),
            space,
            settings,
            trials: Vec::new(),
            known: HashSet::new(),
            racing: Vec::new(),
            round: 1,
            spent: 0,
            given: 0,
        };
        for candidate in given {
            search.enter(candidate);
        }
        search.given = search.trials.len();
        let spread = search.space.spread(search.settings.generation, &mut search.random);
        for candidate in spread {
            search.enter(candidate);
        }
        search
    }

    /// What may be chosen.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// Everything that was tried.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// Trials spent so far.
    pub fn spent(&self) -> usize {
        self.spent
    }

    /// What to try now; nothing once the search is over. The costs go to [`Search::observe`], all of
    /// them and in this order.
    pub fn next(&self) -> Vec<Task> {
        let tasks = self.racing.iter().flat_map(|&trial| {
            let done = self.trials[trial].costs.len();
            (done..self.goal(trial)).map(move |case| Task { trial, case })
        });
        tasks.collect()
    }

    fn goal(&self, trial: usize) -> usize {
        if trial < self.given { self.settings.cases } else { self.round }
    }

    /// Takes what [`Search::next`]'s tasks cost, and goes on to what comes next.
    ///
    /// # Panics
    /// If there are more or fewer costs than tasks.
    pub fn observe(&mut self, costs: &[Cost]) {
        let tasks = self.next();
        assert_eq!(tasks.len(), costs.len(), "one cost for each task");
        self.spent += tasks.len();
        for (task, cost) in tasks.iter().zip(costs) {
            self.trials[task.trial].costs.push(*cost);
        }
        if self.round < self.settings.cases {
            self.cut();
            self.round = (2 * self.round).min(self.settings.cases);
        } else {
            self.racing.clear();
            self.round = 1;
            if self.spent < self.settings.budget {
                self.breed();
            }
        }
    }

    /// The better half stays in the race. They are compared on the cases that all of them have.
    fn cut(&mut self) {
        let so_far = |&trial: &usize| {
            Cost::mean(&self.trials[trial].costs[..self.round]).expect("a round has a case")
        };
        let costs: Vec<Cost> = self.racing.iter().map(so_far).collect();
        let ranks = ranks(&costs);
        let mut order: Vec<usize> = (0..self.racing.len()).collect();
        order.sort_by_key(|&place| ranks[place]);
        let keep = self.racing.len().div_ceil(2);
        // A front is never cut in two: which part of it matters is not known yet.
        let last = order.get(keep.saturating_sub(1)).map_or(0, |&place| ranks[place]);
        let stays: BTreeSet<usize> = order
            .into_iter()
            .filter(|&place| ranks[place] <= last || self.racing[place] < self.given)
            .map(|place| self.racing[place])
            .collect();
        self.racing = stays.into_iter().collect();
    }

    fn breed(&mut self) {
        let parents: Vec<Candidate> =
            self.front().into_iter().map(|(trial, _)| trial.candidate.clone()).collect();
        // In a small space most children were there before.
        for _ in 0..20 * self.settings.generation {
            if self.racing.len() == self.settings.generation {
                break;
            }
            let mother = &parents[self.random.random_range(0..parents.len())];
            let father = &parents[self.random.random_range(0..parents.len())];
            let child = self.space.child(mother, father, &mut self.random);
            self.enter(child);
        }
    }

    fn enter(&mut self, candidate: Candidate) {
        if self.known.insert(candidate.clone()) {
            self.racing.push(self.trials.len());
            self.trials.push(Trial { candidate, costs: Vec::new() });
        }
    }

    /// The front of what was tried on every case, with its mean cost; the fewest instance-hours first.
    pub fn front(&self) -> Vec<(&Trial, Cost)> {
        let whole = |trial: &&Trial| trial.costs.len() == self.settings.cases;
        let tried: Vec<(&Trial, Cost)> = self
            .trials
            .iter()
            .filter(whole)
            .filter_map(|trial| Some((trial, Cost::mean(&trial.costs)?)))
            .collect();
        let costs: Vec<Cost> = tried.iter().map(|(_, cost)| *cost).collect();
        front(&costs).into_iter().map(|place| tried[place]).collect()
    }
}
