use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use plimsoll_domain::{Limits, Names};

use super::*;

const TIMEOUT: Duration = Duration::from_secs(1);

fn at(millis: u64) -> Moment {
    Moment::from_nanos((1_000 + millis) * 1_000_000)
}

fn desk() -> Desk {
    let rules = Rules { max_connections: 1, max_backlog: 100, timeout: TIMEOUT };
    let desk = Desk::new(rules, Recorder::new(Names::default(), Limits::default()), None);
    desk.begin();
    desk
}

/// Counts how often it is woken.
#[derive(Default)]
struct Task(AtomicUsize);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Task {
    fn moves_in(self: &Arc<Self>, desk: &Desk, slot: SlotId) {
        desk.move_in(slot, &Waker::from(Arc::clone(self)));
    }

    fn wakes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

// On a busy worker a task may wait for its first turn longer than its arrival for a connection.
#[test]
fn a_slot_whose_task_has_not_begun_finds_what_it_was_told_before() {
    let desk = desk();
    desk.release(0, Key::default(), at(0), at(0));
    let [slot] = desk.take_openings()[..] else { panic!("one connection is to be opened") };
    desk.tick(at(1_000));
    let task = Arc::new(Task::default());
    task.moves_in(&desk, slot);
    assert_eq!(desk.mail(slot), Some(Mail::TimeOut));
    assert_eq!((desk.mail(slot), task.wakes()), (None, 0));
}

#[test]
fn a_slot_whose_task_waits_is_woken() {
    let desk = desk();
    desk.release(0, Key::default(), at(0), at(0));
    let [slot] = desk.take_openings()[..] else { panic!("one connection is to be opened") };
    let task = Arc::new(Task::default());
    task.moves_in(&desk, slot);
    desk.tick(at(999));
    assert_eq!((desk.mail(slot), task.wakes()), (None, 0));
    desk.tick(at(1_000));
    assert_eq!((desk.mail(slot), task.wakes()), (Some(Mail::TimeOut), 1));
}

// The next connection in the place of one that is gone is not told what was meant for that.
#[test]
fn what_a_slot_was_told_goes_with_it() {
    let desk = desk();
    desk.release(0, Key::default(), at(0), at(0));
    let [slot] = desk.take_openings()[..] else { panic!("one connection is to be opened") };
    desk.tick(at(1_000));
    assert_eq!(desk.closed(slot, false, at(1_000)), None);
    desk.release(1, Key::default(), at(1_001), at(1_001));
    assert_eq!(desk.take_openings(), [slot]);
    assert_eq!(desk.mail(slot), None);
}
