//! How the allowed error is spent over steps and looks, and how long a step goes on.
//!
//! The parts are α / S for each of the S steps that a search may have, and of that 3 · 4^k / (4^K − 1) for
//! look k of K (from 0): they add up to α, so that by Boole's inequality all looks may be believed. A
//! look with the part a judges at 1 − a. With several objectives each has an equal part, as each of
//! them may call a rate breached.
//!
//! A verdict errs on one side only, as at a rate the objectives hold or they do not, and the monitor
//! gives each side half of a: half of α would be spent for nothing if verdicts were exact. They are
//! not: what is slow together is itself an estimate, and a calm stretch makes it too small, the more
//! so the shorter the look. The half, and weights that leave little to the first looks, allow for that. Measured by
//! `benches/capacity`: with a to each side and weights of 2^k the interval of an M/M/4 server held the
//! truth in 40 of 44 searches, always wrong by a rate called met after 32 to 128 s.
//!
//! A series without an end, α / ((s + 1)(s + 2)(k + 1)(k + 2)), holds as well (28 of 28 searches of an
//! M/M/1 server); but it spends half of the error on the first step, which is far from the edge, and
//! next to nothing on the long looks beside the edge: the interval was 23 % wide instead of 16 %.

use super::{Load, Purpose, Settings, State, Step};
use plimsoll_monitor::Verdict;

/// Measured seconds at the first look: one to a batch.
pub const FIRST_LOOK_S: u64 = 32;
/// Looks at a step at most: the last after 1,024 s.
pub const MOST_LOOKS: u32 = 6;

/// The error that the confirmation may have, on both sides together.
const CONFIRMATION: f64 = 0.02;
/// A step is given up if it would take so many times the longest look to decide, at the third look
/// and at later ones: an early guess of that is rough.
const PATIENCE: [f64; 2] = [2.0, 1.3];

/// The error and the looks of a search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    alpha: f64,
    steps: u32,
    looks: u32,
    objectives: u32,
}

impl Budget {
    pub(super) fn new(settings: &Settings) -> Self {
        let Settings { confidence, steps, looks, objectives, .. } = *settings;
        Self { alpha: 1.0 - confidence, steps, looks, objectives }
    }

    /// The first look of a step.
    pub(super) fn first(&self, step: u32, rate_rps: f64, purpose: Purpose, most: u32) -> Load {
        Load {
            step,
            purpose,
            rate_rps,
            fresh: true,
            until_s: FIRST_LOOK_S,
            longest_s: at(most - 1),
            confidence: self.confidence(purpose, 0),
        }
    }

    /// The next look at the same step, if it is worth it.
    pub(super) fn after(&self, load: Load, step: &Step, time_left: f64) -> Option<Load> {
        let number = (load.until_s / FIRST_LOOK_S).ilog2();
        let (until_s, longest_s) = (at(number + 1), load.longest_s);
        let time_left = if load.purpose == Purpose::Confirm { f64::INFINITY } else { time_left };
        let more = (until_s - load.until_s) as f64;
        let goes_on = step.seen.state == State::Judged
            && step.verdict() == Verdict::Inconclusive
            && until_s <= longest_s
            && more <= time_left
            && !is_hopeless(step, number, longest_s);
        let confidence = self.confidence(load.purpose, number + 1);
        goes_on.then_some(Load { fresh: false, until_s, confidence, ..load })
    }

    /// The confidence of a look.
    fn confidence(&self, purpose: Purpose, look: u32) -> f64 {
        let alpha = match purpose {
            Purpose::Confirm => CONFIRMATION,
            Purpose::Search | Purpose::Recheck => self.alpha / f64::from(self.steps),
        };
        let weight = |look: u32| f64::from(1u32 << (2 * look));
        let part = weight(look) / (0..self.looks).map(weight).sum::<f64>();
        1.0 - alpha * part / f64::from(self.objectives)
    }
}

/// Measured seconds at a look.
fn at(look: u32) -> u64 {
    FIRST_LOOK_S << look
}

/// Whether the longest look would not decide either, by far.
fn is_hopeless(step: &Step, look: u32, longest_s: u64) -> bool {
    let Some(patience) = look.checked_sub(2).map(|late| PATIENCE[late.min(1) as usize]) else {
        return false;
    };
    let longest = patience * longest_s as f64;
    let undecided = |verdict| verdict == Verdict::Inconclusive;
    let asked = step.seen.objectives.iter().filter(|asked| undecided(asked.verdict));
    let in_time =
        |more: Option<f64>| more.is_some_and(|s| step.seen.measured_s as f64 + s <= longest);
    let mut asked = asked.map(|asked| in_time(asked.more_s));
    asked.any(|in_time| !in_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_looks_together_spend_what_is_allowed() {
        let settings = Settings { steps: 7, looks: 4, ..Settings::default() };
        let budget = Budget::new(&settings);
        let look = |look| 1.0 - budget.confidence(Purpose::Search, look);
        let spent = 7.0 * (0..4).map(look).sum::<f64>();
        assert!((spent - 0.05).abs() < 1e-12, "{spent}");
        assert!((look(3) / look(2) - 4.0).abs() < 1e-9, "the later look has four times as much");
        let two = Budget::new(&Settings { objectives: 2, ..settings });
        let half = 1.0 - two.confidence(Purpose::Search, 3);
        assert!((2.0 * half - look(3)).abs() < 1e-12);
    }
}
