//! Which metrics some rules look at, and whether they are measured here.

use std::collections::BTreeMap;

use super::Subject;
use super::cluster::Measure;
use crate::Rules;
use crate::azure::{Dimension, Rule, Setting};
use crate::hpa::Source;
use crate::lint::{Emitted, Scope, emitted};

/// Names of metrics in rules for a cluster, and what is measured for each.
pub type Named = BTreeMap<String, Measure>;

/// A metric of the rules that is not measured here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Where the rules name it, as [`RulesFile::problem`](crate::RulesFile::problem) takes it.
    pub at: String,
    /// The member there.
    pub member: &'static str,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: String,
}

/// What a series of Azure's is made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Made {
    /// Answers in a minute.
    Requests,
    /// The mean latency.
    Mean,
    /// A quantile of latency.
    Quantile(f64),
    /// Connections opened in a second.
    Opened,
    /// Connections open.
    Connections,
    /// Of each instance.
    Processor,
    /// Of each instance.
    Memory,
    /// Instances that there are.
    Capacity,
}

/// A series that rules of Azure's look at.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Feed {
    /// As the rules spell it.
    pub(super) name: String,
    /// The id by which the rules name the resource, if they do.
    pub(super) resource: Option<String>,
    pub(super) scope: Scope,
    pub(super) made: Made,
    /// What is counted: all that fits.
    pub(super) filter: Vec<Dimension>,
    /// The dimensions of the series, which fit the filter.
    pub(super) dimensions: BTreeMap<String, String>,
}

fn made(metric: &Emitted) -> Option<Made> {
    Some(match metric.name {
        "RequestsPerMinute" => Made::Requests,
        "RequestLatency" => Made::Mean,
        "RequestLatency_P50" => Made::Quantile(0.5),
        "RequestLatency_P90" => Made::Quantile(0.9),
        "RequestLatency_P95" => Made::Quantile(0.95),
        "RequestLatency_P99" => Made::Quantile(0.99),
        "NewConnectionsPerSecond" => Made::Opened,
        "ConnectionsActive" => Made::Connections,
        "CpuUtilizationPercentage" => Made::Processor,
        "CpuMemoryUtilizationPercentage" => Made::Memory,
        "DeploymentCapacity" => Made::Capacity,
        _ => return None,
    })
}

/// The series of a setting, each once.
pub(super) fn azure(setting: &Setting, subject: &Subject) -> Result<Vec<Feed>, Vec<Unread>> {
    let (mut feeds, mut wrong): (Vec<Feed>, Vec<Unread>) = (Vec::new(), Vec::new());
    for rule in setting.profiles.iter().flat_map(|profile| &profile.rules) {
        let feed = match feed(rule, setting, subject) {
            Ok(feed) => feed,
            Err(unread) => {
                wrong.push(unread);
                continue;
            }
        };
        if feeds.contains(&feed) {
            continue;
        }
        // A rule counts every series that fits it, so that no series may fit two filters.
        let same = |other: &&Feed| {
            other.name.eq_ignore_ascii_case(&feed.name) && other.resource == feed.resource
        };
        let fits = |one: &Feed, other: &Feed| one.filter.iter().all(|d| d.fits(&other.dimensions));
        if feeds.iter().filter(same).any(|other| fits(&feed, other) || fits(other, &feed)) {
            wrong.push(Unread {
                at: rule.at.clone(),
                member: "metricTrigger/dimensions",
                message: format!(
                    "`{}` is looked at with dimensions that overlap those of another rule",
                    rule.metric
                ),
                hint: "here rules of one metric look at the same dimensions, or at such as have \
                       nothing in common"
                    .to_owned(),
            });
            continue;
        }
        feeds.push(feed);
    }
    if wrong.is_empty() { Ok(feeds) } else { Err(wrong) }
}

fn feed(rule: &Rule, setting: &Setting, subject: &Subject) -> Result<Feed, Unread> {
    let unread = |member: &'static str, message: String, hint: String| Unread {
        at: rule.at.clone(),
        member,
        message,
        hint,
    };
    let id = rule.resource.as_deref().or(setting.target.as_deref()).filter(|id| is_id(id));
    let wanted = id.map(|id| of_subject(id, subject));
    let scope = match wanted {
        Some(None) => {
            let message = "this resource is not brought up by the scenario".to_owned();
            let Subject { endpoint, deployment, .. } = subject;
            let hint =
                format!("it brings up …/onlineEndpoints/{endpoint}/deployments/{deployment}");
            let member =
                if rule.resource.is_some() { "metricTrigger/metricResourceUri" } else { "" };
            return Err(unread(member, message, hint));
        }
        Some(Some(scope)) => Some(scope),
        // A script's variable says nothing; a rule without resource is of what is scaled.
        None => rule.resource.is_none().then_some(Scope::Deployment),
    };
    let named = |metric: &&Emitted| metric.name.eq_ignore_ascii_case(&rule.metric);
    let fits = |metric: &&Emitted| scope.is_none_or(|scope| metric.scope == scope);
    // Of a metric that both have, a variable most likely means what is scaled.
    let found = emitted().iter().rev().filter(named).find(fits);
    let found = found.and_then(|metric| Some((metric, made(metric)?)));
    let Some((metric, made)) = found else {
        let all = emitted().iter().filter(fits).filter(|metric| self::made(metric).is_some());
        let all: Vec<_> = all.map(|metric| metric.name).collect();
        let of = scope.map_or("", |scope| match scope {
            Scope::Endpoint => " of an endpoint",
            Scope::Deployment => " of a deployment",
        });
        let message = format!("`{}`{of} is not measured on this machine", rule.metric);
        return Err(unread(
            "metricTrigger/metricName",
            message,
            format!("measured are: {}", all.join(", ")),
        ));
    };
    let known = |name: &str| metric.dimensions.iter().any(|d| d.eq_ignore_ascii_case(name));
    if let Some(dimension) = rule.dimensions.iter().find(|dimension| !known(&dimension.name)) {
        let message = format!("`{}` has no dimension `{}`", metric.name, dimension.name);
        let hint = format!("it has: {}", metric.dimensions.join(", "));
        return Err(unread("metricTrigger/dimensions", message, hint));
    }
    let equal = rule.dimensions.iter().filter(|dimension| dimension.equals);
    let dimensions = equal.filter_map(|d| Some((d.name.clone(), d.values.first()?.clone())));
    Ok(Feed {
        name: rule.metric.clone(),
        resource: rule.resource.clone(),
        scope: metric.scope,
        made,
        filter: rule.dimensions.clone(),
        dimensions: dimensions.collect(),
    })
}

fn is_id(id: &str) -> bool {
    id.starts_with('/')
}

/// Which part of the subject an ARM id names, if any.
fn of_subject(id: &str, subject: &Subject) -> Option<Scope> {
    let id = id.to_lowercase();
    let inside = id.split("/onlineendpoints/").nth(1)?;
    let mut parts = inside.split('/');
    if parts.next()? != subject.endpoint.to_lowercase() {
        return None;
    }
    match (parts.next(), parts.next()) {
        (None, _) => Some(Scope::Endpoint),
        (Some("deployments"), Some(name)) if name == subject.deployment.to_lowercase() => {
            Some(Scope::Deployment)
        }
        _ => None,
    }
}

/// A metric of a cluster that rules look at.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ClusterFeed {
    pub(super) name: String,
    pub(super) measure: Measure,
    /// The object that it is of, if it is one's.
    pub(super) resource: Option<String>,
    pub(super) dimensions: BTreeMap<String, String>,
    /// Whether each pod reports it.
    pub(super) per_pod: bool,
}

/// The metrics that rules for a cluster name. What each engine asks for by itself is not among them.
pub(super) fn cluster(rules: &Rules, named: &Named) -> Result<Vec<ClusterFeed>, Vec<Unread>> {
    let (mut feeds, mut wrong) = (Vec::new(), Vec::new());
    let least = match rules {
        Rules::Azure(_) => 1,
        Rules::Hpa(hpa) => hpa.min,
        Rules::ScaledObject(object) => object.idle().unwrap_or(object.bounds().0),
        Rules::Knative(kpa) => u32::from(!kpa.scales_to_zero()),
        Rules::Utilization(rules) => rules.min,
    };
    if least == 0 {
        wrong.push(Unread {
            at: String::new(),
            member: "",
            message: "these rules may scale to zero, and an endpoint keeps at least 1 instance"
                .to_owned(),
            hint: "set the least count to 1: `minReplicas`, `minReplicaCount`, or \
                   `autoscaling.knative.dev/min-scale`"
                .to_owned(),
        });
    }
    for (name, resource, dimensions, per_pod) in wanted(rules) {
        match named.get(&name).copied().or_else(|| Measure::named(&name)) {
            Some(measure) => {
                feeds.push(ClusterFeed { name, measure, resource, dimensions, per_pod });
            }
            None => wrong.push(unknown(&name)),
        }
    }
    if wrong.is_empty() { Ok(feeds) } else { Err(wrong) }
}

/// A metric by its name, the object that it is of, its labels, and whether each pod reports it.
type Wanted = (String, Option<String>, BTreeMap<String, String>, bool);

/// The metrics that rules for a cluster name.
fn wanted(rules: &Rules) -> Vec<Wanted> {
    let hpa = match rules {
        Rules::Hpa(hpa) => hpa,
        Rules::ScaledObject(object) => {
            let numbers = object.numbers();
            return numbers.map(|name| (name.to_owned(), None, BTreeMap::new(), false)).collect();
        }
        _ => return Vec::new(),
    };
    let wanted = |source: &Source| match source {
        // Every metrics server has these.
        Source::Resource { name, container: None, .. } if name == "cpu" || name == "memory" => None,
        Source::Resource { name, container, .. } => {
            let of =
                container.as_ref().map_or_else(String::new, |of| format!(" of container {of}"));
            Some((format!("{name}{of}"), None, BTreeMap::new(), true))
        }
        Source::Pods { metric, .. } => Some((metric.name.clone(), None, BTreeMap::new(), true)),
        Source::Object { object, metric, .. } => {
            let resource = Some(format!("{}/{}", object.kind, object.name));
            Some((metric.name.clone(), resource, metric.selector.labels(), false))
        }
        Source::External { metric, .. } => {
            Some((metric.name.clone(), None, metric.selector.labels(), false))
        }
    };
    hpa.sources.iter().filter_map(wanted).collect()
}

/// Whether rules look at processor or memory of pods, which a metrics server scrapes.
pub(super) fn scrapes(rules: &Rules) -> bool {
    let hpa = match rules {
        Rules::Hpa(hpa) => hpa,
        Rules::ScaledObject(object) => object.written(),
        _ => return false,
    };
    let is_scraped = |source: &Source| {
        matches!(source, Source::Resource { name, container: None, .. }
            if name == "cpu" || name == "memory")
    };
    hpa.sources.iter().any(is_scraped)
}

/// Whether a metric of that name is one that [`Named`] can say something of.
pub fn looks_at(rules: &Rules, name: &str) -> bool {
    wanted(rules).iter().any(|(known, ..)| known == name)
}

fn unknown(name: &str) -> Unread {
    let all: Vec<_> = Measure::ALL.iter().map(|(name, _)| *name).collect();
    Unread {
        at: String::new(),
        member: "",
        message: format!("`{name}` is not measured here"),
        hint: format!(
            "say what stands for it under `autoscale.metrics`, such as `{{{name}: {}}}`; there are: {}",
            all[0],
            all.join(", ")
        ),
    }
}
