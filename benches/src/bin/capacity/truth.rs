//! The true rate of a server: where exactly 1 % of its requests are refused or take too long.
//!
//! What has a formula is computed once (see [`Server::all`]). Of the others the share is found by a
//! simulation of its own (not the product's): who arrives takes the slot that is free first, and what was drawn
//! is the same at every rate, so that the share moves smoothly with it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use plimsoll_deploy::service_time::ServiceTimes;
use rand_distr::{Distribution, Exp1};
use rand_pcg::Pcg64;

use crate::server::Server;

/// The share that may be bad.
const ALLOWED: f64 = 0.01;
/// Trials of the search for the rate.
const TRIALS: usize = 14;

/// The highest rate at which p99 is within the server's limit, from so many requests.
pub(crate) fn rate(server: &Server, requests: u64) -> f64 {
    let busy = 1e3 * f64::from(server.slots) / mean_ms(server);
    let (mut low, mut high) = (0.1 * busy, 0.999 * busy);
    for trial in 0..TRIALS {
        // The first trials are far from the edge.
        let requests = if trial < 5 { requests.div_ceil(20) } else { requests };
        let middle = f64::midpoint(low, high);
        if bad(server, middle, requests) < ALLOWED { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

fn mean_ms(server: &Server) -> f64 {
    use plimsoll_deploy::spec::ServiceTime as S;
    match server.service {
        S::Constant { ms } => ms,
        S::Exponential { mean_ms } => mean_ms,
        S::LogNormal { p50_ms, p99_ms } => {
            let sigma = (p99_ms / p50_ms).ln() / 2.326_347_874;
            p50_ms * (sigma * sigma / 2.0).exp()
        }
    }
}

/// The share of bad requests among so many at a rate.
fn bad(server: &Server, rate: f64, requests: u64) -> f64 {
    let times = ServiceTimes::new(&server.service).expect("times that can be drawn");
    let mut gaps = Pcg64::new(1, 1);
    let mut work = Pcg64::new(1, 2);
    let slots = server.slots as usize;
    let limit = (server.limit_ms * 1e6) as u64;
    let mut free: BinaryHeap<Reverse<u64>> = (0..slots).map(|_| Reverse(0)).collect();
    let mut inside: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
    let (mut now, mut bad) = (0.0f64, 0u64);
    let settle = requests / 100;
    for number in 0..requests + settle {
        let gap: f64 = Exp1.sample(&mut gaps);
        now += gap / rate * 1e9;
        let (at, takes) = (now as u64, times.draw(&mut work));
        if server.capped {
            while inside.peek().is_some_and(|done| done.0 <= at) {
                inside.pop();
            }
            if inside.len() >= 2 * slots {
                bad += u64::from(number >= settle);
                continue;
            }
        }
        let begins = free.pop().expect("as many as slots").0.max(at);
        let done = begins + takes;
        free.push(Reverse(done));
        if server.capped {
            inside.push(Reverse(done));
        }
        bad += u64::from(number >= settle && done - at >= limit);
    }
    bad as f64 / requests as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_true_rates_one_request_in_a_hundred_is_late() {
        for server in Server::all().into_iter().filter(|server| server.name != "lognormal 1") {
            let share = bad(&server, server.truth_rps, 1_000_000);
            assert!((share / ALLOWED - 1.0).abs() < 0.2, "{}: {share}", server.name);
        }
    }

    // Who waits (Erlang's C) waits an exponential time of the rate that is left, and is served then.
    #[test]
    fn four_exponential_servers_are_as_late_as_erlang_says() {
        let all = Server::all();
        let server = all.iter().find(|server| server.name == "M/M/4").unwrap();
        let (mu, limit) = (1.0 / 0.016, server.limit_ms / 1e3);
        let late = |rate: f64| {
            let load: f64 = rate / mu;
            let terms = [1.0, load, load.powi(2) / 2.0, load.powi(3) / 6.0];
            let waiting = load.powi(4) / 24.0 / (1.0 - load / 4.0);
            let waits = waiting / (terms.iter().sum::<f64>() + waiting);
            let left = 4.0 * mu - rate;
            let (own, rest) = ((-mu * limit).exp(), (-left * limit).exp());
            (1.0 - waits) * own + waits * (left * own - mu * rest) / (left - mu)
        };
        assert!((late(server.truth_rps) / ALLOWED - 1.0).abs() < 1e-4);
    }
}
