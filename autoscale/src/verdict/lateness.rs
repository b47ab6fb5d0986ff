//! Why a change of the count came when it did: of a scale-out the time from the need to the first extra
//! ready instance, of a scale-in to the first instance fewer, split into what it was waited for.
//!
//! The need begins with the first grain of those, without interruption, that lie on the wrong side of
//! the threshold of the rule that fired: before any window, delay or guard. (A scale-in needs all its
//! rules: the last of them that was wrong counts.) From there:
//!
//! | Part | Until |
//! |---|---|
//! | metric | that first grain is over, and the delay in which it is published has passed |
//! | window | the window that fires ends |
//! | evaluation | the next evaluation |
//! | cooldown, change under way, … | the first evaluation that is not held back: each stretch counts as what held back the evaluation at its beginning |
//! | quota | as these: while the quota refuses what the rules want |
//! | provisioning | of a scale-out: the first of its machines is there |
//! | start | of a scale-out: the first extra instance is ready |
//! | drain | of a scale-in: the first instance takes no more requests |
//!
//! Evaluations that Azure's engine skips for a change under way are made here without it, so that a
//! need that arises meanwhile is seen. Rules of a cluster have no grains: their need begins when what is
//! measured, before it is averaged over any window, first asks for another count
//! ([`Need`](crate::controller::Need)). A need that ends before it was answered is none; nor is a wish
//! for fewer than the minimum.

use std::time::Duration;

use serde::Serialize;

use crate::Held;

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
    /// An instance that is to go finishes its requests.
    Drain,
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
            Self::Drain => "drain",
        }
    }

    /// What a guard is waited for as.
    pub(super) fn of(held: Option<Held>) -> Self {
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

/// One scale-out or scale-in, or a need that was never answered.
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
    /// When the first extra instance was ready, or the first surplus one was not any more; if ever.
    pub came: Option<Duration>,
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

    pub(super) fn new(since: Duration, from: u32, to: u32) -> Self {
        Self { since, decided: None, from, to, came: None, parts: Vec::new() }
    }

    pub(super) fn add(&mut self, part: Part, time: Duration) {
        if time.is_zero() {
            return;
        }
        match self.parts.iter_mut().find(|(known, _)| *known == part) {
            Some((_, all)) => *all += time,
            None => self.parts.push((part, time)),
        }
    }
}
