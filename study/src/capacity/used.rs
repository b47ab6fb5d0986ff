//! What a step used of the endpoint, where its host tells: what bounds a rate is told by it.

use serde::Serialize;

/// What was used while a step ran, as the host measured it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Used {
    /// Processor time of the instances' process groups, as a share of the cores that their workers can have,
    /// 0 to 1; `None` where it says nothing, as of drawn service times.
    pub processor: Option<f64>,
    /// The share of the machine's processor time that nobody took, where instances share it with the
    /// generator, 0 to 1.
    pub idle: Option<f64>,
    /// The share of all slots' time that was taken, 0 to 1.
    pub slots: f64,
    /// How long a request's bodies waited for the endpoint's bandwidth, on average.
    pub delayed_ms: f64,
    /// New connections that a limit closed, for each request.
    pub turned_away: f64,
}
