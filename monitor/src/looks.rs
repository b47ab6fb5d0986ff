//! When a verdict may be looked at while the run goes on, and at which confidence.
//!
//! Whoever looks each second and stops at the first `met` is wrong far more often than the
//! confidence says. So a run is looked at only when it has 32 batches: after 32, 64, 128, …
//! intervals, and at its end. Of the K looks that its length allows, look k (from 0) spends
//! 3 · 4^k / (4^K − 1) of the allowed error α; that adds up to α, so every look may be believed,
//! whichever is the first to decide. Between looks the verdict of the newest one stands.
//!
//! Equal or falling parts would do as well if verdicts were exact. They are not: how much of what is
//! slow is slow together is itself an estimate, which a calm stretch makes too small, the more so
//! the shorter the look. With 1 / ((k + 1)(k + 2)), of which the first look has a half, 12 % of the runs
//! of an M/M/4 server with p99 at its limit were called met (at 99 %, within ten minutes). What these
//! parts do is measured by `benches/capacity`.
//!
//! A verdict of one look, at the end of a run of fixed length, has the whole α to itself.

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
}

/// Which looks were taken, of those that a run's length allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    newest: Option<Look>,
    /// How many there can be, the one at the end among them.
    all: u32,
}

impl Looks {
    /// None taken yet, of a run of at most so many intervals.
    pub fn within(intervals: u64) -> Self {
        // A look is taken when the interval after it has begun.
        let before_the_end = Look::newest(intervals.saturating_sub(1));
        Self { newest: None, all: before_the_end.map_or(0, |look| look.number + 1) + 1 }
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

    /// The confidence at which a look judges, if all looks together have the `overall` one.
    pub fn confidence(&self, look: Look, overall: f64) -> f64 {
        1.0 - (1.0 - overall) * part(look.number, self.all)
    }

    /// The confidence of the look at the end of a run that no look has decided.
    pub fn last(&self, overall: f64) -> f64 {
        let number = self.newest.map_or(0, |look| look.number + 1);
        1.0 - (1.0 - overall) * part(number, self.all)
    }

    /// The intervals after which the next look is due.
    pub fn next_at(&self) -> u64 {
        self.newest.map_or(FIRST, |look| look.next().intervals())
    }
}

/// What look `number` (from 0) of so many spends of the allowed error: four times as much as the one
/// before it.
pub fn part(number: u32, of: u32) -> f64 {
    let last = of.saturating_sub(1);
    let weight = |number: u32| 0.25_f64.powf(f64::from(last - number.min(last)));
    weight(number) / (0..=last).map(weight).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batches::{Batch, Batches};

    #[test]
    fn looks_are_at_doubled_times() {
        let mut looks = Looks::within(600);
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
        let mut looks = Looks::within(600);
        assert_eq!(looks.due(31), None);
        assert_eq!(looks.due(130).map(Look::number), Some(2));
        assert_eq!(looks.due(131), None);
        assert_eq!(looks.due(300).map(Look::number), Some(3));
    }

    #[test]
    fn at_every_look_there_are_32_batches() {
        let (mut batches, mut looks) = (Batches::new(), Looks::within(2_000));
        for _ in 0..2_000 {
            batches.add(&Batch::default());
            if looks.due(batches.intervals()).is_some() {
                assert_eq!(batches.counted().len(), 32);
            }
        }
    }

    #[test]
    fn all_looks_together_spend_what_one_would() {
        for of in [1, 2, 6, 40] {
            let spent: f64 = (0..of).map(|number| part(number, of)).sum();
            assert!((spent - 1.0).abs() < 1e-12, "{of}: {spent}");
        }
        assert!((part(3, 6) / part(2, 6) - 4.0).abs() < 1e-12);
    }

    #[test]
    fn the_look_at_the_end_is_one_of_those_that_the_length_allows() {
        // (intervals, looks that are taken before the end)
        for (intervals, before) in [(0, 0), (31, 0), (32, 0), (33, 1), (64, 1), (65, 2), (600, 5)] {
            let mut looks = Looks::within(intervals);
            let mut spent = 0.0;
            let mut taken = 0;
            // The newest interval is not looked at before the next one comes.
            for seen in 0..intervals {
                if let Some(look) = looks.due(seen) {
                    spent += 1.0 - looks.confidence(look, 0.99);
                    taken += 1;
                }
            }
            assert_eq!(taken, before, "{intervals}");
            spent += 1.0 - looks.last(0.99);
            assert!((spent - 0.01).abs() < 1e-12, "{intervals}: {spent}");
        }
    }
}
