//! The needs of a run as they come, wait and are answered: what [`lateness`](super::lateness) is of.

use std::time::Duration;

use super::beginning::beginning;
use super::lateness::{Lateness, Part};
use crate::azure::Parameters;
use crate::controller::{Happening, Need};
use crate::{Evaluation, Held, Memory, RuleTime, Rules, State};

/// Scale-outs and scale-ins of a run.
#[derive(Debug, Clone)]
pub(super) struct Episodes {
    rules: Rules,
    parameters: Parameters,
    time: RuleTime,
    out: Needs,
    inward: Needs,
}

/// The needs in one direction.
#[derive(Debug, Clone, Default)]
struct Needs {
    /// The one that is not answered yet, and since when it waits for what.
    open: Option<(Lateness, Duration, Part)>,
    /// Answered, without an effect yet.
    coming: Vec<Coming>,
    done: Vec<Lateness>,
}

#[derive(Debug, Clone)]
struct Coming {
    lateness: Lateness,
    /// What was ready before.
    ready: u32,
    decided: Duration,
    /// When the first of its machines was there.
    machine: Option<Duration>,
}

impl Episodes {
    pub(super) fn new(rules: Rules, parameters: Parameters, time: RuleTime) -> Self {
        let (out, inward) = (Needs::default(), Needs::default());
        Self { rules, parameters, time, out, inward }
    }

    /// The controller did something; so many are `ready`.
    pub(super) fn happened(&mut self, happening: &Happening, ready: u32) {
        match happening {
            Happening::Decided { at, evaluation, need } => self.decided(*at, evaluation, *need),
            Happening::Refused { at, .. } => {
                if let Some((.., part)) = &mut self.out.open {
                    *part = Part::Quota;
                } else {
                    debug_assert!(false, "a refusal at {at:?} follows a decision for more");
                }
            }
            Happening::Provisioned { at, .. } => {
                for coming in &mut self.out.coming {
                    coming.machine.get_or_insert(*at);
                }
            }
            Happening::Scaled { at, from, to } => {
                let is_out = to > from;
                let (same, other) = if is_out {
                    (&mut self.out, &mut self.inward)
                } else {
                    (&mut self.inward, &mut self.out)
                };
                // What is taken back never comes.
                other.give_up(
                    |coming| if is_out { *to >= coming.ready } else { *to <= coming.ready },
                );
                same.act(*at, *to, ready);
                // Those that go had no machine yet.
                if !is_out && ready <= *to {
                    self.ready(*at, ready);
                }
            }
        }
    }

    fn decided(&mut self, at: Duration, evaluation: &Evaluation, need: Option<Need>) {
        let Evaluation { state, decision } = evaluation;
        let current = state.replicas;
        // The engine skips such a run; what it would want is asked all the same.
        let free = (decision.held == Some(Held::InProgress)).then(|| {
            let free = State { in_progress: false, memory: Memory::default(), ..state.clone() };
            self.rules.decide(self.parameters, &free)
        });
        let answer = free.as_ref().unwrap_or(decision);
        let needed = answer.needed(current);
        let more = needed.filter(|count| *count > current);
        let fewer = needed.filter(|count| *count < current);
        for (needs, wanted) in [(&mut self.out, more), (&mut self.inward, fewer)] {
            needs.wait(at, decision.held, self.time);
            let Some(wanted) = wanted else {
                needs.open = None;
                continue;
            };
            if let Some((lateness, ..)) = &mut needs.open {
                let is_further = wanted.abs_diff(current) > lateness.to.abs_diff(current);
                lateness.to = if is_further { wanted } else { lateness.to };
                continue;
            }
            let parts = need.map_or_else(
                || beginning(&self.rules, self.parameters, state, &answer.steps),
                |need| need.parts().into(),
            );
            let before: Duration = parts.iter().map(|(_, time)| *time).sum();
            let since = at.saturating_sub(self.time.run(before));
            let mut lateness = Lateness::new(since, current, wanted);
            for (part, time) in parts {
                lateness.add(part, time);
            }
            needs.open = Some((lateness, at, Part::of(decision.held)));
        }
    }

    /// So many are ready from `at` on.
    pub(super) fn ready(&mut self, at: Duration, count: u32) {
        let factor = self.time.compression().factor();
        for Coming { mut lateness, decided, machine, .. } in self.out.come(|ready| count > ready) {
            let machine = machine.unwrap_or(at).min(at);
            lateness.add(Part::Provisioning, machine.saturating_sub(decided) * factor);
            lateness.add(Part::Start, at.saturating_sub(machine) * factor);
            lateness.came = Some(at);
            self.out.done.push(lateness);
        }
        let is_gone = |coming: &Coming| count < coming.ready || count <= coming.lateness.to;
        let gone: Vec<_> = self.inward.coming.extract_if(.., |coming| is_gone(coming)).collect();
        for Coming { mut lateness, decided, .. } in gone {
            lateness.add(Part::Drain, at.saturating_sub(decided) * factor);
            lateness.came = Some(at);
            self.inward.done.push(lateness);
        }
    }

    /// Scale-outs and scale-ins, the first need first; what is still waited for counts until `end`.
    pub(super) fn finish(self, end: Duration) -> (Vec<Lateness>, Vec<Lateness>) {
        let factor = self.time.compression().factor();
        let rest =
            |Coming { mut lateness, decided, machine, .. }: Coming, first: Part, then: Part| {
                let until = machine.unwrap_or(end);
                lateness.add(first, until.saturating_sub(decided) * factor);
                lateness.add(then, end.saturating_sub(until) * factor);
                lateness
            };
        let finish = |needs: Needs, first: Part, then: Part| {
            let mut all = needs.done;
            if let Some((mut lateness, since, part)) = needs.open {
                lateness.add(part, end.saturating_sub(since) * factor);
                all.push(lateness);
            }
            all.extend(needs.coming.into_iter().map(|coming| rest(coming, first, then)));
            all.sort_by_key(|lateness| lateness.since);
            all
        };
        let outs = finish(self.out, Part::Provisioning, Part::Start);
        (outs, finish(self.inward, Part::Drain, Part::Drain))
    }
}

impl Needs {
    /// The time since the last evaluation counts as what held that one back.
    fn wait(&mut self, at: Duration, held: Option<Held>, time: RuleTime) {
        if let Some((lateness, since, part)) = &mut self.open {
            lateness.add(*part, at.saturating_sub(*since) * time.compression().factor());
            (*since, *part) = (at, Part::of(held));
        }
    }

    /// The rules act: what was needed comes.
    fn act(&mut self, at: Duration, to: u32, ready: u32) {
        if let Some((lateness, ..)) = self.open.take() {
            let lateness = Lateness { decided: Some(at), to, ..lateness };
            self.coming.push(Coming { lateness, ready, decided: at, machine: None });
        }
    }

    fn come(&mut self, has_come: impl Fn(u32) -> bool) -> Vec<Coming> {
        self.coming.extract_if(.., |coming| has_come(coming.ready)).collect()
    }

    fn give_up(&mut self, is_taken_back: impl Fn(&Coming) -> bool) {
        let gone: Vec<_> = self.coming.extract_if(.., |coming| is_taken_back(coming)).collect();
        self.done.extend(gone.into_iter().map(|coming| coming.lateness));
    }
}
