//! How the instances of a deployment are replaced while it serves: Azure's rolling update, as a decision.
//!
//! Azure updates 20 % of the instances at a time (10 → 2). What that is of other numbers is not published: here it is
//! rounded up, which is just what the reserve of `ceil(1.2·n)` instances has room for, so that new instances come up
//! *beside* those that serve and take over when they are ready. There are never fewer instances than wanted, and never
//! more than these and one batch. An update that also changes the number of instances scales first, with instances of
//! the old kind, as Azure does. Where nothing serves there is nothing to keep up, and all start at once.
//!
//! The decision is made from what there is, so that it goes on from wherever it is. A step that fails ends the
//! rollout: the executor takes away what that step started, and all others, old and new, go on serving.
//!
//! ```
//! use std::num::NonZeroU32;
//! use plimsoll_deploy::rollout::{Rollout, Step};
//!
//! let rollout = Rollout::to(NonZeroU32::new(10).unwrap());
//! assert_eq!(rollout.next(8, 0), Step::Scale(10));
//! assert_eq!(rollout.next(10, 0), Step::Start(2));
//! assert_eq!(rollout.next(10, 2), Step::Retire(2));
//! assert_eq!(rollout.next(8, 2), Step::Start(2));
//! assert_eq!(rollout.next(0, 10), Step::Done);
//! ```

use std::num::NonZeroU32;

/// An update to so many new instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollout {
    wanted: u32,
}

/// What is done next; it is waited for before the next decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The number of instances is changed to this one, with instances of the old kind.
    Scale(u32),
    /// So many new ones are started, until all of them are ready.
    Start(u32),
    /// So many old ones get no further requests, finish those that they have, and end.
    Retire(u32),
    /// All are new.
    Done,
}

impl Rollout {
    /// An update of which so many instances are to be there in the end.
    pub fn to(wanted: NonZeroU32) -> Self {
        Self { wanted: wanted.get() }
    }

    /// Instances that are replaced at a time: a fifth, rounded up.
    pub fn batch(self) -> u32 {
        self.wanted.div_ceil(5)
    }

    /// What to do when there are so many old instances, and so many new ones that are ready.
    pub fn next(self, old: u32, new: u32) -> Step {
        let Self { wanted } = self;
        if new == 0 && old > 0 && old != wanted {
            return Step::Scale(wanted);
        }
        let spare = old.saturating_add(new).saturating_sub(wanted).min(old);
        if spare > 0 {
            Step::Retire(spare)
        } else if new < wanted {
            let missing = wanted - new;
            Step::Start(if old == 0 { missing } else { missing.min(self.batch()) })
        } else {
            Step::Done
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rollout(wanted: u32) -> Rollout {
        Rollout::to(NonZeroU32::new(wanted).unwrap())
    }

    #[test]
    fn a_fifth_is_rounded_up_to_what_the_reserve_holds() {
        for (wanted, batch) in [(1, 1), (4, 1), (5, 1), (6, 2), (10, 2), (11, 3), (50, 10)] {
            assert_eq!(rollout(wanted).batch(), batch, "{wanted}");
            assert_eq!(wanted + batch, (6 * wanted).div_ceil(5), "the reserve of {wanted}");
        }
    }

    #[test]
    fn what_does_not_serve_is_not_updated_by_fifths() {
        assert_eq!(rollout(10).next(0, 0), Step::Start(10));
    }

    proptest! {
        /// Whatever there is at first: it scales once, then there are never fewer instances than wanted nor more than
        /// one batch beyond, and in the end all are new.
        #[test]
        fn capacity_is_never_lost(old in 1u32..60, wanted in 1u32..60) {
            let (rollout, mut old, mut new) = (rollout(wanted), old, 0);
            let mut starts = 0;
            for turn in 0.. {
                match rollout.next(old, new) {
                    Step::Scale(count) => {
                        prop_assert_eq!((turn, count), (0, wanted));
                        old = count;
                    }
                    Step::Start(count) => {
                        prop_assert!(count > 0);
                        starts += 1;
                        new += count;
                    }
                    Step::Retire(count) => {
                        prop_assert!(count > 0 && count <= old);
                        old -= count;
                    }
                    Step::Done => break,
                }
                prop_assert!((wanted..=wanted + rollout.batch()).contains(&(old + new)));
            }
            prop_assert_eq!((old, new), (0, wanted));
            prop_assert_eq!(starts, wanted.div_ceil(rollout.batch()));
        }

        /// One that stopped in the middle goes on from there.
        #[test]
        fn it_goes_on_from_anywhere(old in 0u32..60, new in 1u32..60, wanted in 1u32..60) {
            let (rollout, mut old, mut new) = (rollout(wanted), old, new);
            for _ in 0..200 {
                match rollout.next(old, new) {
                    Step::Scale(_) => prop_assert!(false, "new ones are there"),
                    Step::Start(count) => new += count,
                    Step::Retire(count) => old -= count,
                    Step::Done => break,
                }
            }
            prop_assert_eq!(rollout.next(old, new), Step::Done);
            prop_assert_eq!((old, new), (0, new.max(wanted)));
        }
    }
}
