//! An arrival on its way, and why it may never be sent.

use std::time::Duration;

use plimsoll_domain::{Class, Key, LATE_RELEASE, Moment};

/// An arrival whose time has come and which has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::worker) struct Pending {
    /// Of the whole run.
    pub(in crate::worker) number: u64,
    pub(in crate::worker) key: Key,
    pub(in crate::worker) due: Moment,
    pub(in crate::worker) released: Moment,
    /// Whether the ceiling has let it pass.
    pub(super) permitted: bool,
    pub(super) returns: u8,
}

impl Pending {
    pub(in crate::worker) fn new(number: u64, key: Key, due: Moment, released: Moment) -> Self {
        Self { number, key, due, released, permitted: false, returns: 0 }
    }

    /// Whether it came late by the generator's own doing.
    fn was_late(&self) -> bool {
        self.released.since(self.due) > LATE_RELEASE
    }
}

/// Why an arrival was never sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::worker) enum Why {
    /// It waited too long for a connection.
    NoConnection,
    /// It was released too late: the generator cannot keep up.
    Late,
    /// Too many wait.
    Full,
    /// The ceiling on the send rate forbids it.
    Capped,
    /// The run is aborted.
    Aborted,
}

impl Why {
    /// How `pending` ends for this reason.
    pub(in crate::worker) fn class(self, pending: &Pending) -> Class {
        match self {
            Self::Capped => Class::Capped,
            // Whether a connection would have been free at its time is not known.
            Self::NoConnection | Self::Late | Self::Full if pending.was_late() => Class::Missed,
            Self::Aborted | Self::NoConnection | Self::Late | Self::Full => Class::Dropped,
        }
    }

    /// For the results, of an arrival that was due `age` ago.
    pub(in crate::worker) fn sentence(self, age: Duration) -> String {
        match self {
            Self::NoConnection => format!("no connection was free within {age:.1?}"),
            Self::Late => format!("the generator let it go {age:.1?} late: it cannot keep up"),
            Self::Full => "too many arrivals wait for a connection".to_owned(),
            Self::Capped => "above the ceiling on the send rate".to_owned(),
            Self::Aborted => "the run ended first".to_owned(),
        }
    }
}
