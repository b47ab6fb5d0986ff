//! Azure's metrics: each of a minute, which can be read a delay after its end.
//!
//! Source: *Supported metrics* of online endpoints and deployments (all `PT1M`). What several series
//! of one minute come to together is as in the local host's own metrics: numbers of things add up, of
//! sizes and times it is the mean. A minute without answers has neither latency nor requests. Latencies
//! are of answers that were worked for: not of refusals, which take no time. Not documented, and taken
//! so: an instance's value of a minute is the mean over it, from the moment on that it gets requests.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll_domain::Latencies;

use super::feeds::{Feed, Made};
use super::{Interval, Processor, Subject, Usage};
use crate::lint::Scope;
use crate::{Metric, Point, RuleTime};

const MINUTE_S: i64 = 60;

/// Points of a series that are kept at least: more than the longest window of a rule needs.
const KEPT_S: i64 = 24 * 3600;

#[derive(Debug)]
pub(super) struct Minutes {
    feeds: Vec<Feed>,
    subject: Subject,
    time: RuleTime,
    open: Open,
    before: Option<Usage>,
    /// One for each feed, with the points of every minute that is over.
    series: Vec<Metric>,
}

/// The minute that is not over.
#[derive(Debug, Default)]
struct Open {
    /// Its first second, since 1970.
    start: i64,
    answers: BTreeMap<(String, u16, Option<u16>), u64>,
    latencies: BTreeMap<String, Latencies>,
    opened: u64,
    /// Connections at the ends of the intervals: their sum, and of how many.
    connections: (u64, u32),
    instances: BTreeMap<String, Instance>,
}

/// What an instance was like in a minute.
#[derive(Debug, Default, Clone, Copy)]
struct Instance {
    ready: bool,
    /// How long it was looked at.
    seconds: f64,
    /// The sums over that time, of per cent.
    processor: f64,
    memory: f64,
}

impl Minutes {
    pub(super) fn new(feeds: Vec<Feed>, subject: Subject, time: RuleTime) -> Self {
        let start = time.at(Duration::ZERO).as_second();
        let series = |feed: &Feed| Metric {
            name: feed.name.clone(),
            resource: feed.resource.clone(),
            dimensions: feed.dimensions.clone(),
            value: None,
            points: Vec::new(),
        };
        let series = feeds.iter().map(series).collect();
        Self { feeds, subject, time, open: Open { start, ..Open::default() }, before: None, series }
    }

    pub(super) fn deployment(&self) -> &str {
        &self.subject.deployment
    }

    pub(super) fn interval(&mut self, interval: &Interval) {
        self.close_before(self.time.at(interval.middle()));
        let open = &mut self.open;
        for answers in &interval.answers {
            for (outcome, count) in answers.outcomes.iter() {
                let Some(status) = outcome.status else { continue };
                let key = (answers.deployment.clone(), status, outcome.model_status);
                *open.answers.entry(key).or_default() += count;
            }
            if !answers.latency.is_empty() {
                let all = open.latencies.entry(answers.deployment.clone()).or_default();
                all.merge(&answers.latency);
            }
        }
        open.opened += interval.opened;
        open.connections.0 += interval.connections;
        open.connections.1 += 1;
    }

    pub(super) fn usage(&mut self, usage: &Usage) {
        let before = self.before.replace(usage.clone());
        let Some(before) = before.filter(|before| before.at < usage.at) else { return };
        // What lies between two looks is of the minute in which it began.
        self.close_before(self.time.at(before.at));
        let seconds = usage.at.saturating_sub(before.at).as_secs_f64();
        let machine = self.subject.machine;
        for now in &usage.instances {
            let Some(was) = before.instances.iter().find(|was| was.name == now.name) else {
                continue;
            };
            if !was.ready {
                continue;
            }
            let (used, most) = match machine.processor {
                Processor::Used => (now.processor.saturating_sub(was.processor), machine.cores),
                Processor::SlotsAtWork => {
                    (now.working.saturating_sub(was.working), f64::from(machine.slots))
                }
            };
            let share = (used.as_secs_f64() / (seconds * most)).min(1.0);
            let of = self.open.instances.entry(now.name.clone()).or_default();
            of.ready = now.ready;
            of.seconds += seconds;
            of.processor += 100.0 * share * seconds;
            of.memory += 100.0 * (now.memory_bytes as f64 / machine.memory_bytes) * seconds;
        }
    }

    /// Makes points of the minutes that ended by `now`.
    fn close_before(&mut self, now: Timestamp) {
        let start = now.as_second().div_euclid(MINUTE_S) * MINUTE_S;
        if start <= self.open.start {
            return;
        }
        let open = std::mem::replace(&mut self.open, Open { start, ..Open::default() });
        let Ok(time) = Timestamp::from_second(open.start) else { return };
        for (feed, series) in self.feeds.iter().zip(&mut self.series) {
            let values = open.values(feed, &self.subject.deployment, self.time);
            let point = |(value, instance)| Point { time, value, instance };
            series.points.extend(values.into_iter().map(point));
            let oldest = open.start - KEPT_S;
            let old = series.points.partition_point(|point| point.time.as_second() < oldest);
            series.points.drain(..old);
        }
    }

    /// What can be read at `now` of the last seconds.
    pub(super) fn visible(&mut self, now: Timestamp, lookback_s: i64) -> Vec<Metric> {
        self.close_before(now);
        let delay = SignedDuration::try_from(self.subject.metric_delay).unwrap_or_default();
        let newest = now.checked_sub(delay).map_or(0, |at| at.as_second() - MINUTE_S);
        let oldest = now.as_second().saturating_sub(lookback_s);
        let seen = |series: &Metric| {
            let until = |second: i64| {
                series.points.partition_point(|point| point.time.as_second() <= second)
            };
            let (from, to) = (until(oldest - 1), until(newest));
            let points = series.points[from..to.max(from)].to_vec();
            Metric { points, ..bare(series) }
        };
        self.series.iter().map(seen).filter(|series| !series.points.is_empty()).collect()
    }

    pub(super) fn published(&self) -> &[Metric] {
        &self.series
    }
}

fn bare(series: &Metric) -> Metric {
    let Metric { name, resource, dimensions, .. } = series;
    let (name, resource, dimensions) = (name.clone(), resource.clone(), dimensions.clone());
    Metric { name, resource, dimensions, value: None, points: Vec::new() }
}

type Values = Vec<(f64, Option<String>)>;

impl Open {
    fn values(&self, feed: &Feed, own: &str, time: RuleTime) -> Values {
        let one = |value: f64| vec![(value, None)];
        let minute = f64::from(MINUTE_S as u32) / f64::from(time.compression().factor());
        match feed.made {
            Made::Requests => {
                let counted = self.answers.iter().filter(|(answer, _)| fits(feed, answer, own));
                let count: u64 = counted.map(|(_, count)| count).sum();
                // The rate of the run: a minute of rule time is shorter.
                let rate = count * u64::from(time.compression().factor());
                if count == 0 { Vec::new() } else { one(rate as f64) }
            }
            Made::Mean => {
                let mut all = Latencies::default();
                self.latencies(feed, own).for_each(|latencies| all.merge(latencies));
                all.mean().map_or_else(Vec::new, |mean| one(mean.as_secs_f64() * 1e3))
            }
            Made::Quantile(quantile) => {
                let values = self.latencies(feed, own).filter_map(|of| of.quantile(quantile));
                let values: Vec<f64> = values.map(|value| value.as_secs_f64() * 1e3).collect();
                let count = values.len() as f64;
                if values.is_empty() { Vec::new() } else { one(values.iter().sum::<f64>() / count) }
            }
            Made::Opened => one(self.opened as f64 / minute),
            Made::Connections => match self.connections {
                (_, 0) => Vec::new(),
                (sum, count) => one(sum as f64 / f64::from(count)),
            },
            Made::Processor => self.instances(feed, |of| of.processor / of.seconds),
            Made::Memory => self.instances(feed, |of| of.memory / of.seconds),
            Made::Capacity => self.instances(feed, |_| 1.0),
        }
    }

    fn latencies<'a>(
        &'a self,
        feed: &'a Feed,
        own: &'a str,
    ) -> impl Iterator<Item = &'a Latencies> {
        let counts = move |name: &str| {
            let dimensions = BTreeMap::from([("deployment".to_owned(), name.to_owned())]);
            match feed.scope {
                Scope::Endpoint => feed.filter.iter().all(|filter| filter.fits(&dimensions)),
                Scope::Deployment => name == own,
            }
        };
        self.latencies.iter().filter(move |(name, _)| counts(name)).map(|(_, of)| of)
    }

    fn instances(&self, feed: &Feed, value: impl Fn(&Instance) -> f64) -> Values {
        let state = |of: &Instance| if of.ready { "Ready" } else { "NotReady" };
        let counts = |name: &str, of: &Instance| {
            let pairs = [("instanceId", name), ("State", state(of))];
            let dimensions = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            feed.filter.iter().all(|filter| filter.fits(&dimensions))
        };
        let counted = self.instances.iter().filter(|(name, of)| counts(name, of));
        counted.map(|(name, of)| (value(of), Some(name.clone()))).collect()
    }
}

fn fits(feed: &Feed, (name, status, model): &(String, u16, Option<u16>), own: &str) -> bool {
    let dimensions: BTreeMap<String, String> = match feed.scope {
        Scope::Deployment if name != own => return false,
        Scope::Deployment => [("envoy_response_code".to_owned(), status.to_string())].into(),
        Scope::Endpoint => [
            ("deployment".to_owned(), name.clone()),
            ("statusCode".to_owned(), status.to_string()),
            ("statusCodeClass".to_owned(), format!("{}xx", status / 100)),
            (
                "modelStatusCode".to_owned(),
                model.map_or_else(String::new, |model| model.to_string()),
            ),
        ]
        .into(),
    };
    feed.filter.iter().all(|filter| filter.fits(&dimensions))
}
