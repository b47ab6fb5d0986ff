//! One tick (every 2 s): `Scale` of `pkg/autoscaler/scaling/autoscaler.go`, then the bounds and the
//! step to zero of `pkg/reconciler/autoscaling/kpa/scaler.go`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::average::average;
use super::read::Kpa;
use crate::hpa::Count;
use crate::time::seconds_between;
use crate::{Decision, Held, Metric, Phase, State, Step};

/// The tick; the delay's window is kept in buckets of it.
const TICK: i64 = super::TICK_S as i64;

/// What the autoscaler remembers of a revision. Left out, it has just started: with more than one
/// ready pod it then starts in panic, so as not to scale down before it knows anything.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// When the load was last above the panic threshold, while in panic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub panic: Option<Timestamp>,
    /// The most that was wanted in this panic.
    #[serde(default)]
    pub panic_instances: u32,
    /// What was wanted lately, for the scale-down delay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wanted: Vec<Count>,
    /// Since when it has pods, none of which is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub activating: Option<Timestamp>,
    /// Since when it is active: has ready pods and is not inactive. Long since, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub active: Option<Timestamp>,
    /// Since when it is inactive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub inactive: Option<Timestamp>,
    /// Whether its initial scale has been reached.
    #[serde(default)]
    pub initialized: bool,
}

struct Tick<'a> {
    kpa: &'a Kpa,
    state: &'a State,
    memory: Memory,
    steps: Vec<Step>,
    held: Option<Held>,
}

impl Kpa {
    /// One tick.
    pub fn decide(&self, state: &State) -> Decision {
        let ready = ready(state);
        let memory = state.memory.knative.clone().unwrap_or_else(|| Memory {
            panic: (ready > 1).then_some(state.now),
            panic_instances: ready,
            initialized: ready > 0,
            ..Memory::default()
        });
        let mut tick = Tick { kpa: self, state, memory, steps: Vec::new(), held: None };
        tick.conditions(ready);
        let (replicas, unguarded) = if let Some((stable, panic)) = tick.observed() {
            tick.wanted(ready, stable, panic)
        } else {
            let stays = state.replicas;
            tick.held = Some(Held::MissingData);
            tick.say("metric", None, stays, "there is no data yet: the count stays");
            // A revision that is being activated is brought to its initial scale without any.
            let first = !tick.memory.initialized && tick.memory.activating.is_some();
            (if first { tick.bounded(stays) } else { stays }, stays)
        };
        // Only now: in the tick in which it is reached, the initial scale still holds.
        tick.memory.initialized |= ready >= self.initial_scale;
        if state.replicas == 0 && replicas > 0 {
            tick.memory.activating = Some(state.now);
        }
        let Tick { memory, steps, held, .. } = tick;
        let mut kept = state.memory.clone();
        kept.knative = Some(memory);
        Decision { replicas, unguarded, held, steps, memory: kept }
    }
}

/// `ReadyCount`.
fn ready(state: &State) -> u32 {
    if state.instances.is_empty() {
        return state.replicas;
    }
    state.instances.iter().filter(|instance| instance.phase == Phase::Ready).count() as u32
}

impl Tick<'_> {
    fn say(&mut self, what: &str, value: Option<f64>, replicas: u32, result: impl Into<String>) {
        let against = value.map(|_| self.kpa.target);
        let step = Step {
            what: what.to_owned(),
            value,
            against,
            replicas: Some(replicas),
            result: result.into(),
        };
        self.steps.push(step);
    }

    /// The averages of both windows. A value that is not finite is no data.
    fn observed(&self) -> Option<(f64, f64)> {
        let name = self.kpa.metric.name();
        let own = |series: &&Metric| series.name == name && series.resource.is_none();
        let given = |window: &str| {
            let of =
                |series: &&Metric| series.dimensions.get("window").is_some_and(|of| of == window);
            let series = self.state.metrics.iter().filter(own).find(of)?;
            series.value_at(self.state.now).filter(|value| value.is_finite() && *value >= 0.0)
        };
        if let (Some(stable), Some(panic)) = (given("stable"), given("panic")) {
            return Some((stable, panic));
        }
        let history = self
            .state
            .metrics
            .iter()
            .filter(own)
            .find(|series| !series.dimensions.contains_key("window"))?;
        if history.points.is_empty() {
            let value = history.value.filter(|value| value.is_finite() && *value >= 0.0)?;
            return Some((value, value));
        }
        let over =
            |window: i64| average(&history.points, self.state.now, window, self.kpa.algorithm);
        Some((over(self.kpa.stable_window)?, over(self.kpa.panic_window())?))
    }

    fn wanted(&mut self, ready: u32, stable: f64, panic: f64) -> (u32, u32) {
        let (kpa, now) = (self.kpa, self.state.now);
        // One, where there is none, so that the rates have something to multiply.
        let pods = f64::from(ready.max(1));
        let most = (kpa.max_scale_up_rate * pods).ceil();
        let least = if kpa.reachable { (pods / kpa.max_scale_down_rate).floor() } else { 0.0 };
        let asked = (stable / kpa.target).ceil();
        let asked_in_panic = (panic / kpa.target).ceil();
        let limited =
            |asked: f64| asked.max(least).min(most).clamp(0.0, f64::from(i32::MAX)) as u32;
        let activated = |asked: f64| {
            let floor =
                if kpa.activation_scale > 1 && asked > 0.0 { kpa.activation_scale } else { 0 };
            limited(asked).max(floor)
        };
        let (for_stable, for_panic) = (activated(asked), activated(asked_in_panic));
        self.say(
            "stable window",
            Some(stable),
            for_stable,
            format!("asks for {asked}, allowed are {least} to {most}"),
        );
        self.say(
            "panic window",
            Some(panic),
            for_panic,
            format!("asks for {asked_in_panic}, allowed are {least} to {most}"),
        );
        if (f64::from(for_stable) - asked).abs() > 0.5 {
            self.held = Some(Held::Policy);
        }
        let over = asked_in_panic / pods >= kpa.panic_threshold;
        if over {
            self.memory.panic = Some(now);
        } else if self
            .memory
            .panic
            .is_some_and(|since| seconds_between(since, now) > kpa.stable_window as f64)
        {
            self.memory.panic = None;
            self.memory.panic_instances = 0;
        }
        let mut replicas = for_stable;
        if self.memory.panic.is_some() {
            let most = for_stable.max(for_panic).max(self.memory.panic_instances);
            self.memory.panic_instances = most;
            self.say("panic", None, most, "no less than the most that was wanted since it began");
            if most != for_stable.max(for_panic) {
                self.held = Some(Held::Stabilization);
            }
            replicas = most;
        }
        replicas = self.delayed(replicas);
        self.say("desired", None, replicas, "what the autoscaler asks for");
        replicas = self.bounded(replicas);
        let unguarded = asked.max(if over { asked_in_panic } else { 0.0 });
        (self.zero(replicas, ready), unguarded.clamp(0.0, f64::from(i32::MAX)) as u32)
    }

    /// The scale-down delay: the largest of the window (`aggregation/max`).
    fn delayed(&mut self, replicas: u32) -> u32 {
        if !self.kpa.reachable || self.kpa.scale_down_delay <= 0 {
            return replicas;
        }
        let index = |time: Timestamp| time.as_second().div_euclid(TICK);
        let buckets = (self.kpa.scale_down_delay + TICK - 1) / TICK;
        let now = self.state.now;
        self.memory
            .wanted
            .retain(|count| index(now) - index(count.time) < buckets && count.time <= now);
        self.memory.wanted.retain(|count| count.instances > replicas);
        self.memory.wanted.push(Count { time: now, instances: replicas });
        let largest =
            self.memory.wanted.iter().map(|count| count.instances).max().unwrap_or(replicas);
        if largest != replicas {
            self.held = Some(Held::Stabilization);
            self.say("scale-down delay", None, largest, format!("{replicas} waits for the delay"));
        }
        largest
    }

    /// `scaler.scale`: the initial scale is a minimum until it is reached.
    fn bounded(&mut self, replicas: u32) -> u32 {
        let kpa = self.kpa;
        let mut min = if kpa.reachable { kpa.min_scale } else { 0 };
        if !self.memory.initialized && kpa.reachable && kpa.initial_scale > 1 {
            min = min.max(kpa.initial_scale);
        }
        let max = if kpa.max_scale == 0 { u32::MAX } else { kpa.max_scale };
        // `applyBounds`: first the minimum, then the maximum.
        let bounded = replicas.max(min).min(max);
        if bounded != replicas {
            self.held = Some(Held::Clamp);
            let which = if bounded > replicas { "below the minimum" } else { "above the maximum" };
            self.say("bounds", None, bounded, format!("{replicas} is {which}"));
        }
        bounded
    }

    /// `computeActiveCondition`, of what a state shows: activating while no pod is ready, then active.
    fn conditions(&mut self, ready: u32) {
        let now = self.state.now;
        if ready > 0 {
            if self.memory.activating.take().is_some() {
                self.memory.active = Some(now);
            }
        } else {
            self.memory.active = None;
            if self.state.replicas == 0 {
                self.memory.activating = None;
            } else if self.memory.inactive.is_none() && self.memory.activating.is_none() {
                self.memory.activating = Some(now);
            }
        }
    }

    /// `handleScaleToZero`: active for a stable window, then inactive for the grace period.
    fn zero(&mut self, replicas: u32, ready: u32) -> u32 {
        let (kpa, now, stays) = (self.kpa, self.state.now, self.state.replicas);
        if replicas > 0 {
            if self.memory.inactive.take().is_some() && ready > 0 {
                self.memory.active = Some(now);
            }
            return replicas;
        }
        if stays == 0 {
            return 0;
        }
        if !kpa.scale_to_zero {
            self.held = Some(Held::Clamp);
            self.say("zero", None, 1, "the cluster does not scale to zero");
            return 1;
        }
        if let Some(since) = self.memory.activating {
            // `activationTimeoutBuffer`.
            if seconds_between(since, now) >= kpa.progress_deadline + 30.0 {
                self.say("zero", None, 0, "it did not become ready in time");
                return 0;
            }
            self.held = Some(Held::InProgress);
            self.say("zero", None, stays, "no pod is ready yet");
            return stays;
        }
        self.held = Some(Held::Cooldown);
        if let Some(since) = self.memory.inactive {
            let retention = if kpa.reachable { kpa.retention_period } else { 0.0 };
            let wait = kpa.grace_period.max(retention);
            if seconds_between(since, now) >= wait {
                self.held = None;
                self.memory.inactive = None;
                return 0;
            }
            self.say("zero", None, stays, format!("inactive for less than {wait} s"));
            return stays;
        }
        let window = kpa.stable_window as f64;
        if self.memory.active.is_none_or(|since| seconds_between(since, now) >= window) {
            self.memory.active = None;
            self.memory.inactive = Some(now);
            self.say("zero", None, stays, "inactive from now on");
            return stays;
        }
        self.say("zero", None, 1, "active for less than a stable window");
        1
    }
}
