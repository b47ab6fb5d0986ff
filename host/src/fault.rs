//! Errors of the control plane, in ARM's form.

use std::fmt;

use hyper::StatusCode;
use plimsoll_deploy::arm::wire::{ArmError, ErrorBody, ProvisioningState};

/// Azure's code of what was neither done nor failed.
const CANCELED: &str = "OperationCanceled";

/// What a caller of the control plane is told: a status, a code of Azure's, and a sentence.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// What is behind it.
    pub(super) details: Vec<ArmError>,
}

impl Fault {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: Vec::new() }
    }

    /// 400: the request cannot be done as it is.
    pub(super) fn bad_argument(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadArgument", message)
    }

    /// 400: Azure can, the local host cannot.
    pub(super) fn not_supported(what: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "NotSupported",
            format!("the local host does not support {what}"),
        )
    }

    /// 404.
    pub(super) fn not_found(what: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "ResourceNotFound", format!("{what} was not found"))
    }

    /// 412: it is there, and was not to be.
    pub(super) fn exists(what: impl fmt::Display) -> Self {
        let message = format!("{what} exists already");
        Self::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message)
    }

    /// 409: another operation is running on it.
    pub(super) fn busy(what: impl fmt::Display, state: impl fmt::Debug) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "Conflict",
            format!("{what} is in state {state:?}; wait until its operation is done"),
        )
    }

    /// An instance did not become ready.
    pub(super) fn not_ready(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ResourceNotReady", message)
    }

    /// The host is stopping.
    pub(super) fn canceled() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            CANCELED,
            "the operation was canceled: the local host is stopping, or the endpoint is being deleted",
        )
    }

    /// What it leaves behind.
    pub(super) fn state(&self) -> ProvisioningState {
        if self.code == CANCELED { ProvisioningState::Canceled } else { ProvisioningState::Failed }
    }

    /// 500: the operation's task is gone.
    pub(super) fn lost() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerError",
            "the operation ended without an answer: a fault of the local host, whose messages say more",
        )
    }

    pub(super) fn to_arm(&self) -> ArmError {
        ArmError {
            code: self.code.to_owned(),
            message: self.message.clone(),
            details: self.details.clone(),
            ..ArmError::default()
        }
    }

    pub(super) fn to_body(&self) -> ErrorBody {
        ErrorBody { error: self.to_arm() }
    }
}
