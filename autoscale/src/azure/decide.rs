//! One evaluation, in the order in which Microsoft describes it.
//!
//! Sources: *Understand autoscale settings* (2026-08) for profiles, capacity, the one cooldown and how
//! rules are combined; *Autoscale diagnostics* for the order of the steps; *Autoscale flapping*;
//! *Best practices* for missing metrics.
//!
//! 1. Switched off: nothing.
//! 2. The last change is under way: nothing.
//! 3. The profile in force.
//! 4. A count outside its capacity is brought inside, whatever the rules say.
//! 5. The cooldown of the rule that acted last has not passed: no rule acts, in either direction.
//! 6. Every rule's value.
//! 7. A value is missing: at least the default count, never fewer.
//! 8. Out if any rule says so, to the largest count asked.
//! 9. Else in if all rules say so, by the smallest reduction.
//! 10. The flapping guard.
//!
//! Not documented, and taken so: of several rules that fire the one whose count is taken is the one
//! that "fired last" (the first in the file where several ask the same); a change made by steps 4 and
//! 7 starts no cooldown; metrics that are missing do not hold back a scale-out that others ask for.

use jiff::Timestamp;

use super::flapping::{Guarded, guard};
use super::observe;
use super::profile::in_force;
use super::steps::{action, counted, holds, of_rule, said};
use super::{Capacity, Change, Direction, History, Memory, Parameters, Profile, Rule, Setting};
use crate::{Decision, Held, State, Step};

/// A setting with what is assumed of the engine: evaluates again and again.
#[derive(Debug, Clone, Copy)]
pub struct Engine<'a> {
    setting: &'a Setting,
    parameters: Parameters,
}

/// The moment of an evaluation, apart from the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub now: Timestamp,
    /// How many instances are wanted at present.
    pub replicas: u32,
    /// Whether the last change of the count is still under way.
    pub in_progress: bool,
    /// What the last evaluation left.
    pub memory: Option<Memory>,
}

/// One evaluation of a state.
pub fn decide(setting: &Setting, parameters: Parameters, state: &State) -> Decision {
    let moment = Moment {
        now: state.now,
        replicas: state.replicas,
        in_progress: state.in_progress,
        memory: state.memory.azure,
    };
    let engine = Engine::new(setting, parameters);
    let history = History::of(state);
    engine.evaluate(moment, |rule| {
        engine.observe(rule, moment, &history).or_else(|| {
            let value = observe::of_state(rule, setting, state)?;
            Some(divided(rule, value, state.replicas))
        })
    })
}

fn divided(rule: &Rule, value: f64, replicas: u32) -> f64 {
    if rule.divide_per_instance { value / f64::from(replicas.max(1)) } else { value }
}

/// What one rule came to.
struct Judged<'a> {
    rule: &'a Rule,
    value: Option<f64>,
    /// Whether it is one of the rules that scale out; `None` is neither.
    out: Option<bool>,
    /// The count that it asks for, if it fired.
    asked: Option<u32>,
}

impl<'a> Engine<'a> {
    /// Of a setting.
    pub fn new(setting: &'a Setting, parameters: Parameters) -> Self {
        Self { setting, parameters }
    }

    /// One evaluation with a history.
    pub fn decide(&self, moment: Moment, history: &History) -> Decision {
        self.evaluate(moment, |rule| self.observe(rule, moment, history))
    }

    fn observe(&self, rule: &Rule, moment: Moment, history: &History) -> Option<f64> {
        let Self { setting, parameters } = self;
        let value = observe::of_history(rule, setting, parameters, moment.now, history)?;
        Some(divided(rule, value, moment.replicas))
    }

    fn evaluate(&self, moment: Moment, observe: impl Fn(&Rule) -> Option<f64>) -> Decision {
        let Moment { now, replicas: current, .. } = moment;
        let mut answer = Answer::new(moment);
        if !self.setting.enabled {
            answer.say("setting", "switched off: `enabled` is false".to_owned());
            return answer.held(Held::Disabled);
        }
        if moment.in_progress {
            answer.say("last change", "still under way: this run is skipped".to_owned());
            return answer.held(Held::InProgress);
        }
        let Some((profile, why)) = in_force(self.setting, now) else {
            answer.say("profile", "none is in force: nothing is done".to_owned());
            return answer.held(Held::Disabled);
        };
        let Capacity { minimum, maximum, default } = profile.capacity;
        answer.say(
            "profile",
            format!("`{}`, {minimum} to {maximum}, default {default}: {why}", profile.name),
        );
        let inside = current.clamp(minimum, maximum);
        if inside != current {
            let bound = if current < minimum { "below the minimum" } else { "above the maximum" };
            answer.steps.push(counted("capacity", inside, format!("{current} is {bound}")));
            answer.unguarded = inside;
            return answer.count(inside).held(Held::Clamp);
        }
        let judged = self.judge(profile, current, observe, &mut answer.steps);
        if let Some(memory) = moment.memory.filter(|memory| now < memory.until()) {
            answer.unguarded = unguarded(&judged, profile, current);
            answer.say(
                "cooldown",
                format!(
                    "{} s since the action at {}: no rule acts before {}",
                    memory.cooldown_s,
                    memory.acted,
                    memory.until()
                ),
            );
            return answer.held(Held::Cooldown);
        }
        combine(answer, &judged, profile, current)
    }

    fn judge<'p>(
        &self,
        profile: &'p Profile,
        current: u32,
        observe: impl Fn(&Rule) -> Option<f64>,
        steps: &mut Vec<Step>,
    ) -> Vec<Judged<'p>> {
        let judge = |rule: &'p Rule| {
            let value = observe(rule).filter(|value| value.is_finite());
            let asked =
                holds(rule.operator, value, rule.threshold).then(|| self.asked(rule, current));
            steps.push(of_rule(rule, value, asked, current));
            Judged { rule, value, out: is_out(rule, current), asked }
        };
        profile.rules.iter().map(judge).collect()
    }

    /// The count that a rule asks for.
    fn asked(&self, rule: &Rule, current: u32) -> u32 {
        let Parameters { percent_out, percent_in, least_step, next_value_step, .. } =
            self.parameters;
        let action = rule.action;
        let is_out = action.direction == Direction::Increase;
        let step = match action.change {
            Change::ExactCount => return action.value,
            Change::ChangeCount => action.value,
            Change::ServiceAllowedNextValue => next_value_step,
            Change::PercentChangeCount => {
                let rounding = if is_out { percent_out } else { percent_in };
                rounding.percent_of(current, action.value).max(least_step)
            }
        };
        match action.direction {
            Direction::Increase => current.saturating_add(step),
            Direction::Decrease => current.saturating_sub(step),
            Direction::None => current,
        }
    }
}

/// Steps 7 to 10.
fn combine(mut answer: Answer, judged: &[Judged<'_>], profile: &Profile, current: u32) -> Decision {
    let Capacity { minimum, maximum, default } = profile.capacity;
    answer.unguarded = unguarded(judged, profile, current);
    let unknown = judged.iter().filter(|rule| rule.value.is_none()).count();
    if let Some((fired, wanted)) = largest_out(judged) {
        let wanted = wanted.max(current);
        let count = wanted.min(maximum);
        if unknown > 0 && count < default {
            let why = format!("{unknown} without a value: at least the default");
            answer.steps.push(counted("missing metrics", default, why));
            return answer.acted(fired.rule, default).held(Held::MissingData);
        }
        if count == current {
            let why = if current == maximum { "the maximum" } else { "what is asked for" };
            answer.say("scale out", format!("{current} is {why} already"));
            return answer.held(Held::Clamp);
        }
        let by = action(fired.rule);
        let held = (wanted > maximum).then_some(Held::Clamp);
        let how = if held.is_some() { format!("{by}, at most {maximum}") } else { by };
        answer.steps.push(counted("scale out", count, format!("any rule is enough: {how}")));
        return Decision { held, ..answer.acted(fired.rule, count).done() };
    }
    if unknown > 0 {
        let count = current.max(default);
        let why = if count == current {
            "no scale-in, and not below the default".to_owned()
        } else {
            format!("{current} is below the default")
        };
        answer.steps.push(counted("missing metrics", count, why));
        return answer.count(count).held(Held::MissingData);
    }
    let Some((fired, wanted)) = smallest_in(judged) else {
        answer.say("rules", "no scale-out rule fired, and not all scale-in rules".to_owned());
        return answer.done();
    };
    let meant = wanted.max(minimum);
    if meant >= current {
        answer.say("scale in", format!("{current} is the minimum already"));
        return answer.held(Held::Clamp);
    }
    scale_in(answer, judged, fired, (current, meant), wanted < minimum)
}

/// Steps 9 and 10: the smallest reduction, as far as no scale-out rule would undo it.
fn scale_in(
    mut answer: Answer,
    judged: &[Judged<'_>],
    fired: &Judged<'_>,
    (current, meant): (u32, u32),
    clamped: bool,
) -> Decision {
    let all = format!("all scale-in rules fired: {}", action(fired.rule));
    answer.steps.push(counted("scale in", meant, all));
    let out = judged.iter().enumerate().filter(|(_, one)| one.out == Some(true));
    let out = out.filter_map(|(place, one)| Some((place, one.rule, one.value?)));
    let step = |place: usize, at: f64, replicas: u32, result: String| Step {
        what: format!("flapping: {}", judged[place].rule.words()),
        value: Some(at),
        against: Some(judged[place].rule.threshold),
        replicas: Some(replicas),
        result,
    };
    match guard(&out, current, meant) {
        Guarded::AsMeant => {
            let answer = answer.acted(fired.rule, meant);
            if clamped { answer.held(Held::Clamp) } else { answer.done() }
        }
        Guarded::Partly { count, rule, projected } => {
            let why =
                format!("would fire at {meant}; {count} is the first count at which none does");
            answer.steps.push(step(rule, projected, count, why));
            answer.acted(fired.rule, count).held(Held::Flapping)
        }
        Guarded::Deferred { rule, projected } => {
            let why = format!("would fire at {meant}, and one at every count below {current}");
            answer.steps.push(step(rule, projected, current, why));
            answer.held(Held::Flapping)
        }
    }
}

/// Whether a rule scales out. One for an exact count without a direction does so if it is larger.
fn is_out(rule: &Rule, current: u32) -> Option<bool> {
    match (rule.action.direction, rule.action.change) {
        (Direction::Increase, _) => Some(true),
        (Direction::Decrease, _) => Some(false),
        (Direction::None, Change::ExactCount) if rule.action.value != current => {
            Some(rule.action.value > current)
        }
        (Direction::None, _) => None,
    }
}

/// The rule that asks for the most, of those that scale out and fired.
fn largest_out<'a, 'b>(judged: &'a [Judged<'b>]) -> Option<(&'a Judged<'b>, u32)> {
    let mut best: Option<(&Judged<'_>, u32)> = None;
    for one in judged.iter().filter(|one| one.out == Some(true)) {
        if let Some(asked) = one.asked
            && best.is_none_or(|(_, most)| asked > most)
        {
            best = Some((one, asked));
        }
    }
    best
}

/// The rule that asks for the smallest reduction, if all that scale in fired.
fn smallest_in<'a, 'b>(judged: &'a [Judged<'b>]) -> Option<(&'a Judged<'b>, u32)> {
    let mut best: Option<(&Judged<'_>, u32)> = None;
    for one in judged.iter().filter(|one| one.out == Some(false)) {
        let asked = one.asked?;
        if best.is_none_or(|(_, most)| asked > most) {
            best = Some((one, asked));
        }
    }
    best
}

/// What the rules alone want, within the capacity.
fn unguarded(judged: &[Judged<'_>], profile: &Profile, current: u32) -> u32 {
    let Capacity { minimum, maximum, .. } = profile.capacity;
    let out = largest_out(judged).map(|(_, asked)| asked.max(current));
    let wanted = out.or_else(|| smallest_in(judged).map(|(_, asked)| asked.min(current)));
    wanted.unwrap_or(current).clamp(minimum, maximum)
}

/// A decision in the making.
struct Answer {
    now: Timestamp,
    replicas: u32,
    unguarded: u32,
    memory: Option<Memory>,
    steps: Vec<Step>,
}

impl Answer {
    fn new(moment: Moment) -> Self {
        let Moment { now, replicas, memory, .. } = moment;
        Self { now, replicas, unguarded: replicas, memory, steps: Vec::with_capacity(16) }
    }

    fn say(&mut self, what: &str, result: String) {
        self.steps.push(said(what, result));
    }

    fn count(self, replicas: u32) -> Self {
        Self { replicas, ..self }
    }

    /// A rule acts: its cooldown begins.
    fn acted(self, rule: &Rule, replicas: u32) -> Self {
        let memory = Memory { acted: self.now, cooldown_s: rule.action.cooldown_s };
        Self { replicas, memory: Some(memory), ..self }
    }

    fn held(self, held: Held) -> Decision {
        Decision { held: Some(held), ..self.done() }
    }

    fn done(self) -> Decision {
        let memory = crate::Memory { azure: self.memory, ..crate::Memory::default() };
        let Self { replicas, unguarded, steps, .. } = self;
        Decision { replicas, unguarded, held: None, steps, memory }
    }
}
