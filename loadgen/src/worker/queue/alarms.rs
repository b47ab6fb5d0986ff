//! When each slot is to be looked at. A slot has at most one alarm that counts, and its alarm may
//! ring earlier than it must: whoever hears it looks what the slot is doing, and sets it anew. So a
//! connection with a request after the other costs one alarm per timeout, not one per request.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use plimsoll_domain::Moment;

use super::SlotId;

/// The alarms of all slots.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    heap: BinaryHeap<Reverse<(Moment, SlotId)>>,
    /// By slot: the alarm that counts.
    set: Vec<Option<Moment>>,
}

impl Alarms {
    /// Makes sure that the slot's alarm rings at `at` or before.
    pub(super) fn set(&mut self, slot: SlotId, at: Moment) {
        if self.set.len() <= slot {
            self.set.resize(slot + 1, None);
        }
        if self.set[slot].is_none_or(|earlier| earlier > at) {
            self.set[slot] = Some(at);
            self.heap.push(Reverse((at, slot)));
        }
    }

    /// The earliest time at which one may ring.
    pub(super) fn next(&self) -> Option<Moment> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// The next slot whose alarm rings.
    pub(super) fn pop(&mut self, now: Moment) -> Option<SlotId> {
        loop {
            let Reverse((at, slot)) = *self.heap.peek().filter(|Reverse((at, _))| *at <= now)?;
            self.heap.pop();
            if self.set[slot] == Some(at) {
                self.set[slot] = None;
                return Some(slot);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_counts_and_a_later_one_costs_nothing() {
        let at = Moment::from_nanos;
        let mut alarms = Alarms::default();
        alarms.set(3, at(50));
        alarms.set(3, at(70));
        alarms.set(3, at(20));
        alarms.set(0, at(30));
        assert_eq!(alarms.heap.len(), 3);
        assert_eq!((alarms.next(), alarms.pop(at(19))), (Some(at(20)), None));
        assert_eq!(
            (alarms.pop(at(60)), alarms.pop(at(60)), alarms.pop(at(60))),
            (Some(3), Some(0), None)
        );
        assert_eq!(alarms.next(), None);
    }
}
