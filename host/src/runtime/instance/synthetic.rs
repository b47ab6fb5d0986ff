//! Synthetic service: a drawn service time instead of a model, for what-if work.
//!
//! A request holds one of the instance's slots for its service time; further requests wait for a
//! slot in the order in which they came. Each instance draws from a stream of its own, so that
//! instances differ, and a run with the same seed and names repeats.

use std::hash::Hasher as _;
use std::io;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fnv::FnvHasher;
use plimsoll_deploy::service_time::ServiceTimes;
use plimsoll_deploy::spec::Synthetic;
use rand::RngExt;
use rand_pcg::Pcg64;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::timer::Timer;

/// From an instance's start until it is ready.
pub(super) fn start(settings: &Synthetic) -> Duration {
    millis(settings.start_ms)
}

/// Draws what becomes of each request.
pub(super) struct Service {
    times: ServiceTimes,
    error_rate: f64,
    random: Mutex<Pcg64>,
}

impl Service {
    /// The service of the instance with this name; the settings have been checked.
    pub(super) fn new(settings: &Synthetic, seed: u64, name: &str) -> Self {
        let times = ServiceTimes::new(&settings.service_time).expect("the settings were checked");
        let random = Mutex::new(Pcg64::new(u128::from(seed), stream(name)));
        Self { times, error_rate: settings.error_rate, random }
    }

    /// The service time of the next request, and whether it is answered right.
    pub(super) fn next(&self) -> (Duration, bool) {
        // The generator is whole after every draw, whatever thread panicked.
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let time = Duration::from_nanos(self.times.draw(&mut *random));
        (time, random.random::<f64>() >= self.error_rate)
    }
}

/// Requests that wait in an instance: as many as connections wait for a worker of the official server.
const MOST_WAITING: usize = 2048;

/// What an instance works on at a time, each slot with its timer.
pub(super) struct Slots {
    free: Semaphore,
    /// Who waits, their callers gone or not.
    waiting: AtomicUsize,
    timers: Mutex<Vec<Timer>>,
}

/// A slot that is held; it is free again when this is dropped.
pub(super) struct Slot<'a> {
    slots: &'a Slots,
    timer: Option<Timer>,
    _permit: SemaphorePermit<'a>,
}

impl Slots {
    pub(super) fn new(count: NonZeroU32) -> io::Result<Self> {
        let timers = (0..count.get()).map(|_| Timer::new()).collect::<io::Result<Vec<_>>>()?;
        let free = Semaphore::new(timers.len());
        Ok(Self { free, waiting: AtomicUsize::new(0), timers: Mutex::new(timers) })
    }

    /// Waits for a free slot, first come first served; there is none when too many wait already.
    pub(super) async fn take(&self) -> Option<Slot<'_>> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= MOST_WAITING {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let permit = self.free.acquire().await.expect("the semaphore is never closed");
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        let timer = self.timers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Some(Slot { slots: self, timer, _permit: permit })
    }
}

impl Slot<'_> {
    /// Holds the slot for this long.
    pub(super) async fn hold(&self, span: Duration) -> io::Result<()> {
        self.timer.as_ref().expect("there are as many timers as permits").wait(span).await
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut timers = self.slots.timers.lock().unwrap_or_else(PoisonError::into_inner);
        timers.extend(self.timer.take());
    }
}

fn millis(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1e3).unwrap_or_default()
}

/// The number of an instance's random stream, from its name: FNV-1a, the same in every release.
fn stream(name: &str) -> u128 {
    let mut hash = FnvHasher::default();
    hash.write(name.as_bytes());
    hash.finish().into()
}

#[cfg(test)]
mod tests {
    use plimsoll_deploy::spec::ServiceTime;

    use super::*;

    fn settings(service_time: ServiceTime) -> Synthetic {
        Synthetic { service_time, error_rate: 0.25, start_ms: 0.0 }
    }

    #[test]
    fn draws_follow_the_distribution_and_repeat() {
        let log_normal = settings(ServiceTime::LogNormal { p50_ms: 20.0, p99_ms: 80.0 });
        let draw = |seed: u64, name: &str| {
            let service = Service::new(&log_normal, seed, name);
            (0..20_000).map(|_| service.next()).collect::<Vec<_>>()
        };
        let draws = draw(1, "blue/0");
        assert_eq!(draws, draw(1, "blue/0"));
        for other in [draw(2, "blue/0"), draw(1, "blue/1"), draw(1, "green/0")] {
            let same = draws.iter().zip(&other).filter(|(a, b)| a.0 == b.0).count();
            assert!(same < 5, "{same}");
        }
        let mut times: Vec<_> = draws.iter().map(|(time, _)| time.as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        assert!((times[10_000] - 20.0).abs() < 0.5, "{}", times[10_000]);
        assert!((times[19_800] - 80.0).abs() < 5.0, "{}", times[19_800]);
        let errors = draws.iter().filter(|(_, right)| !right).count();
        assert!((4_700..5_300).contains(&errors), "{errors}");
    }

    #[test]
    fn an_exponential_has_its_mean_and_a_constant_is_one() {
        let service = Service::new(&settings(ServiceTime::Exponential { mean_ms: 10.0 }), 1, "a");
        let sum: f64 = (0..20_000).map(|_| service.next().0.as_secs_f64()).sum();
        assert!((sum / 20_000.0 * 1e3 - 10.0).abs() < 0.3, "{sum}");
        let service = Service::new(&settings(ServiceTime::Constant { ms: 1.5 }), 1, "a");
        assert_eq!(service.next().0, Duration::from_micros(1500));
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        for wrong in [
            ServiceTime::Constant { ms: -1.0 },
            ServiceTime::Exponential { mean_ms: 0.0 },
            ServiceTime::LogNormal { p50_ms: 10.0, p99_ms: 5.0 },
            ServiceTime::LogNormal { p50_ms: f64::NAN, p99_ms: 5.0 },
        ] {
            assert!(settings(wrong.clone()).check().is_err(), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn one_slot_serves_one_at_a_time_in_order() {
        let slots = Slots::new(NonZeroU32::MIN).unwrap();
        let first = slots.take().await;
        let mut second = Box::pin(slots.take());
        assert!(futures_now(&mut second).await.is_none(), "the slot is held");
        drop(first);
        assert!(futures_now(&mut second).await.flatten().is_some());
    }

    #[tokio::test]
    async fn only_so_many_wait() {
        let slots = Slots::new(NonZeroU32::MIN).unwrap();
        let first = slots.take().await;
        let mut waiting: Vec<_> = (0..MOST_WAITING).map(|_| Box::pin(slots.take())).collect();
        for each in &mut waiting {
            assert!(futures_now(each).await.is_none());
        }
        assert!(slots.take().await.is_none(), "one too many");
        drop(first);
        assert!(futures_now(&mut waiting[0]).await.flatten().is_some());
    }

    async fn futures_now<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
        let once = std::future::poll_fn(|context| {
            let polled = std::pin::Pin::new(&mut *future).poll(context);
            std::task::Poll::Ready(polled)
        });
        match once.await {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        }
    }
}
