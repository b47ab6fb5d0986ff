//! The life of one slot, as one task: it opens a connection, sends arrival after arrival, and ends
//! when the server closes it, a request fails on it, or it is not needed.
//!
//! After a timeout the connection is closed, because the late answer would be taken for the next
//! request's. An arrival is given back to the queue only if none of it was written and the
//! connection has carried a request before, or has been idle: then its server had closed it in the
//! meantime. On a fresh connection the same counts as a failure, so that a server that accepts and
//! closes cannot make us reconnect for ever. What was written is never sent again: the server may
//! have acted on it, and a repeated request would be another request.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use plimsoll_domain::{Class, Moment, Outcome, clock};

use super::desk::{Desk, Mail};
use super::queue::{Next, Pending, SlotId};
use crate::Target;
use crate::connection::{Connection, End, Failure, Progress};
use crate::request::Template;

/// What all slots of a worker read and none changes.
pub(super) struct Setup {
    pub(super) target: Target,
    /// By the number of the request in the mix.
    pub(super) templates: Vec<Template>,
    pub(super) timeout: Duration,
    /// Of the target's addresses, the one that last answered.
    pub(super) address: Cell<usize>,
}

/// Why an exchange was given up.
#[derive(Debug, Clone, Copy)]
enum Stop {
    TimedOut,
    Aborted,
}

/// An arrival that was taken: when, and how long it had waited for the task's turn.
#[derive(Debug, Clone, Copy)]
struct Taken {
    pending: Pending,
    at: Moment,
    handover: Duration,
}

impl Taken {
    /// Whether its time to be sent has run out while it waited for the task's turn. The queue has
    /// seen to that before, so what did not wait is not asked.
    fn is_too_late(&self, timeout: Duration) -> bool {
        !self.handover.is_zero() && self.at.since(self.pending.due) >= timeout
    }
}

/// Opens a connection and uses it up; and again, as long as arrivals wait for one.
pub(super) async fn run(setup: Rc<Setup>, desk: Rc<Desk>, mut slot: SlotId) {
    loop {
        poll_fn(|cx| {
            desk.move_in(slot, cx.waker());
            Poll::Ready(())
        })
        .await;
        let began = clock::now();
        let opened = open(&setup, &desk, slot).await;
        let now = clock::now();
        let was_open = matches!(opened, Some(Ok(_)));
        match opened {
            Some(Ok(connection)) => {
                let next = desk.opened(slot, connection.address(), now);
                serve(&setup, &desk, slot, connection, (next, now)).await;
            }
            Some(Err(failure)) => {
                desk.open_failed(slot, began, now, failure);
                // Some attempts fail without ever having waited: the others want their turn.
                tokio::task::yield_now().await;
            }
            None => {}
        }
        match desk.closed(slot, was_open, clock::now()) {
            Some(next) => slot = next,
            None => return,
        }
    }
}

/// Opens a connection, within the time that the queue gives it; `None` if the run is aborted.
async fn open(setup: &Setup, desk: &Desk, slot: SlotId) -> Option<Result<Connection, Failure>> {
    let progress = Progress::new(Class::Connect);
    let mut opening = pin!(Connection::open(&setup.target, &setup.address, &progress));
    poll_fn(|cx| {
        if desk.is_aborting() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(opened) = opening.as_mut().poll(cx) {
            return Poll::Ready(Some(opened));
        }
        match desk.mail(slot) {
            Some(Mail::TimeOut) => {
                let class = progress.get();
                let what = if class == Class::Tls { "TLS handshake" } else { "connection" };
                let message = format!("no {what} within {:?}", setup.timeout);
                Poll::Ready(Some(Err(Failure::new(class, message))))
            }
            _ => Poll::Pending,
        }
    })
    .await
}

async fn serve(
    setup: &Setup,
    desk: &Desk,
    slot: SlotId,
    mut connection: Connection,
    (mut next, mut at): (Next, Moment),
) {
    let mut fresh = true;
    loop {
        let taken = match next {
            Next::Close => return,
            Next::Send(pending) => Taken { pending, at, handover: Duration::ZERO },
            Next::Wait => {
                fresh = false;
                let Some(taken) = park(desk, slot, &mut connection).await else { return };
                taken
            }
        };
        let Some(done) = send(setup, desk, slot, &mut connection, taken, fresh).await else {
            return;
        };
        fresh = false;
        if !is_ready(desk, &mut connection).await {
            return;
        }
        // As a rule it is ready at once, and `done` is still now.
        at = done;
        next = desk.free(slot, at);
    }
}

/// Waits for an arrival, while watching whether the server closes.
async fn park(desk: &Desk, slot: SlotId, connection: &mut Connection) -> Option<Taken> {
    poll_fn(|cx| match desk.mail(slot) {
        Some(Mail::Send(pending, given)) => {
            let at = clock::now();
            Poll::Ready(Some(Taken { pending, at, handover: at.since(given) }))
        }
        Some(Mail::Close | Mail::TimeOut) => Poll::Ready(None),
        None if desk.is_aborting() || connection.is_closed(cx) => Poll::Ready(None),
        None => Poll::Pending,
    })
    .await
}

async fn is_ready(desk: &Desk, connection: &mut Connection) -> bool {
    poll_fn(|cx| match connection.poll_ready(cx) {
        Poll::Pending if desk.is_aborting() => Poll::Ready(false),
        polled => polled,
    })
    .await
}

/// Sends one arrival's request and records how it ended: when, if the connection can be used again.
async fn send(
    setup: &Setup,
    desk: &Desk,
    slot: SlotId,
    connection: &mut Connection,
    taken: Taken,
    fresh: bool,
) -> Option<Moment> {
    let Taken { pending, at, handover } = taken;
    if taken.is_too_late(setup.timeout) {
        desk.abandoned(slot, pending.key, Class::Missed);
        return None;
    }
    let stopped = || match desk.mail(slot) {
        Some(Mail::TimeOut) => Some(Stop::TimedOut),
        _ => desk.is_aborting().then_some(Stop::Aborted),
    };
    let template = &setup.templates[usize::from(pending.key.request)];
    let request = |spare| template.request(pending.number, spare);
    let end = connection.exchange(request, stopped, || desk.sent(&pending)).await;
    let done = clock::now();
    let sent = connection.sent();
    if sent.is_none() {
        match &end {
            End::Stopped(Stop::Aborted) => {
                desk.abandoned(slot, pending.key, Class::Dropped);
                return None;
            }
            End::Failed(_) if !fresh && desk.give_back(slot, done) => return None,
            // It was tried, and so it was sent.
            _ => desk.sent(&pending),
        }
    }
    let read = (done, desk.unread(sent.unwrap_or(at), done));
    let sample = |outcome| pending.sample(handover, sent.unwrap_or(at), read, outcome);
    let (class, why) = match end {
        End::Answered(answer) => {
            let mut sample = sample(answer.outcome);
            sample.model_time = answer.model_time;
            desk.answered(slot, pending.key, &sample, &answer);
            return Some(done);
        }
        End::Failed(failure) => (failure.class, Some(failure.message)),
        End::Stopped(Stop::TimedOut) => {
            (Class::ClientTimeout, Some(format!("no whole answer within {:?}", setup.timeout)))
        }
        End::Stopped(Stop::Aborted) => (Class::Aborted, None),
    };
    desk.ended(slot, pending.key, &sample(Outcome::of(class)), why);
    None
}

#[cfg(test)]
mod tests {
    use plimsoll_domain::Key;

    use super::*;

    #[test]
    fn an_arrival_waits_for_one_timeout_in_the_queue_and_for_its_turn_together() {
        let timeout = Duration::from_secs(1);
        let millis = Duration::from_millis;
        let due = Moment::from_nanos(1_000_000_000);
        // (given after, taken after, whether that is too late), in milliseconds
        for (given, taken, expected) in [
            (0, 1, false),
            (0, 999, false),
            (0, 1_000, true),
            (900, 999, false),
            (900, 1_000, true),
        ] {
            let pending = Pending::new(0, Key::default(), due, due);
            let taken = due + millis(taken);
            let handover = taken.since(due + millis(given));
            let late = Taken { pending, at: taken, handover }.is_too_late(timeout);
            assert_eq!(late, expected, "given after {given} ms");
        }
        // A connection opened just as it was given up: the queue sends after all.
        let pending = Pending::new(0, Key::default(), due, due);
        let at = due + timeout;
        assert!(!Taken { pending, at, handover: Duration::ZERO }.is_too_late(timeout));
    }
}
