//! What a rule observes: samples of instances combined in each grain, the grains combined over the window.
//!
//! Source: *Understand autoscale settings*, and the REST reference: `statistic` combines the instances
//! of one `timeGrain`, `timeAggregation` the grains of the `timeWindow`; `dividePerInstance` divides by
//! the number of instances. Not documented, and taken so: the window ends with the last grain that is
//! whole at the evaluation (less the delay of metrics); grains are aligned to the epoch; grains without
//! a sample are left out, and a window without any has no value.

use jiff::Timestamp;

use super::history::{History, MINUTE, Minute, is_meant};
use super::{Aggregation, Parameters, Rule, Setting, Statistic};
use crate::State;

/// The seconds of the window that a rule looks at, the end not among them.
pub(super) fn window(rule: &Rule, parameters: &Parameters, now: Timestamp) -> (i64, i64) {
    let grain = i64::from(rule.grain_s).max(MINUTE);
    let end = (now.as_second() - i64::from(parameters.metric_delay_s)).div_euclid(grain) * grain;
    (end - i64::from(rule.window_s), end)
}

/// The value over the window; nothing if there is no sample.
pub(super) fn of_history(
    rule: &Rule,
    setting: &Setting,
    parameters: &Parameters,
    now: Timestamp,
    history: &History,
) -> Option<f64> {
    let grain = i64::from(rule.grain_s).max(MINUTE);
    let (start, end) = window(rule, parameters, now);
    let mut all = history.of_rule(rule, setting);
    let first = all.next()?;
    let rest: Vec<_> = all.collect();
    let mut window = Window::default();
    if rest.is_empty() {
        let mut grains = Grains::new(grain);
        for minute in within(&first.minutes, start, end) {
            grains.add(minute, &mut |whole| window.add(rule.statistic, whole));
        }
        grains.finish(&mut |whole| window.add(rule.statistic, whole));
    } else {
        let mut minutes: Vec<Minute> = within(&first.minutes, start, end).to_vec();
        for series in rest {
            minutes.extend_from_slice(within(&series.minutes, start, end));
        }
        minutes.sort_by_key(|minute| minute.start);
        let mut grains = Grains::new(grain);
        for minute in &minutes {
            grains.add(minute, &mut |whole| window.add(rule.statistic, whole));
        }
        grains.finish(&mut |whole| window.add(rule.statistic, whole));
    }
    window.value(rule.aggregation)
}

fn within(minutes: &[Minute], start: i64, end: i64) -> &[Minute] {
    let from = minutes.partition_point(|minute| minute.start < start);
    let to = minutes.partition_point(|minute| minute.start < end);
    &minutes[from..to.max(from)]
}

/// Minutes put together into grains.
struct Grains {
    length: i64,
    open: Option<Minute>,
}

impl Grains {
    fn new(length: i64) -> Self {
        Self { length, open: None }
    }

    fn add(&mut self, minute: &Minute, whole: &mut impl FnMut(&Minute)) {
        let start = minute.start.div_euclid(self.length) * self.length;
        match &mut self.open {
            Some(open) if open.start == start => open.add(minute),
            open => {
                if let Some(done) = open.replace(Minute { start, ..*minute }) {
                    whole(&done);
                }
            }
        }
    }

    fn finish(self, whole: &mut impl FnMut(&Minute)) {
        if let Some(done) = self.open {
            whole(&done);
        }
    }
}

/// The grains of a window, as far as any aggregation needs them.
#[derive(Default)]
struct Window {
    sum: f64,
    min: f64,
    max: f64,
    last: f64,
    grains: u32,
    samples: u32,
}

impl Window {
    fn add(&mut self, statistic: Statistic, grain: &Minute) {
        let value = match statistic {
            Statistic::Average => grain.sum / f64::from(grain.count),
            Statistic::Min => grain.min,
            Statistic::Max => grain.max,
            Statistic::Sum => grain.sum,
            Statistic::Count => f64::from(grain.count),
        };
        if self.grains == 0 {
            (self.min, self.max) = (value, value);
        }
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.last = value;
        self.grains += 1;
        self.samples += grain.count;
    }

    fn value(&self, aggregation: Aggregation) -> Option<f64> {
        if self.grains == 0 {
            return None;
        }
        Some(match aggregation {
            Aggregation::Average => self.sum / f64::from(self.grains),
            Aggregation::Minimum => self.min,
            Aggregation::Maximum => self.max,
            Aggregation::Total => self.sum,
            Aggregation::Count => f64::from(self.samples),
            Aggregation::Last => self.last,
        })
    }
}

/// The value that a state gives without a history: of the target, or of its instances at this moment.
pub(super) fn of_state(rule: &Rule, setting: &Setting, state: &State) -> Option<f64> {
    let finite = |value: &f64| value.is_finite();
    let mut totals = Minutes::default();
    for metric in &state.metrics {
        let meant = is_meant(rule, setting, &metric.name, metric.resource.as_deref());
        if meant && rule.dimensions.iter().all(|dimension| dimension.fits(&metric.dimensions)) {
            totals.extend(metric.value.filter(finite));
        }
    }
    if totals.0.is_none() && is_meant(rule, setting, &rule.metric, None) {
        for instance in &state.instances {
            let reading =
                instance.metrics.iter().find(|(n, _)| n.eq_ignore_ascii_case(&rule.metric));
            totals.extend(reading.map(|(_, reading)| reading.value).filter(finite));
        }
    }
    let grain = totals.0?;
    let mut window = Window::default();
    window.add(rule.statistic, &grain);
    window.value(rule.aggregation)
}

/// Values of one moment.
#[derive(Default)]
struct Minutes(Option<Minute>);

impl Minutes {
    fn extend(&mut self, value: Option<f64>) {
        let Some(value) = value else { return };
        let new = Minute { start: 0, sum: value, min: value, max: value, count: 1 };
        match &mut self.0 {
            Some(all) => all.add(&new),
            none => *none = Some(new),
        }
    }
}
