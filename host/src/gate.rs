//! What an endpoint lets through: Azure's limits ([`plimsoll_deploy::limits`]), and what is counted at its door.
//!
//! Requests and new connections are limited by token buckets that hold one second's worth, so that after a silence
//! twice the limit may come within a second. Bytes have a bucket of the same size; what is beyond waits until it is
//! its turn. How Azure averages is not published.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use plimsoll_deploy::limits::EndpointLimits;
use plimsoll_domain::clock::{self, Moment};

/// Bytes that may pass without delay after a silence: those of this time.
const BURST: Duration = Duration::from_secs(1);

/// The limits of an endpoint at work.
#[derive(Debug)]
pub(super) struct Gate {
    limits: RwLock<Arc<Limiters>>,
    active: AtomicUsize,
    counts: Counts,
}

#[derive(Debug)]
struct Limiters {
    limits: EndpointLimits,
    requests: Option<DefaultDirectRateLimiter>,
    connections: Option<DefaultDirectRateLimiter>,
    bytes: Option<Mutex<Bucket>>,
}

/// What came by, ever.
#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    turned_away: AtomicU64,
    bytes: AtomicU64,
    delayed_us: AtomicU64,
}

/// What came by until now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Passed {
    /// Connections that are open.
    pub(super) active: usize,
    /// Connections that were let in, ever.
    pub(super) connections: u64,
    /// Connections that were not, for a limit on them, ever.
    pub(super) turned_away: u64,
    /// Bytes that went over them in either direction, ever.
    pub(super) bytes: u64,
    /// How long bodies had to wait for the bandwidth, added up.
    pub(super) delayed: Duration,
}

/// A connection that was let in, until it is dropped.
#[derive(Debug)]
pub(super) struct Entered(Arc<Gate>);

impl Gate {
    /// With these limits.
    pub(super) fn new(limits: EndpointLimits) -> Self {
        let limits = RwLock::new(Arc::new(Limiters::new(limits)));
        Self { limits, active: AtomicUsize::new(0), counts: Counts::default() }
    }

    /// Changes the limits, for what comes from now on.
    pub(super) fn set(&self, limits: EndpointLimits) {
        if self.limiters().limits != limits {
            let new = Arc::new(Limiters::new(limits));
            *self.limits.write().unwrap_or_else(PoisonError::into_inner) = new;
        }
    }

    /// Lets a new connection in, or not.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Entered> {
        let entered = self.entered();
        let count =
            if entered.is_some() { &self.counts.connections } else { &self.counts.turned_away };
        count.fetch_add(1, Ordering::Relaxed);
        entered
    }

    fn entered(self: &Arc<Self>) -> Option<Entered> {
        let limiters = self.limiters();
        if limiters.connections.as_ref().is_some_and(|limiter| limiter.check().is_err()) {
            return None;
        }
        let before = self.active.fetch_add(1, Ordering::Relaxed);
        let entered = Entered(Arc::clone(self));
        let most = limiters.limits.active.map_or(usize::MAX, |most| most.get() as usize);
        if before >= most {
            return None;
        }
        Some(entered)
    }

    /// Whether another request is within the limit.
    pub(super) fn takes_request(&self) -> bool {
        let limiters = self.limiters();
        limiters.requests.as_ref().is_none_or(|limiter| limiter.check().is_ok())
    }

    /// Whether bytes are limited.
    pub(super) fn limits_bytes(&self) -> bool {
        self.limiters().bytes.is_some()
    }

    /// Takes so many bytes, and says how long they must wait.
    pub(super) fn delay(&self, bytes: u64) -> Duration {
        let limiters = self.limiters();
        let Some(bucket) = &limiters.bytes else { return Duration::ZERO };
        let delay = bucket.lock().unwrap_or_else(PoisonError::into_inner).take(bytes, clock::now());
        self.counts.delayed_us.fetch_add(delay.as_micros() as u64, Ordering::Relaxed);
        delay
    }

    /// Counts bytes of a connection.
    pub(super) fn count(&self, bytes: usize) {
        self.counts.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// What came by until now.
    pub(super) fn passed(&self) -> Passed {
        Passed {
            active: self.active.load(Ordering::Relaxed),
            connections: self.counts.connections.load(Ordering::Relaxed),
            turned_away: self.counts.turned_away.load(Ordering::Relaxed),
            bytes: self.counts.bytes.load(Ordering::Relaxed),
            delayed: Duration::from_micros(self.counts.delayed_us.load(Ordering::Relaxed)),
        }
    }

    fn limiters(&self) -> Arc<Limiters> {
        Arc::clone(&self.limits.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Entered {
    pub(super) fn gate(&self) -> &Gate {
        &self.0
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Limiters {
    fn new(limits: EndpointLimits) -> Self {
        let limiter = |most: NonZeroU32| RateLimiter::direct(Quota::per_second(most));
        Self {
            limits,
            requests: limits.requests.map(limiter),
            connections: limits.connections.map(limiter),
            bytes: limits.bytes.map(|most| Mutex::new(Bucket::new(most, clock::now()))),
        }
    }
}

/// A token bucket that lets all through, and says how long it has to wait.
#[derive(Debug)]
struct Bucket {
    per_second: NonZeroU32,
    /// How long it takes until what was taken is made good.
    owed: Duration,
    at: Moment,
}

impl Bucket {
    fn new(per_second: NonZeroU32, now: Moment) -> Self {
        Self { per_second, owed: Duration::ZERO, at: now }
    }

    fn take(&mut self, bytes: u64, now: Moment) -> Duration {
        let cost = Duration::from_secs_f64(bytes as f64 / f64::from(self.per_second.get()));
        self.owed = self.owed.saturating_sub(now.since(self.at)) + cost;
        self.at = now;
        self.owed.saturating_sub(BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_beyond_a_second_wait_for_their_turn() {
        let start = Moment::from_nanos(1_000_000_000);
        let mut bucket = Bucket::new(NonZeroU32::new(1000).unwrap(), start);
        let ms = Duration::from_millis;
        assert_eq!(bucket.take(1000, start), Duration::ZERO);
        assert_eq!(bucket.take(500, start), ms(500));
        assert_eq!(bucket.take(500, start + ms(500)), ms(500), "half of it was made good");
        assert_eq!(bucket.take(100, start + ms(60_000)), Duration::ZERO);
        assert_eq!(bucket.take(900, start + ms(60_000)), Duration::ZERO, "no more is saved up");
        assert_eq!(bucket.take(1, start + ms(60_000)), ms(1));
    }

    #[test]
    fn a_gate_counts_who_is_inside_and_refuses_the_rest() {
        let two = NonZeroU32::new(2);
        let limits = EndpointLimits { active: two, ..EndpointLimits::NONE };
        let gate = Arc::new(Gate::new(limits));
        let (first, second) = (gate.enter(), gate.enter());
        assert!(first.is_some() && second.is_some() && gate.enter().is_none());
        drop(first);
        assert!(gate.enter().is_some());
        assert_eq!((gate.passed().active, gate.passed().connections), (1, 3));
        assert_eq!(gate.passed().turned_away, 1);
        gate.set(EndpointLimits { requests: two, connections: two, ..EndpointLimits::NONE });
        assert!(gate.takes_request() && gate.takes_request() && !gate.takes_request());
        let inside: Vec<_> = (0..5).filter_map(|_| gate.enter()).collect();
        assert_eq!(inside.len(), 2);
    }

    #[test]
    fn a_gate_adds_up_how_long_bodies_wait() {
        let gate =
            Gate::new(EndpointLimits { bytes: NonZeroU32::new(1000), ..EndpointLimits::NONE });
        assert_eq!((gate.delay(1000), gate.passed().delayed), (Duration::ZERO, Duration::ZERO));
        let waited = gate.delay(2000) + gate.delay(2000);
        assert!(gate.passed().delayed.abs_diff(waited) < Duration::from_micros(3), "{waited:?}");
        assert!(waited > Duration::from_secs(5));
    }
}
