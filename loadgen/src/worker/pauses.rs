//! Notices when a worker did not run though it had something to do: the process was stopped, the
//! machine paused, or others had its processor.
//!
//! The rule: the worker's loop asks to be woken at a moment (at once, if it has more to do). If it
//! is back more than [`SHORTEST`] after that, the time in between is a pause, less the time that its
//! thread has spent on a processor since it asked: that was its own work, such as answers to read.
//! While requests are in flight it asks to be woken at least every [`HEARTBEAT`], because an answer
//! could come at any time.
//!
//! Limits: a pause while there is nothing to do and nothing in flight does no harm and is not
//! noticed. One that the kernel counts as time on the processor (a virtual machine that is stopped
//! while the thread runs, on a host that does not say so) looks like work; it is in the release lag
//! all the same.

use std::time::Duration;

use plimsoll_domain::{Moment, Pause, clock};

/// Shorter pauses are not told.
pub(super) const SHORTEST: Duration = Duration::from_millis(5);

/// How often the loop looks at the clock while requests are in flight.
pub(super) const HEARTBEAT: Duration = Duration::from_millis(10);

/// The thread's time is read anew when the last reading is older: it costs a system call.
const READING: Duration = Duration::from_millis(1);

/// What a worker asked for.
#[derive(Debug)]
pub(super) struct Pauses {
    asked: Moment,
    /// When the thread's time was read, and what it was: before `asked`.
    read: (Moment, Duration),
}

impl Pauses {
    pub(super) fn new(now: Moment) -> Self {
        Self { asked: now, read: (now, clock::thread_time()) }
    }

    /// The loop asks to be woken at `at`.
    pub(super) fn ask(&mut self, at: Moment, now: Moment) {
        self.asked = at.max(now);
        if now.since(self.read.0) > READING {
            self.read = (now, clock::thread_time());
        }
    }

    /// The loop is back: the pause that it has noticed, counted from `t0`.
    pub(super) fn back(&mut self, now: Moment, t0: Moment) -> Option<Pause> {
        if now.since(self.asked) < SHORTEST {
            return None;
        }
        let worked = clock::thread_time().saturating_sub(self.read.1);
        let length = pause(self.asked, now, worked)?;
        Some(Pause { start: self.asked.since(t0), length })
    }
}

/// The pause of a worker that asked to be woken at `asked`, was back at `back`, and has worked for
/// `worked` since it asked.
fn pause(asked: Moment, back: Moment, worked: Duration) -> Option<Duration> {
    let length = back.since(asked).saturating_sub(worked);
    (length >= SHORTEST).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_lateness_without_work() {
        let millis = Duration::from_millis;
        let asked = Moment::from_nanos(1_000_000_000);
        // (late by, worked, pause)
        let table = [
            (0, 0, None),
            (4, 0, None),
            (5, 0, Some(5)),
            (500, 0, Some(500)),
            (500, 1, Some(499)),
            (500, 480, Some(20)),
            (500, 498, None),
            (500, 700, None),
        ];
        for (late, worked, expected) in table {
            let found = pause(asked, asked + millis(late), millis(worked));
            assert_eq!(found, expected.map(millis), "late {late} ms, worked {worked} ms");
        }
        assert_eq!(pause(asked, Moment::from_nanos(0), Duration::ZERO), None, "woken early");
    }

    #[test]
    fn the_pause_begins_when_the_worker_wanted_to_run() {
        let t0 = clock::now();
        let mut pauses = Pauses::new(t0);
        pauses.ask(t0 + Duration::from_millis(100), t0);
        // Nothing was worked in between: this test made up the time.
        let found = pauses.back(t0 + Duration::from_millis(400), t0).unwrap();
        assert_eq!(found.start, Duration::from_millis(100));
        assert!(found.length > Duration::from_millis(200), "{found:?}");
        assert_eq!(pauses.back(t0 + Duration::from_millis(101), t0), None);
    }
}
