//! Processes whose true percentiles are known, 200 requests a second, in steady state from the
//! first request on.

use rand::RngExt;
use rand_distr::{Distribution, Exp, Exp1, StandardNormal};
use rand_pcg::Pcg64;

use crate::truth;

/// Requests per second.
pub(crate) const RATE: f64 = 200.0;
/// The spread of the logarithm of log-normal response times, their median being 50 ms.
pub(crate) const SPREAD: f64 = 0.7;
const MEDIAN: f64 = 0.05;
/// The drifting level: its time constant in seconds, and the spread of its logarithm.
pub(crate) const LEVEL: (f64, f64) = (10.0, 0.1);
/// A stall's length in seconds, and that of a stall and the gap after it.
pub(crate) const STALL: (f64, f64) = (0.5, 5.0);
/// Response times beside a stall: far below the distance of requests, so that they do not blur it.
pub(crate) const CALM: (f64, f64) = (0.002, 0.3);
/// The share of failed requests, and how many come together in clumps.
pub(crate) const FAILING: (f64, usize) = (0.01, 50);

/// A request: when it arrived and how long it took, in seconds; infinite if it failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) arrived: f64,
    pub(crate) took: f64,
}

/// A way in which a service answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Process {
    /// Independent log-normal times.
    Lognormal,
    /// One server, Poisson arrivals, exponential service at this load.
    Mm1(f64),
    /// So many slots with one queue, Poisson arrivals, exponential service at this load of each.
    Mmc(usize, f64),
    /// One server, Poisson arrivals, constant service at this load.
    Md1(f64),
    /// Log-normal times whose logarithms correlate so from request to request.
    Autoregressive(f64),
    /// Everything waits for the end of a stall, which comes every five seconds.
    PeriodicStall,
    /// The same with exponential gaps.
    RandomStall,
    /// Log-normal times under a level that drifts.
    Level,
    /// Independent failures.
    Errors,
    /// Failures in clumps.
    Clumps,
}

/// All of the table's rows, in its order.
pub(crate) const ALL: [Process; 15] = [
    Process::Lognormal,
    Process::Mm1(0.5),
    Process::Mm1(0.8),
    Process::Mm1(0.95),
    Process::Mmc(4, 0.8),
    Process::Mmc(16, 0.9),
    Process::Md1(0.8),
    Process::Md1(0.95),
    Process::Autoregressive(0.5),
    Process::Autoregressive(0.9),
    Process::PeriodicStall,
    Process::RandomStall,
    Process::Level,
    Process::Errors,
    Process::Clumps,
];

impl Process {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Lognormal => "iid lognormal".to_owned(),
            Self::Mm1(load) => format!("M/M/1 {load}"),
            Self::Mmc(slots, load) => format!("M/M/{slots} {load}"),
            Self::Md1(load) => format!("M/D/1 {load}"),
            Self::Autoregressive(phi) => format!("AR({phi}) lognormal"),
            Self::PeriodicStall => "stall 0.5 s each 5 s".to_owned(),
            Self::RandomStall => "stall 0.5 s, random gaps".to_owned(),
            Self::Level => "level AR 10 s, 10 %".to_owned(),
            Self::Errors => "errors iid 1 %".to_owned(),
            Self::Clumps => "errors 1 % in clumps of 50".to_owned(),
        }
    }

    /// Whether its objective is an error rate.
    pub(crate) fn fails(self) -> bool {
        matches!(self, Self::Errors | Self::Clumps)
    }

    /// The true quantile of the response time, in seconds.
    pub(crate) fn quantile(self, quantile: f64) -> f64 {
        match self {
            Self::Mm1(load) => -(1.0 - quantile).ln() / (RATE / load - RATE),
            Self::Mmc(slots, load) => truth::mmc_quantile(slots, load, quantile) / RATE,
            Self::Md1(load) => truth::md1_quantile(load, quantile) / RATE,
            Self::PeriodicStall | Self::RandomStall => truth::stall_quantile(quantile),
            Self::Level => {
                MEDIAN * (SPREAD.hypot(LEVEL.1) * truth::normal_quantile(quantile)).exp()
            }
            Self::Lognormal | Self::Autoregressive(_) => {
                MEDIAN * (SPREAD * truth::normal_quantile(quantile)).exp()
            }
            Self::Errors | Self::Clumps => f64::INFINITY,
        }
    }

    /// The first `count` requests of a run.
    pub(crate) fn run(self, count: usize, random: &mut Pcg64) -> Vec<Request> {
        match self {
            Self::Lognormal | Self::Level => self.autoregressive(count, 0.0, random),
            Self::Autoregressive(phi) => self.autoregressive(count, phi, random),
            Self::Mm1(load) => {
                let service = Exp::new(RATE / load).expect("a load is above zero");
                let idle = random.random_bool(1.0 - load);
                let wait: f64 = Exp1.sample(random);
                let start = if idle { 0.0 } else { wait / (RATE / load - RATE) };
                queue(count, start, |random| service.sample(random), random)
            }
            Self::Mmc(slots, load) => slots_in_parallel(count, slots, load, random),
            Self::Md1(load) => {
                // Pollaczek and Khinchine: as many residual services as a geometric variable says.
                let mut start = 0.0;
                while random.random_bool(load) {
                    start += random.random::<f64>() * load / RATE;
                }
                queue(count, start, |_| load / RATE, random)
            }
            // A cycle begins with the stall, a run anywhere in the cycle.
            Self::PeriodicStall => {
                let phase = random.random::<f64>() * STALL.1;
                let end = if phase < STALL.0 { STALL.0 } else { STALL.1 + STALL.0 } - phase;
                stalls(count, end, |_| STALL.1 - STALL.0, random)
            }
            Self::RandomStall => {
                let gap = Exp::new(1.0 / (STALL.1 - STALL.0)).expect("gaps have a length");
                let stalled = random.random_bool(STALL.0 / STALL.1);
                let part = random.random::<f64>();
                // An exponential gap has no memory.
                let end = if stalled { part * STALL.0 } else { gap.sample(random) + STALL.0 };
                stalls(count, end, |random| gap.sample(random), random)
            }
            Self::Errors => failing(count, 1, random),
            Self::Clumps => failing(count, FAILING.1, random),
        }
    }

    fn autoregressive(self, count: usize, phi: f64, random: &mut Pcg64) -> Vec<Request> {
        let mut normal = || -> f64 { StandardNormal.sample(random) };
        let drift = (-1.0 / (RATE * LEVEL.0)).exp();
        let (mut state, mut level) = (normal(), normal());
        let spread = if self == Self::Level { LEVEL.1 } else { 0.0 };
        let request = |index: usize| {
            let took = MEDIAN * (SPREAD * state + spread * level).exp();
            state = phi * state + (1.0 - phi * phi).sqrt() * normal();
            if spread > 0.0 {
                level = drift * level + (1.0 - drift * drift).sqrt() * normal();
            }
            Request { arrived: index as f64 / RATE, took }
        };
        (0..count).map(request).collect()
    }
}

/// One server and Poisson arrivals, by Lindley's recursion from a first wait.
fn queue(
    count: usize,
    first: f64,
    mut service: impl FnMut(&mut Pcg64) -> f64,
    random: &mut Pcg64,
) -> Vec<Request> {
    let (mut wait, mut arrived) = (first, 0.0);
    let request = |_| {
        let took = wait + service(random);
        let request = Request { arrived, took };
        let gap: f64 = Exp1.sample(random);
        arrived += gap / RATE;
        wait = (took - gap / RATE).max(0.0);
        request
    };
    (0..count).map(request).collect()
}

/// Several slots with one queue: a request is taken by the slot that is free first.
fn slots_in_parallel(count: usize, slots: usize, load: f64, random: &mut Pcg64) -> Vec<Request> {
    let service = Exp::new(RATE / (load * slots as f64)).expect("a load is above zero");
    // Those that are there at first; an exponential service has no memory.
    let there = truth::Mmc::new(slots, load).in_system(random.random());
    let mut free = vec![0.0; slots];
    let mut arrived = 0.0;
    for _ in 0..there {
        *earliest(&mut free) += service.sample(random);
    }
    let request = |_| {
        let slot = earliest(&mut free);
        *slot = slot.max(arrived) + service.sample(random);
        let request = Request { arrived, took: *slot - arrived };
        let gap: f64 = Exp1.sample(random);
        arrived += gap / RATE;
        request
    };
    (0..count).map(request).collect()
}

fn earliest(free: &mut [f64]) -> &mut f64 {
    free.iter_mut().min_by(|one, other| one.total_cmp(other)).expect("servers have slots")
}

/// Arrivals at a constant rate that wait for the end of a stall; the first stall ends at `end`.
fn stalls(
    count: usize,
    mut end: f64,
    mut gap: impl FnMut(&mut Pcg64) -> f64,
    random: &mut Pcg64,
) -> Vec<Request> {
    let request = |index: usize| {
        let arrived = index as f64 / RATE;
        while arrived >= end {
            end += gap(random) + STALL.0;
        }
        let wait = if arrived >= end - STALL.0 { end - arrived } else { 0.0 };
        let normal: f64 = StandardNormal.sample(random);
        Request { arrived, took: wait + CALM.0 * (CALM.1 * normal).exp() }
    };
    (0..count).map(request).collect()
}

/// Failures in clumps of this size, the share of failed requests being always the same.
fn failing(count: usize, clump: usize, random: &mut Pcg64) -> Vec<Request> {
    let share = FAILING.0;
    // A clump and the good requests before it are 1 / share times as long as the clump.
    let begin = share / (share + clump as f64 * (1.0 - share));
    let mut left = if random.random_bool(share) { random.random_range(1..=clump) } else { 0 };
    let request = |index: usize| {
        if left == 0 && index > 0 && random.random_bool(begin) {
            left = clump;
        }
        let failed = left > 0;
        left = left.saturating_sub(1);
        let took = if failed { f64::INFINITY } else { MEDIAN };
        Request { arrived: index as f64 / RATE, took }
    };
    (0..count).map(request).collect()
}
