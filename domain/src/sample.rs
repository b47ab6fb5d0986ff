//! One finished request and its times.

use std::time::Duration;

use crate::{Moment, Outcome};

/// An arrival that the generator let go later than this is late by the generator's own doing, where
/// no objective's limit says how much matters.
pub const LATE_RELEASE: Duration = Duration::from_millis(10);

/// By how much the model's time may seem longer than the service time.
const CLOCKS: Duration = Duration::from_millis(1);

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
    /// The end of that time in which the generator did not read answers: it did not run, or had
    /// other things to do. The answer may have lain there for as long.
    pub unread: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// The time that the inference server says its model took (`x-ms-run-fn-exec-ms`).
    pub model_time: Option<Duration>,
}

impl Sample {
    /// Of a request that was sent when it was due.
    pub fn new(due: Moment, done: Moment, outcome: Outcome) -> Self {
        let (released, sent, zero) = (due, due, Duration::ZERO);
        Self { due, released, handover: zero, sent, done, unread: zero, outcome, model_time: None }
    }

    /// done − due: the headline latency.
    pub fn response_time(&self) -> Duration {
        self.done.since(self.due)
    }

    /// done − sent.
    pub fn service_time(&self) -> Duration {
        self.done.since(self.sent)
    }

    /// The model's part of the service time. The two clocks, and a generator that is interrupted between sending and
    /// looking at its own, may make it a little longer than the whole: then it is the whole. What is longer by more
    /// than that is not about this request, and is not used.
    pub fn model_part(&self) -> Option<Duration> {
        self.model_nanos().map(Duration::from_nanos)
    }

    /// The same in nanoseconds.
    pub(crate) fn model_nanos(&self) -> Option<u64> {
        let service = self.done.nanos_since(self.sent);
        let model = nanos(self.model_time?);
        (model <= service.saturating_add(nanos(CLOCKS))).then(|| model.min(service))
    }

    /// sent − due: with the wait for a connection, which the scenario's limits or the target cause.
    pub fn send_lag(&self) -> Duration {
        self.sent.since(self.due)
    }

    /// The generator's own part of the send lag: released late, or taken late.
    pub fn release_lag(&self) -> Duration {
        self.released.since(self.due) + self.handover
    }

    /// The same in nanoseconds.
    pub(crate) fn release_nanos(&self) -> u64 {
        self.released.nanos_since(self.due).saturating_add(nanos(self.handover))
    }

    /// [`own_delay`](Self::own_delay) in nanoseconds.
    pub(crate) fn own_nanos(&self) -> u64 {
        self.release_nanos().saturating_add(nanos(self.unread))
    }

    /// How much later the answer may have been read because of the generator itself: what it
    /// delayed, it also sent into another load.
    pub fn own_delay(&self) -> Duration {
        self.release_lag() + self.unread
    }
}

/// A span in nanoseconds; what is too long to count is for ever.
pub(crate) fn nanos(span: Duration) -> u64 {
    span.as_secs().saturating_mul(1_000_000_000).saturating_add(span.subsec_nanos().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_takes_no_longer_than_the_whole() {
        let part = |model_us| {
            let start = Moment::from_nanos(0);
            let done = start + Duration::from_micros(700);
            let model_time = Some(Duration::from_micros(model_us));
            let sample = Sample { model_time, ..Sample::new(start, done, Outcome::status(200)) };
            sample.model_part().map(|part| part.as_micros())
        };
        assert_eq!([part(500), part(701), part(5000)], [Some(500), Some(700), None]);
    }
}
