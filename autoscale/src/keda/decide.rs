//! One round: the triggers are read, KEDA does its steps to and from zero (`RequestScale`), and where
//! it does none, the `HorizontalPodAutoscaler` decides.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cron;
use super::raw::FallbackBehavior;
use super::read::{Kind, ScaledObject, Trigger};
use crate::hpa::Total;
use crate::time::seconds_between;
use crate::{Decision, Held, Metric, Phase, State, Step};

/// What KEDA remembers of a `ScaledObject` (its `status`, and the cache of its operator).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// When the object was created; long ago if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub created: Option<Timestamp>,
    /// When a trigger was last seen active. Left out, the target was scaled by somebody else, and
    /// the cooldown does not hold it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub last_active: Option<Timestamp>,
    /// When KEDA last looked itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub polled: Option<Timestamp>,
    /// How often a metric could not be read, one time after the other; kept where there is a fallback.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<String, u32>,
    /// What triggers with `useCachedMetrics` said at the last poll.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cached: BTreeMap<String, f64>,
}

/// What came of one trigger.
#[derive(Debug, Clone, Copy, Default)]
struct Reading {
    value: Option<f64>,
    active: bool,
    failed: bool,
}

struct Round<'a> {
    object: &'a ScaledObject,
    state: &'a State,
    memory: Memory,
    steps: Vec<Step>,
}

/// What KEDA does itself.
enum Own {
    Scales(u32),
    /// For the cooldown, to scale to this.
    Waits(u32),
    Nothing,
}

impl ScaledObject {
    /// One synchronisation of the `HorizontalPodAutoscaler`, and KEDA's own poll if it is due.
    pub fn decide(&self, state: &State) -> Decision {
        let memory = state.memory.keda.clone().unwrap_or_default();
        let mut round = Round { object: self, state, memory, steps: Vec::new() };
        if self.pause.all {
            let replicas = self.pause.at.unwrap_or(state.replicas);
            round.say("pause", replicas, "paused by annotation");
            return round.end(replicas, state.replicas, Some(Held::Disabled), None);
        }
        let due =
            |at: Timestamp| seconds_between(at, state.now) >= f64::from(self.polling_interval);
        let poll = round.memory.polled.is_none_or(due);
        let readings: Vec<Reading> =
            self.triggers.iter().map(|trigger| round.read(trigger, poll)).collect();
        let own = if poll { round.poll(&readings) } else { Own::Nothing };
        if poll {
            round.memory.polled = Some(state.now);
        }
        match own {
            Own::Scales(replicas) => round.end(replicas, replicas, None, None),
            _ if state.replicas == 0 => round.end(0, 0, None, None),
            own => {
                let mut inner = state.clone();
                inner.metrics = self.series(&readings);
                let decision = self.hpa.decide(&inner);
                let (mut held, mut unguarded) = (decision.held, decision.unguarded);
                let replicas = decision.replicas;
                if let Own::Waits(wanted) = own
                    && replicas == state.replicas
                {
                    (held, unguarded) = (Some(Held::Cooldown), wanted);
                }
                round.end(replicas, unguarded, held, Some(decision))
            }
        }
    }

    /// What the metrics server that KEDA is tells the `HorizontalPodAutoscaler`.
    fn series(&self, readings: &[Reading]) -> Vec<Metric> {
        let outside = self.triggers.iter().zip(readings).filter(|(t, _)| t.kind != Kind::Resource);
        let series = |(trigger, reading): (&Trigger, &Reading)| Metric {
            name: trigger.metric.clone(),
            resource: None,
            dimensions: BTreeMap::new(),
            value: reading.value,
            points: Vec::new(),
        };
        outside.map(series).collect()
    }
}

impl Round<'_> {
    fn say(&mut self, what: &str, replicas: u32, result: impl Into<String>) {
        let (value, against) = (None, None);
        let replicas = Some(replicas);
        self.steps.push(Step {
            what: what.to_owned(),
            value,
            against,
            replicas,
            result: result.into(),
        });
    }

    fn end(
        self,
        replicas: u32,
        unguarded: u32,
        held: Option<Held>,
        inner: Option<Decision>,
    ) -> Decision {
        let mut memory = self.state.memory.clone();
        let mut steps = self.steps;
        if let Some(inner) = inner {
            memory = inner.memory;
            steps.extend(inner.steps);
        }
        memory.keda = Some(self.memory);
        Decision { replicas, unguarded, held, steps, memory }
    }

    /// Reads a trigger; a failing one may be replaced by the fallback (`GetMetricsWithFallback`).
    fn read(&mut self, trigger: &Trigger, poll: bool) -> Reading {
        let name = &trigger.metric;
        let (value, activation) = match &trigger.kind {
            Kind::Resource => return Reading::default(),
            Kind::Cron { start, end, zone, replicas, .. } => {
                let active = cron::within(start, end, zone, self.state.now);
                let value = Some(if active { *replicas } else { 0.0 });
                let result = if active { "within its time" } else { "outside of its time" };
                self.tell(name, value, None, result);
                return Reading { value, active, failed: false };
            }
            Kind::Number { activation, .. } => {
                let cached =
                    self.memory.cached.get(name).copied().filter(|_| trigger.cached && !poll);
                (cached.or_else(|| self.value(name)), *activation)
            }
        };
        let Some(value) = value else { return self.failed(trigger) };
        if self.object.fallback.is_some() {
            self.memory.failures.insert(name.clone(), 0);
        }
        if trigger.cached {
            self.memory.cached.insert(name.clone(), value);
        }
        // Strictly above (each scaler's `GetMetricsAndActivity`).
        let active = value > activation;
        self.tell(
            name,
            Some(value),
            Some(activation),
            if active { "active" } else { "not active" },
        );
        Reading { value: Some(value), active, failed: false }
    }

    fn tell(
        &mut self,
        name: &str,
        value: Option<f64>,
        against: Option<f64>,
        result: impl Into<String>,
    ) {
        let what = format!("trigger {name}");
        self.steps.push(Step { what, value, against, replicas: None, result: result.into() });
    }

    /// The one series of this name. What is not finite cannot be read.
    fn value(&self, name: &str) -> Option<f64> {
        let mut series =
            self.state.metrics.iter().filter(|m| m.name == name && m.resource.is_none());
        let first = series.next()?.value_at(self.state.now).filter(|value| value.is_finite())?;
        series.next().is_none().then_some(first)
    }

    fn failed(&mut self, trigger: &Trigger) -> Reading {
        let name = &trigger.metric;
        let failed = Reading { value: None, active: false, failed: true };
        let Some(fallback) = self.object.fallback else {
            self.tell(name, None, None, "cannot be read");
            return failed;
        };
        let failures = self.memory.failures.entry(name.clone()).or_insert(0);
        *failures = failures.saturating_add(1);
        let failures = *failures;
        if failures <= fallback.threshold {
            self.tell(name, None, None, format!("cannot be read, {failures} times now"));
            return failed;
        }
        let value = self.fallback(trigger);
        let result = match value {
            Some(value) => {
                format!("cannot be read, {failures} times now: the fallback says {value}")
            }
            None => "cannot be read, and no pod is ready for the fallback".to_owned(),
        };
        self.tell(name, value, None, result);
        Reading { value, active: value.is_some(), failed: value.is_none() }
    }

    /// `doFallback`: the value with which the `HorizontalPodAutoscaler` comes to the count.
    fn fallback(&self, trigger: &Trigger) -> Option<f64> {
        let fallback = self.object.fallback?;
        let (Kind::Number { target, .. } | Kind::Cron { target, .. }) = &trigger.kind else {
            return None;
        };
        let current = self.state.replicas;
        let replicas = match fallback.behavior {
            FallbackBehavior::CurrentReplicas => current,
            FallbackBehavior::CurrentReplicasIfHigher => current.max(fallback.replicas),
            FallbackBehavior::CurrentReplicasIfLower => current.min(fallback.replicas),
            FallbackBehavior::Static | FallbackBehavior::ScalingModifiers => fallback.replicas,
        };
        let replicas = f64::from(replicas);
        let (each, replicas) = match *target {
            Total::Average(average) => (average, replicas),
            Total::Value(value) => {
                let ready = ready(self.state);
                (value, if ready == 0 { return None } else { replicas / f64::from(ready) })
            }
        };
        Some((each as f64 * replicas).trunc() / 1000.0)
    }

    /// `RequestScale`, from what `getScaledObjectState` makes of the triggers.
    fn poll(&mut self, readings: &[Reading]) -> Own {
        let object = self.object;
        let (current, min, now) = (self.state.replicas, object.min, self.state.now);
        let failed = readings.iter().any(|reading| reading.failed);
        let resources = object.triggers.iter().all(|trigger| trigger.kind == Kind::Resource);
        // With `cpu` and `memory` alone it would never come back from zero, so it is always active.
        let active = readings.iter().any(|reading| reading.active) || resources && !failed;
        if active || object.pause.force_activation {
            if object.idle.is_some() && current < min || current == 0 {
                if object.pause.scale_out {
                    self.say("activation", current, "active, but scaling out is paused");
                    return Own::Nothing;
                }
                self.memory.last_active = Some(now);
                let replicas = min.max(1);
                self.say("activation", replicas, "active: up from zero or idle");
                return Own::Scales(replicas);
            }
            if !failed {
                self.memory.last_active = Some(now);
            }
            return Own::Nothing;
        }
        if failed && object.fallback.is_none_or(|fallback| fallback.replicas != 0) {
            self.say("activation", current, "not known to be inactive, since a trigger fails");
            return Own::Nothing;
        }
        if object.idle.is_some_and(|idle| current > idle) || current > 0 && min == 0 {
            return self.deactivate();
        }
        if object.idle.is_none() && current < min {
            self.say("activation", min, "not active, and below the minimum");
            return Own::Scales(min);
        }
        Own::Nothing
    }

    /// `scaleToZeroOrIdle`: the cooldown is over strictly after it has passed.
    fn deactivate(&mut self) -> Own {
        let (object, now) = (self.object, self.state.now);
        if object.pause.scale_in {
            self.say("cooldown", self.state.replicas, "not active, but scaling in is paused");
            return Own::Nothing;
        }
        let passed =
            |since: Timestamp, period: u32| seconds_between(since, now) > f64::from(period);
        let over = match (self.memory.last_active, self.memory.created) {
            (Some(last), _) => passed(last, object.cooldown),
            (None, Some(created)) => passed(created, object.initial_cooldown),
            (None, None) => true,
        };
        let to = object.idle.unwrap_or(object.min);
        if over {
            self.say("cooldown", to, "not active, and the cooldown is over");
            return Own::Scales(to);
        }
        self.say(
            "cooldown",
            self.state.replicas,
            format!("not active: {to} when the cooldown is over"),
        );
        Own::Waits(to)
    }
}

/// `getReadyReplicasCount`.
fn ready(state: &State) -> u32 {
    if state.instances.is_empty() {
        return state.replicas;
    }
    state.instances.iter().filter(|instance| instance.phase == Phase::Ready).count() as u32
}
