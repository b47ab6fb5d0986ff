//! What becomes of a request, from its sending to its end.

use std::time::Duration;

use plimsoll_deploy::admission::{Decision, InstanceId, Refusal};
use plimsoll_domain::{Class, Hints, Key, Moment, Outcome, Sample};

use super::{Control, Simulation};
use crate::calendar::Due;
use crate::fleet::Taken;
use crate::flight::{Flight, FlightId};
use crate::sender::Unsent;

impl Simulation {
    /// A request was sent, and with that it is at its endpoint.
    pub(super) fn serve(&mut self, unsent: Unsent) {
        let Unsent { key, due } = unsent;
        self.sender.send();
        let index = self.route(key.request);
        let fleet = &mut self.fleets[index];
        let (work, right) = fleet.draw();
        let flight = Flight {
            key,
            fleet: index as u16,
            right,
            is_awaited: true,
            mentions: 0,
            due,
            sent: self.now,
            begun: 0,
            work,
            instance: None,
        };
        match fleet.admission.arrive(None) {
            Decision::Start(instance) => {
                let id = self.flights.add(flight);
                self.begin(index, id, instance);
            }
            Decision::Wait(ticket) => {
                let id = self.flights.add(flight);
                fleet.backlog.push_back((ticket, id));
            }
            Decision::Refuse(refusal) => {
                self.end(&flight, refused(refusal), None);
            }
        }
    }

    /// A request has a slot of an instance.
    fn begin(&mut self, index: usize, id: FlightId, instance: InstanceId) {
        self.flights.get_mut(id).instance = Some(instance);
        match self.fleets[index].take_on(instance, id, self.now) {
            Taken::Begun => self.work(id, false),
            Taken::Queued => {
                let deadline = self.deadline(index, self.flights.get(id));
                self.flights.get_mut(id).mentions += 2;
                self.calendar.note(deadline, Due::Expired(id));
            }
            Taken::Full => {
                self.stop_waiting(id, model_error(503), None);
                self.fleets[index].free(instance, self.now);
            }
        }
    }

    /// An instance begins with a request. What takes longer than its caller waits ends for the
    /// caller first.
    fn work(&mut self, id: FlightId, is_noted: bool) {
        let now = self.now;
        let flight = self.flights.get_mut(id);
        let fleet = &mut self.fleets[usize::from(flight.fleet)];
        let done = now.saturating_add(fleet.slowed(flight.instance, flight.work));
        let deadline = flight.sent.saturating_add(fleet.timeout.min(self.sender.timeout));
        flight.begun = now;
        flight.mentions += 1;
        self.calendar.note(done, Due::Worked(id));
        if done > deadline && !is_noted {
            flight.mentions += 1;
            self.calendar.note(deadline.max(now), Due::Expired(id));
        }
    }

    /// An instance has finished with a request.
    pub(super) fn worked(&mut self, id: FlightId) {
        let &Flight { fleet, instance, is_awaited, right, begun, .. } = self.flights.get(id);
        let index = usize::from(fleet);
        if let Some(instance) = instance {
            if is_awaited {
                let outcome = if right { Outcome::status(200) } else { model_error(500) };
                self.stop_waiting(id, outcome, Some(begun));
                self.fleets[index].free(instance, self.now);
            }
            if let Some(next) = self.fleets[index].finished(instance) {
                self.work(next, true);
                self.flights.forget(next);
            } else {
                self.pursue(index);
            }
        }
        self.flights.forget(id);
        self.serve_backlog(index);
    }

    /// A request that its instance has, or that waits there, takes longer than its caller waits. The
    /// slot is free for the next, though the instance goes on.
    pub(super) fn expired(&mut self, id: FlightId) {
        let &Flight { fleet, instance, is_awaited, .. } = self.flights.get(id);
        let index = usize::from(fleet);
        if is_awaited {
            self.stop_waiting(id, self.expiry(index), None);
            if let Some(instance) = instance {
                self.fleets[index].free(instance, self.now);
            }
        }
        self.flights.forget(id);
        self.serve_backlog(index);
    }

    /// When the first of those who wait for a slot or for a connection gives up.
    pub(super) fn patience_ends_at(&self) -> u64 {
        let mut first = self.sender.gives_up_at();
        for (index, fleet) in self.fleets.iter().enumerate() {
            if let Some((_, id)) = fleet.backlog.front() {
                first = first.min(self.deadline(index, self.flights.get(*id)));
            }
        }
        first
    }

    /// The first of those who wait gives up.
    pub(super) fn lose_patience(&mut self) {
        if self.sender.gives_up_at() <= self.now {
            if let Some(unsent) = self.sender.give_up() {
                self.drop(unsent);
            }
            return;
        }
        for index in 0..self.fleets.len() {
            let Some(&(ticket, id)) = self.fleets[index].backlog.front() else { continue };
            if self.deadline(index, self.flights.get(id)) <= self.now {
                self.fleets[index].backlog.pop_front();
                self.fleets[index].admission.give_up(ticket);
                self.stop_waiting(id, self.expiry(index), None);
                return;
            }
        }
    }

    /// Gives free slots to those who wait.
    #[inline]
    pub(super) fn serve_backlog(&mut self, index: usize) {
        if !self.fleets[index].backlog.is_empty() {
            self.start_backlog(index);
        }
    }

    fn start_backlog(&mut self, index: usize) {
        while let Some((ticket, instance)) = self.fleets[index].admission.start_next() {
            let first = self.fleets[index].backlog.pop_front();
            let (own, id) = first.expect("the backlog is that of the admission");
            debug_assert_eq!(own, ticket, "the backlog is in the order of the admission's");
            self.begin(index, id, instance);
        }
    }

    /// An instance breaks off, and another is started.
    pub(super) fn fail(&mut self, index: usize, instance: InstanceId) {
        let Some(queue) = self.fleets[index].fail(instance) else { return };
        let refused_all = self.fleets[index].admission.remove(instance);
        let own = |flight: &Flight| {
            usize::from(flight.fleet) == index && flight.instance == Some(instance)
        };
        let awaited = self.flights.awaited().filter(|(_, flight)| own(flight));
        for id in awaited.map(|(id, _)| id).collect::<Vec<_>>() {
            self.stop_waiting(id, model_error(502), None);
            self.fleets[index].free(instance, self.now);
        }
        self.flights.leave(own);
        for id in queue {
            self.flights.forget(id);
        }
        if !refused_all.is_empty() {
            for (_, id) in std::mem::take(&mut self.fleets[index].backlog) {
                self.stop_waiting(id, refused(Refusal::NotReady), None);
            }
        }
        let (serial, takes) = self.fleets[index].start();
        self.plan(self.now.saturating_add(takes), Control::Ready { fleet: index, serial });
        self.tell_instances();
    }

    /// Ends everything.
    pub(super) fn abort(&mut self) {
        while let Some(unsent) = self.sender.give_up() {
            self.drop(unsent);
        }
        let under_way: Vec<_> = self.flights.awaited().map(|(id, _)| id).collect();
        for id in under_way {
            self.stop_waiting(id, Outcome::of(Class::Aborted), None);
        }
    }

    fn deadline(&self, index: usize, flight: &Flight) -> u64 {
        flight.sent.saturating_add(self.fleets[index].timeout.min(self.sender.timeout))
    }

    /// How a request ends that takes too long: whoever waits for the shorter time says so.
    fn expiry(&self, index: usize) -> Outcome {
        if self.fleets[index].timeout <= self.sender.timeout {
            Outcome::status(408)
        } else {
            Outcome::of(Class::ClientTimeout)
        }
    }

    fn stop_waiting(&mut self, id: FlightId, outcome: Outcome, begun: Option<u64>) {
        let flight = self.flights.get_mut(id);
        flight.is_awaited = false;
        let flight = *flight;
        self.flights.release(id);
        self.end(&flight, outcome, begun);
    }

    /// A request has ended for its caller.
    fn end(&mut self, flight: &Flight, outcome: Outcome, begun: Option<u64>) {
        self.sender.in_flight -= 1;
        let fleet = &self.fleets[usize::from(flight.fleet)];
        let is_answered = outcome.is_answered();
        // Only an answer says whose it is.
        let deployment = if is_answered { fleet.number } else { 0 };
        let done = self.now + if is_answered { fleet.overhead } else { 0 };
        let sent = Moment::from_nanos(flight.sent);
        let due = Moment::from_nanos(flight.due);
        let sample = Sample {
            // The wait for a connection is no lateness of the generator's own.
            sent,
            model_time: begun.map(|begun| Duration::from_nanos(self.now - begun)),
            ..Sample::new(due, Moment::from_nanos(done), outcome)
        };
        self.recorder.record(Key { deployment, ..flight.key }, &sample);
    }
}

fn refused(refusal: Refusal) -> Outcome {
    match refusal {
        Refusal::TooMany => {
            Outcome::answered(429, Hints { too_many_pending: true, ..Hints::default() })
        }
        Refusal::NotReady => model_error(503),
    }
}

/// What the gateway makes of a model's answer that is not right.
fn model_error(status: u16) -> Outcome {
    Outcome::answered(424, Hints { model_status: Some(status), ..Hints::default() })
}
