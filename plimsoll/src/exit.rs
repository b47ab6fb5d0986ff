//! Exit codes: what a script or a CI job learns from a run.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All objectives met, run valid; or whatever was asked was done.
    Success,
    /// Something that should not happen, results that could not be written, or what was asked was
    /// refused.
    Internal,
    /// Wrong usage, or a wrong file.
    Usage,
    /// An objective breached.
    Breached,
    /// Nothing can be said: inconclusive, or the run is invalid.
    Inconclusive,
    /// The deployment failed, or the quota does not allow it.
    Deployment,
    /// Interrupted; partial results are written.
    Interrupted,
}

impl Exit {
    /// The number that the process ends with.
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Breached => 3,
            Self::Inconclusive => 4,
            Self::Deployment => 5,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
