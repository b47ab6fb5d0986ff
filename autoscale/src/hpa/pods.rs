//! Which pods count: `groupPods`, `calculateRequests` and `getReadyPodsCount` of
//! `pkg/controller/podautoscaler/replica_calculator.go`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plimsoll_domain::quantity::milli;

use super::spec::Parameters;
use crate::time::seconds_between;
use crate::{Instance, Metric, Phase, Reading, State};

/// How a pod counts for one metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Ready,
    /// Pending, or too young for its CPU to mean anything.
    Unready,
    /// Reports nothing.
    Missing,
    /// Deleted or failed.
    Ignored,
}

/// How many pods are ready (`getReadyPodsCount`). Where a state lists none, all that are wanted are.
pub(super) fn ready(state: &State) -> u32 {
    count(state, |phase| phase == Phase::Ready)
}

/// How many there are (`scale.status.replicas`): all but those that end or have failed.
pub(super) fn present(state: &State) -> u32 {
    count(state, |phase| !matches!(phase, Phase::Deleted | Phase::Failed))
}

fn count(state: &State, counts: impl Fn(Phase) -> bool) -> u32 {
    if state.instances.is_empty() {
        return state.replicas;
    }
    state.instances.iter().filter(|pod| counts(pod.phase)).count() as u32
}

/// What each pod reports of a metric: its own reading, or the last point of the metric's history that
/// has its name. A value that is not finite is missing.
pub(super) fn samples(state: &State, metric: &str) -> Vec<Option<Reading>> {
    let silent = state.instances.iter().any(|pod| !pod.metrics.contains_key(metric));
    let last = if silent { last_points(state, metric) } else { BTreeMap::new() };
    let reading = |pod: &Instance| {
        let point = || last.get(pod.name.as_str()).copied();
        pod.metrics.get(metric).copied().or_else(point).filter(|r| r.value.is_finite())
    };
    state.instances.iter().map(reading).collect()
}

/// The last point of each instance in the history of a metric of the target.
fn last_points<'a>(state: &'a State, metric: &str) -> BTreeMap<&'a str, Reading> {
    let own = |series: &&Metric| series.name == metric && series.resource.is_none();
    let points = state.metrics.iter().filter(own).flat_map(|series| &series.points);
    let mut last: BTreeMap<&str, Reading> = BTreeMap::new();
    for point in points.filter(|point| point.time <= state.now) {
        let Some(name) = &point.instance else { continue };
        let reading = Reading { value: point.value, time: Some(point.time), window: None };
        let kept = last.entry(name).or_insert(reading);
        if kept.time <= reading.time {
            *kept = reading;
        }
    }
    last
}

/// How each pod counts. Only the CPU looks at readiness.
pub(super) fn group(
    pods: &[Instance],
    samples: &[Option<Reading>],
    cpu: bool,
    now: Timestamp,
    parameters: &Parameters,
) -> Vec<Standing> {
    let standing = |(pod, sample): (&Instance, &Option<Reading>)| match (pod.phase, sample) {
        (Phase::Deleted | Phase::Failed, _) => Standing::Ignored,
        (Phase::Pending, _) => Standing::Unready,
        (_, None) => Standing::Missing,
        (_, Some(sample)) if cpu && too_young(pod, sample, now, parameters) => Standing::Unready,
        _ => Standing::Ready,
    };
    pods.iter().zip(samples).map(standing).collect()
}

/// Whether a pod's CPU is not to be trusted yet. A pod whose start is not given runs for longer
/// than any period; one that is unready and was never said to be otherwise has never been ready.
fn too_young(pod: &Instance, sample: &Reading, now: Timestamp, parameters: &Parameters) -> bool {
    let ready = pod.phase == Phase::Ready;
    let initializing =
        pod.started.is_some_and(|at| seconds_between(at, now) < parameters.cpu_initialization);
    if initializing {
        let since = pod.ready_since.or(pod.started);
        let window = sample.window.unwrap_or(0.0);
        let whole =
            since.is_none_or(|since| seconds_between(since, sample.time.unwrap_or(now)) >= window);
        return !ready || !whole;
    }
    let ever_ready = match (pod.started, pod.ready_since) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(start), Some(since)) => seconds_between(start, since) >= parameters.initial_readiness,
    };
    !ready && !ever_ready
}

/// What each pod requests of a resource, in thousandths.
///
/// # Errors
/// The pod that requests none: then there is no utilization (`calculateRequests`).
pub(super) fn requests(pods: &[Instance], resource: &str) -> Result<Vec<i64>, String> {
    let request = |pod: &Instance| match pod.requests.get(resource) {
        Some(request) if request.is_finite() => Ok(milli(*request)),
        _ => Err(format!("`{}` requests no `{resource}`", pod.name)),
    };
    pods.iter().map(request).collect()
}
