//! From a `HorizontalPodAutoscaler` to Azure Monitor.

use serde_json::{Value, json};

use super::{Differences, EQUAL, METRICS, Translation};
use crate::hpa::{Behavior, Hpa, PerPod, PolicyType, Rules, Select, Source};

/// The shortest window over which Azure looks, and the shortest cooldown, in minutes.
const LEAST_WINDOW: u32 = 5;
const LEAST_COOLDOWN: u32 = 1;

pub(super) fn translate(hpa: &Hpa) -> Result<Translation, String> {
    let mut differences = Differences::default();
    let mut targets = Vec::new();
    for source in &hpa.sources {
        match metric(source) {
            Ok(found) => targets.push(found),
            Err((what, why)) => differences.tell(what, format!("left out: {why}")),
        }
    }
    if targets.is_empty() {
        return Err(differences.nothing());
    }
    let (rules, mut is_equal, up) = rules(hpa, &targets, &mut differences);
    if up > 0.0 {
        is_equal = false;
        differences.tell(
            format!("tolerance of {up} upwards"),
            "part of the threshold to scale out, and so of the guard against flapping: Azure scales in where \
             usage would then be within the tolerance above the target, and an HPA does not",
        );
    }
    let minimum = hpa.min.max(1);
    if minimum != hpa.min {
        differences.tell("minReplicas: 0", "1: Azure does not scale what serves to zero");
    }
    on_the_whole(&mut differences);
    let setting = json!({"properties": {
        "name": hpa.name,
        "enabled": true,
        "profiles": [{
            "name": "default",
            "capacity": {
                "minimum": minimum.to_string(),
                "maximum": hpa.max.to_string(),
                // So that missing metrics raise nothing, as with an HPA.
                "default": minimum.to_string(),
            },
            "rules": rules,
        }],
    }});
    Ok(Translation { rules: setting, equal: is_equal.then_some(EQUAL), differences: differences.0 })
}

/// The rules, whether a step of one each on a single metric is all that there is, and the tolerance upwards.
fn rules(
    hpa: &Hpa,
    targets: &[(&'static str, i32)],
    differences: &mut Differences,
) -> (Vec<Value>, bool, f64) {
    let default = Behavior::default();
    if hpa.behavior.is_none() {
        differences.tell(
            "behavior (the defaults: up by the larger of 4 pods and 100 %, down by all)",
            "steps of one: Azure's steps are fixed, and one is what both can do",
        );
    }
    let behavior = hpa.behavior.as_ref().unwrap_or(&default);
    let tolerance = |rules: &Rules| rules.tolerance.unwrap_or(hpa.parameters.tolerance);
    let (up, down) = (tolerance(&behavior.up), tolerance(&behavior.down));
    let mut rules = Vec::new();
    let mut is_equal = targets.len() == 1 && hpa.sources.len() == 1;
    for (direction, of, sign) in
        [("Increase", &behavior.up, "GreaterThan"), ("Decrease", &behavior.down, "LessThan")]
    {
        let key = if direction == "Increase" { "scaleUp" } else { "scaleDown" };
        if of.select == Select::Disabled {
            is_equal = false;
            continue;
        }
        let step = step(hpa.behavior.is_some(), of, key, differences);
        is_equal &= of.policies.len() == 1 && step.is_one();
        let (window, aggregation) = window(of, direction, differences, hpa);
        for (name, target) in targets {
            let share = if direction == "Increase" { 1.0 + up } else { 1.0 - down };
            rules.push(rule(
                name,
                f64::from(*target) * share,
                sign,
                direction,
                &step,
                window,
                aggregation,
            ));
        }
    }
    (rules, is_equal, up)
}

fn on_the_whole(differences: &mut Differences) {
    differences.tell(
        "scaleTargetRef",
        "left out: add `targetResourceUri` of the deployment, and `metricResourceUri` to each rule",
    );
    differences.tell(
        "samples of some 15 s, looked at every 15 s",
        "whole minutes over 5 of them at least, looked at once or twice a minute, and published minutes later",
    );
    differences.tell(
        "per cent",
        "of the pods' request for an HPA, cut to whole per cents; of the machine for Azure",
    );
    differences.tell(
        "pods that are unready or do not report",
        "Azure's average is of the instances that report",
    );
}

/// Azure's name of a metric and its target, or what it is and why it has no equivalent.
fn metric(source: &Source) -> Result<(&'static str, i32), (String, &'static str)> {
    match source {
        Source::Resource { name, container: None, target: PerPod::Utilization(target) } => {
            let known = METRICS.iter().find(|(_, own)| own == name);
            let unknown = || (format!("resource `{name}`"), "Azure emits none of that name");
            known.map(|(azure, _)| (*azure, *target)).ok_or_else(unknown)
        }
        Source::Resource { name, container: None, target: PerPod::Average(_) } => Err((
            format!("`averageValue` of `{name}`"),
            "Azure tells shares of the machine, no amounts",
        )),
        Source::Resource { name, container: Some(container), .. } => Err((
            format!("`{name}` of the container `{container}`"),
            "Azure measures instances, not what runs in them",
        )),
        Source::Pods { metric, .. } => {
            Err((format!("pods metric `{}`", metric.name), "Azure does not emit it"))
        }
        Source::Object { metric, .. } => {
            Err((format!("object metric `{}`", metric.name), "Azure does not emit it"))
        }
        Source::External { metric, .. } => Err((
            format!("external metric `{}`", metric.name),
            "name the metric of Azure that it comes from, and write a rule on that",
        )),
    }
}

/// How a rule changes the count, and for how many minutes none does after.
struct Step {
    change: &'static str,
    value: u32,
    cooldown: u32,
}

impl Step {
    fn is_one(&self) -> bool {
        self.change == "ChangeCount" && self.value == 1
    }
}

fn step(is_written: bool, of: &Rules, key: &str, differences: &mut Differences) -> Step {
    let of_pods = of.policies.iter().find(|policy| policy.kind == PolicyType::Pods);
    let Some(policy) = of_pods.or(of.policies.first()).filter(|_| is_written) else {
        return Step { change: "ChangeCount", value: 1, cooldown: LEAST_COOLDOWN };
    };
    let is_pods = policy.kind == PolicyType::Pods;
    for other in of.policies.iter().filter(|other| *other != policy) {
        let unit = if other.kind == PolicyType::Pods { "pods" } else { "%" };
        differences.tell(
            format!("{key}: policy of {} {unit} in {} s", other.value, other.period),
            "left out: a rule of Azure has one step",
        );
    }
    if !is_pods || policy.value != 1 {
        let unit = if is_pods { "pods" } else { "%" };
        differences.tell(
            format!("{key}: policy of {} {unit}", policy.value),
            "Azure always takes this whole step; an HPA takes as many of it as bring usage to the target",
        );
    }
    let cooldown = policy.period.div_ceil(60).max(LEAST_COOLDOWN);
    if cooldown * 60 != policy.period {
        differences.tell(
            format!("{key}: periodSeconds {}", policy.period),
            format!("a cooldown of {cooldown} minutes, the next whole ones"),
        );
    }
    differences.tell(
        format!("{key}: period of a policy"),
        "the cooldown, which in Azure holds back both directions",
    );
    let change = if is_pods { "ChangeCount" } else { "PercentChangeCount" };
    Step { change, value: policy.value, cooldown }
}

/// Over how many minutes a rule looks, and how it combines them.
fn window(
    of: &Rules,
    direction: &str,
    differences: &mut Differences,
    hpa: &Hpa,
) -> (u32, &'static str) {
    let is_up = direction == "Increase";
    let cluster = if is_up { 0.0 } else { hpa.parameters.downscale_stabilization };
    let seconds = of.window.map_or(cluster, f64::from);
    if seconds <= 0.0 {
        return (LEAST_WINDOW, "Average");
    }
    let minutes = ((seconds / 60.0).ceil() as u32).max(LEAST_WINDOW);
    let aggregation = if is_up { "Minimum" } else { "Maximum" };
    differences.tell(
        format!("{}: stabilization of {seconds} s", if is_up { "scaleUp" } else { "scaleDown" }),
        format!(
            "the {} of the minutes of {minutes} min: Azure keeps no earlier wishes, but a value that stayed beyond \
             the threshold for as long is near to it",
            aggregation.to_lowercase()
        ),
    );
    (minutes, aggregation)
}

fn rule(
    metric: &str,
    threshold: f64,
    operator: &str,
    direction: &str,
    step: &Step,
    window: u32,
    aggregation: &str,
) -> Value {
    // Without the dust of the multiplication: 70 · 1.1 is 77.
    let threshold = (threshold * 1e6).round() / 1e6;
    json!({
        "metricTrigger": {
            "metricName": metric,
            "timeGrain": "PT1M",
            "statistic": "Average",
            "timeWindow": format!("PT{window}M"),
            "timeAggregation": aggregation,
            "operator": operator,
            "threshold": threshold,
        },
        "scaleAction": {
            "direction": direction,
            "type": step.change,
            "value": step.value.to_string(),
            "cooldown": format!("PT{}M", step.cooldown),
        },
    })
}
