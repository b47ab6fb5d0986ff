//! What became of one arrival.
//!
//! An arrival is either dropped (no connection within the limits; nothing was attempted) or sent,
//! and a sent one ends in exactly one [`Outcome`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Moment;

/// How a request that was sent (or whose connection was attempted) ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The whole answer arrived, with this HTTP status.
    Answered(u16),
    /// No whole answer within the request timeout.
    Timeout,
    /// The connection failed.
    Transport(Transport),
    /// In flight when the run stopped waiting.
    Aborted,
}

impl Outcome {
    /// Whether the answer was the right one: a 2xx status.
    pub fn is_ok(self) -> bool {
        matches!(self, Self::Answered(200..=299))
    }
}

/// Where a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// The TCP connection was refused, unreachable, or not established in time.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The peer closed or reset the connection before the whole answer.
    Closed,
    /// The answer was not HTTP that we understand.
    Protocol,
}

impl Transport {
    /// The name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
        }
    }
}

/// One finished request and its times.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// When it should have been sent.
    pub due: Moment,
    /// When the pacer let it go; `released − due` is the generator's own lateness.
    pub released: Moment,
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

    /// sent − due.
    pub fn send_lag(&self) -> Duration {
        self.sent.since(self.due)
    }

    /// released − due.
    pub fn release_lag(&self) -> Duration {
        self.released.since(self.due)
    }
}
