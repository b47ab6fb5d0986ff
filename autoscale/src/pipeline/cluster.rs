//! A cluster's metrics: what a metrics server, a queue proxy and a rate over a minute say at a moment.
//!
//! Processor and memory of a pod are those of the newest scrape, of every 15 s (`--metric-resolution`
//! of metrics-server), over the time since the scrape before. Rates, latencies and means of a
//! metric that rules name are over the last minute, as `rate(…[1m])` would say; counts are of now.
//! Knative's windows are averaged here, over exactly their time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll_domain::Latencies;

use super::feeds::{self, ClusterFeed};
use super::{Answers, Interval, Processor, Sight, Subject, Usage};
use crate::{Instance, Metric, Phase, Reading, RuleTime, Rules, State};

/// How often pods are scraped, in rule time.
const SCRAPE: Duration = Duration::from_secs(15);
/// Over how long rates, means and latencies are.
const WINDOW: Duration = Duration::from_mins(1);
/// Looks and intervals that are kept: more than an hour of a compressed run needs.
const KEPT: usize = 4000;

/// Something that is measured of a deployment, whatever rules call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Answers in a second.
    Rate,
    /// Refusals (429) in a second.
    Refused,
    /// Requests at work and waiting.
    Concurrency,
    /// Requests that wait.
    Queued,
    /// Instances with at least one request.
    Busy,
    /// Per cent of the slots at work.
    Slots,
    /// A quantile of latency in milliseconds, in thousandths.
    Latency(u16),
}

impl Measure {
    /// All, with their names.
    pub const ALL: [(&'static str, Self); 10] = [
        ("requests_per_second", Self::Rate),
        ("refused_per_second", Self::Refused),
        ("concurrency", Self::Concurrency),
        ("queued_requests", Self::Queued),
        ("busy_replicas", Self::Busy),
        ("slots_at_work_percent", Self::Slots),
        ("latency_p50_ms", Self::Latency(500)),
        ("latency_p90_ms", Self::Latency(900)),
        ("latency_p95_ms", Self::Latency(950)),
        ("latency_p99_ms", Self::Latency(990)),
    ];

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, measure)| *measure)
    }
}

#[derive(Debug)]
pub(super) struct Cluster {
    feeds: Vec<ClusterFeed>,
    /// Of Knative: the metric and its two windows in seconds.
    knative: Option<(&'static str, [(&'static str, i64); 2])>,
    polls_router: bool,
    /// Whether rules look at what a metrics server scrapes.
    scrapes: bool,
    subject: Subject,
    time: RuleTime,
    intervals: VecDeque<Interval>,
    looks: VecDeque<Usage>,
    /// When each instance was first seen, and when it was seen to get ready.
    seen: BTreeMap<String, (Timestamp, Option<Timestamp>)>,
}

impl Cluster {
    pub(super) fn new(
        feeds: Vec<ClusterFeed>,
        rules: &Rules,
        subject: Subject,
        time: RuleTime,
    ) -> Self {
        let knative = match rules {
            Rules::Knative(kpa) => {
                let (stable, panic) = kpa.windows();
                Some((kpa.metric(), [("stable", stable), ("panic", panic)]))
            }
            _ => None,
        };
        let polls_router = matches!(rules, Rules::Utilization(_));
        let (intervals, looks, seen) = <_>::default();
        let scrapes = feeds::scrapes(rules);
        Self { feeds, knative, polls_router, scrapes, subject, time, intervals, looks, seen }
    }

    pub(super) fn deployment(&self) -> &str {
        &self.subject.deployment
    }

    pub(super) fn interval(&mut self, interval: Interval) {
        self.intervals.push_back(interval);
        if self.intervals.len() > KEPT {
            self.intervals.pop_front();
        }
    }

    pub(super) fn usage(&mut self, usage: &Usage) {
        let at = self.time.at(usage.at);
        for instance in &usage.instances {
            let (_, ready) = self.seen.entry(instance.name.clone()).or_insert((at, None));
            *ready = if instance.ready { ready.or(Some(at)) } else { None };
        }
        self.looks.push_back(usage.clone());
        if self.looks.len() > KEPT {
            self.looks.pop_front();
        }
    }

    /// Puts what can be seen at `now` into a state.
    pub(super) fn show(&self, pending: usize, state: &mut State, sight: Sight) {
        let now = state.now;
        let delay = match sight {
            Sight::Told => SignedDuration::try_from(self.subject.metric_delay).unwrap_or_default(),
            Sight::AtOnce => SignedDuration::ZERO,
        };
        let newest = self.time.run_at(now.checked_sub(delay).unwrap_or(now));
        state.instances = self.instances(now, newest, sight);
        let pending = (1..=pending).map(|number| Instance {
            name: format!("pending-{number}"),
            phase: Phase::Pending,
            started: None,
            ready_since: None,
            requests: self.requests(),
            metrics: BTreeMap::new(),
        });
        state.instances.extend(pending);
        for feed in &self.feeds {
            let value = self.measured(feed.measure, newest, sight);
            if feed.per_pod {
                let ready = |pod: &&mut Instance| pod.phase == Phase::Ready;
                let count = state.instances.iter().filter(|pod| pod.phase == Phase::Ready).count();
                let each = value.map(|value| match feed.measure {
                    Measure::Latency(_) | Measure::Slots => value,
                    _ => value / count.max(1) as f64,
                });
                for pod in state.instances.iter_mut().filter(ready) {
                    let reading = each.map(|value| Reading { value, time: None, window: None });
                    pod.metrics.extend(reading.map(|reading| (feed.name.clone(), reading)));
                }
                continue;
            }
            let ClusterFeed { name, resource, dimensions, .. } = feed;
            state.metrics.push(Metric {
                resource: resource.clone(),
                dimensions: dimensions.clone(),
                ..valued(name, value)
            });
        }
        if self.polls_router {
            for (name, measure) in
                [("busy_replicas", Measure::Busy), ("queued_requests", Measure::Queued)]
            {
                state.metrics.push(valued(name, self.measured(measure, newest, sight)));
            }
        }
        if let Some((metric, windows)) = self.knative {
            for (name, seconds) in windows {
                let over = sight.over(Duration::from_secs(seconds.unsigned_abs()));
                let value = if metric == "rps" {
                    self.rate(newest, over, |answers| answers.outcomes.answered())
                } else {
                    self.concurrency(newest, over)
                };
                let dimensions = [("window".to_owned(), name.to_owned())].into();
                state.metrics.push(Metric { dimensions, ..valued(metric, value) });
            }
        }
    }

    /// The ends of the intervals up to a moment.
    pub(super) fn ends(&self, until: Duration) -> Vec<Duration> {
        let ends = self.intervals.iter().map(|interval| interval.end);
        ends.take_while(|end| *end <= until).collect()
    }

    pub(super) fn window(&self) -> Duration {
        let knative = self.knative.iter().flat_map(|(_, windows)| windows);
        let longest = knative.map(|(_, seconds)| seconds.unsigned_abs()).max();
        longest.map_or(WINDOW, Duration::from_secs)
    }

    pub(super) fn delay(&self) -> Duration {
        let scrape = if self.scrapes { SCRAPE } else { Duration::ZERO };
        self.subject.metric_delay + scrape
    }

    fn instances(&self, now: Timestamp, newest: Duration, sight: Sight) -> Vec<Instance> {
        let Some(last) = self.looks.iter().rfind(|look| look.at <= self.time.run_at(now)) else {
            return Vec::new();
        };
        let scrape = self.time.run(SCRAPE);
        let nanos = newest.as_nanos() - newest.as_nanos() % scrape.as_nanos().max(1);
        let end = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let end = if sight == Sight::AtOnce { newest } else { end };
        let after = self.looks.iter().rfind(|look| look.at <= end);
        let before = match (sight, after) {
            (Sight::AtOnce, Some(after)) => self.looks.iter().rfind(|look| look.at < after.at),
            _ => {
                end.checked_sub(scrape).and_then(|at| self.looks.iter().rfind(|look| look.at <= at))
            }
        };
        let between = before.zip(after).filter(|(before, after)| before.at < after.at);
        let machine = self.subject.machine;
        let each = |instance: &super::InstanceUse| {
            let (started, ready_since) = self.seen.get(&instance.name).copied().unzip();
            let metrics = between.and_then(|(before, after)| {
                let find =
                    |look: &Usage| look.instances.iter().find(|i| i.name == instance.name).cloned();
                let (was, is) = find(before).zip(find(after))?;
                let took = after.at.saturating_sub(before.at).as_secs_f64();
                let cores = match machine.processor {
                    Processor::Used => {
                        is.processor.saturating_sub(was.processor).as_secs_f64() / took
                    }
                    Processor::SlotsAtWork => {
                        let worked = is.working.saturating_sub(was.working).as_secs_f64();
                        machine.cores * (worked / (took * f64::from(machine.slots))).min(1.0)
                    }
                };
                let time = Some(self.time.at(after.at));
                let window = Some(took * f64::from(self.time.compression().factor()));
                let reading = |value: f64| Reading { value, time, window };
                let memory = is.memory_bytes as f64;
                let both = [("cpu", reading(cores)), ("memory", reading(memory))];
                Some(both.map(|(name, reading)| (name.to_owned(), reading)).into())
            });
            Instance {
                name: instance.name.clone(),
                phase: if instance.ready { Phase::Ready } else { Phase::Unready },
                started,
                ready_since: ready_since.flatten(),
                requests: self.requests(),
                metrics: metrics.unwrap_or_default(),
            }
        };
        last.instances.iter().map(each).collect()
    }

    fn requests(&self) -> BTreeMap<String, f64> {
        let machine = self.subject.machine;
        [("cpu".to_owned(), machine.cores), ("memory".to_owned(), machine.memory_bytes)].into()
    }

    fn measured(&self, measure: Measure, newest: Duration, sight: Sight) -> Option<f64> {
        let window = sight.over(WINDOW);
        let last = || self.looks.iter().rfind(|look| look.at <= newest);
        let slots = |look: &Usage| f64::from(look.ready()) * f64::from(self.subject.machine.slots);
        let working = |look: &Usage| look.instances.iter().map(|i| i.in_flight).sum::<u32>();
        match measure {
            Measure::Rate => self.rate(newest, window, |answers| answers.outcomes.answered()),
            Measure::Refused => self.rate(newest, window, |answers| {
                answers.outcomes.statuses().get(&429).copied().unwrap_or_default()
            }),
            Measure::Concurrency => self.concurrency(newest, window),
            Measure::Queued => last().map(|look| f64::from(look.waiting)),
            Measure::Busy => last().map(|look| {
                look.instances.iter().filter(|instance| instance.in_flight > 0).count() as f64
            }),
            Measure::Slots => last()
                .filter(|look| slots(look) > 0.0)
                .map(|look| 100.0 * f64::from(working(look)) / slots(look)),
            Measure::Latency(quantile) => {
                let mut all = Latencies::default();
                self.within(newest, window).for_each(|interval| {
                    self.own(interval).for_each(|answers| all.merge(&answers.latency));
                });
                let value = all.quantile(f64::from(quantile) / 1000.0);
                value.map(|value| value.as_secs_f64() * 1e3)
            }
        }
    }

    /// In a second of the run.
    fn rate(
        &self,
        newest: Duration,
        over: Duration,
        count: impl Fn(&Answers) -> u64,
    ) -> Option<f64> {
        let (mut counted, mut seconds) = (0, 0.0);
        for interval in self.within(newest, over) {
            counted += self.own(interval).map(&count).sum::<u64>();
            seconds += interval.end.saturating_sub(interval.start).as_secs_f64();
        }
        (seconds > 0.0).then(|| counted as f64 / seconds)
    }

    /// The mean of what is at work over a time, and of what waits at the looks in it.
    fn concurrency(&self, newest: Duration, over: Duration) -> Option<f64> {
        let oldest = newest.saturating_sub(self.time.run(over));
        let looks = self.looks.iter().filter(|look| look.at <= newest && look.at > oldest);
        let (sum, count) = looks.fold((0.0, 0_u32), |(sum, count), look| {
            let working: u32 = look.instances.iter().map(|instance| instance.in_flight).sum();
            (sum + f64::from(working) + f64::from(look.waiting), count + 1)
        });
        if count > 0 {
            return Some(sum / f64::from(count));
        }
        // A window shorter than the time between two looks: the last one, if it is not older than two.
        let last = self.looks.iter().rfind(|look| look.at <= newest)?;
        let working: u32 = last.instances.iter().map(|instance| instance.in_flight).sum();
        Some(f64::from(working) + f64::from(last.waiting))
    }

    /// The intervals that lie within the time before `newest`; at least the last one.
    fn within(&self, newest: Duration, over: Duration) -> impl Iterator<Item = &Interval> {
        let oldest = newest.saturating_sub(self.time.run(over));
        let last = self.intervals.iter().rposition(|interval| interval.end <= newest);
        let all = self.intervals.iter().enumerate();
        all.filter(move |(place, interval)| {
            interval.end <= newest && (interval.start >= oldest || Some(*place) == last)
        })
        .map(|(_, interval)| interval)
    }

    fn own<'a>(&'a self, interval: &'a Interval) -> impl Iterator<Item = &'a Answers> {
        interval.answers.iter().filter(|answers| answers.deployment == self.subject.deployment)
    }
}

impl Sight {
    /// Over how long something is averaged that is told over `window`.
    fn over(self, window: Duration) -> Duration {
        match self {
            Self::Told => window,
            Self::AtOnce => Duration::ZERO,
        }
    }
}

fn valued(name: &str, value: Option<f64>) -> Metric {
    Metric {
        name: name.to_owned(),
        resource: None,
        dimensions: BTreeMap::new(),
        value,
        points: Vec::new(),
    }
}
