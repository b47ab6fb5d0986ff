//! The state of the load generator itself, from which the run's validity is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Class;

/// Pauses that one interval tells of; of more, the longest.
const MOST_PAUSES: usize = 16;

/// The state of the load generator in one interval, over all of its workers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// Requests in flight at the interval's end.
    pub in_flight: u64,
    /// Arrivals due that wait for a connection at the interval's end.
    pub backlog: u64,
    /// Open connections at the interval's end.
    pub connections: u64,
    /// Connections opened in the interval.
    pub connections_opened: u64,
    /// The addresses that they were opened to: a name may have several.
    #[serde(default)]
    pub addresses: BTreeSet<SocketAddr>,
    /// The workers' share of the processors in the interval, 1.0 being one whole core.
    /// `None` where it cannot be measured.
    pub cpu_cores: Option<f64>,
    /// The same of the busiest worker, which is one thread: near 1.0 it can do no more.
    pub cpu_busiest: Option<f64>,
    /// The longest time that a worker's thread waited for a processor in the interval, summed
    /// over its waits, as a share of the interval. `None` where it cannot be measured.
    pub cpu_wait: Option<f64>,
    /// Times in which a worker did not run though it had something to do: the process was stopped,
    /// or the machine paused.
    pub pauses: Vec<Pause>,
    /// Workers that ended without their last report. What they had not reported is lost.
    pub lost_workers: u32,
    /// The first message of each class of failure seen in the interval.
    pub examples: BTreeMap<Class, String>,
}

/// A time in which a worker did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// When it began, since the run's first due time.
    pub start: Duration,
    /// How long it was.
    pub length: Duration,
}

impl Generator {
    /// Adds the state of another worker in the same interval.
    pub fn merge(&mut self, other: &Self) {
        self.in_flight += other.in_flight;
        self.backlog += other.backlog;
        self.connections += other.connections;
        self.cpu_cores = both(self.cpu_cores, other.cpu_cores, |a, b| a + b);
        self.add_counts(other);
    }

    /// Adds the interval that follows: counts add up, states are those of the later one.
    pub fn append(&mut self, later: &Self) {
        self.in_flight = later.in_flight;
        self.backlog = later.backlog;
        self.connections = later.connections;
        self.cpu_cores = both(self.cpu_cores, later.cpu_cores, f64::max);
        self.add_counts(later);
    }

    /// Notes a pause.
    pub fn pause(&mut self, pause: Pause) {
        self.pauses.push(pause);
        if self.pauses.len() > MOST_PAUSES {
            let shortest = (0..self.pauses.len()).min_by_key(|index| self.pauses[*index].length);
            shortest.map(|index| self.pauses.remove(index));
        }
    }

    fn add_counts(&mut self, other: &Self) {
        self.connections_opened += other.connections_opened;
        self.addresses.extend(&other.addresses);
        self.cpu_busiest = both(self.cpu_busiest, other.cpu_busiest, f64::max);
        self.cpu_wait = both(self.cpu_wait, other.cpu_wait, f64::max);
        self.lost_workers += other.lost_workers;
        other.pauses.iter().for_each(|pause| self.pause(*pause));
        for (class, message) in &other.examples {
            self.examples.entry(*class).or_insert_with(|| message.clone());
        }
    }
}

fn both(a: Option<f64>, b: Option<f64>, with: impl Fn(f64, f64) -> f64) -> Option<f64> {
    a.into_iter().chain(b).reduce(with)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_add_up_and_intervals_follow_one_another() {
        let state = |in_flight, cpu| Generator {
            in_flight,
            connections_opened: 1,
            cpu_cores: Some(cpu),
            cpu_busiest: Some(cpu),
            ..Generator::default()
        };
        let mut both = state(3, 0.5);
        both.merge(&state(4, 0.75));
        assert_eq!((both.in_flight, both.connections_opened), (7, 2));
        assert_eq!((both.cpu_cores, both.cpu_busiest), (Some(1.25), Some(0.75)));
        both.append(&state(1, 0.25));
        assert_eq!((both.in_flight, both.connections_opened), (1, 3));
        assert_eq!(both.cpu_cores, Some(1.25));
    }

    #[test]
    fn the_longest_pauses_are_kept() {
        let mut state = Generator::default();
        for millis in 0..100 {
            let length = Duration::from_millis(millis);
            state.pause(Pause { start: Duration::ZERO, length });
        }
        assert_eq!(state.pauses.len(), MOST_PAUSES);
        assert!(state.pauses.iter().all(|pause| pause.length >= Duration::from_millis(84)));
    }
}
