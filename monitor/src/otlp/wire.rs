//! Values in the form that receivers expect.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::common::v1::KeyValue as Attribute;
use opentelemetry_proto::transform::common::tonic::Attributes;

use crate::{Amount, Unit};

/// Attributes as messages.
pub(super) fn attributes(attributes: impl IntoIterator<Item = KeyValue>) -> Vec<Attribute> {
    Attributes::from(attributes).0
}

/// Nanoseconds since 1970; 0 for times before.
pub(super) fn unix_nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A count as OTLP has it: with a sign.
pub(super) fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// An amount in the base unit that receivers expect, and that unit in UCUM.
pub(super) fn base(amount: Amount) -> (f64, &'static str) {
    match amount.unit {
        Unit::Milliseconds => (amount.number / 1e3, "s"),
        Unit::Share | Unit::Count => (amount.number, "1"),
        Unit::PerSecond => (amount.number, "{request}/s"),
    }
}
