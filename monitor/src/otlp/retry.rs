//! Whether a failed export is tried again, and when.
//!
//! The lists are those of the OTLP specification. Over gRPC: cancelled, deadline exceeded, aborted,
//! out of range, unavailable and data loss; resource exhausted only when the receiver says with
//! `RetryInfo` that it will recover. Over HTTP: 429, 502, 503 and 504. A connection that fails or
//! breaks off is tried again too. A receiver's own delay (`RetryInfo`, `Retry-After`) is never shortened;
//! otherwise the delay, [`delays`], doubles from 0.2 s to 5 s, of which a random half is taken off
//! so that many senders do not come back together. The sender bounds the time of all tries.

use std::error::Error as _;
use std::time::{Duration, SystemTime};

use backon::ExponentialBuilder;
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
        // Our own word for a connection that broke off; a receiver's has no cause.
        (Code::Unknown, None) if status.source().is_some() => Retry::Later,
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

impl Retry {
    /// The delay before the next try, of which the sender's own is `own`; none if there must not
    /// be one.
    pub(super) fn delay(self, own: Duration) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::Later | Self::After(Duration::ZERO) => Some(own),
            // Spread the senders that were all told the same delay, too.
            Self::After(told) => Some(told.saturating_add(own / 4)),
        }
    }
}

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(5);

/// The sender's own delays after one failure, two, and so on.
pub(super) fn delays(seed: u64) -> ExponentialBuilder {
    // Its jitter adds up to as much again: from half of ours to the whole.
    ExponentialBuilder::new()
        .with_min_delay(FIRST / 2)
        .with_max_delay(LONGEST / 2)
        .with_jitter()
        .with_jitter_seed(seed)
        .without_max_times()
}

#[cfg(test)]
mod tests {
    use backon::BackoffBuilder as _;
    use tonic_types::ErrorDetails;

    use super::*;

    /// As a transport has it, around its own cause.
    #[derive(Debug, thiserror::Error)]
    #[error("transport error")]
    struct Broken(#[source] std::io::Error);

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
        let broke_off = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let broke_off = Status::from_error(Box::new(Broken(broke_off)));
        assert_eq!((broke_off.code(), grpc(&broke_off)), (Code::Unknown, Retry::Later));
        let told = Duration::from_millis(1500);
        let details = ErrorDetails::with_retry_info(Some(told));
        for code in [Code::ResourceExhausted, Code::Unavailable] {
            let status = Status::with_error_details(code, "", details.clone());
            assert_eq!(grpc(&status), Retry::After(told));
        }
    }

    #[test]
    fn delays_double_with_jitter_and_never_shorten_what_was_told() {
        let ceilings = std::iter::successors(Some(FIRST), |last| Some((*last * 2).min(LONGEST)));
        let first = |seed| delays(seed).build().take(20).collect::<Vec<_>>();
        for (delay, ceiling) in first(7).into_iter().zip(ceilings) {
            assert!(delay >= ceiling / 2 && delay <= ceiling, "{delay:?} of {ceiling:?}");
        }
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));

        let (own, told) = (Duration::from_millis(100), Duration::from_secs(9));
        assert_eq!(Retry::Later.delay(own), Some(own));
        assert_eq!(Retry::After(Duration::ZERO).delay(own), Some(own));
        assert_eq!(Retry::After(told).delay(own), Some(told + own / 4));
        assert_eq!(Retry::After(Duration::MAX).delay(own), Some(Duration::MAX));
        assert_eq!(Retry::Never.delay(own), None);
    }
}
