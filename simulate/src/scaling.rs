//! Who decides how many instances there are, and what they are told.
//!
//! The rules themselves are not here: a scaler is any function from what was measured to a count. It
//! is asked at regular times and told every minute that ended since; what delay a metric has on its
//! way, and over how long it is averaged, is the scaler's own.

use std::fmt;
use std::time::Duration;

use plimsoll_domain::Latencies;

/// How a deployment's instance count is decided.
pub struct Autoscale {
    /// How often the scaler is asked.
    pub every: Duration,
    /// The instances that the quota allows.
    pub ceiling: u32,
    /// Who is asked.
    pub scaler: Scaler,
}

/// Answers how many instances it wants; `None` to leave their number as it is. What is above the
/// quota's ceiling becomes the ceiling; there is always at least one.
pub type Scaler = Box<dyn FnMut(&Evaluation<'_>) -> Option<u32> + Send>;

impl fmt::Debug for Autoscale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { every, ceiling, .. } = self;
        f.debug_struct("Autoscale")
            .field("every", every)
            .field("ceiling", ceiling)
            .finish_non_exhaustive()
    }
}

/// What a scaler decides from.
#[derive(Debug)]
pub struct Evaluation<'a> {
    /// Since the first due time.
    pub now: Duration,
    /// Whose instances.
    pub deployment: &'a str,
    /// The minutes that ended since it was last asked, the oldest first.
    pub minutes: &'a [Minute],
    /// The instances as they are.
    pub counts: &'a Counts,
}

/// The instances of one deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// The deployment's name.
    pub deployment: String,
    /// Those that get requests.
    pub ready: u32,
    /// Those that it should have.
    pub wanted: u32,
    /// Those that are not ready yet.
    pub starting: u32,
}

/// What a deployment did in one minute.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Minute {
    /// When it began, since the first due time.
    pub start: Duration,
    /// Requests that came.
    pub requests: u64,
    /// Requests that were refused (429, or no instance ready).
    pub refused: u64,
    /// From when each answered request came to its answer.
    pub latency: Latencies,
    /// Time that instances spent at work, as a share of the time that their slots could have: what a
    /// processor metric shows of a model that computes.
    pub busy: f64,
    /// Ready instances, on average.
    pub instances: f64,
}
