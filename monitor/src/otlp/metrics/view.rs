//! What one export is made from.

use std::time::Duration;

use opentelemetry::KeyValue;
use plimsoll_domain::{Generator, Key, Lags, Latencies, Names, Snapshot, Tally};

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
    /// How late requests were sent, by stage.
    pub(in crate::otlp) lags: Vec<(Vec<KeyValue>, &'a Lags)>,
    pub(in crate::otlp) generator: Option<&'a Generator>,
    pub(in crate::otlp) gauges: Option<&'a Gauges>,
}

/// A tally, and the attributes that every point made from it carries.
pub(in crate::otlp) struct Series<'a> {
    pub(in crate::otlp) attributes: Vec<KeyValue>,
    pub(in crate::otlp) tally: &'a Tally,
}

/// The attributes of a stage: its name, and whether it is a warm-up.
fn of_stage(names: &Names, stage: u16) -> Vec<KeyValue> {
    let phase = if names.is_warmup(stage) { "warmup" } else { "measured" };
    let (name, ..) = names.of(Key { stage, ..Key::default() });
    vec![KeyValue::new("plimsoll.phase", phase), KeyValue::new("plimsoll.stage", name.to_owned())]
}

impl<'a> Series<'a> {
    /// What was counted under one key. Who answered is left out where nobody has told.
    fn of(names: &Names, key: Key, tally: &'a Tally) -> Self {
        let mut attributes = of_stage(names, key.stage);
        let (_, request, deployment) = names.of(key);
        attributes.push(KeyValue::new("plimsoll.request", request.to_owned()));
        if !deployment.is_empty() {
            attributes.push(KeyValue::new("plimsoll.deployment", deployment.to_owned()));
        }
        Self { attributes, tally }
    }

    /// The series' attributes, and more.
    pub(super) fn with(&self, more: impl IntoIterator<Item = KeyValue>) -> Vec<KeyValue> {
        self.attributes.iter().cloned().chain(more).collect()
    }
}

impl<'a> View<'a> {
    /// What these snapshots, as one, say about the run.
    pub(in crate::otlp) fn new(
        run: &'a Run,
        temporality: Temporality,
        snapshot: &'a Snapshot,
        gauges: Option<&'a Gauges>,
    ) -> Self {
        let names = &snapshot.names;
        let series = snapshot.tallies.iter().map(|(key, tally)| Series::of(names, *key, tally));
        let lags = snapshot.lags.iter().map(|(stage, lags)| (of_stage(names, *stage), lags));
        let has_any = !snapshot.end.is_zero();
        Self {
            run,
            temporality,
            from: snapshot.start,
            to: snapshot.end,
            series: series.collect(),
            lags: lags.collect(),
            generator: has_any.then_some(&snapshot.generator),
            gauges,
        }
    }

    /// One kind of lag, by stage.
    pub(super) fn lag(&self, of: fn(&Lags) -> &Latencies) -> Vec<(Vec<KeyValue>, &'a Latencies)> {
        self.lags.iter().map(|(attributes, lags)| (attributes.clone(), of(lags))).collect()
    }

    /// The series in which something happened.
    pub(super) fn used(&self) -> impl Iterator<Item = &Series<'a>> {
        self.series.iter().filter(|series| series.tally.offered + series.tally.ended() > 0)
    }

    /// A moment of the run on the wall clock.
    pub(super) fn at(&self, since_start: Duration) -> u64 {
        unix_nanos(self.run.started + since_start)
    }
}
