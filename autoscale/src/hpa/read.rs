//! From the file to the rules: what the API server would refuse is told, all of it at once
//! (`pkg/apis/autoscaling/validation/validation.go` of Kubernetes v1.37.2).

use std::collections::BTreeMap;

use plimsoll_document::{Document, Format, Problems, Wrong};
use plimsoll_domain::quantity;

use super::raw::{
    RawBehavior, RawHpa, RawMetric, RawNamed, RawReference, RawRules, RawSpec, RawTarget,
    SelectorOperator, SourceType, TargetType,
};
use super::spec::{
    Behavior, Hpa, Named, Parameters, PerPod, Policy, Reference, Rules, Selector, Source, Total,
};
use crate::settings::{self, Settings};

/// How amounts are checked where they stand.
pub(crate) const FORMATS: &[Format] = &[Format {
    name: "amount",
    check: |scalar| quantity::parse(scalar.text).map(drop).map_err(Wrong::new),
    free: false,
}];

/// Reads a `HorizontalPodAutoscaler`.
///
/// # Errors
/// All that is wrong with it.
pub fn read(document: &Document) -> Result<Hpa, Problems> {
    let mut problems = Problems::new();
    let raw: Option<RawHpa> = document.read(FORMATS, &mut problems);
    let mut reader = Reader { document, problems };
    let hpa = raw.and_then(|raw| reader.hpa(raw));
    reader.problems.or(hpa)
}

struct Reader<'a> {
    document: &'a Document,
    problems: Problems,
}

impl Reader<'_> {
    fn wrong(&mut self, path: &str, message: impl Into<String>, hint: &str) {
        self.problems.push(self.document.problem_at(path, message).hint(hint));
    }

    fn hpa(&mut self, raw: RawHpa) -> Option<Hpa> {
        if raw.kind.as_deref().is_some_and(|kind| kind != "HorizontalPodAutoscaler") {
            self.wrong(
                "/kind",
                "this is no HorizontalPodAutoscaler",
                "write `HorizontalPodAutoscaler`",
            );
        }
        let first = match raw.api_version.as_deref() {
            Some("autoscaling/v1") => true,
            Some("autoscaling/v2") | None => false,
            Some(other) => {
                let message = format!("`{other}` is no version of it that clusters still serve");
                self.wrong("/apiVersion", message, "write `autoscaling/v2`");
                return None;
            }
        };
        let metadata = raw.metadata.unwrap_or_default();
        if first {
            for kept in ["metrics", "behavior"] {
                let key = format!("autoscaling.alpha.kubernetes.io/{kept}");
                if metadata.annotations.contains_key(&key) {
                    self.problems.push(
                        self.document
                            .problem_at("/metadata/annotations", format!("`{key}` holds rules of another version"))
                            .hint("write the object as `autoscaling/v2`, as `kubectl get hpa.v2.autoscaling` prints it"),
                    );
                }
            }
        }
        let parameters = parameters(self.document, &metadata.annotations, &mut self.problems);
        let mut spec = raw.spec?;
        let sources = if first { self.first_version(&spec) } else { self.sources(&mut spec) };
        let behavior = spec.behavior.take().map(|raw| {
            if first {
                self.wrong(
                    "/spec/behavior",
                    "`autoscaling/v1` has no behavior",
                    "write `autoscaling/v2`",
                );
            }
            behavior(self.document, &mut self.problems, "/spec/behavior", raw)
        });
        let (min, max) = (spec.min_replicas.unwrap_or(1), spec.max_replicas?);
        if min > max {
            let path =
                if spec.min_replicas.is_some() { "/spec/minReplicas" } else { "/spec/maxReplicas" };
            self.wrong(
                path,
                format!("the minimum {min} is above the maximum {max}"),
                "raise the maximum or lower the minimum",
            );
        }
        let totals =
            |source: &Source| matches!(source, Source::Object { .. } | Source::External { .. });
        if min == 0 && !sources.iter().any(totals) {
            self.wrong(
                "/spec/minReplicas",
                "the count cannot come back from 0 by metrics that pods report",
                "write at least 1, or add an Object or External metric",
            );
        }
        let target = reference(spec.scale_target_ref?)?;
        let name = metadata.name.unwrap_or_default();
        Some(Hpa { name, min, max, target, sources, behavior, parameters })
    }

    /// `autoscaling/v1` knows the CPU only; 80 % if it does not say (`v1/defaults.go`).
    fn first_version(&mut self, spec: &RawSpec) -> Vec<Source> {
        if !spec.metrics.is_empty() {
            self.wrong(
                "/spec/metrics",
                "`autoscaling/v1` has no list of metrics",
                "write `autoscaling/v2`",
            );
        }
        vec![cpu(spec.target_cpu_utilization_percentage.unwrap_or(80))]
    }

    fn sources(&mut self, spec: &mut RawSpec) -> Vec<Source> {
        if spec.target_cpu_utilization_percentage.is_some() {
            self.wrong(
                "/spec/targetCPUUtilizationPercentage",
                "`autoscaling/v2` has no `targetCPUUtilizationPercentage`",
                "write a metric of type Resource, or `autoscaling/v1`",
            );
        }
        if spec.metrics.is_empty() {
            // `SetDefaults_HorizontalPodAutoscaler`: 80 % of the CPU.
            return vec![cpu(80)];
        }
        let metrics = std::mem::take(&mut spec.metrics);
        let path = |index: usize| format!("/spec/metrics/{index}");
        metrics.into_iter().enumerate().filter_map(|(i, raw)| self.source(&path(i), raw)).collect()
    }

    /// What stands beside a metric's type is that of the type, and nothing else.
    fn only(&mut self, path: &str, kind: SourceType, raw: &RawMetric) {
        let given = [
            (SourceType::Resource, "resource", raw.resource.is_some()),
            (SourceType::ContainerResource, "containerResource", raw.container_resource.is_some()),
            (SourceType::Pods, "pods", raw.pods.is_some()),
            (SourceType::Object, "object", raw.object.is_some()),
            (SourceType::External, "external", raw.external.is_some()),
        ];
        for (of, key, there) in given {
            match (of == kind, there) {
                (true, false) if !self.document.has(&format!("{path}/{key}")) => {
                    self.wrong(
                        path,
                        format!("a metric of type {kind:?} needs `{key}`"),
                        "add it, or change the type",
                    );
                }
                (false, true) => {
                    let at = format!("{path}/{key}");
                    self.wrong(
                        &at,
                        format!("`{key}` does not go with type {kind:?}"),
                        "remove it, or change the type",
                    );
                }
                _ => {}
            }
        }
    }

    fn source(&mut self, path: &str, raw: RawMetric) -> Option<Source> {
        let kind = raw.kind?;
        self.only(path, kind, &raw);
        match kind {
            SourceType::Resource => {
                let raw = raw.resource?;
                let target = self.per_pod(&format!("{path}/resource/target"), &raw.target?);
                Some(Source::Resource { name: raw.name?, container: None, target: target? })
            }
            SourceType::ContainerResource => {
                let raw = raw.container_resource?;
                let target =
                    self.per_pod(&format!("{path}/containerResource/target"), &raw.target?);
                Some(Source::Resource {
                    name: raw.name?,
                    container: Some(raw.container?),
                    target: target?,
                })
            }
            SourceType::Pods => {
                let raw = raw.pods?;
                let at = format!("{path}/pods/target");
                let target = raw.target?;
                self.no_utilization(&at, &target);
                let average = self.amount(&at, "averageValue", target.average_value.as_deref());
                if target.average_value.is_none()
                    && !self.document.has(&format!("{at}/averageValue"))
                {
                    self.wrong(&at, "a metric of pods needs a target", "add `averageValue:`");
                }
                let metric = self.named(&format!("{path}/pods/metric"), raw.metric?);
                Some(Source::Pods { metric: metric?, average: average? })
            }
            SourceType::Object => {
                let raw = raw.object?;
                let target = self.total(&format!("{path}/object/target"), &raw.target?, true);
                let metric = self.named(&format!("{path}/object/metric"), raw.metric?);
                let object = reference(raw.described_object?)?;
                Some(Source::Object { object, metric: metric?, target: target? })
            }
            SourceType::External => {
                let raw = raw.external?;
                let target = self.total(&format!("{path}/external/target"), &raw.target?, false);
                let metric = self.named(&format!("{path}/external/metric"), raw.metric?);
                Some(Source::External { metric: metric?, target: target? })
            }
        }
    }

    /// The target of a resource: one of utilization and amount.
    fn per_pod(&mut self, path: &str, raw: &RawTarget) -> Option<PerPod> {
        let average = self.amount(path, "averageValue", raw.average_value.as_deref());
        match (raw.average_utilization, raw.average_value.is_some()) {
            (Some(_), true) => {
                self.wrong(
                    path,
                    "both a utilization and an amount are wanted",
                    "keep `averageUtilization` or `averageValue`",
                );
                None
            }
            (Some(percent), false) => Some(PerPod::Utilization(percent)),
            (None, true) => average.map(PerPod::Average),
            (None, false) => {
                if !self.document.has(&format!("{path}/averageUtilization")) {
                    self.wrong(
                        path,
                        "a resource needs a target",
                        "add `averageUtilization:` or `averageValue:`",
                    );
                }
                None
            }
        }
    }

    /// The target of a metric that is no pod's. The controller takes an object's by its type, an
    /// external metric's by what is there (`computeStatusForObjectMetric`, `…ExternalMetric`).
    fn total(&mut self, path: &str, raw: &RawTarget, by_type: bool) -> Option<Total> {
        self.no_utilization(path, raw);
        let value = self.amount(path, "value", raw.value.as_deref());
        let average = self.amount(path, "averageValue", raw.average_value.as_deref());
        let chosen = match (by_type, raw.kind?) {
            (true, TargetType::Value) => value.map(Total::Value),
            (true, TargetType::AverageValue) => average.map(Total::Average),
            (true, TargetType::Utilization) => None,
            (false, _) => {
                if raw.value.is_some() && raw.average_value.is_some() {
                    self.wrong(
                        path,
                        "both a total and an average are wanted",
                        "keep `value` or `averageValue`",
                    );
                }
                average.map(Total::Average).or(value.map(Total::Value))
            }
        };
        // What is there and wrong has been told already.
        let has = |key: &str| self.document.has(&format!("{path}/{key}"));
        let lacks = match (by_type, raw.kind?) {
            (true, TargetType::Value) => !has("value"),
            (true, TargetType::AverageValue) => !has("averageValue"),
            (true, TargetType::Utilization) => true,
            (false, _) => !has("value") && !has("averageValue"),
        };
        if lacks {
            self.wrong(
                path,
                "the target's type and what it wants do not go together",
                "write `type: Value` with `value:`, or `type: AverageValue` with `averageValue:`",
            );
        }
        chosen
    }

    fn no_utilization(&mut self, path: &str, raw: &RawTarget) {
        if raw.average_utilization.is_some() {
            let at = format!("{path}/averageUtilization");
            self.wrong(
                &at,
                "only a resource has a utilization",
                "write `value:` or `averageValue:`",
            );
        }
    }

    /// A target's amount, in thousandths; it must be above 0 (`validateMetricTarget`).
    fn amount(&mut self, path: &str, key: &str, text: Option<&str>) -> Option<i64> {
        let value = quantity::parse(text?).ok().map(quantity::milli)?;
        if value > 0 {
            return Some(value);
        }
        self.wrong(
            &format!("{path}/{key}"),
            format!("`{key}` must be above 0"),
            "write a positive amount",
        );
        None
    }

    fn named(&mut self, path: &str, raw: RawNamed) -> Option<Named> {
        let selector = raw.selector.unwrap_or_default();
        for (index, requirement) in selector.match_expressions.iter().enumerate() {
            let valued = matches!(
                requirement.operator,
                Some(SelectorOperator::In | SelectorOperator::NotIn)
            );
            if valued == requirement.values.is_empty() && requirement.operator.is_some() {
                let at = format!("{path}/selector/matchExpressions/{index}");
                self.wrong(
                    &at,
                    "operator and values do not go together",
                    "`In` and `NotIn` take values, the others none",
                );
            }
        }
        Some(Named { name: raw.name?, selector: Selector(selector) })
    }
}

/// The flags of the controller, from annotations.
pub(crate) fn parameters(
    document: &Document,
    annotations: &BTreeMap<String, String>,
    problems: &mut Problems,
) -> Parameters {
    let path = "/metadata/annotations";
    let mut given = Settings::new(document, annotations, path, settings::OURS, problems);
    let mut parameters = Parameters::default();
    let (any, long) = (0.0..=f64::INFINITY, 0.0..=86_400.0);
    given.number("horizontal-pod-autoscaler-tolerance", any, &mut parameters.tolerance);
    for (name, value) in [
        (
            "horizontal-pod-autoscaler-downscale-stabilization",
            &mut parameters.downscale_stabilization,
        ),
        ("horizontal-pod-autoscaler-cpu-initialization-period", &mut parameters.cpu_initialization),
        ("horizontal-pod-autoscaler-initial-readiness-delay", &mut parameters.initial_readiness),
    ] {
        given.span(name, long.clone(), value);
    }
    given.end();
    parameters
}

fn cpu(percent: i32) -> Source {
    let target = PerPod::Utilization(percent);
    Source::Resource { name: "cpu".to_owned(), container: None, target }
}

fn reference(raw: RawReference) -> Option<Reference> {
    let api_version = raw.api_version.unwrap_or_default();
    Some(Reference { api_version, kind: raw.kind?, name: raw.name? })
}

/// `SetDefaults_HorizontalPodAutoscalerBehavior`: what one says of a direction replaces the default.
pub(crate) fn behavior(
    document: &Document,
    problems: &mut Problems,
    path: &str,
    raw: RawBehavior,
) -> Behavior {
    let up =
        rules(document, problems, &format!("{path}/scaleUp"), raw.scale_up, Rules::default_up());
    let down = rules(
        document,
        problems,
        &format!("{path}/scaleDown"),
        raw.scale_down,
        Rules::default_down(),
    );
    Behavior { up, down }
}

fn rules(
    document: &Document,
    problems: &mut Problems,
    path: &str,
    raw: Option<RawRules>,
    default: Rules,
) -> Rules {
    let Some(raw) = raw else { return default };
    if raw.policies.as_ref().is_some_and(Vec::is_empty) {
        let at = format!("{path}/policies");
        problems.push(
            document
                .problem_at(&at, "there is no policy")
                .hint("write one, or leave `policies` out"),
        );
    }
    let policies = raw.policies.map(|policies| {
        let policy = |raw: super::raw::RawPolicy| {
            Some(Policy { kind: raw.kind?, value: raw.value?, period: raw.period_seconds? })
        };
        policies.into_iter().filter_map(policy).collect()
    });
    let tolerance = raw.tolerance.as_deref().and_then(|text| quantity::parse(text).ok());
    if tolerance.is_some_and(|tolerance| tolerance < 0.0) {
        let at = format!("{path}/tolerance");
        problems.push(
            document
                .problem_at(&at, "a tolerance cannot be negative")
                .hint("write for example `0.05`"),
        );
    }
    Rules {
        window: raw.stabilization_window_seconds.or(default.window),
        select: raw.select_policy.unwrap_or(default.select),
        policies: policies.unwrap_or(default.policies),
        tolerance,
    }
}
