//! What an objective is about: everything measured, or one stage, request or deployment by name.

use std::fmt;

use plimsoll_domain::{Key, Names};

/// Which of the three parts of a key a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// When it was due.
    Stage,
    /// What was asked.
    Request,
    /// Who answered.
    Deployment,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Stage, Self::Request, Self::Deployment];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stage => "stage",
            Self::Request => "request",
            Self::Deployment => "deployment",
        }
    }
}

/// A name that an objective asks for: `of green`, or `of deployment green` where another part of
/// the scenario has the same name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selector {
    /// Of which part it is; `None` if only one part has that name.
    pub part: Option<Part>,
    /// The name.
    pub name: String,
}

impl Selector {
    /// Whether it is about the stage of this name, if there is one.
    pub(crate) fn is_stage(&self, name: &str) -> bool {
        matches!(self.part, None | Some(Part::Stage)) && self.name == name
    }

    /// Whether the key has the name.
    pub fn selects(&self, names: &Names, key: Key) -> bool {
        let (stage, request, deployment) = names.of(key);
        match self.part {
            Some(Part::Stage) => stage == self.name,
            Some(Part::Request) => request == self.name,
            Some(Part::Deployment) => deployment == self.name,
            None => [stage, request, deployment].contains(&self.name.as_str()),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Some(part) => write!(f, "{} {}", part.name(), self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_domain::StageName;

    #[test]
    fn a_name_selects_the_part_that_has_it() {
        let stage = |name: &str| StageName { name: name.to_owned(), warmup: false };
        let mut names = Names::new(vec![stage("hold")], vec!["blue".to_owned()], []);
        let key = Key { stage: 0, request: 0, deployment: names.deployment("green") };
        let selects =
            |part, name: &str| Selector { part, name: name.to_owned() }.selects(&names, key);
        for name in ["hold", "blue", "green"] {
            assert!(selects(None, name), "{name}");
        }
        assert!(!selects(None, "black"));
        assert!(selects(Some(Part::Request), "blue") && !selects(Some(Part::Deployment), "blue"));
    }
}
