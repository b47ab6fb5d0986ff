//! Whether the names that objectives ask for exist, and are those of one part only.

use plimsoll_document::nearest;
use plimsoll_monitor::{Objective, Part, Selector};

use super::{Place, Request};
use plimsoll_domain::schedule::Profile;

/// The names that objectives may ask for.
pub(super) struct Known {
    stages: Vec<(String, bool)>,
    requests: Vec<String>,
    /// `None` where only the answers will tell.
    deployments: Option<Vec<String>>,
}

impl Known {
    /// The names of a scenario.
    pub(super) fn new(profile: &Profile, requests: &[Request], place: Option<&Place>) -> Self {
        let deployments = match place {
            Some(Place::Deployed(deployed)) => {
                Some(deployed.deployments.iter().map(|d| d.name.clone()).collect())
            }
            Some(Place::Existing(_)) | None => None,
        };
        Self {
            stages: profile.stages.iter().map(|s| (s.name.clone(), s.warmup)).collect(),
            requests: requests.iter().map(|request| request.name.clone()).collect(),
            deployments,
        }
    }

    /// What is wrong with the names of an objective, and what would be right.
    pub(super) fn check(&self, objective: &Objective) -> Option<(String, String)> {
        objective.selectors().iter().find_map(|selector| self.problem(selector))
    }

    fn problem(&self, selector: &Selector) -> Option<(String, String)> {
        let name = selector.name.as_str();
        let having: Vec<Part> = match selector.part {
            Some(part) => vec![part].into_iter().filter(|part| self.has(*part, name)).collect(),
            None => Part::ALL.into_iter().filter(|part| self.has(*part, name)).collect(),
        };
        if having.is_empty() {
            // An endpoint that is there already may have any deployment; the answers tell.
            let may_be_unknown = matches!(selector.part, Some(Part::Deployment));
            if self.deployments.is_none() && may_be_unknown {
                return None;
            }
            return Some(self.unknown(selector));
        }
        if let [first, second, ..] = having.as_slice() {
            let (first, second) = (first.name(), second.name());
            return Some((
                format!("`{name}` is the name of a {first} and of a {second}"),
                format!("write `of {first} {name}` or `of {second} {name}`"),
            ));
        }
        let is_warmup = self.stages.iter().any(|(stage, warmup)| stage == name && *warmup);
        (having == [Part::Stage] && is_warmup).then(|| {
            (
                format!("stage `{name}` is a warm-up, which is never judged"),
                "name another stage, or leave `warmup: true` out".to_owned(),
            )
        })
    }

    fn unknown(&self, selector: &Selector) -> (String, String) {
        let what = selector.part.map_or("stage, request or deployment", Part::name);
        let all = self.all(selector.part);
        let hint = match nearest(&selector.name, all.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if self.deployments.is_none() => {
                format!("known: {}; of a deployment write `of deployment NAME`", all.join(", "))
            }
            None => format!("known: {}", all.join(", ")),
        };
        (format!("there is no {what} named `{}`", selector.name), hint)
    }

    fn has(&self, part: Part, name: &str) -> bool {
        self.all(Some(part)).contains(&name)
    }

    fn all(&self, part: Option<Part>) -> Vec<&str> {
        let wanted = |of| part.is_none_or(|part| part == of);
        let stages = self.stages.iter().map(|(name, _)| name.as_str());
        let requests = self.requests.iter().map(String::as_str);
        let deployments = self.deployments.iter().flatten().map(String::as_str);
        let lists = [
            (Part::Stage, stages.collect::<Vec<_>>()),
            (Part::Request, requests.collect()),
            (Part::Deployment, deployments.collect()),
        ];
        lists.into_iter().filter(|(of, _)| wanted(*of)).flat_map(|(_, names)| names).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(deployments: Option<&[&str]>) -> Known {
        Known {
            stages: vec![("warm-up".to_owned(), true), ("hold".to_owned(), false)],
            requests: vec!["score".to_owned(), "green".to_owned()],
            deployments: deployments.map(|names| names.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn names_are_looked_up_and_confusion_is_said() {
        let cases = [
            ("p99 of score < 1s", ""),
            ("p99 of hold < 1s", ""),
            ("p99 of blue < 1s", ""),
            ("p99 of scroe < 1s", "no stage, request or deployment named `scroe`"),
            ("p99 of green < 1s", "a request and of a deployment"),
            ("p99 of deployment green < 1s", ""),
            ("p99 of warm-up < 1s", "never judged"),
            ("p99 of request hold < 1s", "no request named `hold`"),
        ];
        let known = known(Some(&["blue", "green"]));
        for (text, said) in cases {
            let problem = known.check(&text.parse().unwrap()).unwrap_or_default();
            assert_eq!(problem.0.is_empty(), said.is_empty(), "{text}: {problem:?}");
            assert!(problem.0.contains(said), "{text}: {problem:?}");
        }
        let hint = known.check(&"p99 of scroe < 1s".parse().unwrap()).unwrap().1;
        assert_eq!(hint, "did you mean `score`?");
    }

    #[test]
    fn of_an_endpoint_that_is_there_any_deployment_may_be_asked_for() {
        let known = known(None);
        assert_eq!(known.check(&"p99 of deployment teal < 1s".parse().unwrap()), None);
        let (_, hint) = known.check(&"p99 of teal < 1s".parse().unwrap()).unwrap();
        assert!(hint.contains("of deployment NAME"), "{hint}");
    }
}
