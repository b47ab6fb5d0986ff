//! What can go wrong between the driver and the control plane.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::credential;
use super::remedy::Trace;
use super::transport::Cause;

/// Names what was asked for, and keeps Azure's code where Azure gave one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The control plane's address cannot be used.
    #[error("control plane `{url}`: {reason}")]
    Address {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no token to show.
    #[error("{what}: {source}")]
    Credential {
        /// What was asked for.
        what: String,
        /// Why.
        source: credential::Error,
    },
    /// Nobody answers there.
    #[error("{what}: the control plane at `{url}` cannot be reached; {}", trace.or("is it still running?"))]
    Unreachable {
        /// What was asked for.
        what: String,
        /// Where.
        url: String,
        /// Why.
        source: Cause,
        /// Its request id, and what to do.
        trace: Trace,
    },
    /// The connection broke off.
    #[error("{what}: the control plane at `{url}` broke off{trace}")]
    BrokeOff {
        /// What was asked for.
        what: String,
        /// Where.
        url: String,
        /// Why.
        source: Cause,
        /// Its request id, and what to do.
        trace: Trace,
    },
    /// The answer took too long.
    #[error("{what}: the control plane at `{url}` did not answer within {limit:?}{trace}")]
    NoAnswer {
        /// What was asked for.
        what: String,
        /// Where.
        url: String,
        /// How long it was waited for.
        limit: Duration,
        /// Its request id, and what to do.
        trace: Trace,
    },
    /// An operation takes longer than is waited for.
    #[error("{what}: its operation was not done within {limit:?}{trace}")]
    Overdue {
        /// What was asked for.
        what: String,
        /// How long it was waited for.
        limit: Duration,
        /// Its request id, and what to do.
        trace: Trace,
    },
    /// The request was refused.
    #[error("{what}: {message} ({code}, status {status}){trace}")]
    Refused {
        /// What was asked for.
        what: String,
        /// HTTP status.
        status: u16,
        /// Azure's code.
        code: String,
        /// Azure's message.
        message: String,
        /// When to try again, if the answer said so.
        retry_after: Option<Duration>,
        /// Its request id, and what to do.
        trace: Trace,
    },
    /// The operation was begun and did not succeed.
    #[error("{what}: {message} ({code}){trace}")]
    Failed {
        /// What was asked for.
        what: String,
        /// Azure's code.
        code: String,
        /// Azure's message.
        message: String,
        /// Its request id, and what to do.
        trace: Trace,
    },
    /// The answer is not what it should be.
    #[error("{what}: the control plane's answer cannot be read")]
    Malformed {
        /// What was asked for.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// An operation's address is missing, or is somewhere else, where the token must not go.
    #[error("{what}: the control plane names no usable address for its operation: `{url}`")]
    OperationAddress {
        /// What was asked for.
        what: String,
        /// What it named.
        url: String,
    },
    /// There is one by that name.
    #[error("{what} already exists; delete it first, or use another name")]
    Exists {
        /// The endpoint or deployment.
        what: String,
    },
    /// Something that this driver cannot do yet.
    #[error("{what}: {reason}")]
    NotSupported {
        /// The endpoint or deployment.
        what: String,
        /// What, and what to do about it.
        reason: String,
    },
    /// A file that belongs to the deployment cannot be read.
    #[error("{what}: `{}` cannot be read", path.display())]
    File {
        /// The deployment.
        what: String,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Error {
    /// Whether the same request may well succeed a little later, without doing anything twice: who was too busy, or was not
    /// reached, did nothing, and whoever only asks may ask again. Whether a change whose answer was lost was made must be
    /// looked up instead. A local host that cannot be reached is gone.
    pub(super) fn may_be_repeated(&self, changes: bool) -> bool {
        match self {
            Self::Refused { status: 429, .. } => true,
            Self::Refused { .. } => !changes && self.is_answer_lost(),
            Self::Unreachable { trace, .. } => trace.is_azure(),
            Self::BrokeOff { trace, .. } | Self::NoAnswer { trace, .. } => {
                trace.is_azure() && !changes
            }
            _ => false,
        }
    }

    /// Whether nobody knows if the request was carried out.
    pub(super) fn is_answer_lost(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status >= 500 || *status == 408,
            Self::BrokeOff { .. } | Self::NoAnswer { .. } => true,
            _ => false,
        }
    }

    /// When to try again, if the answer said so.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the thing asked for is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Azure's code, where Azure gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } | Self::Failed { code, .. } => Some(code),
            _ => None,
        }
    }
}
