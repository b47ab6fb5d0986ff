//! Why nothing was measured.

use plimsoll_domain::with_causes;

use super::site;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The endpoint that should exist cannot be used.
    #[error(transparent)]
    Target(site::Error),
    /// The subscription may not use that much.
    #[error("the quota does not allow these deployments; nothing was created")]
    Quota,
    /// The endpoint could not be brought up.
    #[error(transparent)]
    Deployment(site::Error),
    /// The load cannot be prepared: a wrong URL, name, certificate, header or body.
    #[error("{}", with_causes(.0.as_ref()))]
    Plan(anyhow::Error),
    /// The export cannot be set up.
    #[error(transparent)]
    Telemetry(plimsoll_monitor::otlp::Error),
    /// The load generator cannot begin.
    #[error(transparent)]
    Generator(plimsoll_loadgen::Error),
    /// The user stopped the run before the load began.
    #[error("interrupted before the load began; what was created is removed")]
    Interrupted,
}
