//! The instances of a deployment as the gateway sees them: who gets a slot, who waits, who is refused.
//!
//! [`plimsoll_deploy::admission`] decides; here is what it decides about: the instances' addresses and idle
//! connections, and the requests that wait.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming};
use plimsoll_deploy::admission::{self, Decision, InstanceId, Refusal, Ticket};
use plimsoll_domain::clock::{self, Moment};
use tokio::sync::{Notify, oneshot};

use super::connection::Connection;

/// Ready instances, and the backlog for them.
#[derive(Debug)]
pub(super) struct Pool {
    state: Mutex<State>,
    emptied: Notify,
}

#[derive(Debug)]
struct State {
    admission: admission::Admission,
    /// As many as are open: an instance that was closed is only known to the admission.
    instances: BTreeMap<InstanceId, Instance>,
    /// As many as wait.
    pending: BTreeMap<Ticket, oneshot::Sender<Lease>>,
}

#[derive(Debug)]
struct Instance {
    address: SocketAddr,
    taken: Taken,
    /// At most as many as it has slots.
    idle: Vec<Connection>,
}

/// How much the slots of an instance were taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    /// Now.
    pub(super) now: u32,
    /// So far, as time added up over the slots.
    pub(super) time: Duration,
    since: Moment,
}

impl Taken {
    fn none() -> Self {
        Self { now: 0, time: Duration::ZERO, since: clock::now() }
    }

    /// As it is at this moment.
    fn up_to(&mut self, now: Moment) -> &mut Self {
        self.time += now.since(self.since) * self.now;
        self.since = now;
        self
    }
}

/// What becomes of a request.
#[derive(Debug)]
pub(super) enum Admission {
    /// It has a slot.
    Granted(Lease),
    /// It will have one, or [`Refusal::NotReady`] if the last instance goes away.
    Waiting(Pending),
    /// It is not taken.
    Refused(Refusal),
}

/// A slot of an instance, given back on drop.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Option<Arc<Pool>>,
    /// Whose slot it is.
    pub(super) instance: InstanceId,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// A connection to it: kept for the next request if it was left clean.
    pub(super) connection: Option<Connection>,
    /// Whether the last answer was read to its end.
    pub(super) clean: bool,
}

/// A place in the backlog, given up on drop.
#[derive(Debug)]
pub(super) struct Pending {
    pool: Arc<Pool>,
    ticket: Ticket,
    granted: oneshot::Receiver<Lease>,
}

impl Pool {
    /// An empty pool.
    pub(super) fn new() -> Self {
        // Each instance says itself how many slots it has.
        let admission = admission::Admission::new(NonZeroU32::MIN);
        let (instances, pending) = (BTreeMap::new(), BTreeMap::new());
        let state = Mutex::new(State { admission, instances, pending });
        Self { state, emptied: Notify::new() }
    }

    /// Admits a request or not, to any instance but `avoid`, if there is another.
    pub(super) fn admit(self: &Arc<Self>, avoid: Option<InstanceId>) -> Admission {
        let mut state = self.lock();
        match state.admission.arrive(avoid) {
            Decision::Start(instance) => Admission::Granted(self.lease(&mut state, instance)),
            Decision::Refuse(refusal) => Admission::Refused(refusal),
            Decision::Wait(ticket) => {
                let (grant, granted) = oneshot::channel();
                state.pending.insert(ticket, grant);
                Admission::Waiting(Pending { pool: Arc::clone(self), ticket, granted })
            }
        }
    }

    /// Adds an instance that became ready, with so many slots; its id is for [`Pool::close`].
    pub(super) fn open(self: &Arc<Self>, address: SocketAddr, slots: NonZeroU32) -> InstanceId {
        let id = {
            let mut state = self.lock();
            let id = state.admission.add_with(slots);
            let taken = Taken::none();
            state.instances.insert(id, Instance { address, taken, idle: Vec::new() });
            id
        };
        self.serve_backlog();
        id
    }

    /// Gives the instance no further requests. Those under way go on.
    pub(super) fn close(&self, id: InstanceId) {
        let mut state = self.lock();
        state.instances.remove(&id);
        for ticket in state.admission.remove(id) {
            state.pending.remove(&ticket);
        }
        drop(state);
        self.emptied.notify_waiters();
    }

    /// Waits until a closed instance has answered all its requests.
    pub(super) async fn drained(&self, id: InstanceId) {
        loop {
            let mut emptied = std::pin::pin!(self.emptied.notified());
            emptied.as_mut().enable();
            if !self.lock().admission.holds(id) {
                return;
            }
            emptied.await;
        }
    }

    /// How much the slots of an open instance were taken.
    pub(super) fn taken(&self, id: InstanceId) -> Option<Taken> {
        let mut state = self.lock();
        state.instances.get_mut(&id).map(|instance| *instance.taken.up_to(clock::now()))
    }

    /// How many requests wait for a slot.
    pub(super) fn waiting(&self) -> usize {
        self.lock().pending.len()
    }

    fn serve_backlog(self: &Arc<Self>) {
        loop {
            let (grant, mut lease) = {
                let mut state = self.lock();
                let Some((ticket, instance)) = state.admission.start_next() else { return };
                let lease = self.lease(&mut state, instance);
                let grant = state.pending.remove(&ticket).expect("who has a ticket is pending");
                (grant, lease)
            };
            // One that gives up at this moment hands the lease back: undone here, so that no drop recurses.
            lease = match grant.send(lease) {
                Ok(()) => continue,
                Err(lease) => lease,
            };
            self.give_back(&mut lease);
            lease.pool = None;
        }
    }

    fn lease(self: &Arc<Self>, state: &mut State, id: InstanceId) -> Lease {
        let instance = state.instances.get_mut(&id).expect("only open instances get requests");
        let (address, connection) = (instance.address, instance.idle.pop());
        instance.taken.up_to(clock::now()).now += 1;
        Lease { pool: Some(Arc::clone(self)), instance: id, address, connection, clean: true }
    }

    fn give_back(&self, lease: &mut Lease) {
        let connection = lease.connection.take().filter(|c| lease.clean && c.is_idle());
        let mut state = self.lock();
        if let Some(instance) = state.instances.get_mut(&lease.instance) {
            instance.idle.extend(connection);
            let taken = instance.taken.up_to(clock::now());
            taken.now = taken.now.saturating_sub(1);
        }
        if state.admission.free(lease.instance) {
            drop(state);
            self.emptied.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// The next piece of an answer on its connection.
    pub(super) fn poll_frame(
        &mut self,
        body: &mut Incoming,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        // Mostly it has come with the head.
        let here = Pin::new(&mut *body).poll_frame(context);
        let Some(connection) = self.connection.as_mut().filter(|_| here.is_pending()) else {
            return here;
        };
        connection.drive(context);
        Pin::new(body).poll_frame(context)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            pool.give_back(self);
            pool.serve_backlog();
        }
    }
}

impl Future for Pending {
    type Output = Result<Lease, Refusal>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // The other end is dropped only when the last instance is gone.
        Pin::new(&mut self.granted).poll(context).map_err(|_| Refusal::NotReady)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        state.admission.give_up(self.ticket);
        state.pending.remove(&self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(max_concurrent: u32, instances: u16) -> Arc<Pool> {
        let pool = Arc::new(Pool::new());
        for port in 0..instances {
            let slots = NonZeroU32::new(max_concurrent).unwrap();
            pool.open(SocketAddr::from(([127, 0, 0, 1], port)), slots);
        }
        pool
    }

    fn granted(admission: Admission) -> Lease {
        match admission {
            Admission::Granted(lease) => lease,
            other => panic!("not granted: {other:?}"),
        }
    }

    fn waiting(admission: Admission) -> Pending {
        match admission {
            Admission::Waiting(pending) => pending,
            other => panic!("does not wait: {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_lease_given_back_goes_to_the_first_who_still_waits() {
        let pool = pool(1, 1);
        let lease = granted(pool.admit(None));
        let first = waiting(pool.admit(None));
        assert!(matches!(pool.admit(None), Admission::Refused(Refusal::TooMany)));
        drop(first);
        let second = waiting(pool.admit(None));
        drop(lease);
        let lease = second.await.unwrap();
        let third = waiting(pool.admit(None));
        pool.open(SocketAddr::from(([127, 0, 0, 1], 1)), NonZeroU32::MIN);
        assert_eq!(third.await.unwrap().address.port(), 1);
        drop(lease);
        assert!(pool.lock().pending.is_empty());
    }

    #[tokio::test]
    async fn the_last_instance_gone_frees_those_who_wait() {
        let pool = pool(1, 1);
        let lease = granted(pool.admit(None));
        let pending = waiting(pool.admit(None));
        pool.close(lease.instance);
        assert_eq!(pending.await.err(), Some(Refusal::NotReady));
        assert!(matches!(pool.admit(None), Admission::Refused(Refusal::NotReady)));
    }

    /// The lease was sent, and nobody received it.
    #[tokio::test]
    async fn a_lease_that_comes_too_late_is_given_back() {
        let pool = pool(1, 1);
        let lease = granted(pool.admit(None));
        let pending = waiting(pool.admit(None));
        drop(lease);
        drop(pending);
        granted(pool.admit(None));
    }

    #[tokio::test]
    async fn draining_waits_for_the_requests_under_way() {
        let pool = pool(2, 1);
        let lease = granted(pool.admit(None));
        pool.close(lease.instance);
        let id = lease.instance;
        let drained = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move { pool.drained(id).await }
        });
        tokio::task::yield_now().await;
        assert!(!drained.is_finished());
        drop(lease);
        drained.await.unwrap();
    }
}
