//! What lies between a need and the first evaluation that sees it, from the grains that Azure's rules
//! look at: metric delay, window, tick. (A cluster's metrics have none: [`Need`](crate::controller::Need).)

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::lateness::Part;
use crate::azure::{Parameters, Rule, Setting, Statistic};
use crate::{Rules, State, Step};

/// What was waited for before an evaluation that wants another count, by these steps.
pub(super) fn beginning(
    rules: &Rules,
    parameters: Parameters,
    state: &State,
    steps: &[Step],
) -> Vec<(Part, Duration)> {
    match rules {
        Rules::Azure(setting) => of_grains(setting, parameters, state, steps),
        _ => vec![(Part::Metric, seconds(parameters.metric_delay_s.into()))],
    }
}

fn seconds(count: i64) -> Duration {
    Duration::from_secs(count.max(0).unsigned_abs())
}

fn of_grains(
    setting: &Setting,
    parameters: Parameters,
    state: &State,
    steps: &[Step],
) -> Vec<(Part, Duration)> {
    let (now, current) = (state.now.as_second(), state.replicas);
    let asks = |rule: &Rule, other: fn(u32, u32) -> bool| {
        let words = rule.words();
        let is_other = |count: Option<u32>| count.is_some_and(|count| other(count, current));
        steps.iter().any(|step| step.what == words && is_other(step.replicas))
    };
    let fired = |other: fn(u32, u32) -> bool| {
        let rules = setting.profiles.iter().flat_map(|profile| &profile.rules);
        let rules = rules.filter(move |rule| asks(rule, other));
        rules.filter_map(|rule| Some((rule, wrong_since(rule, state)?)))
    };
    // Out needs any rule, the first of which counts; in needs all, so that the last does.
    let out = fired(|count, current| count > current).min_by_key(|(_, since)| *since);
    let first =
        out.or_else(|| fired(|count, current| count < current).max_by_key(|(_, since)| *since));
    let Some((rule, since)) = first else {
        // A count outside of its bounds, or missing metrics: no metric was waited for.
        return Vec::new();
    };
    let delay = i64::from(parameters.metric_delay_s);
    let grain = i64::from(rule.grain_s.max(60));
    let end = (now - delay).div_euclid(grain) * grain;
    vec![
        (Part::Metric, seconds(grain + delay)),
        (Part::Window, seconds(end - since.as_second() - grain)),
        (Part::Evaluation, seconds(now - delay - end)),
    ]
}

/// The start of the first of the newest grains that are on the wrong side without interruption.
/// If the newest is not (the window fired for what lies before), of those that end last.
fn wrong_since(rule: &Rule, state: &State) -> Option<Timestamp> {
    let mut grains: BTreeMap<Timestamp, Vec<f64>> = BTreeMap::new();
    let fits = |metric: &&crate::Metric| {
        let same = match (&metric.resource, &rule.resource) {
            (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
            (one, other) => one.is_none() && other.is_none(),
        };
        same && metric.name.eq_ignore_ascii_case(&rule.metric)
            && rule.dimensions.iter().all(|dimension| dimension.fits(&metric.dimensions))
    };
    for point in state.metrics.iter().filter(fits).flat_map(|metric| &metric.points) {
        let grain = i64::from(rule.grain_s.max(60));
        let start = point.time.as_second().div_euclid(grain) * grain;
        grains.entry(Timestamp::from_second(start).ok()?).or_default().push(point.value);
    }
    let wrong = |values: &Vec<f64>| {
        let count = values.len() as f64;
        let value = match rule.statistic {
            Statistic::Average => values.iter().sum::<f64>() / count,
            Statistic::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
            Statistic::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Statistic::Sum => values.iter().sum(),
            Statistic::Count => count,
        };
        let replicas = f64::from(state.replicas.max(1));
        let value = if rule.divide_per_instance { value / replicas } else { value };
        rule.operator.holds(value, rule.threshold)
    };
    let newest = grains.iter().rev().skip_while(|(_, values)| !wrong(values));
    newest.take_while(|(_, values)| wrong(values)).last().map(|(start, _)| *start)
}
