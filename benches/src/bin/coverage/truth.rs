//! The exact distributions of the processes that have no formula of one line.

use statrs::distribution::{ContinuousCDF, Normal};

use crate::process::{CALM, STALL};

/// The z below which a standard normal variable lies with this probability.
pub(crate) fn normal_quantile(probability: f64) -> f64 {
    Normal::standard().inverse_cdf(probability)
}

/// The quantile of the response time of M/M/c with each slot at this load, in times between two
/// arrivals.
pub(crate) fn mmc_quantile(slots: usize, load: f64, quantile: f64) -> f64 {
    let queue = Mmc::new(slots, load);
    solve(0.0, 1e3 * slots as f64 / (1.0 - load), |t| 1.0 - queue.longer_than(t) - quantile)
}

/// M/M/c with one arrival per unit of time.
pub(crate) struct Mmc {
    slots: usize,
    load: f64,
    /// The probability of exactly so many in the system, below one for each slot.
    below: Vec<f64>,
    /// Erlang's C: the probability of having to wait.
    waits: f64,
}

impl Mmc {
    pub(crate) fn new(slots: usize, load: f64) -> Self {
        let offered = load * slots as f64;
        let terms: Vec<f64> = (0..slots)
            .scan(1.0, |term, k| {
                let this = *term;
                *term *= offered / (k + 1) as f64;
                Some(this)
            })
            .collect();
        let all_busy = terms[slots - 1] * offered / slots as f64 / (1.0 - load);
        let sum = terms.iter().sum::<f64>() + all_busy;
        let below = terms.iter().map(|term| term / sum).collect();
        Self { slots, load, below, waits: all_busy / sum }
    }

    /// How many are in the system, by inversion of a number in 0 to 1.
    pub(crate) fn in_system(&self, uniform: f64) -> usize {
        let mut left = uniform;
        for (count, probability) in self.below.iter().enumerate() {
            if left < *probability {
                return count;
            }
            left -= probability;
        }
        // Beyond, a geometric number waits.
        let tail = (1.0 - left / self.waits).max(f64::MIN_POSITIVE);
        self.slots + (tail.ln() / self.load.ln()) as usize
    }

    /// P(response > t): a service, after a wait which is exponential if there is one.
    fn longer_than(&self, t: f64) -> f64 {
        let service = 1.0 / (self.load * self.slots as f64);
        let wait = service * self.slots as f64 * (1.0 - self.load);
        let (alone, queued) = ((-service * t).exp(), (-wait * t).exp());
        let both = (wait * alone - service * queued) / (wait - service);
        (1.0 - self.waits) * alone + self.waits * both
    }
}

/// The quantile of the response time of M/D/1 at this load, in times between two arrivals.
pub(crate) fn md1_quantile(load: f64, quantile: f64) -> f64 {
    let waiting = Md1::new(load);
    let wait = solve(0.0, 200.0 / (1.0 - load), |x| waiting.at_most(x) - quantile);
    (wait + 1.0) * load
}

/// The waiting time of M/D/1, in services.
struct Md1 {
    load: f64,
    /// The probability of at most so many in the system.
    at_most: Vec<f64>,
}

impl Md1 {
    fn new(load: f64) -> Self {
        let most = (60.0 / (1.0 - load)) as usize;
        // The probability of more than k arrivals during a service.
        let (mut term, mut more) = ((-load).exp(), Vec::new());
        let mut sum = 0.0;
        for k in 0..=most {
            sum += term;
            more.push((1.0f64 - sum).max(0.0));
            term *= load / (k + 1) as f64;
        }
        // The rate up across a level is that down: only positive terms, so nothing is cancelled.
        let mut states = vec![1.0 - load];
        for j in 0..most {
            let inner: f64 = (1..=j).map(|i| states[i] * more[j - i + 1]).sum();
            states.push((states[0] * more[j] + inner) / (-load).exp());
        }
        let cumulated = states.iter().scan(0.0, |sum, state| {
            *sum += state;
            Some(*sum)
        });
        Self { load, at_most: cumulated.collect() }
    }

    /// P(W ≤ x), by Franx (2001): of those in the system a service's time ago, the server has to
    /// have finished enough. All terms are positive.
    fn at_most(&self, x: f64) -> f64 {
        let services = x.floor() as usize + 1;
        let mean = self.load * (services as f64 - x);
        let mut weight = (-mean).exp();
        let mut sum = 0.0;
        for j in 0..services {
            // One is being served: k waiting are k + 1 in the system.
            let waiting = (services - j).min(self.at_most.len() - 1);
            sum += weight * self.at_most[waiting];
            weight *= mean / (j + 1) as f64;
        }
        sum
    }
}

/// The quantile of the response time beside stalls of a fixed length, in seconds.
pub(crate) fn stall_quantile(quantile: f64) -> f64 {
    const PARTS: usize = 100_000;
    let calm =
        |x: f64| if x > 0.0 { Normal::standard().cdf((x / CALM.0).ln() / CALM.1) } else { 0.0 };
    let stalled = STALL.0 / STALL.1;
    let at_most = |x: f64| {
        let part = |i: usize| calm(x - STALL.0 * (i as f64 + 0.5) / PARTS as f64);
        let waited: f64 = (0..PARTS).map(part).sum::<f64>() / PARTS as f64;
        (1.0 - stalled) * calm(x) + stalled * waited
    };
    solve(0.0, 1.0, |x| at_most(x) - quantile)
}

/// Where a rising function is zero.
fn solve(mut low: f64, mut high: f64, rising: impl Fn(f64) -> f64) -> f64 {
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if rising(middle) < 0.0 { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use rand_pcg::Pcg64;

    use crate::process::{ALL, Process, RATE};

    /// Erlang's series, whose terms cancel: only for short waits.
    fn erlang(load: f64, x: f64) -> f64 {
        let term = |k: usize| {
            let away = load * (k as f64 - x);
            let power: f64 = (1..=k).map(|i| away / i as f64).product();
            power * (-away).exp()
        };
        (1.0 - load) * (0..=x.floor() as usize).map(term).sum::<f64>()
    }

    #[test]
    fn md1_is_erlangs_series() {
        for load in [0.5, 0.8, 0.95] {
            let waiting = super::Md1::new(load);
            for x in [0.0, 0.3, 1.0, 1.5, 4.2, 7.9] {
                let (got, exact) = (waiting.at_most(x), erlang(load, x));
                assert!((got - exact).abs() < 1e-9, "{load} {x}: {got}, not {exact}");
            }
        }
    }

    #[test]
    fn one_slot_is_mm1_and_four_wait_as_erlang_says() {
        for quantile in [0.5, 0.99] {
            let (got, exact) = (super::mmc_quantile(1, 0.8, quantile), Process::Mm1(0.8));
            assert!((got / RATE / exact.quantile(quantile) - 1.0).abs() < 1e-9);
        }
        // Four slots, 3.2 erlang: C = 0.5964 (tables of Erlang's C).
        let four = super::Mmc::new(4, 0.8);
        assert!((four.waits - 0.5964).abs() < 5e-5, "{}", four.waits);
        assert_eq!((four.in_system(0.0), four.in_system(1.0 - 0.59 * 0.8 * 0.8)), (0, 6));
    }

    #[test]
    fn md1_has_cramers_tail() {
        // Far out each service more makes a wait less likely by e^(−θ), θ solving load (e^θ − 1) = θ.
        let load = 0.95;
        let theta = super::solve(0.05, 0.5, |t: f64| load * (t.exp() - 1.0) - t);
        let far = (super::md1_quantile(load, 0.9999) - super::md1_quantile(load, 0.999)) / load;
        assert!((far * theta / 10f64.ln() - 1.0).abs() < 1e-4, "{far} {theta}");
    }

    /// The share of failed requests, and of those above the true quantile, in many short runs: their
    /// first requests count as much as any, so a run that starts beside its steady state shows.
    #[test]
    fn runs_are_in_steady_state_with_the_quantiles_that_they_say() {
        for process in ALL {
            for quantile in [0.5, 0.95] {
                let limit = process.quantile(quantile);
                let expected = if process.fails() { 0.01 } else { 1.0 - quantile };
                let (runs, count) = (4_000, 50);
                let shares: Vec<f64> = (0..runs)
                    .map(|run| {
                        let requests = process.run(count, &mut Pcg64::new(run, 5));
                        assert!(requests.len() == count && requests[0].arrived == 0.0);
                        let above = requests.iter().filter(|request| request.took >= limit);
                        above.count() as f64 / count as f64
                    })
                    .collect();
                let mean = shares.iter().sum::<f64>() / f64::from(runs as u32);
                let variance =
                    shares.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / f64::from(runs as u32);
                let error = (variance / f64::from(runs as u32)).sqrt();
                let away = (mean - expected).abs() / error;
                assert!(away < 4.0, "{} at {quantile}: {mean}", process.name());
            }
        }
    }

    #[test]
    fn requests_arrive_at_the_rate_that_they_say() {
        for process in ALL {
            let last = process.run(20_000, &mut Pcg64::new(1, 6)).last().map(|r| r.arrived);
            let seconds = last.expect("20,000 requests");
            assert!((seconds * RATE / 20_000.0 - 1.0).abs() < 0.03, "{}", process.name());
        }
        assert!(Process::Errors.quantile(0.5).is_infinite());
    }
}
