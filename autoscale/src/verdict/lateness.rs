//! Why a scale-out came when it did: the time from the need to the first extra ready instance, split
//! into what it was waited for.
//!
//! The need begins with the first grain of those, without interruption, that lie on the wrong side of
//! the threshold of the rule that fired: before any window, delay or guard. From there:
//!
//! | Part | Until |
//! |---|---|
//! | metric | that first grain is over, and the delay in which it is published has passed |
//! | window | the window that fires ends |
//! | evaluation | the next evaluation |
//! | cooldown, change under way, … | the first evaluation that is not held back: each stretch counts as what held back the evaluation at its beginning |
//! | quota | as these: while the quota refuses what the rules want |
//! | provisioning | the first of its machines is there |
//! | start | the first extra instance is ready |
//!
//! Evaluations that Azure's engine skips for a change under way are made here without it, so that a
//! need that arises meanwhile is seen. Rules of a cluster have no grains: their need begins with the
//! evaluation that first wants more, less the delay of its metrics. A need that ends before it was
//! answered is none.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::azure::{Parameters, Rule, Statistic};
use crate::controller::Happening;
use crate::{Evaluation, Held, Memory, RuleTime, Rules, State};

/// What a scale-out waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A grain, and the delay in which it is published.
    Metric,
    /// The window over which the rule looks.
    Window,
    /// The next evaluation.
    Evaluation,
    /// A cooldown.
    Cooldown,
    /// The change before, which is still under way.
    InProgress,
    /// The guard against flapping.
    Flapping,
    /// A stabilization window or a policy.
    Stabilization,
    /// The maximum.
    Maximum,
    /// Metrics that are missing.
    Missing,
    /// The quota.
    Quota,
    /// A machine.
    Provisioning,
    /// The start of the instance on its machine.
    Start,
}

impl Part {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Metric => "metric delay",
            Self::Window => "window",
            Self::Evaluation => "evaluation tick",
            Self::Cooldown => "cooldown",
            Self::InProgress => "change under way",
            Self::Flapping => "flapping guard",
            Self::Stabilization => "stabilization",
            Self::Maximum => "maximum",
            Self::Missing => "missing metrics",
            Self::Quota => "quota",
            Self::Provisioning => "provisioning",
            Self::Start => "start",
        }
    }

    /// What a guard is waited for as.
    fn of(held: Option<Held>) -> Self {
        match held {
            Some(Held::Cooldown) => Self::Cooldown,
            Some(Held::InProgress) => Self::InProgress,
            Some(Held::Flapping) => Self::Flapping,
            Some(Held::Clamp | Held::Disabled) => Self::Maximum,
            Some(Held::MissingData) => Self::Missing,
            Some(Held::Stabilization | Held::Policy | Held::Tolerance) | None => {
                Self::Stabilization
            }
        }
    }
}

/// One scale-out, or a need that was never answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Lateness {
    /// When the need began, since the first due time of the run; zero if that was before it.
    pub since: Duration,
    /// When the rules acted, if they did.
    pub decided: Option<Duration>,
    /// The count before.
    pub from: u32,
    /// The count that was wanted.
    pub to: u32,
    /// When the first extra instance was ready, if one was.
    pub ready: Option<Duration>,
    /// What was waited for, in rule time, in its order.
    pub parts: Vec<(Part, Duration)>,
}

impl Lateness {
    /// All parts together, in rule time.
    pub fn total(&self) -> Duration {
        self.parts.iter().map(|(_, time)| *time).sum()
    }

    /// What took the most.
    pub fn longest(&self) -> Option<(Part, Duration)> {
        self.parts.iter().copied().max_by_key(|(_, time)| *time)
    }

    fn add(&mut self, part: Part, time: Duration) {
        if time.is_zero() {
            return;
        }
        match self.parts.iter_mut().find(|(known, _)| *known == part) {
            Some((_, all)) => *all += time,
            None => self.parts.push((part, time)),
        }
    }
}

/// The scale-outs of a run, as they come.
#[derive(Debug, Clone)]
pub(super) struct Episodes {
    rules: Rules,
    parameters: Parameters,
    time: RuleTime,
    /// The need that is not answered yet, and since when it waits for what.
    open: Option<(Lateness, Duration, Part)>,
    /// Answered, without a ready instance yet: with what was ready before.
    coming: Vec<Coming>,
    done: Vec<Lateness>,
}

#[derive(Debug, Clone)]
struct Coming {
    lateness: Lateness,
    ready: u32,
    decided: Duration,
    /// When the first of its machines was there.
    machine: Option<Duration>,
}

impl Episodes {
    pub(super) fn new(rules: Rules, parameters: Parameters, time: RuleTime) -> Self {
        let (coming, done) = (Vec::new(), Vec::new());
        Self { rules, parameters, time, open: None, coming, done }
    }

    fn rule_time(&self, run: Duration) -> Duration {
        run * self.time.compression().factor()
    }

    pub(super) fn happened(&mut self, happening: &Happening, ready: u32) {
        match happening {
            Happening::Decided { at, evaluation } => self.decided(*at, evaluation),
            Happening::Refused { at, .. } => {
                if let Some((.., part)) = &mut self.open {
                    *part = Part::Quota;
                } else {
                    debug_assert!(false, "a refusal at {at:?} follows a decision for more");
                }
            }
            Happening::Scaled { at, from, to } if to > from => {
                if let Some((lateness, ..)) = self.open.take() {
                    let lateness = Lateness { decided: Some(*at), to: *to, ..lateness };
                    let coming = Coming { lateness, ready, decided: *at, machine: None };
                    self.coming.push(coming);
                }
            }
            Happening::Provisioned { at, .. } => {
                for coming in &mut self.coming {
                    coming.machine.get_or_insert(*at);
                }
            }
            // What is taken away again never comes.
            Happening::Scaled { to, .. } => {
                let stays = |coming: &Coming| coming.ready < *to;
                let gone: Vec<_> = self.coming.extract_if(.., |c| !stays(c)).collect();
                self.done.extend(gone.into_iter().map(|coming| coming.lateness));
            }
        }
    }

    fn decided(&mut self, at: Duration, evaluation: &Evaluation) {
        let Evaluation { state, decision } = evaluation;
        let current = state.replicas;
        // The engine skips such a run; what it would want is asked all the same.
        let free = (decision.held == Some(Held::InProgress)).then(|| {
            let free = State { in_progress: false, memory: Memory::default(), ..state.clone() };
            self.rules.decide(self.parameters, &free)
        });
        let answer = free.as_ref().unwrap_or(decision);
        // What lies within a tolerance is no need.
        let is_tolerated = answer.held == Some(Held::Tolerance);
        let unguarded = if is_tolerated { answer.replicas } else { answer.unguarded };
        let wanted = unguarded.max(answer.replicas);
        if let Some((lateness, since, part)) = &mut self.open {
            let time = at.saturating_sub(*since) * self.time.compression().factor();
            lateness.add(*part, time);
            (*since, *part) = (at, Part::of(decision.held));
            lateness.to = lateness.to.max(wanted);
            if wanted <= current {
                self.open = None;
            }
            return;
        }
        if wanted > current {
            let parts = self.beginning(state, &answer.steps);
            let before: Duration = parts.iter().map(|(_, time)| *time).sum();
            let since = at.saturating_sub(self.time.run(before));
            let mut lateness = Lateness {
                since,
                decided: None,
                from: current,
                to: wanted,
                ready: None,
                parts: Vec::new(),
            };
            for (part, time) in parts {
                lateness.add(part, time);
            }
            self.open = Some((lateness, at, Part::of(decision.held)));
        }
    }

    /// What lies between the need and the first evaluation that wants more.
    fn beginning(&self, state: &State, steps: &[crate::Step]) -> Vec<(Part, Duration)> {
        let delay = i64::from(self.parameters.metric_delay_s);
        let seconds = |count: i64| Duration::from_secs(count.max(0).unsigned_abs());
        let Rules::Azure(setting) = &self.rules else {
            return vec![(Part::Metric, seconds(delay))];
        };
        let now = state.now.as_second();
        let fired = |rule: &&Rule| {
            let words = rule.words();
            let asks = |count: Option<u32>| count.is_some_and(|count| count > state.replicas);
            steps.iter().any(|step| step.what == words && asks(step.replicas))
        };
        let rules = setting.profiles.iter().flat_map(|profile| &profile.rules).filter(fired);
        let first = rules.filter_map(|rule| Some((rule, wrong_since(rule, state)?)));
        let Some((rule, since)) = first.min_by_key(|(_, since)| *since) else {
            // A count below the minimum, or missing metrics: no metric was waited for.
            return Vec::new();
        };
        let grain = i64::from(rule.grain_s.max(60));
        let end = (now - delay).div_euclid(grain) * grain;
        vec![
            (Part::Metric, seconds(grain + delay)),
            (Part::Window, seconds(end - since.as_second() - grain)),
            (Part::Evaluation, seconds(now - delay - end)),
        ]
    }

    /// So many are ready from `at` on.
    pub(super) fn ready(&mut self, at: Duration, count: u32) {
        let time = self.time;
        let rule = |run: Duration| run * time.compression().factor();
        let come: Vec<Coming> = self.coming.extract_if(.., |coming| count > coming.ready).collect();
        for Coming { mut lateness, decided, machine, .. } in come {
            let machine = machine.unwrap_or(at).min(at);
            lateness.add(Part::Provisioning, rule(machine.saturating_sub(decided)));
            lateness.add(Part::Start, rule(at.saturating_sub(machine)));
            lateness.ready = Some(at);
            self.done.push(lateness);
        }
    }

    /// All of them, the first need first; what is still waited for counts until `end`.
    pub(super) fn finish(mut self, end: Duration) -> Vec<Lateness> {
        if let Some((mut lateness, since, part)) = self.open.take() {
            lateness.add(part, self.rule_time(end.saturating_sub(since)));
            self.done.push(lateness);
        }
        for Coming { mut lateness, decided, machine, .. } in std::mem::take(&mut self.coming) {
            let until = machine.unwrap_or(end);
            lateness.add(Part::Provisioning, self.rule_time(until.saturating_sub(decided)));
            lateness.add(Part::Start, self.rule_time(end.saturating_sub(until)));
            self.done.push(lateness);
        }
        self.done.sort_by_key(|lateness| lateness.since);
        self.done
    }
}

/// The start of the first of the newest grains that are on the wrong side without interruption.
/// If the newest is not (the window fired for what lies before), of those that end last.
fn wrong_since(rule: &Rule, state: &State) -> Option<Timestamp> {
    let mut grains: BTreeMap<Timestamp, Vec<f64>> = BTreeMap::new();
    let fits = |metric: &&crate::Metric| {
        let same = match (&metric.resource, &rule.resource) {
            (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
            (one, other) => one.is_none() && other.is_none(),
        };
        same && metric.name.eq_ignore_ascii_case(&rule.metric)
            && rule.dimensions.iter().all(|dimension| dimension.fits(&metric.dimensions))
    };
    for point in state.metrics.iter().filter(fits).flat_map(|metric| &metric.points) {
        let grain = i64::from(rule.grain_s.max(60));
        let start = point.time.as_second().div_euclid(grain) * grain;
        grains.entry(Timestamp::from_second(start).ok()?).or_default().push(point.value);
    }
    let wrong = |values: &Vec<f64>| {
        let count = values.len() as f64;
        let value = match rule.statistic {
            Statistic::Average => values.iter().sum::<f64>() / count,
            Statistic::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
            Statistic::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Statistic::Sum => values.iter().sum(),
            Statistic::Count => count,
        };
        let replicas = f64::from(state.replicas.max(1));
        let value = if rule.divide_per_instance { value / replicas } else { value };
        rule.operator.holds(value, rule.threshold)
    };
    let newest = grains.iter().rev().skip_while(|(_, values)| !wrong(values));
    newest.take_while(|(_, values)| wrong(values)).last().map(|(start, _)| *start)
}
