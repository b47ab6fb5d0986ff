//! From Azure Monitor to a `HorizontalPodAutoscaler`.

use serde_json::{Value, json};

use super::{Differences, EQUAL, METRICS, Translation};
use crate::azure::{Change, Direction, Operator, Profile, Rule, Setting, When};

/// The longest period of a policy, in seconds.
const LONGEST_PERIOD: u32 = 1800;

pub(super) fn translate(setting: &Setting) -> Result<Translation, String> {
    let mut differences = Differences::default();
    let Some(profile) = setting.profiles.iter().find(|profile| profile.when == When::Default)
    else {
        return Err("the setting has no default profile, and an HPA has no times".to_owned());
    };
    of_setting(setting, profile, &mut differences);
    let mut rules = Kept::default();
    for rule in &profile.rules {
        match resource(rule, setting) {
            Ok(metric) => rules.keep(metric, rule, &mut differences),
            Err(why) => {
                rules.lacks = true;
                differences.tell(words(rule), format!("left out: {why}"));
            }
        }
    }
    let metrics: Vec<_> = METRICS.iter().filter_map(|(_, metric)| rules.target(metric)).collect();
    if metrics.is_empty() {
        return Err(differences.nothing());
    }
    let named = setting.target.as_deref().and_then(|id| id.rsplit('/').next()).unwrap_or("NAME");
    differences.tell(
        "scaleTargetRef",
        format!(
            "the Kubernetes Deployment `{named}` is a guess from the resource's id: name your own"
        ),
    );
    let up = rules.behavior(Direction::Increase, 0.0, &mut differences);
    let tolerance = rules.tolerance(&mut differences);
    let down = rules.behavior(Direction::Decrease, tolerance, &mut differences);
    let is_equal = rules.is_equal();
    let metric = |(metric, target): (&str, u32)| {
        json!({"type": "Resource", "resource": {"name": metric,
            "target": {"type": "Utilization", "averageUtilization": target}}})
    };
    let hpa = json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": if setting.name.is_empty() { named } else { &setting.name }},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": named},
            "minReplicas": profile.capacity.minimum,
            "maxReplicas": profile.capacity.maximum,
            "metrics": metrics.into_iter().map(metric).collect::<Vec<_>>(),
            "behavior": {"scaleUp": up, "scaleDown": down},
        },
    });
    over_time(&rules, &mut differences);
    Ok(Translation { rules: hpa, equal: is_equal.then_some(EQUAL), differences: differences.0 })
}

/// What of the setting as a whole is lost.
fn of_setting(setting: &Setting, profile: &Profile, differences: &mut Differences) {
    if !setting.enabled {
        differences.tell("enabled: false", "left out: an HPA that exists acts");
    }
    for other in setting.profiles.iter().filter(|other| other.at != profile.at) {
        let what = format!("profile `{}`", other.name);
        differences
            .tell(what, "left out: an HPA has no profiles; a cron trigger of KEDA has times");
    }
    let capacity = profile.capacity;
    if capacity.default != capacity.minimum {
        differences.tell(
            format!("default: {}", capacity.default),
            "left out: without metrics an HPA keeps the count that there is",
        );
    }
}

/// What is lost of how values come about.
fn over_time(rules: &Kept<'_>, differences: &mut Differences) {
    for rule in rules.all() {
        differences.tell(
            format!("{} ({} of {} s)", rule.words(), rule.statistic.word(), rule.grain_s),
            "an HPA looks at the last sample alone (of some 15 s), every 15 s",
        );
    }
    differences.tell(
        "per cent",
        "of the machine for Azure, of the pods' request for an HPA, which cuts it to whole per cents",
    );
    differences.tell(
        "cooldown",
        "Azure's holds back both directions; a policy's period holds back its own, and counts what \
         happened in it",
    );
}

/// The rules that have an equivalent, by metric.
#[derive(Default)]
struct Kept<'a> {
    out: Vec<(&'static str, &'a Rule)>,
    r#in: Vec<(&'static str, &'a Rule)>,
    /// Whether a rule has no place in it.
    lacks: bool,
}

impl<'a> Kept<'a> {
    fn keep(&mut self, metric: &'static str, rule: &'a Rule, differences: &mut Differences) {
        let is_out = rule.action.direction == Direction::Increase;
        let list = if is_out { &mut self.out } else { &mut self.r#in };
        let Some(known) = list.iter_mut().find(|(of, _)| *of == metric) else {
            list.push((metric, rule));
            return;
        };
        // An HPA has one target: the first step counts, and further ones grow by themselves.
        self.lacks = true;
        let is_first = (rule.threshold < known.1.threshold) == is_out;
        let further = if is_first { std::mem::replace(&mut known.1, rule) } else { rule };
        differences.tell(
            words(further),
            "left out: an HPA has one target for a metric, and asks for more the further it is from it",
        );
    }

    fn all(&self) -> impl Iterator<Item = &'a Rule> {
        self.out.iter().chain(&self.r#in).map(|(_, rule)| *rule)
    }

    fn of(list: &[(&'static str, &'a Rule)], metric: &str) -> Option<&'a Rule> {
        list.iter().find(|(of, _)| *of == metric).map(|(_, rule)| *rule)
    }

    /// The target of a metric: the largest whole per cent that does not scale out.
    fn target(&self, metric: &'static str) -> Option<(&'static str, u32)> {
        let target = match (Self::of(&self.out, metric), Self::of(&self.r#in, metric)) {
            (Some(out), _) => whole(out),
            // Nothing scales out: the count at which usage is where the rule stops.
            (None, Some(only)) => only.threshold.ceil(),
            (None, None) => return None,
        };
        Some((metric, target.max(1.0) as u32))
    }

    /// How far below its target usage must be before the count goes down.
    fn tolerance(&mut self, differences: &mut Differences) -> f64 {
        let (mut most, mut different) = (0.0_f64, false);
        for (metric, rule) in &self.r#in {
            let Some((_, target)) = self.target(metric) else { continue };
            // In the middle between the per cents that do and those that do not: both are whole.
            let first_not = match rule.operator {
                Operator::LessThan => rule.threshold.ceil(),
                _ => rule.threshold.floor() + 1.0,
            };
            let tolerance = (1.0 - (first_not - 0.5) / f64::from(target)).max(0.0);
            different |= most > 0.0 && (tolerance - most).abs() > 1e-9;
            most = most.max(tolerance);
        }
        if different {
            differences.tell(
                "thresholds to scale in",
                "an HPA has one tolerance for all metrics; it is that of the lowest threshold",
            );
        }
        most
    }

    fn behavior(
        &self,
        direction: Direction,
        tolerance: f64,
        differences: &mut Differences,
    ) -> Value {
        let list = if direction == Direction::Increase { &self.out } else { &self.r#in };
        if list.is_empty() {
            return json!({"selectPolicy": "Disabled"});
        }
        let mut policies: Vec<Value> = Vec::new();
        for (_, rule) in list {
            let period = rule.action.cooldown_s.clamp(1, LONGEST_PERIOD);
            if period != rule.action.cooldown_s {
                differences.tell(
                    format!("{}: cooldown of {} s", rule.words(), rule.action.cooldown_s),
                    format!("{period} s: the period of a policy is 1 to {LONGEST_PERIOD} s"),
                );
            }
            let kind = if rule.action.change == Change::ChangeCount { "Pods" } else { "Percent" };
            let policy = json!({"type": kind, "value": rule.action.value, "periodSeconds": period});
            if !policies.contains(&policy) {
                policies.push(policy);
            }
            if rule.action.change != Change::ChangeCount || rule.action.value != 1 {
                differences.tell(
                    words(rule),
                    "the step becomes the most that an HPA may change; it asks for as many as bring usage to \
                     the target, which may be fewer",
                );
            }
        }
        // As an amount of Kubernetes: thousandths.
        let tolerance = format!("{}m", (tolerance * 1000.0).round());
        json!({
            "stabilizationWindowSeconds": 0,
            "tolerance": tolerance,
            "selectPolicy": "Max",
            "policies": policies,
        })
    }

    /// Whether one evaluation gives the same count.
    fn is_equal(&self) -> bool {
        let single = |list: &[_]| list.len() == 1;
        let of_one =
            |rule: &Rule| rule.action.change == Change::ChangeCount && rule.action.value == 1;
        let is_whole = |rule: &Rule| rule.threshold.fract() == 0.0;
        let plain = self.out.iter().all(|(_, rule)| rule.operator == Operator::GreaterThan);
        let same = self.out.first().map(|(of, _)| of) == self.r#in.first().map(|(of, _)| of);
        !self.lacks
            && single(&self.out)
            && single(&self.r#in)
            && same
            && plain
            && self.all().all(|rule| of_one(rule) && is_whole(rule))
    }
}

/// The largest whole per cent that does not fire.
fn whole(out: &Rule) -> f64 {
    match out.operator {
        Operator::GreaterThan => out.threshold.floor(),
        _ => out.threshold.ceil() - 1.0,
    }
}

/// The resource that a rule looks at, or why it has no equivalent.
fn resource(rule: &Rule, setting: &Setting) -> Result<&'static str, String> {
    let known = METRICS.iter().find(|(azure, _)| azure.eq_ignore_ascii_case(&rule.metric));
    let Some((_, metric)) = known else {
        return Err(format!(
            "`{}` is no metric of pods; with an adapter it can be an `External` one",
            rule.metric
        ));
    };
    let foreign = match (&rule.resource, &setting.target) {
        (Some(of), Some(target)) => !of.eq_ignore_ascii_case(target),
        (Some(_), None) | (None, _) => false,
    };
    if foreign {
        return Err("it looks at another resource than the one that is scaled".to_owned());
    }
    if !rule.dimensions.is_empty() {
        return Err("a resource metric has no dimensions".to_owned());
    }
    if rule.divide_per_instance {
        return Err("a share of the processor that is divided again by the instances has no equal"
            .to_owned());
    }
    let fits = match rule.action.direction {
        Direction::Increase => rule.operator.is_upper(),
        Direction::Decrease => rule.operator.is_lower(),
        Direction::None => false,
    };
    if !fits {
        return Err("an HPA scales out on large values and in on small ones".to_owned());
    }
    match rule.action.change {
        Change::ChangeCount | Change::PercentChangeCount => Ok(metric),
        Change::ExactCount | Change::ServiceAllowedNextValue => {
            Err("an HPA has no step to a fixed count".to_owned())
        }
    }
}

/// A rule with what it does.
fn words(rule: &Rule) -> String {
    let sign = match rule.action.direction {
        Direction::Increase => "+",
        Direction::Decrease => "-",
        Direction::None => "=",
    };
    let unit = if rule.action.change == Change::PercentChangeCount { " %" } else { "" };
    format!("{} → {sign}{}{unit}", rule.words(), rule.action.value)
}
