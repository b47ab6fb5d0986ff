//! Azure's platform metrics of an endpoint and its deployments, by the minute.
//!
//! Names, units and dimensions are Azure's (`microsoft.machinelearningservices/…/onlineendpoints` and `…/deployments`).
//! A minute is shown when it is over. Percentiles are of one minute; over several minutes Azure shows their
//! mean, and so does this. What a caller was answered is counted when the head of the answer is ready.
//!
//! Not counted: disk, GPUs and collected data. Asking for them is refused by name.

mod definitions;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plimsoll_deploy::arm::wire::Answers;
use plimsoll_domain::latencies::Latencies;
use plimsoll_domain::units::millis;

pub(super) use definitions::{Definition, Scope, definitions, find};

/// Minutes that are kept: a day.
const KEPT: u64 = 24 * 60;

/// Series that are kept per metric and minute: more dimensions than any endpoint has.
const MOST_SERIES: usize = 10_000;

/// What an endpoint and its deployments did, minute by minute.
#[derive(Debug, Default)]
pub(super) struct Meter {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Of the minute that is not over.
    open: Open,
    /// By deployment, since they were taken last; nothing until they are taken for the first time.
    taken: Option<BTreeMap<String, Answers>>,
    series: BTreeMap<Series, BTreeMap<u64, Sample>>,
}

#[derive(Debug, Default)]
struct Open {
    minute: u64,
    deployments: BTreeMap<String, Answered>,
}

/// What one deployment answered.
#[derive(Debug, Default)]
struct Answered {
    /// By status and the model's status.
    counts: BTreeMap<(u16, Option<u16>), u64>,
    latencies: Latencies,
}

/// Whose metric, and the values of its dimensions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    metric: (Scope, &'static str),
    /// At the scope of deployments.
    deployment: Option<String>,
    dimensions: Vec<String>,
}

/// What a caller was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer<'a> {
    pub(super) deployment: &'a str,
    pub(super) status: u16,
    /// What the model said, if it was asked.
    pub(super) model_status: Option<u16>,
}

/// Values of some time, as sums.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    pub(super) total: f64,
    pub(super) count: u64,
    pub(super) minimum: f64,
    pub(super) maximum: f64,
}

/// One line of an answer: dimensions by name, and its values by minute.
#[derive(Debug, PartialEq)]
pub(super) struct Timeseries {
    pub(super) dimensions: Vec<(&'static str, String)>,
    pub(super) points: BTreeMap<u64, Sample>,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Question<'a> {
    pub(super) definition: &'static Definition,
    /// At the scope of deployments.
    pub(super) deployment: Option<&'a str>,
    /// Dimensions to split by, each with the one value that is asked for, or any.
    pub(super) split: &'a [(String, Option<String>)],
    /// The first minute and the one after the last.
    pub(super) minutes: std::ops::Range<u64>,
    /// Minutes that are put together.
    pub(super) step: u64,
}

impl Sample {
    pub(super) fn of(value: f64) -> Self {
        Self { total: value, count: 1, minimum: value, maximum: value }
    }

    pub(super) fn average(&self) -> f64 {
        self.total / self.count as f64
    }

    fn add(&mut self, other: &Self) {
        self.total += other.total;
        self.count += other.count;
        self.minimum = self.minimum.min(other.minimum);
        self.maximum = self.maximum.max(other.maximum);
    }
}

impl Meter {
    /// Counts an answer. `minute` is since 1970, here and below.
    pub(super) fn answered(&self, answer: Answer<'_>, took: Duration, minute: u64) {
        let mut state = self.lock();
        state.close_before(minute);
        if let Some(answers) = &mut state.taken {
            let of_it = of(answers, answer.deployment);
            if answer.status == 200 {
                of_it.latencies.record(took);
            } else {
                of_it.wrong += 1;
            }
        }
        let of_it = of(&mut state.open.deployments, answer.deployment);
        of_it.latencies.record(took);
        *of_it.counts.entry((answer.status, answer.model_status)).or_default() += 1;
    }

    /// What each deployment has answered since this was called last; the first call begins to count.
    pub(super) fn take_answers(&self) -> BTreeMap<String, Answers> {
        self.lock().taken.replace(BTreeMap::new()).unwrap_or_default()
    }

    /// Notes a value that an instance of a deployment has now.
    pub(super) fn sampled(
        &self,
        metric: &'static str,
        deployment: &str,
        dimensions: Vec<String>,
        value: f64,
        minute: u64,
    ) {
        let series = Series {
            metric: (Scope::Deployment, metric),
            deployment: Some(deployment.to_owned()),
            dimensions,
        };
        self.lock().note(series, minute, &Sample::of(value));
    }

    /// Notes a value that the endpoint as a whole has now.
    pub(super) fn seen(&self, metric: &'static str, value: f64, minute: u64) {
        let (metric, dimensions) = ((Scope::Endpoint, metric), Vec::new());
        let series = Series { metric, deployment: None, dimensions };
        self.lock().note(series, minute, &Sample::of(value));
    }

    /// The series that a question asks for, of minutes that are over.
    pub(super) fn answer(&self, question: &Question<'_>, minute: u64) -> Vec<Timeseries> {
        let mut state = self.lock();
        state.close_before(minute);
        let end = question.minutes.end.min(minute);
        let definition = question.definition;
        let metric = (definition.scope, definition.name);
        let mut found: BTreeMap<Vec<(&'static str, String)>, BTreeMap<u64, Sample>> =
            BTreeMap::new();
        for (series, points) in &state.series {
            if series.metric != metric || series.deployment.as_deref() != question.deployment {
                continue;
            }
            let Some(split) = split(definition, series, question.split) else { continue };
            let minutes = found.entry(split).or_default();
            for (minute, sample) in
                points.range(question.minutes.start..end.max(question.minutes.start))
            {
                match minutes.get_mut(minute) {
                    None => drop(minutes.insert(*minute, definition.join.begin(sample))),
                    Some(joined) => definition.join.join(joined, sample),
                }
            }
        }
        let put_together = |(dimensions, minutes): (_, BTreeMap<u64, Sample>)| {
            let mut points: BTreeMap<u64, Sample> = BTreeMap::new();
            for (minute, sample) in minutes {
                let from = minute - (minute - question.minutes.start) % question.step;
                points.entry(from).and_modify(|all| all.add(&sample)).or_insert(sample);
            }
            Timeseries { dimensions, points }
        };
        found.into_iter().map(put_together).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A deployment's own, whose name is only copied when it is new: this is asked for every request.
fn of<'a, T: Default>(all: &'a mut BTreeMap<String, T>, deployment: &str) -> &'a mut T {
    if !all.contains_key(deployment) {
        all.insert(deployment.to_owned(), T::default());
    }
    all.get_mut(deployment).expect("it is there now")
}

/// The dimensions that the answer is split by, with this series' values; nothing if it is not asked for.
fn split(
    definition: &Definition,
    series: &Series,
    wanted: &[(String, Option<String>)],
) -> Option<Vec<(&'static str, String)>> {
    wanted
        .iter()
        .map(|(name, value)| {
            let place =
                definition.dimensions.iter().position(|known| known.eq_ignore_ascii_case(name))?;
            let has = series.dimensions.get(place)?;
            let fits = value.as_ref().is_none_or(|value| value.eq_ignore_ascii_case(has));
            fits.then(|| (definition.dimensions[place], has.clone()))
        })
        .collect()
}

impl State {
    /// Makes values of the open minute, if it is over.
    fn close_before(&mut self, minute: u64) {
        if self.open.minute >= minute {
            return;
        }
        let open = std::mem::replace(&mut self.open, Open { minute, ..Open::default() });
        for (deployment, answered) in open.deployments {
            for ((status, model_status), count) in answered.counts {
                let value = Sample::of(count as f64);
                let model = model_status.map_or_else(String::new, |status| status.to_string());
                let class = format!("{}xx", status / 100);
                let dimensions = vec![deployment.clone(), status.to_string(), class, model];
                let metric = (Scope::Endpoint, "RequestsPerMinute");
                self.note(Series { metric, deployment: None, dimensions }, open.minute, &value);
                let metric = (Scope::Deployment, "RequestsPerMinute");
                let dimensions = vec![status.to_string()];
                let series = Series { metric, deployment: Some(deployment.clone()), dimensions };
                self.note_sum(series, open.minute, &value);
            }
            self.note_latencies(&deployment, &answered.latencies, open.minute);
        }
        let oldest = minute.saturating_sub(KEPT);
        self.series.retain(|_, points| {
            *points = points.split_off(&oldest);
            !points.is_empty()
        });
    }

    fn note_latencies(&mut self, deployment: &str, latencies: &Latencies, minute: u64) {
        let endpoint = |metric| Series {
            metric: (Scope::Endpoint, metric),
            deployment: None,
            dimensions: vec![deployment.to_owned()],
        };
        if let (Some(minimum), Some(maximum)) = (latencies.min(), latencies.max()) {
            let total = latencies.sum_ns() as f64 / 1e6;
            let (minimum, maximum) = (millis(minimum), millis(maximum));
            let sample = Sample { total, count: latencies.count(), minimum, maximum };
            self.note(endpoint("RequestLatency"), minute, &sample);
        }
        for (metric, quantile) in definitions::PERCENTILES {
            let Some(value) = latencies.quantile(quantile) else { continue };
            let sample = Sample::of(millis(value));
            self.note(endpoint(metric), minute, &sample);
            let (metric, dimensions) = ((Scope::Deployment, metric), Vec::new());
            let deployment = Some(deployment.to_owned());
            self.note(Series { metric, deployment, dimensions }, minute, &sample);
        }
    }

    fn note(&mut self, series: Series, minute: u64, sample: &Sample) {
        if self.series.len() >= MOST_SERIES && !self.series.contains_key(&series) {
            return;
        }
        let points = self.series.entry(series).or_default();
        points.entry(minute).and_modify(|all| all.add(sample)).or_insert(*sample);
    }

    /// Counts of one minute that differ in what this series does not tell apart.
    fn note_sum(&mut self, series: Series, minute: u64, sample: &Sample) {
        let points = self.series.entry(series).or_default();
        let sum = points.get(&minute).map_or(0.0, |sum| sum.total) + sample.total;
        points.insert(minute, Sample::of(sum));
    }
}

#[cfg(test)]
mod tests;
