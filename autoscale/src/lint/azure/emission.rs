//! Metrics that the resource does not emit, and resources that are not the target.

use plimsoll_document::{Severity, nearest};

use super::METRICS;
use crate::azure::{Aggregation, Rule, Setting, Statistic};
use crate::lint::Finding;
use crate::lint::metrics::{Emitted, Scope, emitted};

pub(super) fn rule(rule: &Rule, setting: &Setting, found: &mut Vec<Finding>) {
    let target = setting.target.as_deref();
    // A variable of a script says nothing; what is scaled is a deployment.
    let is_id = |id: &str| id.starts_with('/');
    let target_scope = match target {
        Some(id) if is_id(id) => match Scope::of(id) {
            Some(scope) => scope,
            // Something else, whose metrics are not known here.
            None => return,
        },
        _ => Scope::Deployment,
    };
    if target_scope == Scope::Endpoint {
        found.push(Finding {
            id: "wrong-target",
            severity: Severity::Error,
            at: String::new(),
            member: "targetResourceUri",
            message: "the target is an endpoint, and only a deployment can be scaled".to_owned(),
            why: "the count of instances is the deployment's `sku.capacity`".to_owned(),
            source: "Microsoft, Autoscale online endpoints",
            fix: "write the id of the deployment: …/onlineEndpoints/NAME/deployments/NAME"
                .to_owned(),
        });
    }
    let scope = match rule.resource.as_deref() {
        None => Some(target_scope),
        Some(id) if is_id(id) => {
            let Some(scope) = Scope::of(id) else {
                foreign(rule, id, found);
                return;
            };
            Some(scope)
        }
        Some(_) => None,
    };
    if let (Some(resource), Some(target)) = (rule.resource.as_deref(), target)
        && is_id(resource)
        && is_id(target)
        && !target.to_lowercase().starts_with(&resource.to_lowercase())
    {
        foreign(rule, resource, found);
    }
    let named = |metric: &&Emitted| metric.name.eq_ignore_ascii_case(&rule.metric);
    let fits = |metric: &&Emitted| scope.is_none_or(|scope| scope == metric.scope);
    match emitted().iter().filter(named).find(fits) {
        Some(metric) => details(rule, metric, found),
        None => missing(rule, scope, found),
    }
}

fn missing(rule: &Rule, scope: Option<Scope>, found: &mut Vec<Finding>) {
    let other = emitted().iter().find(|metric| metric.name.eq_ignore_ascii_case(&rule.metric));
    let subject = scope.map_or("neither an endpoint nor a deployment", |scope| match scope {
        Scope::Endpoint => "no endpoint",
        Scope::Deployment => "no deployment",
    });
    let fix = if let Some(other) = other {
        format!("it is of {}: give its id as the rule's resource", other.scope.words())
    } else {
        let names = emitted().iter().filter(|m| scope.is_none_or(|scope| scope == m.scope));
        let names: Vec<_> = names.map(|metric| metric.name).collect();
        match nearest(&rule.metric, names.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("emitted are: {}", names.join(", ")),
        }
    };
    found.push(Finding {
        id: "metric-not-emitted",
        severity: Severity::Error,
        at: rule.at.clone(),
        member: "metricTrigger/metricName",
        message: format!("{subject} emits `{}`", rule.metric),
        why: "the rule never has a value: it never scales out, and holds every scale-in back"
            .to_owned(),
        source: METRICS,
        fix,
    });
}

fn details(rule: &Rule, metric: &Emitted, found: &mut Vec<Finding>) {
    let extreme = matches!(rule.statistic, Statistic::Min | Statistic::Max)
        || matches!(rule.aggregation, Aggregation::Minimum | Aggregation::Maximum);
    if extreme && !metric.extremes {
        found.push(Finding {
            id: "aggregation-not-emitted",
            severity: Severity::Warning,
            at: rule.at.clone(),
            member: "metricTrigger/timeAggregation",
            message: format!("`{}` is emitted as an average only", metric.name),
            why: "the extreme is one of averages of minutes, not of requests".to_owned(),
            source: METRICS,
            fix: "write `Average`".to_owned(),
        });
    }
    for dimension in &rule.dimensions {
        if !metric.dimensions.iter().any(|name| name.eq_ignore_ascii_case(&dimension.name)) {
            let known = match metric.dimensions {
                [] => "it has none".to_owned(),
                names => format!("it has {}", names.join(", ")),
            };
            found.push(Finding {
                id: "dimension-not-emitted",
                severity: Severity::Error,
                at: rule.at.clone(),
                member: "metricTrigger/dimensions",
                message: format!("`{}` has no dimension `{}`", metric.name, dimension.name),
                why: "no series fits, so that the rule never has a value".to_owned(),
                source: METRICS,
                fix: known,
            });
        }
    }
}

fn foreign(rule: &Rule, resource: &str, found: &mut Vec<Finding>) {
    found.push(Finding {
        id: "other-resource",
        severity: Severity::Warning,
        at: rule.at.clone(),
        member: "metricTrigger/metricResourceUri",
        message: format!(
            "this rule looks at another resource than the one that is scaled: {resource}"
        ),
        why: "its metrics do not follow from the count of instances, so that the guard against \
              flapping projects what does not change"
            .to_owned(),
        source: super::FLAPPING,
        fix: "look at the deployment, or at its endpoint".to_owned(),
    });
}
