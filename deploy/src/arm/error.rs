//! What can go wrong between the driver and the control plane.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

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
    /// Nobody answers there.
    #[error("{what}: the control plane at `{url}` cannot be reached; is it still running?")]
    Unreachable {
        /// What was asked for.
        what: String,
        /// Where.
        url: String,
        /// Why.
        source: io::Error,
    },
    /// The connection broke off.
    #[error("{what}: the control plane at `{url}` broke off")]
    BrokeOff {
        /// What was asked for.
        what: String,
        /// Where.
        url: String,
        /// Why.
        source: hyper::Error,
    },
    /// The answer took too long.
    #[error("{what}: the control plane at `{url}` did not answer within {limit:?}")]
    NoAnswer {
        /// What was asked for.
        what: String,
        /// Where.
        url: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The request was refused.
    #[error("{what}: {message} ({code}, status {status})")]
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
    },
    /// The operation was begun and did not succeed.
    #[error("{what}: {message} ({code})")]
    Failed {
        /// What was asked for.
        what: String,
        /// Azure's code.
        code: String,
        /// Azure's message.
        message: String,
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
    /// Whether the same request may well succeed a little later.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == 429 || *status >= 500)
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
