//! One finished request and its times.

use std::time::Duration;

use crate::{Moment, Outcome};

/// One finished request and its times, in the order in which they come.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// When it should have been sent.
    pub due: Moment,
    /// When the pacer let it go.
    pub released: Moment,
    /// From when it was given to a connection to when that took it: the time that the generator's
    /// own tasks waited for their turn.
    pub handover: Duration,
    /// When its bytes went to the kernel (or its connection was first attempted).
    pub sent: Moment,
    /// When its answer was complete, or it failed.
    pub done: Moment,
    /// How it ended.
    pub outcome: Outcome,
    /// The time that the inference server says its model took (`x-ms-run-fn-exec-ms`).
    pub model_time: Option<Duration>,
}

impl Sample {
    /// done − due: the headline latency.
    pub fn response_time(&self) -> Duration {
        self.done.since(self.due)
    }

    /// done − sent.
    pub fn service_time(&self) -> Duration {
        self.done.since(self.sent)
    }

    /// sent − due: with the wait for a connection, which the scenario's limits or the target cause.
    pub fn send_lag(&self) -> Duration {
        self.sent.since(self.due)
    }

    /// The generator's own part of the send lag: released late, or taken late.
    pub fn release_lag(&self) -> Duration {
        self.released.since(self.due) + self.handover
    }
}
