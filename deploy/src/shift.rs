//! A traffic shift, as a decision: shares of an endpoint's requests that change step by step while all goes well, and
//! go back to what they were at the first breach.
//!
//! The recipe is Azure's for a safe rollout of a new version: a new deployment at 0 %, a mirrored share, a few percent
//! of the live traffic, more, all of it; then the old one is deleted (*Perform safe rollout of new deployments*).
//! Who decides gives the time since the beginning and whether anything is breached, and does what it is told.
//!
//! ```
//! use std::time::Duration;
//! use plimsoll_deploy::shift::{Action, Shares, Shift};
//!
//! let live = |shares: &[(&str, u8)]| Shares::live(shares.iter().map(|(n, s)| ((*n).to_owned(), *s)));
//! let (blue, half) = (live(&[("blue", 100)]), live(&[("blue", 50), ("green", 50)]));
//! let at = Duration::from_secs(10);
//! let mut shift = Shift::new(blue.clone(), vec![(at, half.clone())]);
//! assert_eq!(shift.next(Duration::from_secs(9), false), None);
//! assert_eq!(shift.next(at, false), Some(Action::Set(half)));
//! assert_eq!(shift.next(at * 2, true), Some(Action::RollBack(blue)));
//! assert_eq!(shift.next(at * 3, true), None, "it is over");
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

/// Who gets how many percent of the requests that name no deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shares {
    /// Live: the sum is 100.
    pub traffic: BTreeMap<String, u8>,
    /// Copies, whose answers nobody gets: of one deployment, up to 50.
    pub mirror: BTreeMap<String, u8>,
}

/// Shares that change over time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shift {
    before: Shares,
    /// From when on which shares hold, in order.
    steps: Vec<(Duration, Shares)>,
    done: usize,
    is_over: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Go on to these shares.
    Set(Shares),
    /// Go back to these, those of the beginning. Nothing comes after it.
    RollBack(Shares),
}

impl Shares {
    /// Live shares alone.
    pub fn live(traffic: impl IntoIterator<Item = (String, u8)>) -> Self {
        Self { traffic: traffic.into_iter().collect(), mirror: BTreeMap::new() }
    }
}

impl Shift {
    /// From these shares over the steps, each of which begins at its time.
    pub fn new(before: Shares, steps: Vec<(Duration, Shares)>) -> Self {
        Self { before, steps, done: 0, is_over: false }
    }

    /// Whether nothing ever changes.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The shares of the beginning.
    pub fn before(&self) -> &Shares {
        &self.before
    }

    /// What there may be to do at most.
    pub fn actions(&self) -> usize {
        self.steps.len() + 1
    }

    /// What to do now. Steps whose time has passed by unseen are skipped, the newest holds.
    pub fn next(&mut self, now: Duration, is_breached: bool) -> Option<Action> {
        if self.is_over || self.is_empty() {
            return None;
        }
        if is_breached {
            self.is_over = true;
            return Some(Action::RollBack(self.before.clone()));
        }
        let due = self.steps.iter().take_while(|(from, _)| *from <= now).count();
        if due <= self.done {
            return None;
        }
        self.done = due;
        Some(Action::Set(self.steps[due - 1].1.clone()))
    }

    /// Those that had a live share at the beginning and have none after the last step, if that was reached: nobody
    /// needs them any more.
    pub fn retired(&self) -> Vec<&str> {
        let last = self.steps.last().filter(|_| !self.is_over && self.done == self.steps.len());
        let Some((_, last)) = last else { return Vec::new() };
        let has = |shares: &Shares, name: &str| shares.traffic.get(name).is_some_and(|s| *s > 0);
        let old = self.before.traffic.keys().map(String::as_str);
        old.filter(|name| has(&self.before, name) && !has(last, name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(blue: u8) -> Shares {
        Shares::live([("blue".to_owned(), blue), ("green".to_owned(), 100 - blue)])
    }

    fn seconds(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn shift() -> Shift {
        let steps = [(10, 90), (20, 50), (30, 0)];
        Shift::new(live(100), steps.map(|(at, blue)| (seconds(at), live(blue))).to_vec())
    }

    #[test]
    fn it_goes_on_step_by_step_and_says_who_is_left_over() {
        let mut shift = shift();
        let mut set = Vec::new();
        for second in 0..40 {
            assert!(set.len() == 3 || shift.retired().is_empty());
            if let Some(action) = shift.next(seconds(second), false) {
                set.push((second, action));
            }
        }
        let expected =
            [(10, 90), (20, 50), (30, 0)].map(|(at, blue)| (at, Action::Set(live(blue))));
        assert_eq!(set, expected);
        assert_eq!(shift.retired(), ["blue"]);
    }

    #[test]
    fn it_goes_back_at_the_first_breach_and_no_further() {
        let mut shift = shift();
        assert_eq!(shift.next(seconds(25), false), Some(Action::Set(live(50))), "10 was not seen");
        assert_eq!(shift.next(seconds(30), true), Some(Action::RollBack(live(100))));
        assert_eq!(shift.next(seconds(31), false), None);
        assert!(shift.retired().is_empty());
    }

    #[test]
    fn without_steps_there_is_nothing_to_go_back_from() {
        assert_eq!(Shift::default().next(seconds(1), true), None);
    }
}
