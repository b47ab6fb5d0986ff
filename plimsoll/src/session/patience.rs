//! When a load that fails ends early: not a single request has got a right answer since it began.
//!
//! It is about the beginning alone. An endpoint that worked and then fails is what a run is to find
//! out about, and so is whether it comes back. One that never answers right has a wrong address, key
//! or body, and ten minutes of that tell no more than one. The default is longer than a cold start
//! usually takes.
//!
//! What was measured until then is judged as it is, warm-ups as little as ever; but such a run
//! never passes.

use std::time::Duration;

use plimsoll_domain::Tally;
use plimsoll_domain::units::format_duration;

/// Fewer endings say nothing, however long they took.
const ENOUGH: u64 = 20;

/// What is waited for.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Option<Duration>,
    ended: u64,
    ok: u64,
}

impl Patience {
    /// Waits this long for the first right answer; for ever without a limit.
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self { limit, ended: 0, ok: 0 }
    }

    /// Takes an interval into account, which ended `at` this time; whether it is enough now.
    pub(super) fn is_lost(&mut self, all: &Tally, at: Duration) -> bool {
        self.ended += all.ended();
        self.ok += all.outcomes.ok();
        self.ok == 0 && self.ended >= ENOUGH && self.limit.is_some_and(|limit| at >= limit)
    }
}

/// What is told of it.
pub(super) fn message(at: Duration) -> String {
    format!(
        "the load ends after {}: not a single request has got a right answer (`give_up_after: \
         never`, or `--give-up-after never`, goes on)",
        format_duration(at)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_domain::{Class, Outcome};

    fn ended(outcome: Outcome, count: u64) -> Tally {
        let mut tally = Tally::default();
        tally.outcomes.add(outcome, count);
        tally
    }

    #[test]
    fn it_is_lost_when_nothing_ever_worked() {
        let second = Duration::from_secs;
        let failed = ended(Outcome::of(Class::Connect), 15);
        let lost = |limit, intervals: &[&Tally]| {
            let mut patience = Patience::new(limit);
            let told: Vec<bool> =
                (1..).zip(intervals).map(|(at, all)| patience.is_lost(all, second(at))).collect();
            told
        };
        let two = Some(second(2));
        assert_eq!(lost(two, &[&failed, &failed]), [false, true]);
        assert_eq!(lost(None, &[&failed, &failed]), [false, false]);
        let few = ended(Outcome::status(500), 4);
        assert_eq!(lost(two, &[&few, &few, &few]), [false; 3], "too few to say");
        let one = ended(Outcome::status(200), 1);
        assert_eq!(lost(two, &[&one, &failed, &failed]), [false; 3], "it worked once");
    }
}
