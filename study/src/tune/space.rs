//! What may be chosen: a grid.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

/// One thing that may be set, and the values that it may have, in their order: neighbours are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, for people.
    pub name: String,
    /// The values as they are written into the rules; at least one.
    pub values: Vec<String>,
}

/// A choice: for each parameter the place of its value in [`Parameter::values`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Candidate(pub Vec<usize>);

/// A space that nothing can be chosen from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpaceError {
    /// There is no parameter.
    #[error("there is nothing to choose: no parameter is given")]
    Empty,
    /// A parameter has no value.
    #[error("`{0}` has no value that it may take")]
    NoValue(String),
}

/// All candidates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    parameters: Vec<Parameter>,
}

impl Space {
    /// The grid of these parameters.
    ///
    /// # Errors
    /// There is nothing to choose from.
    pub fn new(parameters: Vec<Parameter>) -> Result<Self, SpaceError> {
        if parameters.is_empty() {
            return Err(SpaceError::Empty);
        }
        match parameters.iter().find(|parameter| parameter.values.is_empty()) {
            Some(parameter) => Err(SpaceError::NoValue(parameter.name.clone())),
            None => Ok(Self { parameters }),
        }
    }

    /// The parameters.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// How many candidates there are; `None` for more than can be counted in 64 bits.
    pub fn size(&self) -> Option<u64> {
        let lengths = self.parameters.iter().map(|parameter| parameter.values.len() as u64);
        lengths.into_iter().try_fold(1_u64, u64::checked_mul)
    }

    /// A candidate's values, in the order of the parameters.
    pub fn values<'a>(&'a self, candidate: &'a Candidate) -> impl Iterator<Item = &'a str> {
        let pairs = self.parameters.iter().zip(&candidate.0);
        pairs.map(|(parameter, &place)| parameter.values[place].as_str())
    }

    /// The candidates one step away in one parameter, with the parameter's place.
    pub fn neighbours(&self, candidate: &Candidate) -> Vec<(usize, Candidate)> {
        let mut neighbours = Vec::new();
        for (index, parameter) in self.parameters.iter().enumerate() {
            let place = candidate.0[index];
            for other in [place.checked_sub(1), Some(place + 1)].into_iter().flatten() {
                if other < parameter.values.len() {
                    let mut moved = candidate.clone();
                    moved.0[index] = other;
                    neighbours.push((index, moved));
                }
            }
        }
        neighbours
    }

    /// A Latin hypercube: of each parameter every part of its range is taken about equally often.
    pub(super) fn spread(&self, count: usize, random: &mut Pcg64) -> Vec<Candidate> {
        let mut columns: Vec<Vec<usize>> = Vec::new();
        for parameter in &self.parameters {
            let levels = parameter.values.len();
            let place = |row: usize, within: f64| {
                let share = (row as f64 + within) / count as f64;
                ((share * levels as f64) as usize).min(levels - 1)
            };
            let mut column: Vec<_> = (0..count).map(|row| place(row, random.random())).collect();
            column.shuffle(random);
            columns.push(column);
        }
        let row = |row: usize| Candidate(columns.iter().map(|column| column[row]).collect());
        (0..count).map(row).collect()
    }

    /// A child: each parameter of one of the parents, and then some moved by some steps.
    pub(super) fn child(
        &self,
        mother: &Candidate,
        father: &Candidate,
        random: &mut Pcg64,
    ) -> Candidate {
        let often = 1.0 / self.parameters.len() as f64;
        let mut genes = Vec::with_capacity(self.parameters.len());
        for (index, parameter) in self.parameters.iter().enumerate() {
            let parent = if random.random_bool(0.5) { mother } else { father };
            let mut place = parent.0[index];
            if random.random_bool(often.max(0.15)) {
                // One step half the time, two a quarter, and so on: near mostly, far sometimes.
                let mut steps = 1;
                while random.random_bool(0.5) && steps < parameter.values.len() {
                    steps += 1;
                }
                place = if random.random_bool(0.5) {
                    place.saturating_sub(steps)
                } else {
                    (place + steps).min(parameter.values.len() - 1)
                };
            }
            genes.push(place);
        }
        Candidate(genes)
    }
}
