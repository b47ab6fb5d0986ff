//! Where events come from.
//!
//! A source begins with [`Event::Begun`], then tells intervals in their order and whatever else
//! happens, and ends with [`Event::Ended`] or [`Event::Failed`]. Times count from the first due
//! time. A run of any kind is a source: it need not be live.

mod interrupt;
mod live;
mod simulated;

use std::time::{Duration, SystemTime};

use plimsoll_autoscale::controller::Happening;
use plimsoll_domain::Snapshot;

use super::sink::event;
use crate::results::{self, EventKind, InstanceCount};

pub(super) use interrupt::Interrupt;
pub(crate) use interrupt::interruptible;
pub(super) use live::{LiveSource, Scaling};
pub(super) use simulated::SimulatedSource;

/// Between two looks at instances that rules scale.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Tells what happens in a run.
pub(super) trait Source {
    /// The next event. Nothing may be asked for after the last one.
    async fn next(&mut self) -> Event;

    /// Nothing more needs to become due: what is in flight is waited for, and then it ends. May be
    /// said again.
    fn stop(&mut self);
}

/// Something that happens in a run.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// The load begins. Whoever writes times of day counts from this one.
    Begun {
        /// The wall-clock time at which the first moment of the schedule is due.
        first_due: SystemTime,
    },
    /// An interval is over.
    Interval(Box<Snapshot>),
    /// Instances were counted, and it is not as it was.
    Instances {
        /// When.
        at: Duration,
        /// Of every deployment.
        instances: Vec<Instances>,
    },
    /// The controller of autoscale rules did something.
    Scaling(Vec<Happening>),
    /// A count of instances that was asked for could not be had.
    NotScaled {
        /// When.
        at: Duration,
        /// Why.
        why: String,
    },
    /// What the run had brought up is gone; the load is being stopped.
    Lost {
        /// When.
        at: Duration,
        /// Why.
        why: String,
    },
    /// The user wants the run to end; what is in flight is waited for.
    Interrupted {
        /// When.
        at: Duration,
    },
    /// The last interval was told.
    Ended {
        /// Whether the schedule was cut.
        stopped_early: bool,
    },
    /// The generator cannot go on.
    Failed {
        /// Why, as a sentence.
        why: String,
    },
}

impl Event {
    /// Whether nothing comes after it.
    pub(super) fn is_last(&self) -> bool {
        matches!(self, Self::Ended { .. } | Self::Failed { .. })
    }
}

/// The instances of one deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instances {
    /// The deployment's name.
    pub(super) deployment: String,
    /// Those that get requests.
    pub(super) ready: u32,
    /// Those that it should have.
    pub(super) wanted: u32,
    /// Those that run and are not ready yet.
    pub(super) starting: u32,
}

impl Instances {
    /// Those of all deployments; `None` where nothing is known.
    pub(super) fn sum(all: &[Self]) -> Option<InstanceCount> {
        let counts = all.iter().map(|each| InstanceCount {
            ready: each.ready,
            wanted: each.wanted,
            starting: each.starting,
        });
        counts.reduce(|all, each| InstanceCount {
            ready: all.ready + each.ready,
            wanted: all.wanted + each.wanted,
            starting: all.starting + each.starting,
        })
    }

    /// What is told of a change.
    pub(super) fn change(&self, was_ready: u32, at: Duration) -> results::Event {
        let Self { deployment, ready, wanted, starting } = self;
        let message = format!("{was_ready} → {ready} of {wanted} instances of {deployment} ready");
        event(at, EventKind::Scale, message)
            .with("deployment", deployment.as_str())
            .with("ready", *ready)
            .with("wanted", *wanted)
            .with("starting", *starting)
    }
}
