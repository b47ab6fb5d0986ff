//! What one export is made from.

use std::time::Duration;

use opentelemetry::KeyValue;
use plimsoll_domain::{Generator, Tally};

use super::super::config::Temporality;
use super::super::gauges::Gauges;
use super::super::run::Run;
use super::super::wire::unix_nanos;

/// Everything that one export says.
pub(in crate::otlp) struct View<'a> {
    pub(in crate::otlp) run: &'a Run,
    pub(in crate::otlp) temporality: Temporality,
    /// What the tallies cover, since the run's first due time.
    pub(in crate::otlp) from: Duration,
    pub(in crate::otlp) to: Duration,
    /// What was counted, in parts that no two have the same attributes.
    pub(in crate::otlp) series: Vec<Series<'a>>,
    pub(in crate::otlp) generator: Option<&'a Generator>,
    pub(in crate::otlp) gauges: Option<&'a Gauges>,
}

/// A tally, and the attributes that every point made from it carries.
pub(in crate::otlp) struct Series<'a> {
    pub(in crate::otlp) attributes: Vec<KeyValue>,
    pub(in crate::otlp) tally: &'a Tally,
}

impl<'a> Series<'a> {
    /// The requests of a phase: `warmup` or `measured`.
    pub(in crate::otlp) fn phase(name: &'static str, tally: &'a Tally) -> Self {
        Self { attributes: vec![KeyValue::new("plimsoll.phase", name)], tally }
    }

    /// The series' attributes, and more.
    pub(super) fn with(&self, more: impl IntoIterator<Item = KeyValue>) -> Vec<KeyValue> {
        self.attributes.iter().cloned().chain(more).collect()
    }
}

impl<'a> View<'a> {
    /// The series in which something happened.
    pub(super) fn used(&self) -> impl Iterator<Item = &Series<'a>> {
        self.series.iter().filter(|series| series.tally.offered + series.tally.ended() > 0)
    }

    /// A moment of the run on the wall clock.
    pub(super) fn at(&self, since_start: Duration) -> u64 {
        unix_nanos(self.run.started + since_start)
    }
}
