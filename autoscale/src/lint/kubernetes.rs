//! Findings in rules of Kubernetes, KEDA, Knative and Azure ML on Kubernetes.

use plimsoll_document::Severity;

use super::Finding;
use crate::hpa::{Behavior, Hpa, PolicyType, Rules, Select};
use crate::keda::ScaledObject;
use crate::knative::Kpa;
use crate::utilization::TargetUtilization;

const HPA: &str = "https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#configurable-scaling-behavior";
const KEDA: &str = "https://keda.sh/docs/2.19/reference/scaledobject-spec/";
const KNATIVE: &str = "https://knative.dev/docs/serving/autoscaling/scale-bounds/";
const AZURE: &str = "https://learn.microsoft.com/azure/machine-learning/how-to-kubernetes-inference-routing-azureml-fe";

pub(super) fn hpa(hpa: &Hpa) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(fixed(hpa.min, hpa.max, "/spec", "maxReplicas", HPA));
    behavior(hpa.behavior.as_ref(), "/spec/behavior", &mut found);
    found
}

pub(super) fn scaled_object(object: &ScaledObject) -> Vec<Finding> {
    let mut found = Vec::new();
    let (min, max) = object.bounds();
    found.extend(fixed(min, max, "/spec", "maxReplicaCount", KEDA));
    if let Some(idle) = object.idle().filter(|idle| *idle > 0) {
        found.push(Finding {
            id: "idle-not-zero",
            severity: Severity::Error,
            at: "/spec".to_owned(),
            member: "idleReplicaCount",
            message: format!("an idle count of {idle} is undone at once"),
            why: "the HorizontalPodAutoscaler that KEDA writes raises every count but 0 to its minimum".to_owned(),
            source: KEDA,
            fix: "write `idleReplicaCount: 0`, or leave it out".to_owned(),
        });
    }
    for index in object.useless_activations() {
        found.push(Finding {
            id: "activation-without-effect",
            severity: Severity::Warning,
            at: format!("/spec/triggers/{index}"),
            member: "metadata",
            message: "the activation threshold has no effect".to_owned(),
            why: format!("it decides on the step from 0 alone, and the minimum is {min}"),
            source: KEDA,
            fix: "remove it, or write `minReplicaCount: 0`".to_owned(),
        });
    }
    let path = "/spec/advanced/horizontalPodAutoscalerConfig/behavior";
    behavior(object.written().behavior.as_ref(), path, &mut found);
    found
}

pub(super) fn knative(kpa: &Kpa) -> Vec<Finding> {
    let (min, max) = kpa.bounds();
    // A maximum of 0 is none.
    let bound = (max > 0).then(|| fixed(min, max, "", "metadata", KNATIVE));
    bound.flatten().into_iter().collect()
}

pub(super) fn utilization(rules: &TargetUtilization) -> Vec<Finding> {
    fixed(rules.min, rules.max, "/scale_settings", "max_instances", AZURE).into_iter().collect()
}

fn fixed(
    min: u32,
    max: u32,
    at: &str,
    member: &'static str,
    source: &'static str,
) -> Option<Finding> {
    (min == max).then(|| Finding {
        id: "min-is-max",
        severity: Severity::Error,
        at: at.to_owned(),
        member,
        message: format!("the count is fixed at {min}: minimum and maximum are equal"),
        why: "no metric can change it, however the load grows".to_owned(),
        source,
        fix: format!("leave room, such as a maximum of {}", max.saturating_mul(2).max(2)),
    })
}

fn behavior(behavior: Option<&Behavior>, path: &str, found: &mut Vec<Finding>) {
    let Some(behavior) = behavior else { return };
    for (key, rules, severity, never) in [
        ("scaleUp", &behavior.up, Severity::Error, "grows, however much load there is"),
        ("scaleDown", &behavior.down, Severity::Warning, "falls, however little load there is"),
    ] {
        if rules.select == Select::Disabled {
            found.push(Finding {
                id: "direction-off",
                severity,
                at: format!("{path}/{key}"),
                member: "selectPolicy",
                message: format!("the count never {never}"),
                why: "`Disabled` switches this direction off".to_owned(),
                source: HPA,
                fix: "write `Max` or `Min`".to_owned(),
            });
        }
    }
    if behavior.down.window == Some(0) && removes_all(&behavior.down) {
        found.push(Finding {
            id: "all-at-once",
            severity: Severity::Warning,
            at: format!("{path}/scaleDown"),
            member: "stabilizationWindowSeconds",
            message: "one moment of low load may remove every instance above the minimum"
                .to_owned(),
            why: "no window waits for it to last, and the policies allow 100 % at once".to_owned(),
            source: HPA,
            fix: "write a window such as 300, or a policy such as 10 % in 60 s".to_owned(),
        });
    }
}

/// Whether the policies allow to remove all at once.
fn removes_all(rules: &Rules) -> bool {
    let all =
        |policy: &crate::hpa::Policy| policy.kind == PolicyType::Percent && policy.value >= 100;
    match rules.select {
        Select::Disabled => false,
        Select::Max => rules.policies.iter().any(all),
        Select::Min => rules.policies.iter().all(all),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Context, lint};
    use crate::RulesFile;

    fn ids(text: &str) -> Vec<&'static str> {
        let file = RulesFile::parse("rules.yml", text).unwrap_or_else(|wrong| panic!("{wrong}"));
        let found = lint(&file.rules, &Context::default());
        for finding in &found {
            assert!(finding.problem(&file).line() > 0, "{finding:?}");
        }
        found.iter().map(|finding| finding.id).collect()
    }

    fn hpa(spec: &str) -> Vec<&'static str> {
        ids(&format!(
            "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nspec:\n  scaleTargetRef: {{kind: Deployment, name: a}}\n{spec}"
        ))
    }

    #[test]
    fn a_horizontal_pod_autoscaler_is_looked_at() {
        assert_eq!(hpa("  maxReplicas: 4\n"), [""; 0]);
        assert_eq!(hpa("  maxReplicas: 1\n"), ["min-is-max"]);
        let off = "  maxReplicas: 4\n  behavior: {scaleUp: {selectPolicy: Disabled}, scaleDown: {selectPolicy: Disabled}}\n";
        assert_eq!(hpa(off), ["direction-off", "direction-off"]);
        let quick = "  maxReplicas: 4\n  behavior: {scaleDown: {stabilizationWindowSeconds: 0}}\n";
        assert_eq!(hpa(quick), ["all-at-once"]);
        let slow = "  maxReplicas: 4\n  behavior: {scaleDown: {stabilizationWindowSeconds: 0, policies: [{type: Pods, value: 1, periodSeconds: 60}]}}\n";
        assert_eq!(hpa(slow), [""; 0]);
    }

    #[test]
    fn a_scaled_object_is_looked_at() {
        let object = |spec: &str| {
            ids(&format!(
                "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nspec:\n  scaleTargetRef: {{name: a}}\n  triggers: [{{type: prometheus, metadata: {{threshold: '1', activationThreshold: '5'}}}}]\n{spec}"
            ))
        };
        assert_eq!(object(""), [""; 0]);
        assert_eq!(object("  minReplicaCount: 2\n"), ["activation-without-effect"]);
        assert_eq!(object("  minReplicaCount: 2\n  idleReplicaCount: 1\n"), ["idle-not-zero"]);
        assert_eq!(object("  minReplicaCount: 0\n  maxReplicaCount: 1\n"), [""; 0]);
    }

    #[test]
    fn the_others_are_looked_at() {
        let service = |max: u32| {
            ids(&format!(
                "apiVersion: serving.knative.dev/v1\nkind: Revision\nmetadata: {{annotations: {{autoscaling.knative.dev/min-scale: '3', autoscaling.knative.dev/max-scale: '{max}'}}}}\n"
            ))
        };
        assert_eq!((service(3), service(4)), (vec!["min-is-max"], vec![]));
        assert_eq!(ids("scale_settings: {type: target_utilization}\n"), ["min-is-max"]);
    }
}
