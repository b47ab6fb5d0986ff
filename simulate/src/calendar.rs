//! What will happen to requests at work, by time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::flight::FlightId;

/// Something that happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Its instance has finished with it.
    Worked(FlightId),
    /// Nobody waits for it any longer.
    Expired(FlightId),
}

/// The calendar. An entry is one number, so that one comparison orders it: the time, the flight, and
/// in the lowest bit what happens to it. Of two at the same time the order is that of the flights, so
/// that it is the same in every run.
#[derive(Debug, Default)]
pub(crate) struct Calendar(BinaryHeap<Reverse<u128>>);

impl Calendar {
    /// Notes that this happens at this nanosecond.
    pub(crate) fn note(&mut self, at: u64, due: Due) {
        let what = match due {
            Due::Worked(flight) => flight << 1,
            Due::Expired(flight) => flight << 1 | 1,
        };
        self.0.push(Reverse(u128::from(at) << 32 | u128::from(what)));
    }

    /// When the next thing happens; never, if nothing will.
    pub(crate) fn next_at(&self) -> u64 {
        self.0.peek().map_or(u64::MAX, |Reverse(entry)| (entry >> 32) as u64)
    }

    /// Takes the next thing out.
    pub(crate) fn take(&mut self) -> Option<Due> {
        let Reverse(entry) = self.0.pop()?;
        let what = entry as u32;
        let flight = what >> 1;
        Some(if what & 1 == 0 { Due::Worked(flight) } else { Due::Expired(flight) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_out_by_time_and_ties_in_one_order() {
        let mut calendar = Calendar::default();
        for (at, due) in [
            (7, Due::Worked(3)),
            (5, Due::Expired(1)),
            (5, Due::Worked(1)),
            (5, Due::Worked(0)),
            (6, Due::Worked(9)),
        ] {
            calendar.note(at, due);
        }
        assert_eq!(calendar.next_at(), 5);
        let order: Vec<_> = std::iter::from_fn(|| calendar.take()).collect();
        let worked = |flight| Due::Worked(flight);
        assert_eq!(order, [worked(0), worked(1), Due::Expired(1), worked(9), worked(3)]);
        assert_eq!(calendar.next_at(), u64::MAX);
    }
}
