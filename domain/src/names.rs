//! Who and what a result is about: the three parts of its key, and their names.
//!
//! A [`Key`] holds small numbers; a [`Names`] says what they stand for. Stages and requests are
//! known before the run; deployments are also learnt from answers, so two machines may number them
//! differently, and merging translates by name.

use serde::{Deserialize, Serialize};

/// Deployments told apart in one run; answers of further ones are counted as of
/// [`Names::OTHERS`]. A server that sends a new name with each answer must not fill the memory.
pub const MOST_DEPLOYMENTS: usize = 16;

/// A longer name of a deployment is cut (Azure allows 32 characters).
const LONGEST_NAME: usize = 128;

/// When, what was asked, and who answered.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Key {
    /// The stage in which it was due.
    pub stage: u16,
    /// The request that was sent.
    pub request: u16,
    /// The deployment that answered; 0 while nobody has told.
    pub deployment: u16,
}

/// A stage of the load, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageName {
    /// Its name.
    pub name: String,
    /// Whether its arrivals are shown, but not judged.
    pub warmup: bool,
}

/// What the numbers of a [`Key`] stand for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// The stages, in their order.
    pub stages: Vec<StageName>,
    /// The requests of the mix, in the scenario's order.
    pub requests: Vec<String>,
    deployments: Vec<String>,
}

impl Names {
    /// The name that stands for all deployments after the first [`MOST_DEPLOYMENTS`].
    pub const OTHERS: &str = "(others)";

    /// These stages and requests, and the deployments that are known before the run.
    pub fn new(
        stages: Vec<StageName>,
        requests: Vec<String>,
        deployments: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut names = Self { stages, requests, deployments: vec![String::new()] };
        for name in deployments {
            names.deployment(&name);
        }
        names
    }

    /// The deployments by number; the first is empty and stands for "nobody told".
    pub fn deployments(&self) -> &[String] {
        &self.deployments
    }

    /// The number of the deployment with this name, which is entered if it is new.
    pub fn deployment(&mut self, name: &str) -> u16 {
        let name = cut(name);
        let is_known = self.deployments.iter().any(|other| other == name);
        let has_room = self.deployments.len() < MOST_DEPLOYMENTS;
        let name = if is_known || has_room { name } else { Self::OTHERS };
        entry(&mut self.deployments, |other| other == name, || name.to_owned())
    }

    /// Whether the stage with this number is a warm-up.
    pub fn is_warmup(&self, stage: u16) -> bool {
        self.stages.get(usize::from(stage)).is_some_and(|stage| stage.warmup)
    }

    /// The names of a key's stage, request and deployment; an unknown number has an empty name.
    pub fn of(&self, key: Key) -> (&str, &str, &str) {
        (
            self.stages.get(usize::from(key.stage)).map_or("", |stage| stage.name.as_str()),
            self.requests.get(usize::from(key.request)).map_or("", String::as_str),
            self.deployments.get(usize::from(key.deployment)).map_or("", String::as_str),
        )
    }

    /// A key of `other` in these names, where what is new is entered.
    pub fn translate(&mut self, other: &Self, key: Key) -> Key {
        if self == other {
            return key;
        }
        let (stage, request, deployment) = other.of(key);
        let stage = entry(
            &mut self.stages,
            |known| known.name == stage,
            || StageName { name: stage.to_owned(), warmup: other.is_warmup(key.stage) },
        );
        let request = entry(&mut self.requests, |known| known == request, || request.to_owned());
        Key { stage, request, deployment: self.deployment(deployment) }
    }
}

impl Default for Names {
    /// No stage, no request, nobody told.
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new(), [])
    }
}

/// The number of the entry that `is` the one, which is made if it is new.
fn entry<T>(list: &mut Vec<T>, is: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> u16 {
    let known = list.iter().position(is);
    known.unwrap_or_else(|| {
        list.push(make());
        list.len() - 1
    }) as u16
}

fn cut(name: &str) -> &str {
    let end = (0..=LONGEST_NAME.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
    &name[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(deployments: &[&str]) -> Names {
        let stage = |name: &str, warmup| StageName { name: name.to_owned(), warmup };
        Names::new(
            vec![stage("warm-up", true), stage("hold", false)],
            vec!["score".to_owned()],
            deployments.iter().map(ToString::to_string),
        )
    }

    #[test]
    fn machines_that_learnt_names_in_another_order_agree_after_translation() {
        let mut here = names(&["blue"]);
        let mut there = names(&["green", "blue"]);
        let key = Key { stage: 1, request: 0, deployment: there.deployment("green") };
        let translated = here.translate(&there, key);
        assert_eq!(here.of(translated), ("hold", "score", "green"));
        assert_eq!(here.of(here.clone().translate(&there, Key::default())).2, "");
    }

    #[test]
    fn a_flood_of_names_is_bounded() {
        let mut names = names(&[]);
        for number in 0..1_000 {
            names.deployment(&format!("d{number}"));
        }
        assert_eq!(names.deployments().len(), MOST_DEPLOYMENTS + 1);
        let last = names.deployment("one more");
        assert_eq!(names.deployments()[usize::from(last)], Names::OTHERS);
        assert!(names.deployment(&"é".repeat(500)) <= last);
    }
}
