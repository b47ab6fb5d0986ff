//! The instances of a deployment as the gateway sees them: who is free, who waits, who is refused.
//!
//! An instance works on `max_concurrent` requests at a time. As many again may wait, in order of
//! arrival; more are refused at once, which is Azure's `2 × max_concurrent × instances`. Only instances
//! that are ready count. A request that finds none ready is told so, instead of waiting for one.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::upstream::Connection;

/// Ready instances, and the queue for them.
#[derive(Debug)]
pub(super) struct Pool {
    max_concurrent: usize,
    state: Mutex<State>,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct State {
    seats: Vec<Seat>,
    waiting: VecDeque<oneshot::Sender<Lease>>,
    last_id: u64,
    turn: usize,
}

#[derive(Debug)]
struct Seat {
    id: u64,
    address: SocketAddr,
    open: bool,
    busy: usize,
    idle: Vec<Connection>,
}

/// What becomes of a request.
#[derive(Debug)]
pub(super) enum Admission {
    /// An instance is free.
    Granted(Lease),
    /// One will be; the sender is dropped if the last instance goes away.
    Waiting(oneshot::Receiver<Lease>),
    /// The queue is full.
    TooMany,
    /// No instance is ready.
    NotReady,
}

/// The right to one request at an instance, given back on drop.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Option<Arc<Pool>>,
    /// The instance, while it is ready.
    pub(super) seat: u64,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// A connection to it: kept for the next request if it was left clean.
    pub(super) connection: Option<Connection>,
    /// Whether the last answer was read to its end.
    pub(super) clean: bool,
}

impl Pool {
    /// An empty pool.
    pub(super) fn new(max_concurrent: usize) -> Self {
        Self { max_concurrent, state: Mutex::default(), emptied: Notify::new() }
    }

    /// Admits a request or not, to any instance but `avoid`, if there is another.
    pub(super) fn admit(self: &Arc<Self>, avoid: Option<u64>) -> Admission {
        let mut state = self.lock();
        let open = state.seats.iter().filter(|seat| seat.open);
        let (ready, busy) = open.fold((0, 0), |(ready, busy), seat| (ready + 1, busy + seat.busy));
        if ready == 0 {
            return Admission::NotReady;
        }
        if state.waiting.is_empty()
            && let Some(seat) = state.least_busy(self.max_concurrent, avoid)
        {
            return Admission::Granted(self.lease(seat));
        }
        let limit = 2 * self.max_concurrent * ready;
        if busy + state.waiting.len() >= limit {
            state.waiting.retain(|waiter| !waiter.is_closed());
        }
        if busy + state.waiting.len() >= limit {
            return Admission::TooMany;
        }
        let (waiter, turn) = oneshot::channel();
        state.waiting.push_back(waiter);
        Admission::Waiting(turn)
    }

    /// Adds an instance that became ready; its id is for [`Pool::close`].
    pub(super) fn open(self: &Arc<Self>, address: SocketAddr) -> u64 {
        let id = {
            let mut state = self.lock();
            state.last_id += 1;
            let id = state.last_id;
            state.seats.push(Seat { id, address, open: true, busy: 0, idle: Vec::new() });
            id
        };
        self.serve_waiting();
        id
    }

    /// Gives the instance no further requests. Those under way go on.
    pub(super) fn close(&self, id: u64) {
        let mut state = self.lock();
        if let Some(index) = state.seats.iter().position(|seat| seat.id == id) {
            state.seats[index].open = false;
            if state.seats[index].busy == 0 {
                state.seats.swap_remove(index);
            }
        }
        if !state.seats.iter().any(|seat| seat.open) {
            state.waiting.clear();
        }
        drop(state);
        self.emptied.notify_waiters();
    }

    /// Waits until a closed instance has answered all its requests.
    pub(super) async fn drained(&self, id: u64) {
        loop {
            let mut emptied = std::pin::pin!(self.emptied.notified());
            emptied.as_mut().enable();
            if !self.lock().seats.iter().any(|seat| seat.id == id) {
                return;
            }
            emptied.await;
        }
    }

    fn serve_waiting(self: &Arc<Self>) {
        loop {
            let (waiter, mut lease) = {
                let mut state = self.lock();
                if state.waiting.is_empty() {
                    return;
                }
                let Some(seat) = state.least_busy(self.max_concurrent, None) else { return };
                let lease = self.lease(seat);
                let waiter = state.waiting.pop_front().expect("it was seen not to be empty");
                (waiter, lease)
            };
            // A waiter that gave up hands the lease back: undone here, so that no drop recurses.
            lease = match waiter.send(lease) {
                Ok(()) => continue,
                Err(lease) => lease,
            };
            self.give_back(&mut lease);
            lease.pool = None;
        }
    }

    fn lease(self: &Arc<Self>, seat: &mut Seat) -> Lease {
        seat.busy += 1;
        let connection = seat.idle.pop();
        let (seat, address) = (seat.id, seat.address);
        Lease { pool: Some(Arc::clone(self)), seat, address, connection, clean: true }
    }

    fn give_back(&self, lease: &mut Lease) {
        let connection = lease.connection.take().filter(|c| lease.clean && !c.is_closed());
        let mut state = self.lock();
        let Some(index) = state.seats.iter().position(|seat| seat.id == lease.seat) else { return };
        let seat = &mut state.seats[index];
        seat.busy -= 1;
        if seat.open {
            seat.idle.extend(connection);
        } else if seat.busy == 0 {
            state.seats.swap_remove(index);
            drop(state);
            self.emptied.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The open instance with the fewest requests and room for one more; equals take turns.
    fn least_busy(&mut self, max_concurrent: usize, avoid: Option<u64>) -> Option<&mut Seat> {
        self.turn = self.turn.wrapping_add(1);
        let (count, turn) = (self.seats.len(), self.turn);
        let index = (0..count).map(|step| (turn + step) % count).filter(|&index| {
            let seat = &self.seats[index];
            seat.open && seat.busy < max_concurrent
        });
        let index = index.min_by_key(|&index| {
            let seat = &self.seats[index];
            (Some(seat.id) == avoid, seat.busy)
        })?;
        Some(&mut self.seats[index])
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            pool.give_back(self);
            pool.serve_waiting();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(max_concurrent: usize, instances: u16) -> Arc<Pool> {
        let pool = Arc::new(Pool::new(max_concurrent));
        for port in 0..instances {
            pool.open(SocketAddr::from(([127, 0, 0, 1], port)));
        }
        pool
    }

    fn granted(admission: Admission) -> Lease {
        match admission {
            Admission::Granted(lease) => lease,
            other => panic!("not granted: {other:?}"),
        }
    }

    #[test]
    fn the_seventeenth_of_four_by_two_is_refused() {
        let pool = pool(4, 2);
        let leases: Vec<_> = (0..8).map(|_| granted(pool.admit(None))).collect();
        assert_eq!(leases.iter().filter(|lease| lease.address.port() == 0).count(), 4);
        let waiting: Vec<_> = (0..8).map(|_| pool.admit(None)).collect();
        assert!(waiting.iter().all(|each| matches!(each, Admission::Waiting(_))));
        assert!(matches!(pool.admit(None), Admission::TooMany));
        drop(leases);
        assert!(matches!(pool.admit(None), Admission::Waiting(_)), "the queue is served first");
    }

    #[test]
    fn waiting_is_in_order_and_skips_who_gave_up() {
        let pool = pool(1, 1);
        let lease = granted(pool.admit(None));
        let Admission::Waiting(first) = pool.admit(None) else { panic!("one may wait") };
        assert!(matches!(pool.admit(None), Admission::TooMany));
        drop(first);
        let Admission::Waiting(mut second) = pool.admit(None) else { panic!("a place is free") };
        assert!(second.try_recv().is_err());
        drop(lease);
        drop(second.try_recv().unwrap());
        granted(pool.admit(None));
    }

    #[test]
    fn the_last_instance_gone_frees_those_who_wait() {
        let pool = pool(1, 1);
        let lease = granted(pool.admit(None));
        let Admission::Waiting(mut waiting) = pool.admit(None) else { panic!("one may wait") };
        pool.close(lease.seat);
        assert_eq!(waiting.try_recv().err(), Some(oneshot::error::TryRecvError::Closed));
        assert!(matches!(pool.admit(None), Admission::NotReady));
        drop(lease);
        assert!(pool.lock().seats.is_empty());
    }

    #[test]
    fn another_instance_is_preferred_to_the_one_to_avoid() {
        let pool = pool(2, 2);
        let first = granted(pool.admit(None));
        let second = granted(pool.admit(Some(first.seat)));
        let third = granted(pool.admit(Some(first.seat)));
        assert!(second.seat != first.seat && third.seat != first.seat);
        assert_eq!(granted(pool.admit(Some(first.seat))).seat, first.seat, "the only one left");
    }

    #[tokio::test]
    async fn draining_waits_for_the_requests_under_way() {
        let pool = pool(2, 1);
        let lease = granted(pool.admit(None));
        pool.close(lease.seat);
        let id = lease.seat;
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
