//! Whether objectives fit the scenario: the names that they ask for exist, and are those of one
//! part only, and their windows fit into what is measured.

use plimsoll_document::nearest;
use plimsoll_domain::schedule::Profile;
use plimsoll_domain::units::format_duration;
use plimsoll_monitor::{Objective, Part, Selector};

use super::{Place, Request};

/// The schedule, and the names that objectives may ask for.
pub(super) struct Known {
    profile: Profile,
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
            Some(Place::Existing(_) | Place::Standing(_)) | None => None,
        };
        Self {
            profile: profile.clone(),
            requests: requests.iter().map(|request| request.name.clone()).collect(),
            deployments,
        }
    }

    /// What is wrong with an objective, and what would be right.
    pub(super) fn check(&self, objective: &Objective) -> Option<(String, String)> {
        let named = objective.selectors().iter().find_map(|selector| self.problem(selector));
        named.or_else(|| self.contradiction(objective)).or_else(|| self.too_long(objective))
    }

    /// Two names of one part: no request has both.
    fn contradiction(&self, objective: &Objective) -> Option<(String, String)> {
        let mut seen: Vec<(Part, &str)> = Vec::new();
        for selector in objective.selectors() {
            let Some(part) = self.having(selector).first().copied() else { continue };
            if let Some((_, other)) = seen.iter().find(|(other, _)| *other == part) {
                let (part, name) = (part.name(), &selector.name);
                return Some((
                    format!("nothing is of {part} `{other}` and of {part} `{name}` at once"),
                    format!("write an objective for each {part}"),
                ));
            }
            seen.push((part, &selector.name));
        }
        None
    }

    /// A window that does not fit into what is measured is never judged.
    fn too_long(&self, objective: &Objective) -> Option<(String, String)> {
        let measured = objective.measured(&self.profile);
        let length = measured.end.saturating_sub(measured.start);
        let window = objective.window().filter(|window| *window > length && !length.is_zero())?;
        let (window, length) = (format_duration(window), format_duration(length));
        let message =
            format!("the window of {window} is longer than the {length} that are measured");
        Some((message, "take a shorter window, or measure for longer".to_owned()))
    }

    /// The parts that have the selector's name.
    fn having(&self, selector: &Selector) -> Vec<Part> {
        let asked = |part: &Part| selector.part.is_none_or(|asked| asked == *part);
        let has = |part: &Part| self.all(Some(*part)).contains(&selector.name.as_str());
        Part::ALL.into_iter().filter(|part| asked(part) && has(part)).collect()
    }

    fn problem(&self, selector: &Selector) -> Option<(String, String)> {
        let name = selector.name.as_str();
        let having = self.having(selector);
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
        let is_warmup = self.profile.stages.iter().any(|stage| stage.name == name && stage.warmup);
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
            None if self.deployments.is_none() && selector.part.is_none() => {
                format!("known: {}; of a deployment write `of deployment NAME`", all.join(", "))
            }
            None => format!("known: {}", all.join(", ")),
        };
        (format!("there is no {what} named `{}`", selector.name), hint)
    }

    fn all(&self, part: Option<Part>) -> Vec<&str> {
        let wanted = |of| part.is_none_or(|part| part == of);
        let stages = self.profile.stages.iter().map(|stage| stage.name.as_str());
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
    use plimsoll_domain::schedule::Stage;
    use std::time::Duration;

    fn known(deployments: Option<&[&str]>) -> Known {
        let hold = |name, s| Stage::hold(name, 10.0, Duration::from_secs(s));
        let stages = vec![hold("warm-up", 9).as_warmup(), hold("hold", 4), hold("peak", 6)];
        Known {
            profile: Profile::new(stages),
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
            ("p99 of hold of score < 1s", ""),
            ("p99 of hold of peak < 1s", "nothing is of stage `hold` and of stage `peak`"),
            ("p99 < 1s in every 10s", ""),
            ("p99 < 1s in every 11s", "the window of 11s is longer than the 10s that are measured"),
            ("p99 of hold < 1s in 90% of 5s windows", "longer than the 4s that are measured"),
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
