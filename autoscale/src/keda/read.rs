//! From the file to the rules; what KEDA's webhook or a scaler would refuse is told.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use plimsoll_document::{Document, Problems, nearest};
use plimsoll_domain::quantity::{self, milli};

use super::cron::Schedule;
use super::raw::{FallbackBehavior, MetricType, RawFallback, RawScaledObject, RawSpec, RawTrigger};
use crate::hpa::{self, Behavior, Hpa, Named, PerPod, Reference, Select, Selector, Source, Total};

/// A `ScaledObject`, ready to decide.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaledObject {
    pub(super) triggers: Vec<Trigger>,
    /// All in seconds.
    pub(super) polling_interval: u32,
    pub(super) cooldown: u32,
    pub(super) initial_cooldown: u32,
    pub(super) min: u32,
    pub(super) idle: Option<u32>,
    pub(super) fallback: Option<Fallback>,
    pub(super) pause: Pause,
    /// The one that KEDA writes.
    pub(super) hpa: Hpa,
}

impl ScaledObject {
    /// The smallest and the largest count.
    pub(crate) fn bounds(&self) -> (u32, u32) {
        (self.min, self.hpa.max)
    }

    /// The count while nothing is active, if it is not the minimum.
    pub(crate) fn idle(&self) -> Option<u32> {
        self.idle
    }

    /// The names of the metrics that are a number from outside.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = &str> {
        let outside = |trigger: &&Trigger| matches!(trigger.kind, Kind::Number { .. });
        self.triggers.iter().filter(outside).map(|trigger| trigger.metric.as_str())
    }

    /// Whether it has a trigger that goes by the time of day.
    pub fn goes_by_the_calendar(&self) -> bool {
        self.triggers.iter().any(|trigger| matches!(trigger.kind, Kind::Cron { .. }))
    }

    /// The `HorizontalPodAutoscaler` that KEDA writes.
    pub(crate) fn written(&self) -> &Hpa {
        &self.hpa
    }

    /// The triggers whose activation threshold decides nothing, since the count never is 0.
    pub(crate) fn useless_activations(&self) -> impl Iterator<Item = usize> {
        let set =
            |kind: &Kind| matches!(kind, Kind::Number { activation, .. } if *activation > 0.0);
        let never = self.min > 0 && self.idle.is_none();
        let triggers = self.triggers.iter().enumerate();
        triggers.filter(move |(_, trigger)| never && set(&trigger.kind)).map(|(index, _)| index)
    }
}

/// What annotations switch off or on (`autoscaling.keda.sh/…`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an annotation of its own")]
pub(super) struct Pause {
    pub(super) all: bool,
    pub(super) at: Option<u32>,
    pub(super) scale_in: bool,
    pub(super) scale_out: bool,
    pub(super) force_activation: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fallback {
    pub(super) threshold: u32,
    pub(super) replicas: u32,
    pub(super) behavior: FallbackBehavior,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trigger {
    /// The metric's name, in a state and in the `HorizontalPodAutoscaler`.
    pub(super) metric: String,
    pub(super) kind: Kind,
    pub(super) cached: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// `cpu` and `memory`: the `HorizontalPodAutoscaler`'s alone.
    Resource,
    /// A number from outside. It is active above `activation`.
    Number { target: Total, activation: f64 },
    /// A number of replicas, from a time to a time.
    Cron { start: Schedule, end: Schedule, zone: TimeZone, replicas: f64, target: Total },
}

/// Triggers that are a number compared with a target: type, its target's key and default, and the
/// key of its activation (each in `pkg/scalers/<type>_scaler.go`).
const NUMBERS: [(&str, &str, Option<f64>, &str); 8] = [
    ("prometheus", "threshold", None, "activationThreshold"),
    ("azure-monitor", "targetValue", None, "activationTargetValue"),
    ("azure-log-analytics", "threshold", None, "activationThreshold"),
    ("azure-queue", "queueLength", Some(5.0), "activationQueueLength"),
    ("azure-servicebus", "messageCount", Some(5.0), "activationMessageCount"),
    ("metrics-api", "targetValue", None, "activationTargetValue"),
    ("kubernetes-workload", "value", None, "activationValue"),
    ("graphite", "threshold", Some(100.0), "activationThreshold"),
];

/// Reads a `ScaledObject`.
///
/// # Errors
/// All that is wrong with it.
pub fn read(document: &Document) -> Result<ScaledObject, Problems> {
    let mut problems = Problems::new();
    let raw: Option<RawScaledObject> = document.read(hpa::FORMATS, &mut problems);
    let mut reader = Reader { document, problems };
    let object = raw.and_then(|raw| reader.object(raw));
    reader.problems.or(object)
}

struct Reader<'a> {
    document: &'a Document,
    problems: Problems,
}

impl Reader<'_> {
    fn wrong(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(self.document.problem_at(path, message).hint(hint));
    }

    /// Whether it is a `ScaledObject` at all.
    fn head(&mut self, raw: &RawScaledObject) {
        if raw.kind.as_deref().is_some_and(|kind| kind != "ScaledObject") {
            self.wrong(
                "/kind",
                "this is no ScaledObject",
                "write `ScaledObject`; jobs are not scaled here",
            );
        }
        if raw.api_version.as_deref().is_some_and(|version| version != "keda.sh/v1alpha1") {
            self.wrong(
                "/apiVersion",
                "this is no version that KEDA serves",
                "write `keda.sh/v1alpha1`",
            );
        }
    }

    fn object(&mut self, raw: RawScaledObject) -> Option<ScaledObject> {
        self.head(&raw);
        let metadata = raw.metadata.unwrap_or_default();
        let pause = self.pause(&metadata.annotations);
        let parameters = hpa::parameters(self.document, &metadata.annotations, &mut self.problems);
        let mut spec = raw.spec?;
        let mut behavior = self.advanced(&mut spec);
        if pause.scale_in || pause.scale_out {
            let behavior = behavior.get_or_insert_with(Behavior::default);
            if pause.scale_in {
                behavior.down.select = Select::Disabled;
            }
            if pause.scale_out {
                behavior.up.select = Select::Disabled;
            }
        }
        let fallback = spec.fallback.take().and_then(|raw| self.fallback(&raw));
        let (mut triggers, mut sources) = (Vec::new(), Vec::new());
        for (index, trigger) in spec.triggers.take()?.into_iter().enumerate() {
            if let Some((trigger, source)) = self.trigger(index, &trigger) {
                triggers.push(trigger);
                sources.push(source);
            }
        }
        self.unique(&triggers);
        let resources = triggers.iter().all(|trigger| trigger.kind == Kind::Resource);
        if fallback.is_some() && resources && !triggers.is_empty() {
            self.wrong(
                "/spec/fallback",
                "`cpu` and `memory` triggers have no fallback",
                "remove it",
            );
        }
        let (min, max, idle) = self.counts(&spec);
        let target = spec.scale_target_ref?;
        let target = Reference {
            api_version: target.api_version.unwrap_or_else(|| "apps/v1".to_owned()),
            kind: target.kind.unwrap_or_else(|| "Deployment".to_owned()),
            name: target.name?,
        };
        // `GetHPAMinReplicas`: from 1 on; what is below is KEDA's own.
        let hpa = Hpa {
            name: metadata.name.unwrap_or_default(),
            min: min.max(1),
            max,
            target,
            sources,
            behavior,
            parameters,
        };
        Some(ScaledObject {
            triggers,
            polling_interval: spec.polling_interval.unwrap_or(30),
            cooldown: spec.cooldown_period.unwrap_or(300),
            initial_cooldown: spec.initial_cooldown_period.unwrap_or(0),
            min,
            idle,
            fallback,
            pause,
            hpa,
        })
    }

    /// `CheckReplicaCountBoundsAreValid`.
    fn counts(&mut self, spec: &RawSpec) -> (u32, u32, Option<u32>) {
        let (min, max) =
            (spec.min_replica_count.unwrap_or(0), spec.max_replica_count.unwrap_or(100));
        if min > max {
            let path =
                if spec.min_replica_count.is_some() { "/spec/minReplicaCount" } else { "/spec" };
            self.wrong(
                path,
                format!("the minimum {min} is above the maximum {max}"),
                "raise the maximum or lower the minimum",
            );
        }
        let idle = spec.idle_replica_count;
        if idle.is_some_and(|idle| idle >= min) {
            self.wrong(
                "/spec/idleReplicaCount",
                "it must be below `minReplicaCount`",
                "write 0, and a minimum of at least 1",
            );
        }
        (min, max, idle)
    }

    /// `getBoolAnnotation`: whatever is no boolean is true.
    fn pause(&mut self, annotations: &BTreeMap<String, String>) -> Pause {
        let value = |name: &str| annotations.get(&format!("autoscaling.keda.sh/{name}"));
        let set = |name: &str| {
            let no = |text: &String| {
                matches!(text.as_str(), "0" | "f" | "F" | "false" | "FALSE" | "False")
            };
            value(name).is_some_and(|text| !no(text))
        };
        let at = value("paused-replicas");
        let count = at.and_then(|text| text.parse().ok());
        if at.is_some() && count.is_none() {
            let path = "/metadata/annotations/autoscaling.keda.sh~1paused-replicas";
            self.wrong(path, "this is no number of replicas", "write for example `\"0\"`");
        }
        Pause {
            all: at.is_some() || set("paused"),
            at: count,
            scale_in: set("paused-scale-in"),
            scale_out: set("paused-scale-out"),
            force_activation: set("force-activation"),
        }
    }

    fn advanced(&mut self, spec: &mut RawSpec) -> Option<Behavior> {
        let advanced = spec.advanced.take()?;
        if advanced.scaling_modifiers.is_some_and(|modifiers| !modifiers.is_null()) {
            let path = "/spec/advanced/scalingModifiers";
            self.wrong(
                path,
                "formulas over triggers are not evaluated",
                "write one trigger, or let the source compute the formula",
            );
        }
        let raw = advanced.horizontal_pod_autoscaler_config?.behavior?;
        let path = "/spec/advanced/horizontalPodAutoscalerConfig/behavior";
        Some(hpa::behavior(self.document, &mut self.problems, path, raw))
    }

    fn fallback(&mut self, raw: &RawFallback) -> Option<Fallback> {
        let behavior = raw.behavior.unwrap_or_default();
        if behavior == FallbackBehavior::ScalingModifiers {
            self.wrong(
                "/spec/fallback/behavior",
                "formulas over triggers are not evaluated",
                "write `static`",
            );
        }
        Some(Fallback { threshold: raw.failure_threshold?, replicas: raw.replicas?, behavior })
    }

    /// Two triggers of one metric would be one.
    fn unique(&mut self, triggers: &[Trigger]) {
        for (index, trigger) in triggers.iter().enumerate() {
            if triggers[..index].iter().any(|other| other.metric == trigger.metric) {
                let path = format!("/spec/triggers/{index}");
                self.wrong(
                    &path,
                    format!("there is another trigger `{}`", trigger.metric),
                    "give each its own `name`",
                );
            }
        }
    }

    fn trigger(&mut self, index: usize, raw: &RawTrigger) -> Option<(Trigger, Source)> {
        let path = format!("/spec/triggers/{index}");
        let kind = raw.kind.clone()?;
        let cached = raw.use_cached_metrics.unwrap_or(false);
        let metric = match &raw.name {
            Some(name) if !name.is_empty() => name.clone(),
            _ => format!("s{index}-{kind}"),
        };
        if matches!(kind.as_str(), "cpu" | "memory") {
            if cached {
                self.wrong(
                    &format!("{path}/useCachedMetrics"),
                    format!("a `{kind}` trigger has nothing to cache"),
                    "remove it",
                );
            }
            let source = self.resource(&path, &kind, raw)?;
            return Some((Trigger { metric, kind: Kind::Resource, cached }, source));
        }
        if raw.metric_type == Some(MetricType::Utilization) {
            let at = format!("{path}/metricType");
            self.wrong(
                &at,
                "only `cpu` and `memory` have a utilization",
                "write `AverageValue` or `Value`",
            );
            return None;
        }
        let per_pod = raw.metric_type != Some(MetricType::Value);
        let total = |target: f64| {
            if per_pod { Total::Average(milli(target)) } else { Total::Value(milli(target)) }
        };
        let kind = if kind == "cron" {
            self.cron(&path, &raw.metadata, total(1.0))?
        } else if let Some((_, key, default, activation)) =
            NUMBERS.iter().find(|(name, ..)| *name == kind)
        {
            let target = self.number(&path, &raw.metadata, key, *default)?;
            if milli(target) <= 0 {
                self.wrong(
                    &format!("{path}/metadata/{key}"),
                    format!("`{key}` must be above 0"),
                    "write a positive number",
                );
                return None;
            }
            let activation = self.number(&path, &raw.metadata, activation, Some(0.0))?;
            Kind::Number { target: total(target), activation }
        } else {
            self.unknown(&path, &kind);
            return None;
        };
        let (Kind::Number { target, .. } | Kind::Cron { target, .. }) = &kind else { return None };
        let named = Named { name: metric.clone(), selector: Selector::default() };
        let source = Source::External { metric: named, target: *target };
        Some((Trigger { metric, kind, cached }, source))
    }

    fn unknown(&mut self, path: &str, kind: &str) {
        let known = || NUMBERS.iter().map(|(name, ..)| *name).chain(["cpu", "memory", "cron"]);
        let hint = match nearest(kind, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("evaluated are: {}", known().collect::<Vec<_>>().join(", ")),
        };
        self.wrong(
            &format!("{path}/type"),
            format!("triggers of type `{kind}` are not evaluated"),
            hint,
        );
    }

    /// A number of a trigger's metadata.
    fn number(
        &mut self,
        path: &str,
        metadata: &BTreeMap<String, String>,
        key: &str,
        default: Option<f64>,
    ) -> Option<f64> {
        let at = format!("{path}/metadata/{key}");
        match metadata.get(key).map(|text| (text, text.trim().parse::<f64>())) {
            Some((_, Ok(number))) if number.is_finite() => Some(number),
            Some((text, _)) => {
                self.wrong(&at, format!("`{text}` is not a number"), "write for example `\"100\"`");
                None
            }
            None if default.is_some() => default,
            None => {
                self.wrong(
                    &format!("{path}/metadata"),
                    format!("`{key}` is missing"),
                    format!("add `{key}:`"),
                );
                None
            }
        }
    }

    /// `parseResourceMetadata`.
    fn resource(&mut self, path: &str, name: &str, raw: &RawTrigger) -> Option<Source> {
        let Some(value) = raw.metadata.get("value") else {
            self.wrong(&format!("{path}/metadata"), "`value` is missing", "add `value:`");
            return None;
        };
        let at = format!("{path}/metadata/value");
        let target = match raw.metric_type {
            Some(MetricType::Utilization) => {
                let percent = value.trim().parse().ok().filter(|percent| *percent > 0);
                if percent.is_none() {
                    let message = format!("`{value}` is no whole percentage above 0");
                    self.wrong(&at, message, "write for example `\"60\"`");
                }
                PerPod::Utilization(percent?)
            }
            Some(MetricType::AverageValue) => match quantity::parse(value).map(milli) {
                Ok(amount) if amount > 0 => PerPod::Average(amount),
                Ok(_) => {
                    self.wrong(&at, "it must be above 0", "write a positive amount");
                    return None;
                }
                Err(wrong) => {
                    self.wrong(&at, wrong, "write for example `500m`");
                    return None;
                }
            },
            Some(MetricType::Value) | None => {
                self.wrong(
                    path,
                    format!("a `{name}` trigger needs `metricType`"),
                    "write `metricType: Utilization` or `AverageValue`",
                );
                return None;
            }
        };
        let container = raw.metadata.get("containerName").cloned();
        Some(Source::Resource { name: name.to_owned(), container, target })
    }

    /// `cronMetadata`.
    fn cron(
        &mut self,
        path: &str,
        metadata: &BTreeMap<String, String>,
        target: Total,
    ) -> Option<Kind> {
        let mut schedule = |key: &str| {
            let at = format!("{path}/metadata/{key}");
            match metadata.get(key).map(|text| Schedule::parse(text)) {
                Some(Ok(schedule)) => Some(schedule),
                Some(Err(wrong)) => {
                    self.wrong(&at, wrong, "write for example `0 8 * * *`");
                    None
                }
                None => {
                    self.wrong(
                        &format!("{path}/metadata"),
                        format!("`{key}` is missing"),
                        format!("add `{key}:`"),
                    );
                    None
                }
            }
        };
        let (start, end) = (schedule("start"), schedule("end"));
        let zone = metadata.get("timezone").map(|name| (name, TimeZone::get(name)));
        let zone = match zone {
            Some((_, Ok(zone))) => Some(zone),
            Some((name, Err(_))) => {
                let at = format!("{path}/metadata/timezone");
                self.wrong(
                    &at,
                    format!("`{name}` is no time zone"),
                    "write an IANA name such as `Europe/Berlin`",
                );
                None
            }
            None => {
                self.wrong(
                    &format!("{path}/metadata"),
                    "`timezone` is missing",
                    "add for example `timezone: Europe/Berlin`",
                );
                None
            }
        };
        let replicas = self.number(path, metadata, "desiredReplicas", None);
        if start.is_some() && start == end {
            self.wrong(
                &format!("{path}/metadata/end"),
                "start and end are the same",
                "write two different schedules",
            );
        }
        Some(Kind::Cron { start: start?, end: end?, zone: zone?, replicas: replicas?, target })
    }
}
