//! How much more would decide, and how much clumping `met` withstands.

use super::Trial;
use super::bounds::Bounds;
use crate::effect::LEAST_BATCHES;

/// Longer runs than so many times this one are not worth waiting for.
const MOST_LENGTHS: f64 = 10_000.0;
/// From so many batches on, a longer run has longer batches instead of more.
const STEADY_BATCHES: f64 = 32.0;

impl Trial {
    /// How many times the run's length would decide, the bad share, the effect and the correlation
    /// staying as they are. `None` if the share is the allowed one, or beyond ten thousand times.
    pub(super) fn needed(&self, samples: u64, bad: u64) -> Option<f64> {
        if samples == 0 {
            return None;
        }
        let (samples, bad, share) = (samples as f64, bad as f64, bad as f64 / samples as f64);
        let decided = |times: f64| {
            let bounds = self.after(times);
            let (samples, bad) = (samples * times, bad * times);
            if share < self.allowed {
                bounds.high(samples, bad, self.effect_to_meet()) < self.allowed
            } else {
                bounds.low(samples, bad, self.walk.own) > self.allowed
            }
        };
        let (mut short, mut enough) = (1.0, 2.0);
        while !decided(enough) {
            (short, enough) = (enough, enough * 2.0);
            if enough > MOST_LENGTHS {
                return None;
            }
        }
        while enough / short > 1.01 {
            let middle = f64::midpoint(short, enough);
            if decided(middle) { enough = middle } else { short = middle }
        }
        let sure = lengths_to_be_sure(self.walk.effective_batches);
        Some(if share < self.allowed { enough.max(sure) } else { enough })
    }

    /// The largest effect with which the run would still be met.
    pub(super) fn largest_clumps(&self, samples: u64, bad: u64) -> f64 {
        let (samples, bad) = (samples as f64, bad as f64);
        let (mut stands, mut falls) = (self.effect_to_meet(), samples.max(self.effect_to_meet()));
        while falls / stands > 1.001 {
            let middle = (stands * falls).sqrt();
            if self.bounds.high(samples, bad, middle) < self.allowed {
                stands = middle;
            } else {
                falls = middle;
            }
        }
        stands
    }

    /// The bounds of a run so many times as long: it has more batches, up to where they lengthen.
    fn after(&self, times: f64) -> Bounds {
        let batches = self.batches as f64;
        let more = (batches * times).min(STEADY_BATCHES.max(batches));
        Bounds::with_batches(more, self.bounds.confidence())
    }
}

/// How many times the run's length would have the effective batches that are needed. Below that
/// they grow as the run does, whether by more batches or by longer ones: B · (1 − r) / (1 + r) is
/// the length over twice the time constant as long as a batch is shorter than that.
pub(super) fn lengths_to_be_sure(effective_batches: f64) -> f64 {
    (LEAST_BATCHES / effective_batches.max(f64::MIN_POSITIVE)).max(1.0)
}
