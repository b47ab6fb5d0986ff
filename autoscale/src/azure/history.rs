//! What metrics were, minute by minute, ready to be looked up.
//!
//! Azure's finest grain is a minute, and every statistic of a grain follows from the sum, the smallest,
//! the largest and the number of its samples. So a series holds these four per minute, ordered by
//! time: a window is found by binary search, and costs its minutes, not its instances.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::setting::same_resource;
use super::{Rule, Setting};
use crate::{Point, State};

/// The seconds of the finest grain.
pub(super) const MINUTE: i64 = 60;

/// Metrics over time.
#[derive(Debug, Clone, Default)]
pub struct History {
    series: Vec<Series>,
}

/// One series of one metric.
#[derive(Debug, Clone)]
pub(super) struct Series {
    name: String,
    resource: Option<String>,
    dimensions: BTreeMap<String, String>,
    pub(super) minutes: Vec<Minute>,
}

/// The samples of one minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Minute {
    /// Its first second.
    pub(super) start: i64,
    pub(super) sum: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) count: u32,
}

impl Minute {
    fn of(start: i64, value: f64) -> Self {
        Self { start, sum: value, min: value, max: value, count: 1 }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.count += other.count;
    }
}

impl History {
    /// That of a state.
    pub fn of(state: &State) -> Self {
        let mut history = Self::default();
        for metric in &state.metrics {
            let resource = metric.resource.as_deref();
            for point in &metric.points {
                history.push(&metric.name, resource, &metric.dimensions, point);
            }
        }
        history
    }

    /// Adds a sample. One that is no finite number is none.
    pub fn push(
        &mut self,
        name: &str,
        resource: Option<&str>,
        dimensions: &BTreeMap<String, String>,
        point: &Point,
    ) {
        if !point.value.is_finite() {
            return;
        }
        let found = self.series.iter().position(|series| {
            series.name == name
                && series.resource.as_deref() == resource
                && series.dimensions == *dimensions
        });
        let index = found.unwrap_or_else(|| {
            self.series.push(Series {
                name: name.to_owned(),
                resource: resource.map(str::to_owned),
                dimensions: dimensions.clone(),
                minutes: Vec::new(),
            });
            self.series.len() - 1
        });
        self.series[index].add(point.time.as_second().div_euclid(MINUTE) * MINUTE, point.value);
    }

    /// Forgets what lies before `time`.
    pub fn forget_before(&mut self, time: Timestamp) {
        for series in &mut self.series {
            let keep = series.from(time.as_second());
            series.minutes.drain(..keep);
        }
    }

    /// The series that a rule looks at.
    pub(super) fn of_rule<'a>(
        &'a self,
        rule: &'a Rule,
        setting: &'a Setting,
    ) -> impl Iterator<Item = &'a Series> {
        self.series.iter().filter(move |series| {
            is_meant(rule, setting, &series.name, series.resource.as_deref())
                && rule.dimensions.iter().all(|dimension| dimension.fits(&series.dimensions))
        })
    }
}

/// Whether a rule looks at a metric of this name of this resource. No resource is the target; of a
/// rule whose resource is a script's variable nothing is known, so that it looks at this, too.
pub(super) fn is_meant(rule: &Rule, setting: &Setting, name: &str, resource: Option<&str>) -> bool {
    let target = setting.target.as_deref();
    let of_target = |id: Option<&str>| id.is_none() || same_resource(id, target);
    let (wanted, given) = (rule.resource.as_deref(), resource);
    name.eq_ignore_ascii_case(&rule.metric)
        && (same_resource(wanted, given)
            || of_target(given) && (of_target(wanted) || wanted.is_some_and(is_variable)))
}

fn is_variable(id: &str) -> bool {
    id.starts_with('$')
}

impl Series {
    fn add(&mut self, start: i64, value: f64) {
        let new = Minute::of(start, value);
        let at = self.from(start);
        match self.minutes.get_mut(at) {
            Some(minute) if minute.start == start => minute.add(&new),
            _ => self.minutes.insert(at, new),
        }
    }

    /// The place of the first minute that starts at `second` or later.
    pub(super) fn from(&self, second: i64) -> usize {
        self.minutes.partition_point(|minute| minute.start < second)
    }
}
