//! From the raw form of a scenario to the checked one, part by part, collecting every problem.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use plimsoll_autoscale::verdict::objective::Objective as RulesObjective;
use plimsoll_deploy::files::{FileKind, read_size};
use plimsoll_deploy::quota::Usages;
use plimsoll_deploy::shift::{Shares, Shift};
use plimsoll_deploy::spec::{DeploymentSpec, EndpointSpec};
use plimsoll_document::{Document, Problems, read_text};
use plimsoll_domain::schedule::{ArrivalProcess, Profile};
use plimsoll_domain::units::parse_duration;
use plimsoll_loadgen::Target;
use plimsoll_monitor::{AlertRule, AlertTerms, Objective, Severity};

use super::autoscale::{OfRules, RulesAlert, amount, is_of_rules};
use super::formats::give_up_after;
use super::names::Known;
use super::raw::{RawAlert, RawArrivals, RawLoad, RawQuota, RawScenario, RawSeverity, RawTarget};
use super::{
    DEFAULT_GIVE_UP, DEFAULT_MAX_CONNECTIONS, Deployed, Existing, Load, Place, Quota, Scenario,
    stages,
};
use crate::files;

pub(super) struct Reader<'a> {
    pub(super) document: &'a Document,
    pub(super) folder: &'a Path,
    pub(super) problems: &'a mut Problems,
}

impl Reader<'_> {
    pub(super) fn scenario(&mut self, raw: RawScenario, path: &Path) -> Option<Scenario> {
        let place = self.place(&raw);
        let (requests, timeout) = self.requests(raw.request, place.as_ref());
        let load = raw.load.map(|load| {
            let shift = self.shift(&load, place.as_ref());
            self.load(load, timeout, shift)
        });
        let profile = load.as_ref().map(|load| load.profile.clone()).unwrap_or_default();
        let known = Known::new(&profile, &requests, place.as_ref());
        let objectives = self.objectives(raw.objectives.as_deref().unwrap_or_default(), &known);
        let mut of_rules = OfRules {
            objectives: self.objectives_of_rules(raw.objectives.as_deref().unwrap_or_default()),
            alerts: Vec::new(),
        };
        let alerts = self.alerts(raw.alerts.unwrap_or_default(), &known, &mut of_rules.alerts);
        let quota = self.quota(raw.quota);
        let autoscale = raw.autoscale.and_then(|raw| self.autoscale(raw, place.as_ref(), of_rules));
        let outputs = raw.outputs;
        let otlp = outputs.as_ref().and_then(|outputs| outputs.otlp.clone());
        Some(Scenario {
            name: raw.name?,
            description: raw.description,
            seed: raw.seed.unwrap_or(1),
            file: Some(path.to_owned()),
            place: place?,
            requests,
            timeout,
            load: load?,
            objectives,
            until_decided: false,
            alerts,
            autoscale,
            quota,
            folder: outputs
                .and_then(|outputs| outputs.folder)
                .map(|folder| self.folder.join(folder)),
            otlp,
        })
    }

    fn place(&mut self, raw: &RawScenario) -> Option<Place> {
        match (&raw.endpoint, &raw.target) {
            (Some(_), Some(_)) => {
                self.push(
                    "/target",
                    "a scenario has either `endpoint` and `deployments` or `target`, not both",
                );
                None
            }
            (None, None) => {
                self.push("", "a scenario needs `endpoint` and `deployments`, or `target`");
                None
            }
            (None, Some(target)) => {
                for key in ["deployments", "traffic"] {
                    if self.document.root().child(key).is_some() {
                        self.push(
                            &format!("/{key}"),
                            &format!("`{key}` belongs to `endpoint`, not to `target`"),
                        );
                    }
                }
                self.existing(target)
            }
            (Some(endpoint), None) => self.deployed(endpoint, raw),
        }
    }

    fn existing(&mut self, raw: &RawTarget) -> Option<Place> {
        let ca_file = raw.ca_file.as_ref().map(|file| self.folder.join(file));
        if let Some(file) = ca_file.as_ref().filter(|file| !file.is_file()) {
            self.push("/target/ca_file", &format!("there is no file {}", file.display()));
        }
        if let Some(name) = &raw.endpoint {
            for key in ["url", "key_env", "ca_file", "insecure"] {
                if self.document.has(&format!("/target/{key}")) {
                    let message = format!(
                        "`{key}` belongs to a target with a `url`, not to an `endpoint` by its name"
                    );
                    self.push(&format!("/target/{key}"), &message);
                }
            }
            return Some(Place::Standing(name.clone()));
        }
        if !self.document.has("/target/url") {
            self.push("/target", "`target` needs a `url`, or the name of an `endpoint`");
        }
        let url = raw.url.clone()?;
        if let Err(error) = Target::check(&url) {
            self.push("/target/url", &error.to_string());
        }
        let (key_env, insecure) = (raw.key_env.clone(), raw.insecure.unwrap_or_default());
        Some(Place::Existing(Existing { url, key_env, ca_file, insecure }))
    }

    fn deployed(&mut self, endpoint: &str, raw: &RawScenario) -> Option<Place> {
        let endpoint_file = self.folder.join(endpoint);
        let endpoint = self
            .open("/endpoint", &endpoint_file, FileKind::Endpoint)
            .and_then(|document| files::endpoint(&document, self.problems));
        let listed = raw.deployments.as_deref().unwrap_or_default();
        // One that is there and cannot be read has been told already.
        if listed.is_empty() && (raw.deployments.is_some() || !self.document.has("/deployments")) {
            self.push("/deployments", "`deployments` is missing: an endpoint needs at least one");
        }
        let mut deployments: Vec<DeploymentSpec> = Vec::new();
        for (index, file) in listed.iter().enumerate() {
            let path = format!("/deployments/{index}");
            let Some(deployment) = self.deployment(&path, file, endpoint.as_ref()) else {
                continue;
            };
            if let Some(endpoint) = endpoint.as_ref().filter(|e| e.name != deployment.endpoint_name)
            {
                let message = format!(
                    "deployment `{}` is for endpoint `{}`, but this scenario's endpoint is `{}`",
                    deployment.name, deployment.endpoint_name, endpoint.name
                );
                self.push(&path, &message);
            }
            if deployments.iter().any(|other| other.name == deployment.name) {
                self.push(&path, &format!("there are two deployments named `{}`", deployment.name));
            }
            deployments.push(deployment);
        }
        let all_read = !listed.is_empty() && deployments.len() == listed.len();
        let traffic = self.traffic(raw.traffic.as_ref(), &deployments, all_read);
        Some(Place::Deployed(Box::new(Deployed { endpoint: endpoint?, deployments, traffic })))
    }

    /// A deployment without the name of its endpoint is behind the scenario's.
    fn deployment(
        &mut self,
        path: &str,
        file: &str,
        endpoint: Option<&EndpointSpec>,
    ) -> Option<DeploymentSpec> {
        let file = self.folder.join(file);
        let mut document = self.open(path, &file, FileKind::Deployment)?;
        // An endpoint that could not be read has been told already.
        let name = endpoint.map_or("that-of-the-scenario", |endpoint| &endpoint.name);
        document.supply("endpoint_name", name);
        let base = file.parent().unwrap_or(Path::new("."));
        files::deployment(&document, base, self.problems)
    }

    /// What the quota depends on.
    pub(super) fn sizes(&mut self, raw: RawScenario) -> (Vec<DeploymentSpec>, Quota) {
        let listed = raw.deployments.unwrap_or_default();
        let mut sizes = Vec::new();
        for (index, file) in listed.iter().enumerate() {
            let (at, file) = (format!("/deployments/{index}"), self.folder.join(file));
            let document = self.open(&at, &file, FileKind::Deployment);
            sizes.extend(document.and_then(|document| read_size(&document, self.problems)));
        }
        (sizes, self.quota(raw.quota))
    }

    fn traffic(
        &mut self,
        raw: Option<&BTreeMap<String, u8>>,
        deployments: &[DeploymentSpec],
        all_read: bool,
    ) -> BTreeMap<String, u8> {
        match (raw, deployments) {
            (None, [only]) => BTreeMap::from([(only.name.clone(), 100)]),
            (None, []) => BTreeMap::new(),
            (None, _) => {
                self.push("/deployments", "several deployments need `traffic`, for example `traffic: {blue: 90, green: 10}`");
                BTreeMap::new()
            }
            (Some(traffic), _) => {
                let sum: u32 = traffic.values().map(|percent| u32::from(*percent)).sum();
                if sum != 100 {
                    self.push(
                        "/traffic",
                        &format!("the percentages add up to {sum}, but must add up to 100"),
                    );
                }
                for name in traffic.keys().filter(|_| all_read) {
                    if !deployments.iter().any(|deployment| deployment.name == *name) {
                        self.push(
                            &format!("/traffic/{name}"),
                            &format!("there is no deployment named `{name}`"),
                        );
                    }
                }
                traffic.clone()
            }
        }
    }

    fn load(&mut self, raw: RawLoad, timeout: Duration, shift: Shift) -> Load {
        let (stages, wrong) = stages::stages(raw.stages.as_deref().unwrap_or_default());
        for (index, message) in wrong {
            self.push(&format!("/load/stages/{index}"), &message);
        }
        let (profile, trace) = match self.replayed(&raw) {
            Some((trace, profile)) => (profile, Some(trace)),
            None => (Profile { stages }, None),
        };
        let dispersion = raw.dispersion;
        let is_gamma = matches!(raw.arrivals, Some(RawArrivals::Gamma));
        if is_gamma && dispersion.is_none() && !self.document.has("/load/dispersion") {
            self.push("/load/arrivals", "`gamma` arrivals need a `dispersion`, for example 10");
        }
        if !is_gamma && dispersion.is_some() {
            self.push("/load/dispersion", "`dispersion` is of `arrivals: gamma` only");
        }
        Load {
            arrivals: match raw.arrivals {
                Some(RawArrivals::Constant) => ArrivalProcess::Constant,
                Some(RawArrivals::Poisson) | None => ArrivalProcess::Poisson,
                Some(RawArrivals::Gamma) => {
                    ArrivalProcess::Gamma { dispersion: dispersion.unwrap_or(1.0) }
                }
            },
            profile,
            shift,
            trace,
            max_connections: raw.max_connections.unwrap_or(DEFAULT_MAX_CONNECTIONS),
            workers: raw.workers,
            ceiling_rps: raw.ceiling_rps,
            drain: raw.drain.and_then(|text| parse_duration(&text).ok()).unwrap_or(timeout),
            give_up_after: raw
                .give_up_after
                .and_then(|text| give_up_after(&text).ok())
                .unwrap_or(Some(DEFAULT_GIVE_UP)),
        }
    }

    /// What the stages say of traffic. One that is wrong is told, and left out.
    fn shift(&mut self, raw: &RawLoad, place: Option<&Place>) -> Shift {
        let stages = raw.stages.as_deref().unwrap_or_default();
        let deployed = match place {
            Some(Place::Deployed(deployed)) => Some(deployed),
            _ => None,
        };
        let before = deployed.map(|deployed| deployed.traffic.clone()).unwrap_or_default();
        let (mut steps, mut at) = (Vec::new(), Duration::ZERO);
        for (index, stage) in stages.iter().enumerate() {
            let from = at;
            let length = stage.duration.as_deref().and_then(|text| parse_duration(text).ok());
            at = at.saturating_add(length.unwrap_or_default());
            if stage.traffic.is_none() && stage.mirror_traffic.is_none() {
                continue;
            }
            let path = format!("/load/stages/{index}");
            let Some(deployed) = deployed else {
                let message = "traffic is shifted only between deployments that the scenario brings up: give it \
                               `endpoint` and `deployments`";
                self.push(&path, message);
                continue;
            };
            let traffic = stage.traffic.clone().unwrap_or_else(|| before.clone());
            let mirror = stage.mirror_traffic.clone().unwrap_or_default();
            if let Some(message) = wrong_shares(deployed, &traffic, &mirror) {
                self.push(&path, &message);
                continue;
            }
            steps.push((from, Shares { traffic, mirror }));
        }
        Shift::new(Shares { traffic: before, ..Shares::default() }, steps)
    }

    fn objectives(&mut self, raw: &[String], known: &Known) -> Vec<Objective> {
        let mut objectives = Vec::new();
        for (index, text) in raw.iter().enumerate() {
            let path = format!("/objectives/{index}");
            if is_of_rules(text) {
                continue;
            }
            let Some(objective) = self.objective(&path, text, known) else { continue };
            if objectives.contains(&objective) {
                self.push(&path, &format!("`{objective}` is there twice; keep one of them"));
            }
            objectives.push(objective);
        }
        objectives
    }

    fn objective(&mut self, path: &str, text: &str, known: &Known) -> Option<Objective> {
        match Objective::parse(text) {
            Ok(objective) => {
                if let Some((message, hint)) = known.check(&objective) {
                    self.problems.push(self.document.problem_at(path, message).hint(hint));
                }
                Some(objective)
            }
            Err(error) => {
                let problem = self.document.problem_within(path, text, error.span, error.message);
                self.problems.push(problem.hint(error.hint));
                None
            }
        }
    }

    /// The alerts on the load; those on autoscale rules are added to the others.
    fn alerts(
        &mut self,
        raw: Vec<RawAlert>,
        known: &Known,
        of_rules: &mut Vec<RulesAlert>,
    ) -> Vec<AlertRule> {
        let mut alerts = Vec::new();
        let mut names = BTreeSet::new();
        for (index, raw) in raw.into_iter().enumerate() {
            let path = format!("/alerts/{index}/objective");
            let Some(text) = raw.objective.as_deref() else { continue };
            let name = if is_of_rules(text) {
                let Some(objective) = self.objective_of_rules(&path, text) else { continue };
                let alert = on_rule(&raw, objective);
                let name = alert.terms.name.clone();
                of_rules.push(alert);
                name
            } else {
                let Some(objective) = self.objective(&path, text, known) else { continue };
                let name = raw.name.clone().unwrap_or_else(|| objective.to_string());
                let (hold, keep) = (span(raw.hold.as_ref()), span(raw.keep_firing_for.as_ref()));
                let severity = severity(raw.severity);
                match AlertRule::try_new(name.clone(), objective, hold, keep, severity) {
                    Ok(rule) => alerts.push(rule),
                    Err(error) => {
                        self.push(&path, &error.to_string());
                        continue;
                    }
                }
                name
            };
            if names.contains(&name) {
                let message = format!("there are two alerts named `{name}`");
                self.push(&format!("/alerts/{index}/name"), &message);
            }
            names.insert(name);
        }
        alerts
    }

    fn quota(&mut self, raw: Option<RawQuota>) -> Quota {
        let is_asked = raw.is_some();
        let (region, limits) = raw.map_or((None, None), |raw| (raw.region, raw.limits));
        let limits = limits.and_then(|file| {
            let path = self.folder.join(file);
            let text = match read_text(&path) {
                Ok(text) => text,
                Err(problem) => {
                    self.push(
                        "/quota/limits",
                        &format!("{}: {}", path.display(), problem.message()),
                    );
                    return None;
                }
            };
            match Usages::read(&text) {
                Ok(usages) => Some(usages),
                Err(error) => {
                    self.push("/quota/limits", &format!("{}: {error}", path.display()));
                    None
                }
            }
        });
        Quota { is_asked, region: region.unwrap_or_else(|| "local".to_owned()), limits }
    }

    /// A file that the scenario names, if it is of the kind that is wanted there.
    fn open(&mut self, path: &str, file: &Path, wanted: FileKind) -> Option<Document> {
        if !file.is_file() {
            self.push(path, &format!("there is no file {}", file.display()));
            return None;
        }
        let document = super::open(file, self.problems)?;
        if let Some(message) = files::other_kind(&document, wanted) {
            self.push(path, &message);
            return None;
        }
        Some(document)
    }

    pub(super) fn push(&mut self, path: &str, message: &str) {
        self.problems.push(self.document.problem_at(path, message));
    }
}

/// Why an endpoint would refuse these shares.
fn wrong_shares(
    deployed: &Deployed,
    traffic: &BTreeMap<String, u8>,
    mirror: &BTreeMap<String, u8>,
) -> Option<String> {
    let known = |name: &str| deployed.deployments.iter().any(|one| one.name == name);
    if let Some(name) = traffic.keys().chain(mirror.keys()).find(|name| !known(name)) {
        return Some(format!("there is no deployment named `{name}`"));
    }
    let sum: u32 = traffic.values().map(|share| u32::from(*share)).sum();
    if sum != 100 {
        return Some(format!("the shares of `traffic` add up to {sum}, not to 100"));
    }
    let mirrored: Vec<_> = mirror.iter().filter(|(_, share)| **share > 0).collect();
    match mirrored[..] {
        [(name, _)] if traffic.get(name).is_some_and(|share| *share > 0) => {
            Some(format!("`{name}` has live traffic, so that nothing is mirrored to it"))
        }
        [(_, share)] if *share > 50 => Some(format!("{share} % are mirrored; 50 is the most")),
        [] | [_] => None,
        _ => Some("`mirror_traffic` is for one deployment".to_owned()),
    }
}

/// A time that was checked with its schema.
fn span(text: Option<&String>) -> Duration {
    text.and_then(|text| parse_duration(text).ok()).unwrap_or_default()
}

fn severity(raw: Option<RawSeverity>) -> Severity {
    match raw {
        Some(RawSeverity::Info) => Severity::Info,
        Some(RawSeverity::Warning) | None => Severity::Warning,
        Some(RawSeverity::Critical) => Severity::Critical,
    }
}

fn on_rule(raw: &RawAlert, objective: RulesObjective) -> RulesAlert {
    let text = objective.to_string();
    let terms = AlertTerms {
        name: raw.name.clone().unwrap_or_else(|| text.clone()),
        objective: text,
        threshold: amount(objective.indicator, objective.bound),
        hold: span(raw.hold.as_ref()),
        keep_firing_for: span(raw.keep_firing_for.as_ref()),
        severity: severity(raw.severity),
    };
    RulesAlert { objective, terms }
}
