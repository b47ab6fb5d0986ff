//! From annotations and the `ConfigMap`'s keys to the rules. What Knative's webhook would refuse is
//! told (`pkg/apis/autoscaling/annotation_validation.go`, `pkg/autoscaler/config/config.go`).

use std::collections::BTreeMap;

use plimsoll_document::{Document, Problems};
use schemars::JsonSchema;
use serde::Deserialize;

use super::average::Algorithm;
use crate::hpa::RawMetadata;
use crate::settings::{OURS, Settings};

const KNATIVE: &str = "autoscaling.knative.dev/";

/// The rules of a revision, ready to decide.
#[derive(Debug, Clone, PartialEq)]
pub struct Kpa {
    pub(super) metric: Rate,
    /// What a pod is to carry: requests in flight, or requests a second.
    pub(super) target: f64,
    pub(super) algorithm: Algorithm,
    /// In seconds.
    pub(super) stable_window: i64,
    /// In percent of the stable window.
    pub(super) panic_window_percentage: f64,
    /// How many times too few pods mean panic.
    pub(super) panic_threshold: f64,
    pub(super) max_scale_up_rate: f64,
    pub(super) max_scale_down_rate: f64,
    /// In seconds.
    pub(super) scale_down_delay: i64,
    pub(super) min_scale: u32,
    /// 0: without limit.
    pub(super) max_scale: u32,
    pub(super) initial_scale: u32,
    pub(super) activation_scale: u32,
    pub(super) scale_to_zero: bool,
    /// In seconds.
    pub(super) grace_period: f64,
    /// In seconds.
    pub(super) retention_period: f64,
    /// In seconds: after it, a revision that does not become ready is given up.
    pub(super) progress_deadline: f64,
    /// Whether routes lead to the revision (`plimsoll/reachable`).
    pub(super) reachable: bool,
}

impl Kpa {
    /// The smallest and the largest count; 0 for no largest.
    pub fn bounds(&self) -> (u32, u32) {
        (self.min_scale, self.max_scale)
    }

    /// Whether it may end at no pods at all.
    pub(crate) fn scales_to_zero(&self) -> bool {
        self.scale_to_zero && self.min_scale == 0
    }

    /// The name of the metric that it looks at.
    pub(crate) fn metric(&self) -> &'static str {
        self.metric.name()
    }

    /// The lengths of its stable and its panic window, in seconds.
    pub(crate) fn windows(&self) -> (i64, i64) {
        (self.stable_window, self.panic_window())
    }

    /// How far an evaluation looks back, in seconds.
    pub fn stable_window_s(&self) -> i64 {
        self.stable_window
    }

    /// In seconds; at least one bucket (`MakeMetric`).
    pub(super) fn panic_window(&self) -> i64 {
        let window = self.stable_window as f64 * self.panic_window_percentage / 100.0;
        (window.round() as i64).max(1)
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rate {
    Concurrency,
    Rps,
}

impl Rate {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Concurrency => "concurrency",
            Self::Rps => "rps",
        }
    }
}

/// A Service, Configuration, Revision, or the `ConfigMap`; what else they hold is not looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RawObject {
    #[schemars(required)]
    kind: Option<String>,
    metadata: Option<RawMetadata>,
    spec: Option<RawSpec>,
    #[serde(default)]
    data: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RawSpec {
    template: Option<RawTemplate>,
    #[schemars(range(min = 0, max = 1000))]
    container_concurrency: Option<u32>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
struct RawTemplate {
    metadata: Option<RawMetadata>,
    spec: Option<RawRevision>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RawRevision {
    #[schemars(range(min = 0, max = 1000))]
    container_concurrency: Option<u32>,
}

/// `defaultConfig`.
#[derive(Debug)]
struct Config {
    concurrency_fraction: f64,
    concurrency_target: f64,
    rps_target: f64,
    allow_zero_initial_scale: bool,
    max_scale_limit: u32,
}

/// Reads the rules.
///
/// # Errors
/// All that is wrong with them.
pub fn read(document: &Document) -> Result<Kpa, Problems> {
    let mut problems = Problems::new();
    let raw: Option<RawObject> = document.read(&[], &mut problems);
    let kpa = raw.and_then(|raw| object(document, raw, &mut problems));
    problems.or(kpa)
}

fn object(document: &Document, raw: RawObject, problems: &mut Problems) -> Option<Kpa> {
    let own = raw.metadata.unwrap_or_default().annotations;
    let spec = raw.spec.unwrap_or_default();
    let template = spec.template.unwrap_or_default();
    let below = template.metadata.unwrap_or_default().annotations;
    let (annotations, path, concurrency) = match raw.kind.as_deref()? {
        "Service" | "Configuration" => {
            if let Some(key) = own.keys().find(|key| key.starts_with(KNATIVE)) {
                let path = format!("/metadata/annotations/{}", plimsoll_document::escape(key));
                problems.push(
                    document
                        .problem_at(&path, format!("`{key}` has no effect here"))
                        .hint("write it under `spec.template.metadata.annotations`"),
                );
            }
            let concurrency = template.spec.unwrap_or_default().container_concurrency;
            (below, "/spec/template/metadata/annotations", concurrency)
        }
        "Revision" => (own, "/metadata/annotations", spec.container_concurrency),
        "ConfigMap" => (BTreeMap::new(), "/metadata/annotations", None),
        other => {
            problems.push(
                document
                    .problem_at("/kind", format!("`{other}` has no rules of Knative"))
                    .hint("write a Service, Configuration, Revision, or the ConfigMap `config-autoscaler`"),
            );
            return None;
        }
    };
    let (mut kpa, mut config) = defaults();
    let data =
        if raw.data.is_empty() { (&annotations, path, OURS) } else { (&raw.data, "/data", "") };
    cluster(Settings::new(document, data.0, data.1, data.2, problems), &mut kpa, &mut config);
    let mut serving = Settings::new(document, &annotations, path, "serving.knative.dev/", problems);
    serving.span("progress-deadline", 1.0..=1e9, &mut kpa.progress_deadline);
    // A concurrency that the container cannot exceed is the target where none is given.
    let hard = concurrency.filter(|limit| *limit > 0).map(f64::from);
    let given = Settings::new(document, &annotations, path, KNATIVE, problems);
    revision(given, &mut kpa, &config, hard);
    Some(kpa)
}

fn defaults() -> (Kpa, Config) {
    let kpa = Kpa {
        metric: Rate::Concurrency,
        target: 0.0,
        algorithm: Algorithm::Linear,
        stable_window: 60,
        panic_window_percentage: 10.0,
        panic_threshold: 2.0,
        max_scale_up_rate: 1000.0,
        max_scale_down_rate: 2.0,
        scale_down_delay: 0,
        min_scale: 0,
        max_scale: 0,
        initial_scale: 1,
        activation_scale: 0,
        scale_to_zero: true,
        grace_period: 30.0,
        retention_period: 0.0,
        progress_deadline: 600.0,
        reachable: true,
    };
    let config = Config {
        concurrency_fraction: 0.7,
        concurrency_target: 100.0,
        rps_target: 200.0,
        allow_zero_initial_scale: false,
        max_scale_limit: 0,
    };
    (kpa, config)
}

const FLAGS: &[(&str, bool)] = &[("true", true), ("false", false)];
const ANY: std::ops::RangeInclusive<f64> = 0.0..=f64::INFINITY;

/// The keys of `config-autoscaler`.
fn cluster(mut given: Settings<'_>, kpa: &mut Kpa, config: &mut Config) {
    let ours = given.is_ours();
    given.choice("enable-scale-to-zero", FLAGS, &mut kpa.scale_to_zero);
    given.choice("allow-zero-initial-scale", FLAGS, &mut config.allow_zero_initial_scale);
    // Above 1 always (`validate`); a rate of 1 would keep the count for good.
    let rate = 1.0 + f64::EPSILON..=f64::INFINITY;
    given.number("max-scale-up-rate", rate.clone(), &mut kpa.max_scale_up_rate);
    given.number("max-scale-down-rate", rate, &mut kpa.max_scale_down_rate);
    let mut percentage = config.concurrency_fraction * 100.0;
    given.number(
        "container-concurrency-target-percentage",
        f64::MIN_POSITIVE..=100.0,
        &mut percentage,
    );
    // For legacy reasons up to 1 is a fraction.
    config.concurrency_fraction = if percentage > 1.0 { percentage / 100.0 } else { percentage };
    given.number(
        "container-concurrency-target-default",
        0.01..=f64::INFINITY,
        &mut config.concurrency_target,
    );
    given.number(
        "requests-per-second-target-default",
        0.01..=f64::INFINITY,
        &mut config.rps_target,
    );
    given.number("panic-window-percentage", 1.0..=100.0, &mut kpa.panic_window_percentage);
    let mut threshold = kpa.panic_threshold * 100.0;
    given.number("panic-threshold-percentage", ANY, &mut threshold);
    kpa.panic_threshold = threshold / 100.0;
    given.count("initial-scale", 0, &mut kpa.initial_scale);
    given.count("min-scale", 0, &mut kpa.min_scale);
    given.count("max-scale", 0, &mut kpa.max_scale);
    given.count("max-scale-limit", 0, &mut config.max_scale_limit);
    seconds(&mut given, "stable-window", 6.0..=3600.0, &mut kpa.stable_window);
    seconds(&mut given, "scale-down-delay", 0.0..=3600.0, &mut kpa.scale_down_delay);
    given.span("scale-to-zero-grace-period", f64::MIN_POSITIVE..=1e9, &mut kpa.grace_period);
    given.span("scale-to-zero-pod-retention-period", 0.0..=1e9, &mut kpa.retention_period);
    if ours {
        given.choice("reachable", FLAGS, &mut kpa.reachable);
    }
    if kpa.initial_scale == 0 && !config.allow_zero_initial_scale {
        given.wrong("initial-scale", "0 needs `allow-zero-initial-scale`");
    }
    // What no decision looks at: which traffic passes the activator.
    for unused in
        ["pod-autoscaler-class", "target-burst-capacity", "activator-capacity", "_example"]
    {
        given.text(unused);
    }
    given.end();
}

/// The annotations of a revision, also as they were spelled of old (`kmap.KeyPriority`).
fn revision(mut given: Settings<'_>, kpa: &mut Kpa, config: &Config, hard: Option<f64>) {
    let class = given.text("class");
    if class.as_deref().is_some_and(|class| class != "kpa.autoscaling.knative.dev") {
        given.wrong("class", "only the class `kpa.autoscaling.knative.dev` is read; write an HPA as a HorizontalPodAutoscaler");
    }
    given.choice(
        "metric",
        &[("concurrency", Rate::Concurrency), ("rps", Rate::Rps)],
        &mut kpa.metric,
    );
    for name in ["metric-aggregation-algorithm", "metricAggregationAlgorithm"] {
        let words = [
            ("linear", Algorithm::Linear),
            ("weighted-exponential", Algorithm::Weighted),
            ("weightedExponential", Algorithm::Weighted),
        ];
        given.choice(name, &words, &mut kpa.algorithm);
    }
    kpa.target = target(&mut given, kpa.metric, config, hard);
    let mut threshold = kpa.panic_threshold * 100.0;
    for name in ["panic-threshold-percentage", "panicThresholdPercentage"] {
        given.number(name, 110.0..=1000.0, &mut threshold);
    }
    kpa.panic_threshold = threshold / 100.0;
    for name in ["panic-window-percentage", "panicWindowPercentage"] {
        given.number(name, 1.0..=100.0, &mut kpa.panic_window_percentage);
    }
    for (name, value) in [
        ("min-scale", &mut kpa.min_scale),
        ("max-scale", &mut kpa.max_scale),
        ("initial-scale", &mut kpa.initial_scale),
    ] {
        given.count(name, 0, value);
    }
    for (name, value) in [
        ("minScale", &mut kpa.min_scale),
        ("maxScale", &mut kpa.max_scale),
        ("initialScale", &mut kpa.initial_scale),
    ] {
        given.count(name, 0, value);
    }
    given.count("activation-scale", 2, &mut kpa.activation_scale);
    seconds(&mut given, "window", 6.0..=3600.0, &mut kpa.stable_window);
    for name in ["scale-down-delay", "scaleDownDelay"] {
        seconds(&mut given, name, 0.0..=3600.0, &mut kpa.scale_down_delay);
    }
    for name in ["scale-to-zero-pod-retention-period", "scaleToZeroPodRetentionPeriod"] {
        given.span(name, 0.0..=3600.0, &mut kpa.retention_period);
    }
    for unused in ["target-burst-capacity", "targetBurstCapacity"] {
        given.text(unused);
    }
    bounds(&mut given, kpa, config);
    given.end();
}

/// What a pod is to carry: a share of what it can (`ResolveMetricTarget`).
fn target(given: &mut Settings<'_>, metric: Rate, config: &Config, hard: Option<f64>) -> f64 {
    let (mut total, mut fraction) = match metric {
        Rate::Rps => (config.rps_target, 0.7),
        Rate::Concurrency => {
            (hard.unwrap_or(config.concurrency_target), config.concurrency_fraction)
        }
    };
    given.number("target", 0.01..=f64::INFINITY, &mut total);
    if let (Some(hard), Rate::Concurrency) = (hard, metric) {
        // Not more than the container lets through (`ResolveMetricTarget`).
        total = total.min(hard);
    }
    let mut percentage = fraction * 100.0;
    let before = percentage;
    for name in ["target-utilization-percentage", "targetUtilizationPercentage"] {
        given.number(name, 1.0..=100.0, &mut percentage);
    }
    if percentage.to_bits() != before.to_bits() {
        fraction = percentage / 100.0;
    }
    f64::max(0.01, total * fraction)
}

/// What does not go together (`validateMinMaxScale`, `validateInitialScale`).
fn bounds(given: &mut Settings<'_>, kpa: &Kpa, config: &Config) {
    let (min, max) = (kpa.min_scale, kpa.max_scale);
    if max != 0 && min > max {
        given.wrong("min-scale", &format!("the minimum {min} is above the maximum {max}"));
    }
    let limit = config.max_scale_limit;
    if limit != 0 && (max == 0 || max > limit) {
        given.wrong("max-scale", &format!("the cluster allows 1 to {limit}"));
    }
    let activation = kpa.activation_scale;
    if activation != 0 && (activation < min || max != 0 && activation > max) {
        given.wrong("activation-scale", "it is not between minimum and maximum");
    }
    if kpa.initial_scale == 0 && !config.allow_zero_initial_scale {
        given.wrong("initial-scale", "the cluster does not allow 0");
    }
}

/// A duration of whole seconds.
fn seconds(
    given: &mut Settings<'_>,
    name: &'static str,
    range: std::ops::RangeInclusive<f64>,
    value: &mut i64,
) {
    let mut span = *value as f64;
    given.span(name, range, &mut span);
    if span.fract() != 0.0 {
        given.wrong(name, "it must be whole seconds");
    }
    *value = span as i64;
}
