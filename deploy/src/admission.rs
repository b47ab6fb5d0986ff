//! Which requests an endpoint takes, and in which order: Azure's admission rule, as a decision.
//!
//! An instance works on `max_concurrent_requests_per_instance` requests at a time; each of these is
//! a *slot*. As many requests again may wait in the *backlog*, so that at most
//! `2 × max_concurrent × instances` are admitted; one more is refused, which callers see as 429.
//! A request goes to the instance with the most free slots, and the backlog is served in order of
//! arrival. Only instances that were added count: one that is not ready is not here.
//!
//! It is asked for each request, so all of it is `#[inline]`: compiled, and optimised, where it is executed.
//!
//! The rule knows neither clock nor connection, so that the gateway of the local host and a
//! simulation execute the very same one. What runs into a timeout while it waits is told with
//! [`Admission::give_up`]: how long that may be is the executor's to know. Nothing here grows beyond
//! the limit.
//!
//! ```
//! use std::num::NonZeroU32;
//! use plimsoll_deploy::admission::{Admission, Decision, Refusal};
//!
//! let mut admission = Admission::new(NonZeroU32::MIN);
//! assert_eq!(admission.arrive(None), Decision::Refuse(Refusal::NotReady));
//! let instance = admission.add();
//! assert_eq!(admission.arrive(None), Decision::Start(instance));
//! let Decision::Wait(second) = admission.arrive(None) else { panic!("one may wait") };
//! assert_eq!(admission.arrive(None), Decision::Refuse(Refusal::TooMany));
//! admission.free(instance);
//! assert_eq!(admission.start_next(), Some((second, instance)));
//! ```

use std::collections::VecDeque;
use std::num::NonZeroU32;

/// The slots of a deployment's instances, and the backlog for them.
#[derive(Debug, Clone)]
pub struct Admission {
    max_concurrent: NonZeroU32,
    instances: Vec<Instance>,
    backlog: VecDeque<Ticket>,
    instances_added: u64,
    tickets_given: u64,
    turn: usize,
}

#[derive(Debug, Clone)]
struct Instance {
    id: InstanceId,
    slots: u64,
    /// Whether it is given further requests.
    open: bool,
    busy: u64,
    /// Slots that it has to give: none of one that is given no further requests.
    free: u64,
}

impl Instance {
    #[inline]
    fn is_busy_with(&mut self, busy: u64) {
        self.busy = busy;
        self.free = if self.open { self.slots.saturating_sub(busy) } else { 0 };
    }
}

/// An instance, from [`Admission::add`] on; none has the same later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(u64);

impl InstanceId {
    /// How many were added from `first` on until this one was; nothing if `first` is a later one. Where
    /// none is gone, this is its place among them.
    #[inline]
    pub fn since(self, first: Self) -> Option<usize> {
        usize::try_from(self.0.checked_sub(first.0)?).ok()
    }
}

/// A place in the backlog. Later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// What becomes of a request that arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It has a slot of this instance, until [`Admission::free`].
    Start(InstanceId),
    /// It waits until [`Admission::start_next`] names its ticket.
    Wait(Ticket),
    /// It is not taken.
    Refuse(Refusal),
}

/// Why a request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No instance is ready: it does not wait for one.
    NotReady,
    /// `2 × max_concurrent × instances` requests are admitted already.
    TooMany,
}

impl Admission {
    /// No instances yet; each will have `max_concurrent` slots, unless it is [added with](Self::add_with) others.
    #[inline]
    pub fn new(max_concurrent: NonZeroU32) -> Self {
        Self {
            max_concurrent,
            instances: Vec::new(),
            backlog: VecDeque::new(),
            instances_added: 0,
            tickets_given: 0,
            turn: 0,
        }
    }

    /// Requests that may be admitted at a time, at work and waiting together.
    #[inline]
    pub fn limit(&self) -> u64 {
        2 * self.open().map(|instance| instance.slots).sum::<u64>()
    }

    /// Requests that wait.
    #[inline]
    pub fn waiting(&self) -> usize {
        self.backlog.len()
    }

    /// Decides on a request. It goes to any instance but `avoid`, which could not be reached a moment ago,
    /// unless that is the only one with a free slot. Nobody overtakes the backlog.
    #[inline]
    pub fn arrive(&mut self, avoid: Option<InstanceId>) -> Decision {
        if self.open().next().is_none() {
            return Decision::Refuse(Refusal::NotReady);
        }
        if self.backlog.is_empty()
            && let Some(instance) = self.take_slot(avoid)
        {
            return Decision::Start(instance);
        }
        let busy: u64 = self.open().map(|instance| instance.busy).sum();
        if busy + self.backlog.len() as u64 >= self.limit() {
            return Decision::Refuse(Refusal::TooMany);
        }
        self.tickets_given += 1;
        let ticket = Ticket(self.tickets_given);
        self.backlog.push_back(ticket);
        Decision::Wait(ticket)
    }

    /// Gives the first of the backlog a slot, if there is one. To be asked until it has none to give,
    /// after every [`add`](Self::add) and [`free`](Self::free).
    #[inline]
    pub fn start_next(&mut self) -> Option<(Ticket, InstanceId)> {
        let ticket = *self.backlog.front()?;
        let instance = self.take_slot(None)?;
        self.backlog.pop_front();
        Some((ticket, instance))
    }

    /// A request that waited no longer does, as if it had never come. One that was started meanwhile is not
    /// here any more; it frees its slot as every other.
    #[inline]
    pub fn give_up(&mut self, ticket: Ticket) {
        if let Ok(index) = self.backlog.binary_search(&ticket) {
            self.backlog.remove(index);
        }
    }

    /// The slot of a request that started on this instance is free again. Returns whether that was the
    /// last one of an instance that was removed.
    ///
    /// # Panics
    /// More slots are freed than were taken.
    #[inline]
    pub fn free(&mut self, id: InstanceId) -> bool {
        let index = self.index(id).expect("an instance stays until its last slot is free");
        let instance = &mut self.instances[index];
        instance.is_busy_with(instance.busy.checked_sub(1).expect("each slot is freed once"));
        let gone = !instance.open && instance.busy == 0;
        if gone {
            self.instances.remove(index);
        }
        gone
    }

    /// An instance became ready.
    #[inline]
    pub fn add(&mut self) -> InstanceId {
        self.add_with(self.max_concurrent)
    }

    /// An instance became ready that differs from the others in its slots: those of a deployment that is being
    /// updated do.
    #[inline]
    pub fn add_with(&mut self, slots: NonZeroU32) -> InstanceId {
        self.instances_added += 1;
        let id = InstanceId(self.instances_added);
        let slots = slots.get().into();
        self.instances.push(Instance { id, slots, open: true, busy: 0, free: slots });
        id
    }

    /// An instance gets no further requests; those under way go on. If it was the last one, nobody can
    /// serve the backlog: all who wait are returned, and refused as [`Refusal::NotReady`].
    #[inline]
    pub fn remove(&mut self, id: InstanceId) -> Vec<Ticket> {
        if let Some(index) = self.index(id) {
            let instance = &mut self.instances[index];
            instance.open = false;
            instance.free = 0;
            if self.instances[index].busy == 0 {
                self.instances.remove(index);
            }
        }
        if self.open().next().is_none() { self.backlog.drain(..).collect() } else { Vec::new() }
    }

    /// Whether an instance is still here: ready, or at work on its last requests.
    #[inline]
    pub fn holds(&self, id: InstanceId) -> bool {
        self.index(id).is_some()
    }

    #[inline]
    fn open(&self) -> impl Iterator<Item = &Instance> {
        self.instances.iter().filter(|instance| instance.open)
    }

    /// Ids only grow, and instances stay in order.
    #[inline]
    fn index(&self, id: InstanceId) -> Option<usize> {
        let all = &self.instances;
        // Mostly none is gone.
        let place = id.since(all.first()?.id)?;
        if all.get(place).is_some_and(|instance| instance.id == id) {
            return Some(place);
        }
        all.binary_search_by_key(&id, |instance| instance.id).ok()
    }

    /// Takes a slot of the open instance with the most free ones; equals take turns.
    #[inline]
    fn take_slot(&mut self, avoid: Option<InstanceId>) -> Option<InstanceId> {
        self.turn = self.turn.wrapping_add(1);
        let first = self.turn.checked_rem(self.instances.len())?;
        // A simulation asks for each request, so the usual case is the shortest loop.
        let best = match avoid {
            None => self.most_free(first, |_| true),
            Some(avoid) => {
                self.most_free(first, |id| id != avoid).or_else(|| self.most_free(first, |_| true))
            }
        };
        let instance = &mut self.instances[best?];
        instance.is_busy_with(instance.busy + 1);
        Some(instance.id)
    }

    /// The place of the instance with the most free slots among those that `takes` allows: of equals
    /// the first from place `first` on.
    #[inline]
    fn most_free(&self, first: usize, takes: impl Fn(InstanceId) -> bool) -> Option<usize> {
        let (mut best, mut most) = (None, 0);
        let (before, from) = self.instances.split_at(first);
        for (start, part) in [(first, from), (0, before)] {
            for (offset, instance) in part.iter().enumerate() {
                if instance.free > most && takes(instance.id) {
                    (best, most) = (Some(start + offset), instance.free);
                }
            }
        }
        best
    }
}

#[cfg(test)]
mod tests;
