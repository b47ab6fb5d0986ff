//! The place of one connection, from the attempt to open it to its end: what it does, and what it
//! is told.

use plimsoll_domain::Moment;

use super::Pending;

/// The place of a connection.
pub(in crate::worker) type SlotId = usize;

/// What a free connection does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::worker) enum Next {
    Send(Pending),
    /// Until it is given something.
    Wait,
    Close,
}

/// What a slot is told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::worker) enum Order {
    /// It waits with nothing to do, and is not needed.
    Close,
    /// What it does has taken too long: opening, or the exchange.
    TimeOut,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    Vacant,
    Opening {
        began: Moment,
        turn: u64,
    },
    /// The attempt is given up, and this arrival fails with it.
    GivenUp {
        pending: Pending,
    },
    /// Idle without a request so far.
    Silent {
        since: Moment,
        turn: u64,
    },
    /// Idle after an answer.
    Idle,
    InFlight {
        pending: Pending,
        taken: Moment,
    },
    /// Its arrival has ended; it says when it is free.
    Finishing,
    Closing,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) state: State,
    /// The rank of its connection's first answer among all first answers.
    pub(super) first_answer: Option<u64>,
    /// Whether it stays open without a request.
    pub(super) warm: bool,
}

impl Slot {
    /// The arrival that it has taken.
    pub(super) fn pending(&self) -> Option<&Pending> {
        match &self.state {
            State::InFlight { pending, .. } | State::GivenUp { pending } => Some(pending),
            _ => None,
        }
    }
}
