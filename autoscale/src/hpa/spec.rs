//! The rules of a `HorizontalPodAutoscaler`, checked. Amounts are in thousandths, as in Kubernetes.

use std::collections::BTreeMap;

use super::raw::{PolicyType, RawSelector, Select, SelectorOperator};

/// A `HorizontalPodAutoscaler`, ready to decide.
#[derive(Debug, Clone, PartialEq)]
pub struct Hpa {
    /// Its name.
    pub name: String,
    /// The smallest count.
    pub min: u32,
    /// The largest count.
    pub max: u32,
    /// The object that it scales.
    pub(crate) target: Reference,
    /// What it looks at.
    pub(crate) sources: Vec<Source>,
    /// How fast the count may change, if the file says.
    pub(crate) behavior: Option<Behavior>,
    /// What the cluster, not the file, decides.
    pub(crate) parameters: Parameters,
}

/// Flags of the controller (`kube-controller-manager`): the cluster's, not the object's. The file
/// may give them as annotations `plimsoll/<flag>`, which clusters keep and do not look at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Parameters {
    /// `--horizontal-pod-autoscaler-tolerance`: a ratio this close to 1 changes nothing.
    pub tolerance: f64,
    /// `--horizontal-pod-autoscaler-downscale-stabilization`, in seconds.
    pub downscale_stabilization: f64,
    /// `--horizontal-pod-autoscaler-cpu-initialization-period`, in seconds.
    pub cpu_initialization: f64,
    /// `--horizontal-pod-autoscaler-initial-readiness-delay`, in seconds.
    pub initial_readiness: f64,
}

impl Default for Parameters {
    /// `pkg/controller/podautoscaler/config/v1alpha1/defaults.go`.
    fn default() -> Self {
        Self {
            tolerance: 0.1,
            downscale_stabilization: 300.0,
            cpu_initialization: 300.0,
            initial_readiness: 30.0,
        }
    }
}

/// An object of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub api_version: String,
    pub kind: String,
    pub name: String,
}

impl Reference {
    /// Whether a state's `resource` names it: as `Kind/name`, or as `group/version/Kind/name`.
    pub(crate) fn is_named(&self, resource: &str) -> bool {
        let short = format!("{}/{}", self.kind, self.name);
        resource == short || resource == format!("{}/{short}", self.api_version)
    }
}

/// One metric of `spec.metrics`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    /// CPU or memory of pods, or of one container of each.
    Resource { name: String, container: Option<String>, target: PerPod },
    /// A metric that each pod reports; the average that is wanted.
    Pods { metric: Named, average: i64 },
    /// A metric of an object.
    Object { object: Reference, metric: Named, target: Total },
    /// A metric from outside.
    External { metric: Named, target: Total },
}

/// What is wanted of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PerPod {
    /// Percent of what is requested.
    Utilization(i32),
    /// An amount.
    Average(i64),
}

/// What is wanted of a metric that is no pod's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Total {
    /// In total.
    Value(i64),
    /// For each pod.
    Average(i64),
}

/// A metric, and which of its series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub name: String,
    pub selector: Selector,
}

/// Labels that a series must have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selector(pub(super) RawSelector);

impl Selector {
    /// Labels that fit, as far as it says which.
    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.0.match_labels.clone();
        for one in &self.0.match_expressions {
            let (Some(key), Some(operator)) = (&one.key, one.operator) else { continue };
            let value = match operator {
                SelectorOperator::In => one.values.first().cloned(),
                SelectorOperator::Exists => Some(String::new()),
                SelectorOperator::NotIn | SelectorOperator::DoesNotExist => None,
            };
            labels.extend(value.map(|value| (key.clone(), value)));
        }
        labels
    }

    /// Whether labels fit (`k8s.io/apimachinery/pkg/labels/selector.go`).
    pub(crate) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let equal = self.0.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value));
        equal
            && self.0.match_expressions.iter().all(|requirement| {
                let Some(key) = &requirement.key else { return false };
                let label = labels.get(key);
                match requirement.operator {
                    Some(SelectorOperator::In) => {
                        label.is_some_and(|label| requirement.values.contains(label))
                    }
                    Some(SelectorOperator::NotIn) => {
                        label.is_none_or(|label| !requirement.values.contains(label))
                    }
                    Some(SelectorOperator::Exists) => label.is_some(),
                    Some(SelectorOperator::DoesNotExist) => label.is_none(),
                    None => false,
                }
            })
    }
}

/// `spec.behavior`, with its defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Behavior {
    pub up: Rules,
    pub down: Rules,
}

impl Default for Behavior {
    fn default() -> Self {
        Self { up: Rules::default_up(), down: Rules::default_down() }
    }
}

/// The rules of one direction.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rules {
    /// The stabilization window in seconds; the cluster's if `None`.
    pub window: Option<u32>,
    pub select: Select,
    pub policies: Vec<Policy>,
    /// The tolerance of this direction; the cluster's if `None`.
    pub tolerance: Option<f64>,
}

/// How much the count may change in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    pub kind: PolicyType,
    pub value: u32,
    /// In seconds.
    pub period: u32,
}

impl Rules {
    /// `defaultHPAScaleUpRules` in `pkg/apis/autoscaling/v2/defaults.go`.
    pub(crate) fn default_up() -> Self {
        let pods = Policy { kind: PolicyType::Pods, value: 4, period: 15 };
        let percent = Policy { kind: PolicyType::Percent, value: 100, period: 15 };
        Self {
            window: Some(0),
            select: Select::Max,
            policies: vec![pods, percent],
            tolerance: None,
        }
    }

    /// `defaultHPAScaleDownRules`, there.
    pub(crate) fn default_down() -> Self {
        let percent = Policy { kind: PolicyType::Percent, value: 100, period: 15 };
        Self { window: None, select: Select::Max, policies: vec![percent], tolerance: None }
    }

    /// The longest period of a policy, in seconds.
    pub(crate) fn longest_period(&self) -> u32 {
        self.policies.iter().map(|policy| policy.period).max().unwrap_or(0)
    }
}
