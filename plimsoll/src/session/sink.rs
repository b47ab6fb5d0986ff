//! Where what a session tells goes: the results folder, the screen, the export. No sink knows
//! another, and the session knows none.

mod folder;
mod screen;
mod telemetry;

use std::time::{Duration, SystemTime};

use plimsoll_domain::{Snapshot, Tally};
use plimsoll_monitor::{AlertEvent, Monitor};

use super::autoscale::Teller;
use super::failure::Failure;
use super::source::Instances;
use crate::results::summary::GeneratorTotals;
use crate::results::{Event, EventKind, IntervalInfo};
use crate::view::Live;

pub(super) use folder::Folder;
pub(super) use telemetry::{Telemetry, config, switched_off};

/// Takes what a session tells.
pub(super) trait Sink {
    /// Takes one thing.
    ///
    /// # Errors
    /// Only of what cannot begin: it ends the run. Whatever fails later is the sink's own matter.
    fn take(&mut self, output: &Output<'_>) -> Result<(), Failure>;
}

/// What a session tells.
#[derive(Debug)]
pub(super) enum Output<'a> {
    /// The load begins: times count from here, for every sink.
    Begun {
        /// The wall-clock time of the first due time.
        first_due: SystemTime,
    },
    /// An interval is over.
    Interval(Interval<'a>),
    /// Something happened.
    Event(Event),
    /// An alert changed its state.
    Alert(AlertEvent),
    /// Autoscale rules were evaluated.
    Evaluation {
        /// As a line of their record.
        line: String,
    },
}

/// An interval, and how the run stands after it.
#[derive(Debug)]
pub(super) struct Interval<'a> {
    /// What it measured.
    pub(super) snapshot: &'a Snapshot,
    /// All tallies of the snapshot, merged.
    pub(super) all: &'a Tally,
    /// What of it is not in the snapshot.
    pub(super) info: &'a IntervalInfo,
    /// The instances of each deployment; empty where nothing is known.
    pub(super) instances: &'a [Instances],
    /// How autoscale rules stand, if there are any.
    pub(super) scaling: Option<&'a Teller>,
    /// The figures for a person.
    pub(super) live: &'a Live,
    /// The generator's state over the run so far.
    pub(super) generator: &'a GeneratorTotals,
    /// How objectives, alerts and validity stand, and the totals so far.
    pub(super) monitor: &'a Monitor,
}

/// Something that happened `at` this time since the first due time.
pub(super) fn event(at: Duration, kind: EventKind, message: impl Into<String>) -> Event {
    Event::new(at.as_secs_f64(), kind, message)
}

/// An alert as people read it.
fn alert_event(alert: &AlertEvent) -> Event {
    let message = format!(
        "alert {}: {} → {} (`{}` is at {})",
        alert.rule,
        alert.from.name(),
        alert.to.name(),
        alert.objective,
        alert.value.short()
    );
    event(alert.at, EventKind::Alert, message)
        .with("rule", alert.rule.as_str())
        .with("state", alert.to.name())
        .with("severity", alert.severity.name())
        .with("fingerprint", alert.fingerprint.as_str())
        .with("run_ended", alert.run_ended)
}
