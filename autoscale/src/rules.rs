//! Files of rules, of whatever kind: each is recognised by its keys.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use plimsoll_document::{Document, Problem, Problems, read_text};

use crate::azure::{self, Parameters, Setting};
use crate::hpa::{Hpa, Source};
use crate::keda::ScaledObject;
use crate::knative::Kpa;
use crate::utilization::{self, TargetUtilization};
use crate::{Decision, State, hpa, keda, knative};

/// What kind of rules a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Azure Monitor autoscale: the setting as JSON.
    Azure,
    /// A `HorizontalPodAutoscaler` of Kubernetes.
    Hpa,
    /// A `ScaledObject` of KEDA.
    ScaledObject,
    /// A service or revision with Knative's annotations.
    Knative,
    /// A deployment of Azure ML on Kubernetes, with `scale_settings`.
    Utilization,
}

impl Kind {
    /// The kind of a file, by its keys.
    pub fn of(document: &Document) -> Option<Self> {
        let has = |path: &str| document.has(path);
        let text = |path: &str| document.has(path).then(|| document.find(path).text()).flatten();
        let group = text("/apiVersion").unwrap_or_default();
        match text("/kind") {
            Some("HorizontalPodAutoscaler") => return Some(Self::Hpa),
            Some("ScaledObject") => return Some(Self::ScaledObject),
            Some(_) if group.starts_with("serving.knative.dev/") => return Some(Self::Knative),
            Some("ConfigMap") => return Some(Self::Knative),
            _ => {}
        }
        let keys: Vec<String> = document.root().keys().map(str::to_lowercase).collect();
        let key = |name: &str| keys.iter().any(|key| key == name);
        let nested = || {
            let properties =
                document.root().keys().find(|key| key.eq_ignore_ascii_case("properties"));
            properties.is_some_and(|name| {
                let inner = document.find(&format!("/{name}"));
                inner.keys().any(|key| key.eq_ignore_ascii_case("profiles"))
            })
        };
        if key("profiles") || nested() || key("resources") && key("contentversion") {
            return Some(Self::Azure);
        }
        let scaled = has("/scale_settings") || has("/endpoint_name");
        scaled.then_some(Self::Utilization)
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Azure => "an autoscale setting of Azure Monitor",
            Self::Hpa => "a HorizontalPodAutoscaler",
            Self::ScaledObject => "a ScaledObject of KEDA",
            Self::Knative => "a Knative service",
            Self::Utilization => "a deployment with `scale_settings`",
        }
    }
}

/// Rules that can be evaluated.
#[derive(Debug, Clone, PartialEq)]
pub enum Rules {
    /// Azure Monitor autoscale.
    Azure(Setting),
    /// A `HorizontalPodAutoscaler` of Kubernetes.
    Hpa(Hpa),
    /// A `ScaledObject` of KEDA.
    ScaledObject(ScaledObject),
    /// A Knative revision.
    Knative(Kpa),
    /// A deployment of Azure ML on Kubernetes.
    Utilization(TargetUtilization),
}

impl Rules {
    /// One evaluation.
    pub fn decide(&self, parameters: Parameters, state: &State) -> Decision {
        match self {
            Self::Azure(setting) => azure::decide(setting, parameters, state),
            Self::Hpa(hpa) => hpa.decide(state),
            Self::ScaledObject(object) => object.decide(state),
            Self::Knative(kpa) => kpa.decide(state),
            Self::Utilization(rules) => rules.decide(state),
        }
    }

    /// What kind of rules they are.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Azure(_) => Kind::Azure,
            Self::Hpa(_) => Kind::Hpa,
            Self::ScaledObject(_) => Kind::ScaledObject,
            Self::Knative(_) => Kind::Knative,
            Self::Utilization(_) => Kind::Utilization,
        }
    }

    /// Whether their engine skips its runs while the last change of the count is under way, as Azure
    /// Monitor's does. A cluster's do not: they go by the pods that there are.
    pub fn wait_for_changes(&self) -> bool {
        matches!(self, Self::Azure(_))
    }

    /// What a state holds that their engine never looks at, and that was meant to change a decision:
    /// its place, and why.
    pub(crate) fn unheard(&self, state: &State) -> Vec<(&'static str, String)> {
        let kind = self.kind();
        let mut unheard = Vec::new();
        if state.in_progress && !self.wait_for_changes() {
            let why = "does not wait for a change that is under way: its pods tell how far it is";
            unheard.push(("in_progress", format!("{} {why}", kind.words())));
        }
        let memory = &state.memory;
        let of = [
            ("memory/hpa", memory.hpa.is_some(), matches!(kind, Kind::Hpa | Kind::ScaledObject)),
            ("memory/keda", memory.keda.is_some(), kind == Kind::ScaledObject),
            ("memory/knative", memory.knative.is_some(), kind == Kind::Knative),
            ("memory/utilization", memory.utilization.is_some(), kind == Kind::Utilization),
            ("memory/azure", memory.azure.is_some(), kind == Kind::Azure),
        ];
        let foreign = of.into_iter().filter(|(_, is_there, is_own)| *is_there && !is_own);
        unheard.extend(
            foreign.map(|(at, ..)| (at, format!("{} does not remember this", kind.words()))),
        );
        unheard
    }

    /// How many seconds before an evaluation it may look back.
    pub fn lookback_s(&self, parameters: Parameters) -> i64 {
        let setting = match self {
            Self::Azure(setting) => setting,
            Self::Hpa(_) | Self::ScaledObject(_) | Self::Utilization(_) => return STALE_S,
            Self::Knative(kpa) => return kpa.stable_window_s(),
        };
        let rules = setting.profiles.iter().flat_map(|profile| &profile.rules);
        let longest = rules.map(|rule| i64::from(rule.window_s) + i64::from(rule.grain_s)).max();
        longest.unwrap_or(0) + i64::from(parameters.metric_delay_s)
    }

    /// Whether they look at the memory of instances.
    pub fn look_at_memory(&self) -> bool {
        let hpa = match self {
            Self::Azure(setting) => {
                let mut rules = setting.profiles.iter().flat_map(|profile| &profile.rules);
                let memory = "CpuMemoryUtilizationPercentage";
                return rules.any(|rule| rule.metric.eq_ignore_ascii_case(memory));
            }
            Self::Hpa(hpa) => hpa,
            Self::ScaledObject(object) => object.written(),
            Self::Knative(_) | Self::Utilization(_) => return false,
        };
        let is_memory = |source: &Source| match source {
            Source::Resource { name, container: None, .. } => name == "memory",
            _ => false,
        };
        hpa.sources.iter().any(is_memory)
    }

    /// The seconds between two evaluations.
    pub fn interval_s(&self, parameters: Parameters) -> u32 {
        match self {
            Self::Azure(_) => parameters.interval_s,
            Self::Hpa(_) | Self::ScaledObject(_) => hpa::SYNC_PERIOD_S,
            Self::Knative(_) => knative::TICK_S,
            Self::Utilization(rules) => rules.polling_interval,
        }
    }
}

/// How long a value counts as the present one, for engines that look at the present alone: as long as
/// Prometheus takes the last sample of a series for its value.
const STALE_S: i64 = 300;

/// Languages in which people write rules and that are not read: how files of them end, and what to do.
const NOT_READ: &[(&str, &str, &str)] = &[
    (
        "bicep",
        "Bicep",
        "build it with `az bicep build --file FILE`, and give the JSON that it writes",
    ),
    (
        "py",
        "Python",
        "apply it, and give what `az monitor autoscale show` prints, or write it as a script of \
         `az monitor autoscale` commands",
    ),
    ("ipynb", "a notebook", "give what `az monitor autoscale show` prints"),
    ("tf", "Terraform", "apply it, and give what `az monitor autoscale show` prints"),
    ("ps1", "PowerShell", "give what `Get-AzAutoscaleSetting | ConvertTo-Json -Depth 9` prints"),
];

/// The language of a file, if it is one that is not read.
fn not_read(file: &str) -> Option<Problem> {
    let ending = Path::new(file).extension()?.to_str()?;
    let is_it = |(known, ..): &&(&str, &str, &str)| known.eq_ignore_ascii_case(ending);
    let (_, language, hint) = NOT_READ.iter().find(is_it)?;
    let message = format!("this is {language}, and rules in {language} are not read");
    Some(Problem::of_file(file, message).hint(*hint))
}

/// The rules, or what is wrong with them.
fn kept(read: Result<Rules, Problems>, problems: &mut Problems) -> Option<Rules> {
    read.map_err(|wrong| problems.append(wrong)).ok()
}

/// A file of rules, with the places of what it holds.
#[derive(Debug, Clone)]
pub struct RulesFile {
    /// The rules.
    pub rules: Rules,
    places: Places,
}

#[derive(Debug, Clone)]
enum Places {
    Document(Box<Document>),
    Script { file: Arc<str>, source: Arc<str>, spans: azure::Spans },
}

impl RulesFile {
    /// Reads a file.
    ///
    /// # Errors
    /// All that is wrong with it, or that it holds no rules that can be evaluated.
    pub fn open(path: &Path) -> Result<Self, Problems> {
        match read_text(path) {
            Ok(text) => Self::parse(&path.display().to_string(), &text),
            Err(problem) => {
                let mut problems = Problems::new();
                problems.push(problem);
                Err(problems)
            }
        }
    }

    /// Reads `text`, which is that of `file`.
    ///
    /// # Errors
    /// As [`RulesFile::open`].
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        let mut problems = Problems::new();
        if let Some(problem) = not_read(file) {
            problems.push(problem);
            return Err(problems);
        }
        if azure::is_script(text) {
            let read = azure::read_script(file, text, &mut problems);
            let (file, source) = (Arc::from(file), Arc::from(text));
            let read = read.map(|(setting, spans)| Self {
                rules: Rules::Azure(setting),
                places: Places::Script { file, source, spans },
            });
            return problems.or(read);
        }
        let document = Document::parse(file, text)?;
        let rules = match Kind::of(&document) {
            Some(Kind::Azure) => azure::read(&document, &mut problems).map(Rules::Azure),
            Some(Kind::Hpa) => kept(hpa::read(&document).map(Rules::Hpa), &mut problems),
            Some(Kind::ScaledObject) => {
                kept(keda::read(&document).map(Rules::ScaledObject), &mut problems)
            }
            Some(Kind::Knative) => {
                kept(knative::read(&document).map(Rules::Knative), &mut problems)
            }
            Some(Kind::Utilization) => {
                kept(utilization::read(&document).map(Rules::Utilization), &mut problems)
            }
            None => {
                let message = "these are no autoscale rules";
                let hint = "a setting of Azure Monitor has `profiles`; or give a script with `az \
                            monitor autoscale`";
                problems.push(document.problem_at("", message).hint(hint));
                None
            }
        };
        problems.or(rules.map(|rules| Self { rules, places: Places::Document(Box::new(document)) }))
    }

    /// A problem with what stands at a place (`Rule::at`, `Profile::at`), or with a member of it.
    pub fn problem(&self, at: &str, member: &str, message: &str) -> Problem {
        match &self.places {
            Places::Document(document) => {
                let inner = format!("{at}/{member}");
                let path = if document.has(&inner) { inner } else { at.to_owned() };
                document.problem_at(&path, message)
            }
            Places::Script { file, source, spans } => {
                let span = spans.get(at).or_else(|| spans.get(""));
                let span: Range<usize> = span.cloned().unwrap_or(0..0);
                let first = source.get(span.clone()).unwrap_or_default();
                let line = first.find('\n').unwrap_or(first.len());
                Problem::new(file, source, span.start..span.start + line, message)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_that_are_not_read_are_told_by_name() {
        for (file, language) in [
            ("infra/scale.bicep", "Bicep"),
            ("deploy.py", "Python"),
            ("SCALE.TF", "Terraform"),
            ("scale.ps1", "PowerShell"),
            ("scale.ipynb", "a notebook"),
        ] {
            // Also where the text looks like a script that is read.
            let text = "az monitor autoscale create --count 1 --min-count 1 --max-count 3\n";
            let told = RulesFile::parse(file, text).expect_err(file).to_string();
            assert!(told.contains(&format!("rules in {language} are not read")), "{told}");
            assert!(told.contains(file) && told.contains("give"), "{told}");
        }
        let text = "az monitor autoscale create --count 1 --min-count 1 --max-count 3\n";
        assert!(RulesFile::parse("scale.sh", text).is_ok());
    }
}
