//! What an arrival came to: a class and, if it was answered, its status.
//!
//! An arrival is either never sent ([`Class::Dropped`], [`Class::Capped`], [`Class::Missed`]) or sent, and a sent one
//! ends in exactly one of the other classes. Whether it was *ok* is decided by [`Class::is_ok`] and
//! nowhere else.

use serde::{Deserialize, Serialize};

/// The kinds of ending. The order is that of results; the names are part of the results' format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A right answer.
    Ok,
    /// A right answer, later than the strictest limit that an objective sets on response time.
    Late,
    /// 429: more requests were pending than the deployment admits (2 · concurrency · instances).
    RefusedAdmission,
    /// 429 for any other reason: a limit on requests per second, as RFC 6585 means it.
    RefusedRate,
    /// 503 with `Retry-After`: the server asks to come again later (RFC 9110, 15.6.4).
    Throttled,
    /// 408 or 504: the server gave up waiting for the model.
    ServerTimeout,
    /// No whole answer within our own request timeout.
    ClientTimeout,
    /// 424: the model answered, but not with 200.
    ModelError,
    /// Any other 5xx.
    ServerError,
    /// 401 or 403.
    Auth,
    /// Any other status that is not 2xx.
    UnexpectedStatus,
    /// A 2xx answer whose content is not what the scenario asks for.
    FailedCheck,
    /// The TCP connection was refused, unreachable, or not established in time.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The peer closed or reset the connection before the whole answer.
    Closed,
    /// The answer was not HTTP that we understand.
    Protocol,
    /// This machine had no socket, port, descriptor or memory left for it.
    ClientFault,
    /// In flight when the run stopped waiting.
    Aborted,
    /// Never sent: no connection within the limits that the scenario sets.
    Dropped,
    /// Never sent: above the safety ceiling on the send rate.
    Capped,
    /// Never sent: the generator let it go more than [`LATE_RELEASE`](crate::LATE_RELEASE) late, and
    /// then no connection was free.
    Missed,
}

impl Class {
    /// All of them, in the order of results.
    pub const ALL: [Self; 21] = [
        Self::Ok,
        Self::Late,
        Self::RefusedAdmission,
        Self::RefusedRate,
        Self::Throttled,
        Self::ServerTimeout,
        Self::ClientTimeout,
        Self::ModelError,
        Self::ServerError,
        Self::Auth,
        Self::UnexpectedStatus,
        Self::FailedCheck,
        Self::Connect,
        Self::Tls,
        Self::Closed,
        Self::Protocol,
        Self::ClientFault,
        Self::Aborted,
        Self::Dropped,
        Self::Capped,
        Self::Missed,
    ];

    /// Whether the answer was the right one, however late.
    pub fn is_ok(self) -> bool {
        matches!(self, Self::Ok | Self::Late)
    }

    /// Whether it was sent: a connection for it was at least attempted.
    pub fn is_sent(self) -> bool {
        !matches!(self, Self::Dropped | Self::Capped | Self::Missed)
    }

    /// Whether the target answered without having worked on it: it took as long as saying no does.
    pub fn is_refused(self) -> bool {
        matches!(self, Self::RefusedAdmission | Self::RefusedRate | Self::Throttled | Self::Auth)
    }

    /// Whether the connection failed.
    pub fn is_transport(self) -> bool {
        matches!(self, Self::Connect | Self::Tls | Self::Closed | Self::Protocol)
    }

    /// Whether it ended so because of the load generator or its machine, not of the target.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::ClientFault | Self::Capped | Self::Missed)
    }

    /// Whether it may come of more requests at once than the target takes.
    pub fn is_overload(self) -> bool {
        matches!(
            self,
            Self::RefusedAdmission
                | Self::RefusedRate
                | Self::Throttled
                | Self::ServerTimeout
                | Self::ClientTimeout
                | Self::Connect
                | Self::Dropped
        )
    }

    /// The name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Late => "late",
            Self::RefusedAdmission => "refused_admission",
            Self::RefusedRate => "refused_rate",
            Self::Throttled => "throttled",
            Self::ServerTimeout => "server_timeout",
            Self::ClientTimeout => "client_timeout",
            Self::ModelError => "model_error",
            Self::ServerError => "server_error",
            Self::Auth => "auth",
            Self::UnexpectedStatus => "unexpected_status",
            Self::FailedCheck => "failed_check",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
            Self::ClientFault => "client_fault",
            Self::Aborted => "aborted",
            Self::Dropped => "dropped",
            Self::Capped => "capped",
            Self::Missed => "missed",
        }
    }
}

/// How an arrival ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Outcome {
    /// The kind of ending.
    pub class: Class,
    /// The HTTP status, if a whole answer arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The model's own status behind a 424, if the gateway tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_status: Option<u16>,
}

/// What the headers of an answer say beside its status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hints {
    /// `ms-azureml-model-error-reason: too_many_pending_request`.
    pub too_many_pending: bool,
    /// `Retry-After` is there.
    pub retry_after: bool,
    /// `ms-azureml-model-error-statuscode`.
    pub model_status: Option<u16>,
}

impl Outcome {
    /// An ending without an answer.
    pub const fn of(class: Class) -> Self {
        Self { class, status: None, model_status: None }
    }

    /// A whole answer. Azure's gateway tells apart by headers what shares a status.
    pub fn answered(status: u16, hints: Hints) -> Self {
        let class = match status {
            200..=299 => Class::Ok,
            401 | 403 => Class::Auth,
            408 | 504 => Class::ServerTimeout,
            424 => Class::ModelError,
            429 if hints.too_many_pending => Class::RefusedAdmission,
            429 => Class::RefusedRate,
            503 if hints.retry_after => Class::Throttled,
            500..=599 => Class::ServerError,
            _ => Class::UnexpectedStatus,
        };
        let model_status = hints.model_status.filter(|_| class == Class::ModelError);
        Self { class, status: Some(status), model_status }
    }

    /// A whole answer whose headers say nothing more.
    pub fn status(status: u16) -> Self {
        Self::answered(status, Hints::default())
    }

    /// Whether it was a right answer, however late.
    pub fn is_ok(self) -> bool {
        self.class.is_ok()
    }

    /// Whether a whole answer arrived, right or wrong.
    pub fn is_answered(self) -> bool {
        self.status.is_some()
    }

    /// Whether a whole answer arrived that was worked for: only such a one has a service time.
    pub fn is_served(self) -> bool {
        self.is_answered() && !self.class.is_refused()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_and_its_headers_give_a_class() {
        let pending = Hints { too_many_pending: true, ..Hints::default() };
        let later = Hints { retry_after: true, ..Hints::default() };
        let none = Hints::default();
        let table = [
            (200, none, Class::Ok),
            (204, none, Class::Ok),
            (302, none, Class::UnexpectedStatus),
            (401, none, Class::Auth),
            (404, none, Class::UnexpectedStatus),
            (408, none, Class::ServerTimeout),
            (424, none, Class::ModelError),
            (429, pending, Class::RefusedAdmission),
            (429, later, Class::RefusedRate),
            (500, none, Class::ServerError),
            (503, none, Class::ServerError),
            (503, later, Class::Throttled),
            (504, none, Class::ServerTimeout),
        ];
        for (status, hints, class) in table {
            assert_eq!(Outcome::answered(status, hints).class, class, "{status}");
        }
        let inner = Hints { model_status: Some(503), ..none };
        assert_eq!(Outcome::answered(424, inner).model_status, Some(503));
        assert_eq!(Outcome::answered(500, inner).model_status, None);
    }

    #[test]
    fn names_are_those_that_travel_and_each_class_is_listed_once() {
        let mut seen = std::collections::BTreeSet::new();
        for class in Class::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.name());
            assert!(seen.insert(class));
        }
    }
}
