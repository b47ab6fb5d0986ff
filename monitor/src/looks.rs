//! When a verdict may be looked at while the run goes on, and at which confidence.
//!
//! Whoever looks each second and stops at the first `met` is wrong far more often than the
//! confidence says. So a run is looked at only when it has 32 batches: after 32, 64, 128, …
//! intervals. Look k (from 0) spends α / ((k + 1)(k + 2)) of the allowed error α; over all k that
//! adds up to α, so every look may be believed, whichever is the first to decide. Between looks the
//! verdict of the newest one stands.
//!
//! Limits: measured at 99 %, the truth at the limit, ten minutes: 0 to 2.2 % of runs are met at
//! some look, 4.9 % for the median at 95 % load, more under a level that drifts
//! (`benches/capacity` for p99 of queues: 0 to 1.0 %). A verdict of one
//! look, at the end of a run of fixed length, has the whole α to itself.

/// Intervals at the first look: one to a batch.
const FIRST: u64 = 32;

/// One look at a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    number: u32,
}

impl Look {
    /// The newest look that a run of so many intervals allows; `None` before the first.
    pub fn newest(intervals: u64) -> Option<Self> {
        let number = (intervals / FIRST).checked_ilog2()?;
        Some(Self { number })
    }

    /// From 0.
    pub fn number(self) -> u32 {
        self.number
    }

    /// The intervals after which it happens.
    pub fn intervals(self) -> u64 {
        FIRST.checked_shl(self.number).unwrap_or(u64::MAX)
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self { number: self.number + 1 }
    }

    /// The confidence at which it judges, if all looks together have the `overall` one.
    pub fn confidence(self, overall: f64) -> f64 {
        spend(overall, self.number)
    }
}

/// Which looks were taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looks {
    newest: Option<Look>,
}

impl Looks {
    /// None taken yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a look is due at a run of so many intervals, which then is taken. Looks that were
    /// passed over, as several intervals came at once, are not made up for.
    pub fn due(&mut self, intervals: u64) -> Option<Look> {
        let newest = Look::newest(intervals);
        let is_new = newest.map(Look::number) > self.newest.map(Look::number);
        if is_new {
            self.newest = newest;
        }
        newest.filter(|_| is_new)
    }

    /// The newest look taken: its verdict stands until the next.
    pub fn newest(&self) -> Option<Look> {
        self.newest
    }

    /// The confidence of the look at the end of a run that no look has decided.
    pub fn last(&self, overall: f64) -> f64 {
        spend(overall, self.newest.map_or(0, |look| look.number() + 1))
    }

    /// The intervals after which the next look is due.
    pub fn next_at(&self) -> u64 {
        self.newest.map_or(FIRST, |look| look.next().intervals())
    }
}

/// The confidence of test `number` (from 0) of a series without an end whose tests are all right
/// with the `overall` confidence. A series of series is spent in turn: a step of a search is given
/// its part first, and each look at the step a part of that.
pub fn spend(overall: f64, number: u32) -> f64 {
    let number = f64::from(number);
    1.0 - (1.0 - overall) / ((number + 1.0) * (number + 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batches::{Batch, Batches};

    #[test]
    fn looks_are_at_doubled_times() {
        let mut looks = Looks::new();
        assert_eq!((looks.next_at(), looks.newest()), (32, None));
        let taken: Vec<(u64, u32)> = (0..600)
            .filter_map(|intervals| looks.due(intervals).map(|look| (intervals, look.number())))
            .collect();
        assert_eq!(taken, [(32, 0), (64, 1), (128, 2), (256, 3), (512, 4)]);
        assert_eq!(looks.next_at(), 1024);
        assert_eq!(looks.newest().map(Look::intervals), Some(512));
    }

    #[test]
    fn a_look_that_was_passed_over_is_not_made_up_for() {
        let mut looks = Looks::new();
        assert_eq!(looks.due(31), None);
        assert_eq!(looks.due(130).map(Look::number), Some(2));
        assert_eq!(looks.due(131), None);
        assert_eq!(looks.due(300).map(Look::number), Some(3));
    }

    #[test]
    fn at_every_look_there_are_32_batches() {
        let (mut batches, mut looks) = (Batches::new(), Looks::new());
        for _ in 0..2_000 {
            batches.add(&Batch::default());
            if looks.due(batches.intervals()).is_some() {
                assert_eq!(batches.counted().len(), 32);
            }
        }
    }

    #[test]
    fn all_looks_together_spend_what_one_would() {
        assert!((spend(0.99, 0) - 0.995).abs() < 1e-12);
        assert!((spend(0.99, 1) - (1.0 - 0.01 / 6.0)).abs() < 1e-12);
        let spent: f64 = (0..100_000).map(|number| 1.0 - spend(0.95, number)).sum();
        assert!((spent - 0.05).abs() < 1e-6, "{spent}");
        let look = Look::newest(64).expect("after the first");
        assert!((look.confidence(0.99) - spend(0.99, 1)).abs() < f64::EPSILON);
    }
}
