//! What is kept of latencies beside their buckets, exactly.

use super::HIGHEST;

const HIGHEST_NS: u64 = HIGHEST.as_nanos() as u64;

/// Sum and extremes of values, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exact {
    pub(super) sum_ns: u128,
    /// Above every value, if there is none.
    pub(super) min_ns: u64,
    pub(super) max_ns: u64,
    /// How many were above the bound.
    pub(super) overflow: u64,
}

impl Exact {
    pub(super) const NONE: Self = Self { sum_ns: 0, min_ns: u64::MAX, max_ns: 0, overflow: 0 };

    /// Adds a value; returns it as it counts, within the bound.
    #[inline]
    pub(super) fn add(&mut self, nanos: u64) -> u64 {
        self.overflow += u64::from(nanos > HIGHEST_NS);
        let nanos = bounded(nanos);
        self.sum_ns += u128::from(nanos);
        self.min_ns = self.min_ns.min(nanos);
        self.max_ns = self.max_ns.max(nanos);
        nanos
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.sum_ns += other.sum_ns;
        self.min_ns = self.min_ns.min(other.min_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
        self.overflow += other.overflow;
    }
}

/// A value as it counts.
#[inline]
pub(super) fn bounded(nanos: u64) -> u64 {
    nanos.min(HIGHEST_NS)
}
