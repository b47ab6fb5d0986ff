//! The controller: who asks the rules, when, and what becomes of what they decide.
//!
//! It is told what happens ([`Controller::observe`], [`Controller::usage`]) and asked what to do
//! ([`Controller::step`]); it reads no clock and touches nothing, so that a live session and a
//! simulation follow the same one. Rules are evaluated at their interval, in rule time
//! ([`RuleTime`]), each with what the [`Pipeline`] shows at that moment, and what it was asked and
//! decided is told whole: as lines of a record ([`record_line`](crate::record_line)) it can be decided again.
//!
//! A wanted instance gets its machine after a time that is drawn for it; only then is the target to
//! have it. An instance that is not wanted any more leaves at once: first those that have no machine
//! yet, the last first. Not documented by Microsoft, and taken so:
//!
//! - a scale-out that the quota has no room for fails whole, as the operation does: the count stays,
//!   and no cooldown begins, so that it is tried again;
//! - a change is under way until every instance that it added is ready, or every one that it removed is
//!   gone; until then Azure's engine skips its runs. (A cluster's engines do not.)

mod need;

use std::cmp::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll_domain::Snapshot;

use crate::azure::Parameters;
use crate::pipeline::{Pipeline, Subject, Unread, Usage};
use crate::{Evaluation, Memory, RuleTime, Rules, State};

pub use need::Need;

/// How long an evaluation waits for the interval that ends with it, in time of the run.
const PATIENCE: Duration = Duration::from_secs(2);

/// By how much the end of an interval may fall short of the moment that it is for.
const EARLY: Duration = Duration::from_millis(50);

/// How long the machine of the next instance takes, in rule time.
pub type Provisioning = Box<dyn FnMut() -> Duration + Send>;

/// How a deployment is scaled.
pub struct Plan {
    /// By which rules.
    pub rules: Rules,
    /// What is assumed of Azure's engine. Its delay of metrics is set by the subject's.
    pub parameters: Parameters,
    /// What is scaled.
    pub subject: Subject,
    /// When it is.
    pub time: RuleTime,
    /// The most instances that the quota has room for, the reserve counted in; `None` without limit.
    pub quota: Option<u32>,
    /// How long machines take.
    pub provisioning: Provisioning,
    /// Instances that are ready at the beginning.
    pub instances: u32,
}

/// Decides how many instances there are to be.
pub struct Controller {
    rules: Rules,
    parameters: Parameters,
    time: RuleTime,
    pipeline: Pipeline,
    quota: Option<u32>,
    provisioning: Provisioning,
    memory: Memory,
    /// As the deployment says it: `sku.capacity`.
    wanted: u32,
    /// Those that have a machine.
    there: u32,
    /// When the machines that are not there yet come, the first first.
    coming: Vec<Duration>,
    /// A change is under way.
    is_changing: bool,
    /// The newest look at the instances.
    usage: Option<Usage>,
    /// Until when intervals were told.
    observed: Duration,
    /// The next evaluation.
    next: Timestamp,
    /// When the last evaluation was, which way it would have gone without guards, and from which count.
    last: (Duration, Option<(Ordering, u32)>),
}

/// What there is to do, and what happened.
#[derive(Debug, Default, PartialEq)]
pub struct Turn {
    /// So many instances the target is to have from now on, if that changed.
    pub target: Option<u32>,
    /// In their order.
    pub happenings: Vec<Happening>,
}

/// Something that a controller did.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// The rules were evaluated. They decide again the same of the same.
    Decided {
        /// When, since the first due time.
        at: Duration,
        /// With what, and what came of it.
        evaluation: Box<Evaluation>,
        /// Of rules for a cluster: what lies before an evaluation that is the first to want another count.
        need: Option<Need>,
    },
    /// The count that is wanted changed.
    Scaled {
        /// When.
        at: Duration,
        /// Before.
        from: u32,
        /// From now on.
        to: u32,
    },
    /// The quota has no room for what the rules want: the count stays.
    Refused {
        /// When.
        at: Duration,
        /// The count that stays.
        from: u32,
        /// What the rules want.
        to: u32,
        /// The most that there is room for.
        most: u32,
    },
    /// Instances got their machines and start.
    Provisioned {
        /// When.
        at: Duration,
        /// How many have one now.
        there: u32,
    },
}

impl Happening {
    /// When it happened.
    pub fn at(&self) -> Duration {
        match self {
            Self::Decided { at, .. }
            | Self::Scaled { at, .. }
            | Self::Refused { at, .. }
            | Self::Provisioned { at, .. } => *at,
        }
    }
}

impl Controller {
    /// One that has not begun. Its first evaluation is one interval after the beginning of the run.
    ///
    /// # Errors
    /// Every metric of the rules that is not measured here.
    pub fn new(plan: Plan) -> Result<Self, Vec<Unread>> {
        let Plan { rules, parameters, subject, time, quota, provisioning, instances } = plan;
        let metric_delay_s = u32::try_from(subject.metric_delay.as_secs()).unwrap_or(u32::MAX);
        let parameters = Parameters { metric_delay_s, ..parameters };
        let pipeline = Pipeline::new(&rules, &subject, time)?;
        let mut controller = Self {
            next: time.at(Duration::ZERO),
            rules,
            parameters,
            time,
            pipeline,
            quota,
            provisioning,
            memory: Memory::default(),
            wanted: instances,
            there: instances,
            coming: Vec::new(),
            is_changing: false,
            usage: None,
            observed: Duration::ZERO,
            last: (Duration::ZERO, None),
        };
        controller.next = controller.after(controller.next);
        Ok(controller)
    }

    /// What is assumed of Azure's engine, as its record says.
    pub fn parameters(&self) -> Parameters {
        self.parameters
    }

    /// The deployment that it scales.
    pub fn deployment(&self) -> &str {
        self.pipeline.deployment()
    }

    /// When it is.
    pub fn time(&self) -> RuleTime {
        self.time
    }

    /// How many instances are wanted.
    pub fn wanted(&self) -> u32 {
        self.wanted
    }

    /// How many of them have a machine.
    pub fn there(&self) -> u32 {
        self.there
    }

    /// The metrics so far.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// An interval is over.
    pub fn observe(&mut self, snapshot: &Snapshot) {
        self.pipeline.interval(snapshot);
        self.observed = self.observed.max(snapshot.end);
    }

    /// The instances were looked at.
    pub fn usage(&mut self, usage: Usage) {
        self.pipeline.usage(&usage);
        let is_as_wanted =
            usage.ready() >= self.wanted && usage.instances.len() <= self.wanted as usize;
        if is_as_wanted && self.coming.is_empty() {
            self.is_changing = false;
        }
        self.usage = Some(usage);
    }

    /// When there is something to do next, if nothing is told before.
    pub fn next_wake(&self) -> Duration {
        let machine = self.coming.first().copied().unwrap_or(Duration::MAX);
        self.ready_at().min(machine)
    }

    /// Does all that is due by `now`, in its order.
    pub fn step(&mut self, now: Duration) -> Turn {
        let mut turn = Turn::default();
        let before = self.there;
        loop {
            let evaluation = self.time.run_at(self.next);
            let machine = self.coming.first().copied().unwrap_or(Duration::MAX);
            if machine <= now && (machine <= evaluation || self.ready_at() > now) {
                self.coming.remove(0);
                self.there += 1;
                // Of several at one time, the last says how many.
                match turn.happenings.last_mut() {
                    Some(Happening::Provisioned { at, there }) if *at == machine => {
                        *there = self.there;
                    }
                    _ => turn
                        .happenings
                        .push(Happening::Provisioned { at: machine, there: self.there }),
                }
            } else if self.ready_at() <= now {
                self.evaluate(evaluation, &mut turn.happenings);
            } else {
                break;
            }
        }
        turn.target = (self.there != before).then_some(self.there);
        turn
    }

    /// When the next evaluation can be made: when what it looks at was told, or is given up.
    fn ready_at(&self) -> Duration {
        let due = self.time.run_at(self.next);
        if self.observed + EARLY >= due { due } else { due.saturating_add(PATIENCE) }
    }

    fn after(&self, moment: Timestamp) -> Timestamp {
        let interval = self.rules.interval_s(self.parameters).max(1);
        let next = moment.checked_add(SignedDuration::from_secs(interval.into()));
        next.unwrap_or(Timestamp::MAX)
    }

    fn evaluate(&mut self, at: Duration, happenings: &mut Vec<Happening>) {
        let now = self.next;
        self.next = self.after(now);
        let mut state = State {
            now,
            replicas: self.wanted,
            instances: Vec::new(),
            in_progress: self.is_changing && self.rules.wait_for_changes(),
            metrics: Vec::new(),
            memory: self.memory.clone(),
        };
        let lookback_s = self.rules.lookback_s(self.parameters);
        self.pipeline.show(now, lookback_s, self.coming.len(), &mut state);
        let decision = self.rules.decide(self.parameters, &state);
        let (from, to) = (self.wanted, decision.replicas);
        let memory = decision.memory.clone();
        let need = self.need(at, &decision);
        let evaluation = Box::new(Evaluation { state, decision });
        happenings.push(Happening::Decided { at, evaluation, need });
        if let Some(most) = self.quota.filter(|most| to > from && to > *most) {
            happenings.push(Happening::Refused { at, from, to, most });
            return;
        }
        self.memory = memory;
        if to != from {
            self.scale(at, to);
            happenings.push(Happening::Scaled { at, from, to });
        }
    }

    fn scale(&mut self, at: Duration, to: u32) {
        self.wanted = to;
        self.is_changing = true;
        while self.there + self.coming.len() as u32 > to {
            if self.coming.pop().is_none() {
                self.there -= 1;
            }
        }
        while self.there + (self.coming.len() as u32) < to {
            let takes = self.time.run((self.provisioning)());
            let due = at.saturating_add(takes);
            let place = self.coming.partition_point(|other| *other <= due);
            self.coming.insert(place, due);
        }
    }
}

impl std::fmt::Debug for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { wanted, there, coming, next, .. } = self;
        f.debug_struct("Controller")
            .field("wanted", wanted)
            .field("there", there)
            .field("coming", coming)
            .field("next", next)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
