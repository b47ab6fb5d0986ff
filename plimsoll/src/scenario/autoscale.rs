//! Rules that scale a deployment while the load runs: the key `autoscale`.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use plimsoll_autoscale::azure::Parameters;
use plimsoll_autoscale::pipeline::{self, Machine, Measure, Named, Pipeline, Processor, Subject};
use plimsoll_autoscale::verdict::objective::{Indicator, Objective, Unit};
use plimsoll_autoscale::{Compression, RuleTime, Rules, RulesFile};
use plimsoll_deploy::service_time::ServiceTimes;
use plimsoll_deploy::sku::Sku;
use plimsoll_deploy::spec::{DeploymentSpec, Kubernetes, Platform, ServiceTime};
use plimsoll_domain::quantity;
use plimsoll_domain::units::{format_duration, parse_duration};
use plimsoll_monitor::{AlertTerms, Amount};

use super::parts::Reader;
use super::raw::{RawAutoscale, RawDrawn, RawProvisioning};
use super::{Deployed, Place};

/// The delay of Azure's platform metrics that is taken unless the scenario says otherwise: none is
/// published for online endpoints, and three minutes is what others have at most.
const AZURE_DELAY: Duration = Duration::from_mins(3);

/// What a container of a cluster asks for if its deployment does not say (`defaultinstancetype`).
const DEFAULT_CORES: f64 = 0.1;
const DEFAULT_MEMORY: f64 = 2.0 * GIB;
const GIB: f64 = (1_u64 << 30) as f64;

/// Rules and what they scale.
#[derive(Debug, Clone)]
pub struct Autoscale {
    /// The file of the rules.
    pub file: PathBuf,
    /// The rules.
    pub rules: Rules,
    /// What is assumed of Azure's engine.
    pub parameters: Parameters,
    /// What is scaled, and how it is seen.
    pub subject: Subject,
    /// How many times faster they go than the load.
    pub compression: Compression,
    /// How long machines take.
    pub provisioning: ServiceTimes,
    /// When it is as the load begins; `None` for now.
    pub begins: Option<Timestamp>,
    /// What is asked of the rules.
    pub objectives: Vec<Objective>,
    /// What is told of them while it happens.
    pub alerts: Vec<RulesAlert>,
}

/// An alert on rules: on the value that an indicator has so far.
#[derive(Debug, Clone)]
pub struct RulesAlert {
    /// What must hold.
    pub objective: Objective,
    /// What it says of itself, and how long it waits, in time of the run.
    pub terms: AlertTerms,
}

/// A value of an indicator of rules.
pub(crate) fn amount(indicator: Indicator, value: f64) -> Amount {
    match indicator.unit() {
        Unit::Time => Amount::seconds(value),
        Unit::Percent => Amount::share(value),
        Unit::Count => Amount::count(value),
    }
}

/// What is asked of rules elsewhere in a scenario than under `autoscale`.
#[derive(Debug, Default)]
pub(super) struct OfRules {
    pub(super) objectives: Vec<Objective>,
    pub(super) alerts: Vec<RulesAlert>,
}

/// Whether an objective asks something of rules.
pub(super) fn is_of_rules(text: &str) -> bool {
    Objective::is_meant(text)
}

impl Autoscale {
    /// What is to be known of it beforehand, in sentences.
    pub(super) fn notes(&self) -> Vec<String> {
        let factor = self.compression.factor();
        let mut notes = Vec::new();
        if factor > 1 {
            let minute = format_duration(Duration::from_secs(u64::from(60 / factor)));
            notes.push(format!(
                "autoscale: rules, metrics and provisioning go {factor} times faster than the load; a \
                 minute of theirs takes {minute}, and what is not theirs (starts of processes, \
                 backlogs, service times) lasts {factor} times as long to them"
            ));
        }
        if self.subject.machine.processor == Processor::SlotsAtWork {
            notes.push(
                "autoscale: a synthetic instance computes nothing; its processor metric is the share of \
                 its slots that work"
                    .to_owned(),
            );
        }
        notes
    }
}

impl Reader<'_> {
    /// The objectives that ask something of rules.
    pub(super) fn objectives_of_rules(&mut self, texts: &[String]) -> Vec<Objective> {
        let mut objectives = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            if is_of_rules(text) {
                objectives.extend(self.objective_of_rules(&format!("/objectives/{index}"), text));
            }
        }
        objectives
    }

    /// An objective that asks something of rules.
    pub(super) fn objective_of_rules(&mut self, path: &str, text: &str) -> Option<Objective> {
        if self.document.has("/target") {
            // What rules do there is their platform's to know: counts, decisions and metrics are not seen.
            let message = "this asks something of autoscale rules, and of an endpoint that exists neither rules \
                           nor instances are known, so it would never be judged";
            let hint = "judge what can be observed there: `p99 < 200ms in every 10s`, or `error rate < 1% in \
                        every 10s`, of which refusals are a part";
            self.problems.push(self.document.problem_at(path, message).hint(hint));
        } else if !self.document.has("/autoscale") {
            self.push(path, "this asks something of autoscale rules, and there is no `autoscale`");
        }
        Objective::parse(text).map_err(|wrong| self.push(path, &wrong)).ok()
    }

    pub(super) fn autoscale(
        &mut self,
        raw: RawAutoscale,
        place: Option<&Place>,
        of_rules: OfRules,
    ) -> Option<Autoscale> {
        let deployed = match place? {
            Place::Deployed(deployed) => deployed,
            Place::Existing(_) | Place::Standing(_) => {
                let message = "`autoscale` scales what the scenario brings up itself; an endpoint that \
                               exists is only observed";
                let hint = "describe it by `endpoint` and `deployments`, or leave `autoscale` out";
                self.problems.push(self.document.problem_at_key("/autoscale", message).hint(hint));
                return None;
            }
        };
        let before = self.problems.len();
        let spec = self.scaled(raw.deployment.as_deref(), deployed);
        let file = raw.rules.as_ref().and_then(|file| self.rules(file));
        let provisioning = raw.provisioning.as_ref().and_then(|raw| self.provisioning(raw));
        let parameters = self.parameters(&raw);
        let named = self.named(&raw);
        let compression = self.compression(raw.time_compression);
        let begins = raw.begins.as_deref().and_then(|text| self.moment(text));
        let ((path, file), spec) = file.zip(spec)?;
        self.fits(&file.rules, spec);
        self.is_heard(&raw, &file.rules, &named);
        let given = raw.metric_delay.and_then(|text| parse_duration(&text).ok());
        let is_azure = matches!(file.rules, Rules::Azure(_));
        let usual = if is_azure { AZURE_DELAY } else { Duration::ZERO };
        let subject = Subject {
            endpoint: deployed.endpoint.name.clone(),
            deployment: spec.name.clone(),
            machine: machine(spec),
            metric_delay: given.unwrap_or(usual),
            named,
        };
        let time = RuleTime::new(begins.unwrap_or_default(), compression);
        for unread in Pipeline::new(&file.rules, &subject, time).err().into_iter().flatten() {
            let problem = file.problem(&unread.at, unread.member, &unread.message);
            self.problems.push(problem.hint(unread.hint));
        }
        (self.problems.len() == before).then_some(())?;
        Some(Autoscale {
            file: path,
            rules: file.rules,
            parameters,
            subject,
            compression,
            provisioning: provisioning?,
            begins,
            objectives: of_rules.objectives,
            alerts: of_rules.alerts,
        })
    }

    /// The deployment that is scaled.
    fn scaled<'a>(
        &mut self,
        wanted: Option<&str>,
        deployed: &'a Deployed,
    ) -> Option<&'a DeploymentSpec> {
        let all = &deployed.deployments;
        let names = || all.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>().join(", ");
        match (wanted, all.as_slice()) {
            (Some(name), _) => {
                let found = all.iter().find(|spec| spec.name == name);
                if found.is_none() && !all.is_empty() {
                    let message = format!("there is no deployment named `{name}`: {}", names());
                    self.push("/autoscale/deployment", &message);
                }
                found
            }
            (None, [only]) => Some(only),
            (None, []) => None,
            (None, _) => {
                let message = format!("several deployments need a `deployment` here: {}", names());
                self.push("/autoscale", &message);
                None
            }
        }
    }

    fn rules(&mut self, file: &str) -> Option<(PathBuf, RulesFile)> {
        let path = self.folder.join(file);
        if !path.is_file() {
            self.push("/autoscale/rules", &format!("there is no file {}", path.display()));
            return None;
        }
        let read =
            RulesFile::open(&path).map_err(|problems| self.problems.append(problems)).ok()?;
        Some((path, read))
    }

    /// Rules of one platform on a deployment of the other.
    fn fits(&mut self, rules: &Rules, spec: &DeploymentSpec) {
        if matches!(rules, Rules::Azure(_)) && matches!(spec.platform, Platform::Kubernetes(_)) {
            let message = "Azure Monitor does not scale deployments on Kubernetes";
            let hint = "give them `scale_settings`, or a HorizontalPodAutoscaler";
            self.problems.push(self.document.problem_at("/autoscale/rules", message).hint(hint));
        }
    }

    /// What means nothing to rules of this kind.
    fn is_heard(&mut self, raw: &RawAutoscale, rules: &Rules, named: &Named) {
        let kind = rules.kind().words();
        let is_azure = matches!(rules, Rules::Azure(_));
        if !is_azure && raw.assume.iter().flatten().next().is_some() {
            let message = format!("these are assumptions on Azure Monitor; the rules are {kind}");
            let problem = self.document.problem_at_key("/autoscale/assume", &message);
            self.problems.push(problem.hint("leave them out"));
        }
        for name in named.keys().filter(|name| !pipeline::looks_at(rules, name)) {
            let at = format!("/autoscale/metrics/{}", plimsoll_document::escape(name));
            let message = format!("no rule looks at `{name}`; the rules are {kind}");
            let hint = "only metrics that rules for a cluster name may stand for another";
            self.problems.push(self.document.problem_at_key(&at, &message).hint(hint));
        }
    }

    fn provisioning(&mut self, raw: &RawProvisioning) -> Option<ServiceTimes> {
        let path = "/autoscale/provisioning";
        let mut ms = |at: &str, text: &str| match parse_duration(text) {
            Ok(span) => Some(span.as_secs_f64() * 1e3),
            Err(wrong) => {
                self.push(&format!("{path}{at}"), &wrong);
                None
            }
        };
        let settings = match raw {
            RawProvisioning::Always(text) => ServiceTime::Constant { ms: ms("", text)? },
            RawProvisioning::Drawn(RawDrawn::Exponential { mean }) => {
                ServiceTime::Exponential { mean_ms: ms("/exponential/mean", mean)? }
            }
            RawProvisioning::Drawn(RawDrawn::LogNormal { p50, p99 }) => {
                let (p50, p99) = (ms("/log_normal/p50", p50), ms("/log_normal/p99", p99));
                ServiceTime::LogNormal { p50_ms: p50?, p99_ms: p99? }
            }
        };
        let times = ServiceTimes::new(&settings);
        if times.is_err() {
            self.push(
                path,
                "this is no distribution: its times are above 0, and p50 is at most p99",
            );
        }
        times.ok()
    }

    fn parameters(&mut self, raw: &RawAutoscale) -> Parameters {
        let mut parameters = Parameters::default();
        for (index, text) in raw.assume.iter().flatten().enumerate() {
            let path = format!("/autoscale/assume/{index}");
            if text.starts_with("metric_delay_s=") {
                self.push(&path, "write this as `metric_delay` of `autoscale`");
                continue;
            }
            match parameters.with(text) {
                Ok(changed) => parameters = changed,
                Err(wrong) => self.push(&path, &wrong),
            }
        }
        parameters
    }

    fn named(&mut self, raw: &RawAutoscale) -> Named {
        let mut named = Named::new();
        for (name, measure) in raw.metrics.iter().flatten() {
            if let Some(measure) = Measure::named(measure) {
                named.insert(name.clone(), measure);
            } else {
                let all: Vec<_> = Measure::ALL.iter().map(|(name, _)| *name).collect();
                let message = format!("`{measure}` is not measured; there are {}", all.join(", "));
                self.push(
                    &format!("/autoscale/metrics/{}", plimsoll_document::escape(name)),
                    &message,
                );
            }
        }
        named
    }

    fn compression(&mut self, factor: Option<u32>) -> Compression {
        match Compression::new(factor.unwrap_or(1)) {
            Ok(compression) => compression,
            Err(wrong) => {
                self.push("/autoscale/time_compression", &wrong);
                Compression::NONE
            }
        }
    }

    fn moment(&mut self, text: &str) -> Option<Timestamp> {
        let moment = text.parse().ok();
        if moment.is_none() {
            let message = format!("`{text}` is no moment; write one such as 2026-11-28T08:00:00Z");
            self.push("/autoscale/begins", &message);
        }
        moment
    }
}

/// The machine of an instance: that of its size on Azure, on a cluster what its container asks for.
fn machine(spec: &DeploymentSpec) -> Machine {
    let sku = Sku::find(&spec.instance_type);
    let mut cores = sku.map_or(DEFAULT_CORES, |sku| f64::from(sku.vcpus));
    let mut memory_bytes = sku.map_or(DEFAULT_MEMORY, |sku| sku.memory_gib * GIB);
    if let Platform::Kubernetes(Kubernetes { requests: Some(requests), .. }) = &spec.platform {
        let amount =
            |text: &Option<String>| text.as_deref().and_then(|text| quantity::parse(text).ok());
        cores = amount(&requests.cpu).unwrap_or(cores);
        memory_bytes = amount(&requests.memory).unwrap_or(memory_bytes);
    }
    let is_synthetic = spec.synthetic.is_some();
    let processor = if is_synthetic { Processor::SlotsAtWork } else { Processor::Used };
    if processor == Processor::Used && matches!(spec.platform, Platform::Managed) {
        // An instance can have no more than this machine has, as in the host's own metrics.
        let here = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        cores = cores.min(here as f64);
    }
    let slots = spec.request_settings.max_concurrent_requests_per_instance.get();
    Machine { cores, memory_bytes, slots, processor }
}

#[cfg(test)]
mod tests;
