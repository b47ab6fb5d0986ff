//! Differences of moments.

use jiff::Timestamp;

/// Seconds from `start` to `end`; negative if `end` is earlier.
pub(crate) fn seconds_between(start: Timestamp, end: Timestamp) -> f64 {
    end.duration_since(start).as_secs_f64()
}
