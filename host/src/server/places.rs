//! How many connections a listener has, which is closed when there are too many, and which because it says nothing.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Frame, SizeHint};
use plimsoll_domain::clock::{self, Moment};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// The places of a listener.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    /// For the head of a request, from the start of the connection or the end of the last answer.
    patience: Duration,
    /// Ends all connections.
    stop: CancellationToken,
    state: Mutex<State>,
    /// A place is free, or one that is taken has no request any more.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    turn: u64,
    /// Connections without a request, by when they last had one: the first for the longest time.
    idle: BTreeMap<u64, Idle>,
}

#[derive(Debug)]
struct Idle {
    since: Moment,
    given_up: CancellationToken,
}

/// The place of a connection. It is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    seat: Arc<Seat>,
}

#[derive(Debug)]
struct Seat {
    shared: Arc<Shared>,
    /// Cancelled when the place was given to somebody else, and when all is to end.
    given_up: CancellationToken,
    /// Its turn among those without a request.
    idle: Mutex<Option<u64>>,
}

/// A request under way, until its answer is through.
#[derive(Debug)]
pub(super) struct Busy(Arc<Seat>);

/// The body of an answer, with the request that it ends.
pub(super) struct Answering<B> {
    body: B,
    _request: Busy,
}

impl Places {
    /// All free, until `stop`. A connection without a request has so much time for the head of one.
    pub(super) fn new(limit: usize, patience: Duration, stop: CancellationToken) -> Self {
        let (state, changed) = (Mutex::default(), Notify::new());
        Self(Arc::new(Shared { limit, patience, stop, state, changed }))
    }

    /// Closes connections whose time for a request is over: one timer for all, because each of their own would be
    /// set and unset for every request. Never returns.
    pub(super) async fn close_silent(&self) -> ! {
        loop {
            let pause = self.0.lock().give_up_silent(self.0.patience, clock::now());
            tokio::time::sleep(pause).await;
        }
    }

    /// Takes a place: a free one, else that of the connection that has been without a request for the longest
    /// time. Waits if there is none such.
    pub(super) async fn take(&self) -> Place {
        loop {
            let changed = self.0.changed.notified();
            if let Some(place) = self.try_take() {
                return place;
            }
            changed.await;
        }
    }

    /// Closes the connection that has been without a request for the longest time.
    pub(super) fn give_one_up(&self) {
        self.0.lock().give_one_up();
    }

    fn try_take(&self) -> Option<Place> {
        let mut state = self.0.lock();
        if state.taken >= self.0.limit && !state.give_one_up() {
            return None;
        }
        state.taken += 1;
        let given_up = self.0.stop.child_token();
        let turn = state.idle(given_up.clone(), clock::now());
        drop(state);
        let shared = Arc::clone(&self.0);
        let idle = Mutex::new(Some(turn));
        Some(Place { seat: Arc::new(Seat { shared, given_up, idle }) })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn idle(&mut self, given_up: CancellationToken, since: Moment) -> u64 {
        self.turn += 1;
        self.idle.insert(self.turn, Idle { since, given_up });
        self.turn
    }

    fn give_one_up(&mut self) -> bool {
        let Some((_, longest)) = self.idle.pop_first() else { return false };
        longest.given_up.cancel();
        self.taken -= 1;
        true
    }

    /// Returns the time until the next may have been silent for too long.
    fn give_up_silent(&mut self, patience: Duration, now: Moment) -> Duration {
        while let Some((_, longest)) = self.idle.first_key_value() {
            let left = patience.saturating_sub(now.since(longest.since));
            if !left.is_zero() {
                return left;
            }
            self.give_one_up();
        }
        patience
    }
}

impl Place {
    /// Marks the beginning of a request.
    pub(super) fn busy(&self) -> Busy {
        let mut idle = self.seat.idle();
        if let Some(turn) = idle.take() {
            self.seat.shared.lock().idle.remove(&turn);
        }
        Busy(Arc::clone(&self.seat))
    }

    /// Returns when somebody else has the place, it was silent for too long, or all is to end.
    pub(super) fn given_up(&self) -> WaitForCancellationFuture<'_> {
        self.seat.given_up.cancelled()
    }
}

impl Seat {
    fn idle(&self) -> MutexGuard<'_, Option<u64>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Busy {
    /// Until the body is dropped, which is when all of it is on its way.
    pub(super) fn with<B>(self, body: B) -> Answering<B> {
        Answering { body, _request: self }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let seat = &self.0;
        let mut idle = seat.idle();
        let now = clock::now();
        let mut state = seat.shared.lock();
        if !seat.given_up.is_cancelled() {
            *idle = Some(state.idle(seat.given_up.clone(), now));
            drop(state);
            seat.shared.changed.notify_one();
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let turn = self.idle().take();
        let mut state = self.shared.lock();
        if let Some(turn) = turn {
            state.idle.remove(&turn);
        }
        if !self.given_up.is_cancelled() {
            state.taken -= 1;
            drop(state);
            self.shared.changed.notify_one();
        }
    }
}

impl<B: Body + Unpin> Body for Answering<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Waker;

    use super::*;

    fn places(limit: usize) -> Places {
        Places::new(limit, Duration::from_mins(1), CancellationToken::new())
    }

    fn now<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    fn taken(places: &Places) -> Option<Place> {
        now(pin!(places.take()))
    }

    #[test]
    fn the_longest_without_a_request_makes_room() {
        let places = places(2);
        let (first, second) = (taken(&places).unwrap(), taken(&places).unwrap());
        drop(first.busy());
        let third = taken(&places).expect("the second has never had a request");
        assert!(second.seat.given_up.is_cancelled() && !first.seat.given_up.is_cancelled());
        drop(second);
        assert_eq!(places.0.lock().taken, 2, "its place was given to the third");
        let _fourth = taken(&places).unwrap();
        assert!(first.seat.given_up.is_cancelled() && !third.seat.given_up.is_cancelled());
    }

    #[test]
    fn who_says_nothing_for_too_long_is_closed_and_nobody_else() {
        let places = places(3);
        let (silent, asking) = (taken(&places).unwrap(), taken(&places).unwrap());
        let request = asking.busy();
        let patience = Duration::from_mins(1);
        let start = clock::now();
        let left = places.0.lock().give_up_silent(patience, start + Duration::from_secs(20));
        assert!(left <= Duration::from_secs(40) && left > Duration::from_secs(30), "{left:?}");
        assert!(!silent.seat.given_up.is_cancelled());
        let over = start + patience;
        assert_eq!(places.0.lock().give_up_silent(patience, over), patience, "nobody is left");
        assert!(silent.seat.given_up.is_cancelled() && !asking.seat.given_up.is_cancelled());
        drop(request);
        places.0.lock().give_up_silent(patience, over + Duration::from_secs(10));
        assert!(asking.seat.given_up.is_cancelled(), "it has been silent since its answer");
        drop((silent, asking));
        assert_eq!(places.0.lock().taken, 0);
    }

    #[test]
    fn requests_under_way_are_not_cut_off() {
        let places = places(1);
        let place = taken(&places).unwrap();
        let request = place.busy();
        let mut next = pin!(places.take());
        assert!(now(next.as_mut()).is_none(), "it waits");
        drop(request);
        assert!(now(next).is_some() && place.seat.given_up.is_cancelled());
        drop(place);
        assert_eq!(places.0.lock().taken, 0, "both are gone");
    }

    #[test]
    fn a_place_is_free_when_its_connection_ends_in_a_request() {
        let places = places(1);
        let place = taken(&places).unwrap();
        let answer = place.busy().with(());
        drop(place);
        assert_eq!(places.0.lock().taken, 1, "the answer is on its way");
        drop(answer);
        let state = places.0.lock();
        assert_eq!((state.taken, state.idle.len()), (0, 0));
    }
}
