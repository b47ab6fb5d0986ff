//! The metric pipeline: from what is counted to the metrics that rules see, when they see them.
//!
//! Counted are the answers and latencies of every interval (as the load generator, or a simulation,
//! tells them: what callers were answered is the same at both ends of the wire) and, now and then, what
//! each instance has used so far. Out of it come the series that the rules look at, and no other:
//! Azure's in grains of a minute, each published a delay after its end ([`minutes`]); a cluster's as its
//! metrics server and its queue proxy tell them ([`cluster`]).
//!
//! It is used alike live and in virtual time; all times are since the first due time of the run.

mod cluster;
mod feeds;
mod minutes;

use std::time::Duration;

use jiff::Timestamp;
use plimsoll_domain::{Latencies, Outcomes, Snapshot};

use crate::{Metric, RuleTime, Rules, State};

pub use cluster::Measure;
pub use feeds::{Named, Unread, looks_at};

/// The machine of an instance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Machine {
    /// Processor cores.
    pub cores: f64,
    /// Memory in bytes.
    pub memory_bytes: f64,
    /// Requests that it works on at a time.
    pub slots: u32,
    /// What its processor metric shows.
    pub processor: Processor,
}

/// What a processor metric shows of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processor {
    /// Its processor time as a share of its cores.
    Used,
    /// The share of its slots that work, as of a model that computes: of an instance whose work is
    /// only waited for (a synthetic one, or a simulated).
    SlotsAtWork,
}

/// What an instance has used since it was started: counts that only grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceUse {
    /// Its name; no other ever has it.
    pub name: String,
    /// Whether it gets requests.
    pub ready: bool,
    /// Processor time.
    pub processor: Duration,
    /// Resident memory now.
    pub memory_bytes: u64,
    /// Time that its slots worked, added up.
    pub working: Duration,
    /// Slots that work now.
    pub in_flight: u32,
}

/// The instances of the deployment at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// When.
    pub at: Duration,
    /// Those that there are, ready or not.
    pub instances: Vec<InstanceUse>,
    /// Requests that wait for a slot.
    pub waiting: u32,
}

impl Usage {
    /// Those that get requests.
    pub fn ready(&self) -> u32 {
        self.instances.iter().filter(|instance| instance.ready).count() as u32
    }
}

/// What is scaled, and how it is seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// The endpoint's name.
    pub endpoint: String,
    /// The deployment's name.
    pub deployment: String,
    /// The machine of each of its instances.
    pub machine: Machine,
    /// How long after its end a grain can be read, in rule time.
    pub metric_delay: Duration,
    /// What stands behind metrics of a cluster that the rules name otherwise.
    pub named: Named,
}

/// What an interval counted of one deployment.
#[derive(Debug, Clone, Default, PartialEq)]
struct Answers {
    deployment: String,
    outcomes: Outcomes,
    latency: Latencies,
}

/// An interval's counts.
#[derive(Debug, Clone, PartialEq)]
struct Interval {
    start: Duration,
    end: Duration,
    answers: Vec<Answers>,
    opened: u64,
    connections: u64,
}

impl Interval {
    /// What decides to which grain it belongs: its ends may be late by a moment.
    fn middle(&self) -> Duration {
        self.start + self.end.saturating_sub(self.start) / 2
    }

    fn of(snapshot: &Snapshot) -> Self {
        let mut answers: Vec<Answers> = Vec::new();
        for (key, tally) in &snapshot.tallies {
            let name = snapshot.names.of(*key).2;
            let known = answers.iter().position(|one| one.deployment == name);
            let place = known.unwrap_or_else(|| {
                answers.push(Answers { deployment: name.to_owned(), ..Answers::default() });
                answers.len() - 1
            });
            answers[place].outcomes.merge(&tally.outcomes);
            answers[place].latency.merge(&tally.service);
        }
        Self {
            start: snapshot.start,
            end: snapshot.end,
            answers,
            opened: snapshot.generator.connections_opened,
            connections: snapshot.generator.connections,
        }
    }
}

/// How a cluster's metrics are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// As they are told: late, scraped, and averaged over their windows.
    Told,
    /// As they are in the newest interval.
    AtOnce,
}

/// Turns counts into the metrics that some rules see.
#[derive(Debug)]
pub struct Pipeline(Kind);

#[derive(Debug)]
enum Kind {
    Minutes(minutes::Minutes),
    Cluster(cluster::Cluster),
}

impl Pipeline {
    /// One that has counted nothing yet.
    ///
    /// # Errors
    /// Every metric of the rules that is not measured here, and where the rules name it.
    pub fn new(rules: &Rules, subject: &Subject, time: RuleTime) -> Result<Self, Vec<Unread>> {
        Ok(Self(match rules {
            Rules::Azure(setting) => {
                let feeds = feeds::azure(setting, subject)?;
                Kind::Minutes(minutes::Minutes::new(feeds, subject.clone(), time))
            }
            Rules::Hpa(_) | Rules::ScaledObject(_) | Rules::Knative(_) | Rules::Utilization(_) => {
                let feeds = feeds::cluster(rules, &subject.named)?;
                Kind::Cluster(cluster::Cluster::new(feeds, rules, subject.clone(), time))
            }
        }))
    }

    /// The deployment that is seen.
    pub fn deployment(&self) -> &str {
        match &self.0 {
            Kind::Minutes(minutes) => minutes.deployment(),
            Kind::Cluster(cluster) => cluster.deployment(),
        }
    }

    /// An interval is over. It belongs to the grain in which its middle lies.
    pub fn interval(&mut self, snapshot: &Snapshot) {
        let interval = Interval::of(snapshot);
        match &mut self.0 {
            Kind::Minutes(minutes) => minutes.interval(&interval),
            Kind::Cluster(cluster) => cluster.interval(interval),
        }
    }

    /// The instances as they are.
    pub fn usage(&mut self, usage: &Usage) {
        match &mut self.0 {
            Kind::Minutes(minutes) => minutes.usage(usage),
            Kind::Cluster(cluster) => cluster.usage(usage),
        }
    }

    /// What can be seen at `now` of the last `lookback_s` seconds, put into what an engine is asked;
    /// `pending` instances have no machine yet.
    pub(crate) fn show(
        &mut self,
        now: Timestamp,
        lookback_s: i64,
        pending: usize,
        state: &mut State,
    ) {
        match &mut self.0 {
            Kind::Minutes(minutes) => state.metrics = minutes.visible(now, lookback_s),
            Kind::Cluster(cluster) => cluster.show(pending, state, Sight::Told),
        }
    }

    /// The same of a cluster's metrics, at the state's moment; nothing of Azure's.
    pub(crate) fn show_cluster(&self, pending: usize, state: &mut State, sight: Sight) {
        if let Kind::Cluster(cluster) = &self.0 {
            cluster.show(pending, state, sight);
        }
    }

    /// The ends of a cluster's intervals up to a moment that are still known, in the run.
    pub(crate) fn ends(&self, until: Duration) -> Vec<Duration> {
        match &self.0 {
            Kind::Minutes(_) => Vec::new(),
            Kind::Cluster(cluster) => cluster.ends(until),
        }
    }

    /// The longest time over which a cluster's metrics are averaged, in rule time.
    pub(crate) fn window(&self) -> Duration {
        match &self.0 {
            Kind::Minutes(_) => Duration::ZERO,
            Kind::Cluster(cluster) => cluster.window(),
        }
    }

    /// How old a cluster's metrics are before any window, in rule time: their delay, and the scrape.
    pub(crate) fn delay(&self) -> Duration {
        match &self.0 {
            Kind::Minutes(_) => Duration::ZERO,
            Kind::Cluster(cluster) => cluster.delay(),
        }
    }

    /// Every value that was published so far, for those who look at it themselves; a cluster's
    /// metrics have no history.
    pub fn published(&self) -> &[Metric] {
        match &self.0 {
            Kind::Minutes(minutes) => minutes.published(),
            Kind::Cluster(_) => &[],
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
