//! A queue beside a model of its owner: whatever happens, the laws hold.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// What happens to a queue in a property test.
#[derive(Debug, Clone, Copy)]
enum Event {
    Arrive {
        permitted: bool,
    },
    /// Something happens to the slot with this number, counted over those in use.
    Slot {
        which: usize,
        how: u8,
    },
    Pass(u64),
    Drain,
    Abort,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        10 => prop::bool::weighted(0.9).prop_map(|permitted| Event::Arrive { permitted }),
        20 => (0usize..8, 0u8..10).prop_map(|(which, how)| Event::Slot { which, how }),
        10 => (0u64..200).prop_map(Event::Pass),
        1 => Just(Event::Drain),
        1 => Just(Event::Abort),
    ];
    prop::collection::vec(event, 0..200)
}

/// A queue, and what its owner knows of it.
struct Model {
    queue: Queue,
    millis: u64,
    next: u64,
    ended: Vec<u64>,
    sent: BTreeSet<(SlotId, u64)>,
    /// Told to close, or out of work: to be closed by their owner.
    closing: BTreeSet<SlotId>,
    opening: BTreeSet<SlotId>,
    idle: BTreeSet<SlotId>,
    max: usize,
}

impl Model {
    fn new(max: usize) -> Self {
        Self {
            queue: queue(max),
            millis: 0,
            next: 0,
            ended: Vec::new(),
            sent: BTreeSet::new(),
            closing: BTreeSet::new(),
            opening: BTreeSet::new(),
            idle: BTreeSet::new(),
            max,
        }
    }

    fn now(&self) -> Moment {
        at(self.millis)
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Arrive { permitted } => {
                let arrival = pending(self.next, self.millis);
                self.next += 1;
                let oldest_waits = self.queue.backlog() > 0;
                let slot = self.queue.arrive(arrival, self.now(), || permitted);
                if let Some(slot) = slot {
                    assert!(!oldest_waits, "an arrival overtook those that wait");
                    assert!(self.idle.remove(&slot), "{slot} is not idle");
                    self.sent.insert((slot, arrival.number));
                }
            }
            Event::Pass(millis) => self.millis += millis,
            Event::Drain => {
                let Self { queue, idle, closing, .. } = self;
                queue.drain(|slot, _| assert!(idle.remove(&slot) && closing.insert(slot)));
            }
            Event::Abort => self.queue.abort(),
            Event::Slot { which, how } => self.slot(which, how),
        }
        self.settle();
    }

    fn slot(&mut self, which: usize, how: u8) {
        let in_use: Vec<SlotId> = (self.opening.iter().chain(&self.idle).chain(&self.closing))
            .copied()
            .chain(self.sent.iter().map(|(slot, _)| *slot))
            .collect();
        let Some(slot) = in_use.get(which % in_use.len().max(1)).copied() else { return };
        let number = self.sent.iter().find(|(other, _)| *other == slot).map(|(_, n)| *n);
        if self.closing.remove(&slot) || self.idle.contains(&slot) && how == 0 {
            self.idle.remove(&slot);
            self.queue.closed(slot);
        } else if self.opening.contains(&slot) && how < 4 {
            self.opening.remove(&slot);
            if how == 0 {
                self.ended.extend(self.queue.open_failed(slot).map(|pending| pending.number));
                self.closing.insert(slot);
            } else {
                let next = self.queue.opened(slot, at(self.millis), yes);
                self.does(slot, next);
            }
        } else if let Some(number) = number {
            self.sent.remove(&(slot, number));
            if how == 0
                && let Some(back) = self.queue.give_back(slot)
            {
                let given = self.queue.arrive(back, at(self.millis), || panic!("asked twice"));
                if let Some(other) = given {
                    assert!(self.idle.remove(&other));
                    self.sent.insert((other, number));
                }
                self.closing.insert(slot);
                return;
            }
            self.queue.finished(slot, (how > 2).then_some(Duration::from_millis(u64::from(how))));
            self.ended.push(number);
            if how > 1 {
                let next = self.queue.free(slot, at(self.millis), yes);
                self.does(slot, next);
            } else {
                self.closing.insert(slot);
            }
        }
    }

    fn does(&mut self, slot: SlotId, next: Next) {
        match next {
            Next::Send(pending) => drop(self.sent.insert((slot, pending.number))),
            Next::Wait => drop(self.idle.insert(slot)),
            Next::Close => drop(self.closing.insert(slot)),
        }
    }

    fn settle(&mut self) {
        let now = self.now();
        let mut told = Vec::new();
        self.queue.tick(now, |slot, order| told.push((slot, order)));
        for (slot, order) in told {
            match order {
                Order::Close => assert!(self.idle.remove(&slot) && self.closing.insert(slot)),
                Order::TimeOut if self.opening.remove(&slot) => {
                    self.ended.extend(self.queue.open_failed(slot).map(|pending| pending.number));
                    self.closing.insert(slot);
                }
                Order::TimeOut => {
                    let flight = self.sent.iter().find(|(other, _)| *other == slot).copied();
                    let (slot, number) = flight.expect("only what does something takes too long");
                    self.sent.remove(&(slot, number));
                    self.queue.finished(slot, None);
                    self.ended.push(number);
                    self.closing.insert(slot);
                }
            }
        }
        while let Some(slot) = self.queue.open_next(now) {
            assert!(self.opening.insert(slot));
        }
        self.ended.extend(self.queue.unsent().map(|(pending, _)| pending.number));
        assert!(self.queue.connections() <= self.max, "more connections than the limit");
        assert_eq!(self.queue.in_flight(), self.sent.len());
        assert!(
            self.queue.backlog() == 0 || self.idle.is_empty(),
            "an arrival waits beside an idle connection"
        );
        let oldest = self.queue.backlog.front();
        assert!(
            oldest.is_none_or(|first| now < first.due + TIMEOUT),
            "an arrival waits for too long"
        );
        assert!(self.queue.backlog.iter().is_sorted_by_key(|pending| pending.due));
        let in_use = self.opening.len() + self.idle.len() + self.closing.len() + self.sent.len();
        assert_eq!(self.queue.connections(), in_use);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    // Whatever happens to connections, each arrival ends exactly once, oldest first, within its
    // time, and within the limits; and a queue that is left alone comes to rest.
    #[test]
    fn no_arrival_is_lost_or_doubled(events in events(), max in 1usize..6) {
        let mut model = Model::new(max);
        for event in events {
            model.event(event);
        }
        model.event(Event::Drain);
        for _ in 0..10_000 {
            if model.queue.is_empty() {
                break;
            }
            model.event(Event::Slot { which: 0, how: 9 });
            model.event(Event::Pass(10));
        }
        let mut ended = std::mem::take(&mut model.ended);
        ended.sort_unstable();
        prop_assert_eq!(ended, (0..model.next).collect::<Vec<_>>());
        prop_assert!(model.queue.is_empty());
    }
}
