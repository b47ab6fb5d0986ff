//! Which nights a new one is compared with.

use std::ops::Range;

use super::trend::trend;
use crate::compare::{Metric, Settings};

/// The nights after a change from which on it is the base of what comes: until then the level before
/// it is.
pub const LEAST_OF_LEVEL: usize = 5;

/// The nights of a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Their indices.
    pub nights: Range<usize>,
    /// The metric that changed with the first of them; `None` if there was no change so late.
    pub since: Option<Metric>,
    /// The metric that changed with the first night after them; `None` if they are the last ones.
    pub until: Option<Metric>,
}

/// The last nights of one level, at most so many. Nights from both sides of a change of any metric
/// that is compared are a base for neither level. `values` gives a metric's [value](super::value) in
/// each night. A change that is younger than [`LEAST_OF_LEVEL`]
/// nights is not yet taken for granted.
pub fn base(
    nights: usize,
    most: usize,
    settings: &Settings,
    values: impl Fn(Metric) -> Vec<Option<f64>>,
) -> Base {
    let mut changes: Vec<(usize, Metric)> = Vec::new();
    // Of several that changed in one night the first is named.
    for metric in settings.asked().into_iter().rev() {
        let trend = trend(metric, &values(metric), settings.margin(metric));
        changes.extend(trend.changes.iter().map(|change| (change.night, metric)));
    }
    changes.sort_by_key(|(night, _)| *night);
    let (mut end, mut until) = (nights, None);
    while let Some((night, metric)) = changes.pop() {
        if end - night >= LEAST_OF_LEVEL {
            let first = night.max(end.saturating_sub(most));
            let since = (first == night).then_some(metric);
            return Base { nights: first..end, since, until };
        }
        (end, until) = (night, Some(metric));
    }
    Base { nights: end.saturating_sub(most)..end, since: None, until }
}
