//! One reconciliation: `reconcileAutoscaler` and `computeReplicasForMetrics` of
//! `pkg/controller/podautoscaler/horizontal.go`, Kubernetes v1.37.2.

use plimsoll_domain::quantity::milli;

use super::behavior::{Count, Memory};
use super::calculator::{Moment, Proposal, Tolerances, Why};
use super::pods;
use super::spec::{Hpa, Named, PerPod, Source, Total};
use crate::{Decision, Held, Metric, State, Step};

/// Without `behavior`, the count at most doubles, or rises to four (`calculateScaleUpLimit`).
const UP_FACTOR: u32 = 2;
const UP_AT_LEAST: u32 = 4;

/// What one reconciliation has come to so far.
struct Round<'a> {
    hpa: &'a Hpa,
    state: &'a State,
    memory: Memory,
    steps: Vec<Step>,
    unguarded: u32,
    held: Option<Held>,
}

impl Hpa {
    /// One reconciliation. The controller makes one every 15 s
    /// (`--horizontal-pod-autoscaler-sync-period`).
    pub fn decide(&self, state: &State) -> Decision {
        let first = Count { time: state.now, instances: state.replicas };
        let memory = state.memory.hpa.clone();
        let memory =
            memory.unwrap_or_else(|| Memory { recommendations: vec![first], ..Memory::default() });
        let unguarded = state.replicas;
        let mut round =
            Round { hpa: self, state, memory, steps: Vec::new(), unguarded, held: None };
        let replicas = round.wanted();
        if replicas != state.replicas {
            if let Some(behavior) = &self.behavior {
                round.memory.changed(state.now, behavior, state.replicas, replicas);
            }
            round.memory.scaled_to_zero = replicas == 0 && self.min == 0 && self.has_totals();
        }
        let Round { memory, steps, unguarded, held, .. } = round;
        let hpa = Some(memory);
        let mut memory = state.memory.clone();
        memory.hpa = hpa;
        Decision { replicas, unguarded, held, steps, memory }
    }

    fn has_totals(&self) -> bool {
        self.sources.iter().any(|s| matches!(s, Source::Object { .. } | Source::External { .. }))
    }
}

impl Round<'_> {
    fn say(&mut self, what: &str, replicas: u32, result: impl Into<String>) {
        let step = Step {
            what: what.to_owned(),
            value: None,
            against: None,
            replicas: Some(replicas),
            result: result.into(),
        };
        self.steps.push(step);
    }

    fn wanted(&mut self) -> u32 {
        let (min, max, current) = (self.hpa.min, self.hpa.max, self.state.replicas);
        if current == 0 {
            // `shouldComputeMetricsForZeroReplicas` (KEP-2021).
            let by_us = self.memory.scaled_to_zero;
            if !by_us || (min == 0 && !self.hpa.has_totals()) {
                self.held = Some(Held::Disabled);
                self.say(
                    "replicas",
                    0,
                    "0 replicas that this autoscaler did not ask for switch it off",
                );
                return 0;
            }
        } else if current > max || current < min {
            let replicas = current.clamp(min, max);
            self.unguarded = replicas;
            self.held = Some(Held::Clamp);
            let which = if current > max { "above the maximum" } else { "below the minimum" };
            self.say(
                "bounds",
                replicas,
                format!("{current} is {which}: corrected without a look at metrics"),
            );
            return replicas;
        }
        let Some(desired) = self.metrics() else {
            self.held = Some(Held::MissingData);
            return current;
        };
        let replicas = self.normalized(desired);
        if current == 0 && min != 0 && replicas < min {
            self.held = Some(Held::Clamp);
            self.say("bounds", min, format!("{replicas} is below the minimum"));
            return min;
        }
        if replicas == current && self.held.is_none() && self.unguarded != current {
            self.held = Some(Held::Tolerance);
        }
        replicas
    }

    /// The largest proposal. Where a metric fails, the others may raise the count, never lower it.
    fn metrics(&mut self) -> Option<u32> {
        let rules = self.hpa.behavior.as_ref();
        let tolerance = self.hpa.parameters.tolerance;
        let moment = Moment {
            state: self.state,
            ready: pods::ready(self.state),
            present: pods::present(self.state),
            tolerances: Tolerances {
                down: rules.and_then(|rules| rules.down.tolerance).unwrap_or(tolerance),
                up: rules.and_then(|rules| rules.up.tolerance).unwrap_or(tolerance),
            },
            parameters: &self.hpa.parameters,
        };
        let (mut largest, mut failed, mut untolerated): (Option<u32>, usize, u32) = (None, 0, 0);
        for source in &self.hpa.sources {
            let proposal = propose(source, self.hpa, &moment);
            if let Ok(proposal) = &proposal {
                largest = Some(largest.unwrap_or(0).max(proposal.replicas));
                untolerated = untolerated.max(proposal.untolerated);
            } else {
                failed += 1;
            }
            self.steps.push(step(source, proposal));
        }
        let desired = largest.filter(|desired| failed == 0 || *desired >= self.state.replicas);
        if let Some(desired) = desired {
            self.unguarded = untolerated;
            self.say("metrics", desired, "the largest of what they ask for");
        } else {
            let of = self.hpa.sources.len();
            let text =
                format!("{failed} of {of} metrics cannot be read, so the count is not lowered");
            self.say("metrics", self.state.replicas, text);
        }
        desired
    }

    /// Stabilized, then limited.
    fn normalized(&mut self, desired: u32) -> u32 {
        let (now, current) = (self.state.now, self.state.replicas);
        let (min, max) = (self.hpa.min, self.hpa.max);
        let window = self.hpa.parameters.downscale_stabilization;
        let stable = match &self.hpa.behavior {
            None => self.memory.stabilize(now, window, desired),
            Some(behavior) => self.memory.stabilize_with(now, behavior, window, current, desired),
        };
        if stable != desired {
            self.held = Some(Held::Stabilization);
            self.say(
                "stabilization",
                stable,
                format!("recent recommendations keep {desired} at {stable}"),
            );
        }
        // The policies' limit, where there is one in this direction; then the bounds.
        let limit = match &self.hpa.behavior {
            None => Some((UP_FACTOR.saturating_mul(current).max(UP_AT_LEAST), true)),
            Some(rules) if stable > current => {
                Some((self.memory.limit(now, &rules.up, current, true), true))
            }
            Some(rules) if stable < current => {
                Some((self.memory.limit(now, &rules.down, current, false), false))
            }
            Some(_) => None,
        };
        let mut replicas = stable;
        if let Some((limit, up)) = limit {
            let limited = if up { stable.min(limit) } else { stable.max(limit) };
            if limited != stable {
                let disabled = self.hpa.behavior.as_ref().is_some_and(|rules| {
                    let select = if up { rules.up.select } else { rules.down.select };
                    select == super::raw::Select::Disabled
                });
                self.held = Some(if disabled { Held::Disabled } else { Held::Policy });
                let text = if disabled {
                    "this direction is switched off"
                } else {
                    "as far as the policies allow at present"
                };
                self.say("policies", limited, text);
            }
            replicas = limited;
        }
        let bounded = match &self.hpa.behavior {
            // With `behavior`, a count that stays is not looked at again; it lies within the bounds.
            Some(_) if stable == current => replicas,
            _ => replicas.clamp(min.min(max), max),
        };
        if bounded != replicas {
            self.held = Some(Held::Clamp);
            let which = if replicas > max { "above the maximum" } else { "below the minimum" };
            self.say("bounds", bounded, format!("{replicas} is {which}"));
        }
        bounded
    }
}

/// What one metric asks for.
fn propose(source: &Source, hpa: &Hpa, moment: &Moment<'_>) -> Result<Proposal, String> {
    let total = |of: Result<i64, String>, target: &Total| match *target {
        Total::Value(value) => Ok(moment.value(of?, value)),
        Total::Average(average) => Ok(moment.average(of?, average)),
    };
    match source {
        Source::Resource { name, container, target } => {
            let key = resource_key(name, container.as_deref());
            moment.per_pod(&key, name == "cpu", *target)
        }
        Source::Pods { metric, average } => {
            moment.per_pod(&metric.name, false, PerPod::Average(*average))
        }
        Source::Object { object, metric, target } => {
            let same = *object == hpa.target;
            let of = |metric: &Metric| match &metric.resource {
                Some(resource) => object.is_named(resource),
                None => same,
            };
            let mut values = values(moment.state, metric, of)?;
            if values.len() > 1 {
                return Err(format!("{} series of `{}` fit", values.len(), metric.name));
            }
            total(values.pop().ok_or_else(|| nothing(&metric.name)), target)
        }
        Source::External { metric, target } => {
            let values = values(moment.state, metric, |metric| metric.resource.is_none())?;
            let sum = values.iter().fold(0_i64, |sum, value| sum.saturating_add(*value));
            total(if values.is_empty() { Err(nothing(&metric.name)) } else { Ok(sum) }, target)
        }
    }
}

/// Under which name a pod reports and requests a resource: `cpu`, or `CONTAINER/cpu`.
fn resource_key(name: &str, container: Option<&str>) -> String {
    container.map_or_else(|| name.to_owned(), |container| format!("{container}/{name}"))
}

fn nothing(metric: &str) -> String {
    format!("nothing reports `{metric}`")
}

/// The values of the series that fit, in thousandths.
///
/// # Errors
/// One of them has no value.
fn values(state: &State, metric: &Named, of: impl Fn(&Metric) -> bool) -> Result<Vec<i64>, String> {
    let fits = |series: &&Metric| {
        series.name == metric.name && of(series) && metric.selector.matches(&series.dimensions)
    };
    let value = |series: &Metric| {
        let value = series.value_at(state.now).filter(|value| value.is_finite());
        value.map(milli).ok_or_else(|| format!("`{}` has no value at present", series.name))
    };
    state.metrics.iter().filter(fits).map(value).collect()
}

fn step(source: &Source, proposal: Result<Proposal, String>) -> Step {
    let (what, target, percent) = match source {
        Source::Resource { name, container, target: PerPod::Utilization(percent) } => (
            format!("{} (% of requests)", resource_key(name, container.as_deref())),
            f64::from(*percent),
            true,
        ),
        Source::Resource { name, container, target: PerPod::Average(average) } => (
            format!("{} (average)", resource_key(name, container.as_deref())),
            *average as f64,
            false,
        ),
        Source::Pods { metric, average } => {
            (format!("{} (average)", metric.name), *average as f64, false)
        }
        Source::Object { metric, target, object } => {
            let (way, amount) = way(*target);
            (format!("{} of {}/{} ({way})", metric.name, object.kind, object.name), amount, false)
        }
        Source::External { metric, target } => {
            let (way, amount) = way(*target);
            (format!("{} ({way})", metric.name), amount, false)
        }
    };
    let scale = if percent { 1.0 } else { 1000.0 };
    let against = Some(target / scale);
    match proposal {
        Err(wrong) => Step { what, value: None, against, replicas: None, result: wrong },
        Ok(proposal) => {
            let ratio = proposal.ratio;
            let result = match proposal.why {
                Why::Ready => format!("ratio {ratio:.4}, times the ready pods"),
                Why::Assumed => format!(
                    "ratio {ratio:.4} with assumptions for pods that are missing or unready"
                ),
                Why::Divided => "divided by what each is to have".to_owned(),
                Why::FromZero => format!("ratio {ratio:.4}, from zero"),
                Why::Tolerance => format!("ratio {ratio:.4} is within the tolerance"),
                Why::Uncertain => format!(
                    "ratio {ratio:.4} with assumptions for pods that are missing or unready: no reason to change"
                ),
            };
            let value = Some(proposal.usage as f64 / scale);
            Step { what, value, against, replicas: Some(proposal.replicas), result }
        }
    }
}

fn way(target: Total) -> (&'static str, f64) {
    match target {
        Total::Value(value) => ("total", value as f64),
        Total::Average(average) => ("for each pod", average as f64),
    }
}
