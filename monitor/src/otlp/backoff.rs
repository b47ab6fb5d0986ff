//! Whether a failed export is tried again, and when.
//!
//! The lists are those of the OTLP specification. Over gRPC: cancelled, deadline exceeded, aborted,
//! out of range, unavailable and data loss; resource exhausted only when the receiver says with
//! `RetryInfo` that it will recover. Over HTTP: 429, 502, 503 and 504. A connection that fails is
//! tried again too. A receiver's own delay (`RetryInfo`, `Retry-After`) is never shortened;
//! otherwise the delay doubles from 0.2 s to 5 s, of which a random half is taken off so that
//! many senders do not come back together.

use std::time::{Duration, SystemTime};

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng as _, SeedableRng as _};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// What a failure allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// It would fail again.
    Never,
    /// After the sender's own delay.
    Later,
    /// Not before the receiver's delay is over.
    After(Duration),
}

/// Reads a failed gRPC call.
pub(super) fn grpc(status: &Status) -> Retry {
    let told = status.get_details_retry_info().and_then(|info| info.retry_delay);
    match (status.code(), told) {
        (Code::ResourceExhausted, None) => Retry::Never,
        (
            Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss
            | Code::ResourceExhausted,
            told,
        ) => told.map_or(Retry::Later, Retry::After),
        _ => Retry::Never,
    }
}

/// Reads a failed HTTP answer and its `Retry-After`: seconds, or a date.
pub(super) fn http(status: u16, retry_after: Option<&str>, now: SystemTime) -> Retry {
    if !matches!(status, 429 | 502 | 503 | 504) {
        return Retry::Never;
    }
    let Some(told) = retry_after.map(str::trim) else {
        return Retry::Later;
    };
    let seconds = told.parse().ok().map(Duration::from_secs);
    let until =
        || Some(httpdate::parse_http_date(told).ok()?.duration_since(now).unwrap_or_default());
    seconds.or_else(until).map_or(Retry::Later, Retry::After)
}

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(5);

/// Delays that grow with each failure in a row.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    random: Pcg64,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Self { next: FIRST, random: Pcg64::seed_from_u64(seed) }
    }

    /// The delay before the next try; none if there must not be one.
    pub(super) fn delay(&mut self, retry: Retry) -> Option<Duration> {
        let told = match retry {
            Retry::Never => return None,
            Retry::Later => Duration::ZERO,
            Retry::After(delay) => delay,
        };
        // The upper 53 bits of a random number, as a share of one.
        let share = (self.random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let own = self.next.mul_f64(0.5 + share / 2.0);
        self.next = (self.next * 2).min(LONGEST);
        // Spread the senders that were all told the same delay, too.
        Some(if told.is_zero() { own } else { told.saturating_add(own / 4) })
    }

    /// After a success the next failure is the first again.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn only_the_listed_http_answers_are_retried() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        for status in [400, 401, 403, 404, 408, 413, 500, 501, 505] {
            assert_eq!(http(status, Some("1"), now), Retry::Never, "{status}");
        }
        for status in [429, 502, 503, 504] {
            assert_eq!(http(status, None, now), Retry::Later, "{status}");
        }
        assert_eq!(http(503, Some(" 7 "), now), Retry::After(Duration::from_secs(7)));
        let date = httpdate::fmt_http_date(now + Duration::from_secs(30));
        assert_eq!(http(429, Some(&date), now), Retry::After(Duration::from_secs(30)));
        assert_eq!(http(503, Some("soon"), now), Retry::Later);
    }

    #[test]
    fn only_the_listed_grpc_codes_are_retried() {
        let retried = [1, 4, 10, 11, 14, 15];
        for code in 1..=16 {
            let expected = if retried.contains(&code) { Retry::Later } else { Retry::Never };
            assert_eq!(grpc(&Status::new(Code::from_i32(code), "")), expected, "{code}");
        }
        let told = Duration::from_millis(1500);
        let details = ErrorDetails::with_retry_info(Some(told));
        for code in [Code::ResourceExhausted, Code::Unavailable] {
            let status = Status::with_error_details(code, "", details.clone());
            assert_eq!(grpc(&status), Retry::After(told));
        }
    }

    #[test]
    fn delays_double_with_jitter_and_never_shorten_what_was_told() {
        let mut backoff = Backoff::new(7);
        let mut ceiling = FIRST;
        for _ in 0..10 {
            let delay = backoff.delay(Retry::Later).unwrap();
            assert!(delay >= ceiling / 2 && delay <= ceiling, "{delay:?} of {ceiling:?}");
            ceiling = (ceiling * 2).min(LONGEST);
        }
        let told = Duration::from_secs(9);
        assert!(backoff.delay(Retry::After(told)).unwrap() >= told);
        assert_eq!(backoff.delay(Retry::Never), None);
        backoff.reset();
        assert!(backoff.delay(Retry::Later).unwrap() <= FIRST);
        let delays = |seed| {
            let mut backoff = Backoff::new(seed);
            [(); 4].map(|()| backoff.delay(Retry::Later))
        };
        assert_eq!(delays(1), delays(1));
        assert_ne!(delays(1), delays(2));
    }
}
