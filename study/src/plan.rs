//! How many instances a rate takes, under Azure's admission rule.
//!
//! A deployment of N instances of C slots works on s = C·N requests at a time and lets as many again
//! wait; one more is refused. With Poisson arrivals and exponential service times that is the
//! birth-and-death chain M/M/s/2s (Kleinrock, Queueing Systems I, 3.45): of its states' probabilities
//! the last is the share refused, and those from s on are what waits. A flat utilisation of 70 % is
//! right for one size only: few slots need more room than that, many need less.
//!
//! Limits: service times that vary more than exponential ones refuse more, constant ones less; the
//! plan is simulated for that.

mod forecast;

use std::num::NonZeroU32;

pub use forecast::Forecast;
use serde::Serialize;

/// Instances beyond which nothing is sized.
pub const MOST_INSTANCES: u32 = 10_000;

/// What is to be carried.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Demand {
    /// Requests per second at the peak.
    pub rate_rps: f64,
    /// The mean time that a slot works on a request, seconds.
    pub service_s: f64,
    /// Slots of an instance.
    pub concurrency: NonZeroU32,
    /// The share of requests that may be refused, above 0.
    pub refused: f64,
    /// How long at most one in a hundred of those admitted may wait for a slot, seconds.
    pub wait_s: Option<f64>,
}

/// What so many instances make of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Carried {
    /// Instances.
    pub instances: u32,
    /// Of all slots at work, the share, 0 to 1.
    pub utilisation: f64,
    /// The share refused, 0 to 1.
    pub refused: f64,
    /// The share of those admitted that wait longer than asked; of those that wait at all, where
    /// nothing was asked.
    pub late: f64,
    /// Requests that are worked on or wait, more than which are there in no more than the share of time
    /// that requests may be refused in: as many connections are taken.
    pub pending: u64,
}

impl Demand {
    /// What so many instances make of it.
    pub fn on(&self, instances: u32) -> Carried {
        let slots = u64::from(self.concurrency.get()) * u64::from(instances);
        let load = self.rate_rps * self.service_s;
        // Relative to the most likely state, so that nothing overflows.
        let logs: Vec<f64> = std::iter::once(0.0)
            .chain((1..=2 * slots).scan(0.0, |log, state| {
                *log += (load / state.min(slots) as f64).ln();
                Some(*log)
            }))
            .collect();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = logs.iter().map(|log| (log - most).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let refused = weights[weights.len() - 1] / sum;
        let admitted = 1.0 - refused;
        let mut above = 1.0;
        let pending = weights.iter().position(|weight| {
            above -= weight / sum;
            above <= self.refused
        });
        // Whoever comes in state j waits for j − s + 1 of the ends that come s μ to the second.
        let mean = self.wait_s.unwrap_or(0.0) * slots as f64 / self.service_s;
        let (mut term, mut tail) = ((-mean).exp(), 0.0);
        let mut late = 0.0;
        for ahead in 0..slots {
            tail += term;
            term *= mean / (ahead + 1) as f64;
            late += weights[(slots + ahead) as usize] / sum * tail.min(1.0);
        }
        Carried {
            instances,
            utilisation: load * admitted / slots as f64,
            refused,
            late: late / admitted,
            pending: pending.map_or(2 * slots, |state| state as u64),
        }
    }

    /// Whether it is carried as asked.
    pub fn is_met(&self, carried: &Carried) -> bool {
        carried.refused <= self.refused && (self.wait_s.is_none() || carried.late <= 0.01)
    }

    /// The fewest instances that carry it; `None` beyond [`MOST_INSTANCES`].
    pub fn fewest(&self) -> Option<Carried> {
        let is_enough = |instances| self.is_met(&self.on(instances));
        let (mut short, mut enough) = (0, 1);
        while !is_enough(enough) {
            (short, enough) = (enough, enough * 2);
            if short >= MOST_INSTANCES {
                return None;
            }
        }
        while enough - short > 1 {
            let middle = u32::midpoint(short, enough);
            if is_enough(middle) { enough = middle } else { short = middle }
        }
        Some(self.on(enough))
    }

    /// The same with the rate and the service time times these.
    #[must_use]
    pub fn times(self, rate: f64, service: f64) -> Self {
        let (rate_rps, service_s) = (self.rate_rps * rate, self.service_s * service);
        Self { rate_rps, service_s, ..self }
    }

    /// Azure's own formula: `rate × seconds / utilisation / concurrency`, rounded up.
    pub fn azure(&self, utilisation: f64) -> u64 {
        let busy = self.rate_rps * self.service_s / utilisation;
        whole(busy / f64::from(self.concurrency.get()))
    }

    /// `SageMaker`'s advice: an instance gets the rate that it was measured to hold at most, times a
    /// safety factor. That rate is taken as concurrency / service time.
    pub fn sagemaker(&self, safety: f64) -> u64 {
        let most = f64::from(self.concurrency.get()) / self.service_s;
        whole(self.rate_rps / (most * safety))
    }
}

/// Rounded up, but for what rounding in between has added.
fn whole(number: f64) -> u64 {
    (number - 1e-9).ceil().max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(rate_rps: f64, service_s: f64, concurrency: u32) -> Demand {
        let concurrency = NonZeroU32::new(concurrency).unwrap();
        Demand { rate_rps, service_s, concurrency, refused: 0.01, wait_s: None }
    }

    #[test]
    fn azures_worked_example() {
        let demand = demand(20.0, 10.0, 1);
        assert_eq!(demand.azure(0.7), 286);
        assert_eq!(demand.sagemaker(0.5), 400);
        let fewest = demand.fewest().unwrap();
        assert!((180..286).contains(&fewest.instances), "{fewest:?}");
    }

    #[test]
    fn one_slot_is_the_closed_form() {
        // One slot and one place: 1, ρ and ρ² over their sum.
        let carried = demand(0.5, 1.0, 1).on(1);
        assert!((carried.refused - 0.25 / 1.75).abs() < 1e-12);
        assert!((carried.late - (0.5 / 1.75) / (1.5 / 1.75)).abs() < 1e-12, "whoever waits at all");
        assert!((carried.utilisation - 0.75 / 1.75).abs() < 1e-12);
        // Of the time 14.3 % are in the last state, and 28.6 % in the one before.
        let pending = |refused| Demand { refused, ..demand(0.5, 1.0, 1) }.on(1).pending;
        assert_eq!((pending(0.1), pending(0.2), pending(0.5)), (2, 1, 0));
    }

    #[test]
    fn waiting_is_erlangs_tail() {
        // One place: whoever waits does so for one exponential service.
        let at = |wait_s| Demand { wait_s: Some(wait_s), ..demand(0.5, 1.0, 1) }.on(1).late;
        assert!((at(2.0) / at(0.0) - (-2.0f64).exp()).abs() < 1e-12);
    }

    #[test]
    fn the_fewest_are_the_fewest() {
        for (rate, service, concurrency) in [(100.0, 0.05, 4), (3.0, 2.0, 1), (5_000.0, 0.1, 8)] {
            let demand = demand(rate, service, concurrency);
            let fewest = demand.fewest().unwrap();
            assert!(demand.is_met(&fewest));
            if fewest.instances > 1 {
                assert!(!demand.is_met(&demand.on(fewest.instances - 1)));
            }
        }
        assert_eq!(demand(1e9, 10.0, 1).fewest(), None);
    }

    #[test]
    fn few_slots_need_more_room_than_many() {
        let few = demand(2.0, 1.0, 1).fewest().unwrap();
        let many = demand(200.0, 1.0, 1).fewest().unwrap();
        assert!(few.utilisation < 0.7 && many.utilisation > 0.9, "{few:?} {many:?}");
    }
}
