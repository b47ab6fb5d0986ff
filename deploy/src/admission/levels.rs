//! How many instances have how many free slots, so that who looks for the most free ones knows when it
//! has found them. A simulation asks for each request.

/// So many numbers of slots are told apart; of those beyond, one may have more than another.
const LEVELS: usize = 64;

/// Counts of instances by their free slots.
#[derive(Debug, Clone)]
pub(super) struct Levels {
    counts: [u32; LEVELS],
    /// The highest level that an instance is on.
    highest: usize,
}

impl Default for Levels {
    #[inline]
    fn default() -> Self {
        Self { counts: [0; LEVELS], highest: 0 }
    }
}

impl Levels {
    /// An instance that had `from` free slots has `to`. None has 0 as one that is not there has: these
    /// are not counted.
    #[inline]
    pub(super) fn change(&mut self, from: u64, to: u64) {
        let (from, to) = (level(from), level(to));
        if from > 0 {
            self.counts[from] -= 1;
        }
        if to > 0 {
            self.counts[to] += 1;
        }
        self.highest = self.highest.max(to);
        while self.highest > 0 && self.counts[self.highest] == 0 {
            self.highest -= 1;
        }
    }

    /// The most free slots that an instance has, where that is known exactly; more than any has where
    /// it is not.
    #[inline]
    pub(super) fn most(&self) -> u64 {
        if self.highest == LEVELS - 1 { u64::MAX } else { self.highest as u64 }
    }
}

#[inline]
fn level(free: u64) -> usize {
    free.min(LEVELS as u64 - 1) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_most_is_that_of_all(
            changes in prop::collection::vec((0usize..5, 0u64..80), 1..200),
        ) {
            let (mut levels, mut free) = (Levels::default(), [0; 5]);
            for (instance, now) in changes {
                levels.change(free[instance], now);
                free[instance] = now;
                let most = free.into_iter().max().unwrap_or_default();
                let known = most < LEVELS as u64 - 1;
                prop_assert_eq!(levels.most(), if known { most } else { u64::MAX });
            }
        }
    }
}
