//! Queues for which there is a formula: the simulation gives what it says.
//!
//! Formulas: L. Kleinrock, Queueing Systems I: M/M/c by Erlang's C (3.43), M/G/1 by Pollaczek and
//! Khinchine (5.61), M/D/1's waiting time by Erlang (1909), M/M/c/K as a birth-and-death process (3.45).

use std::time::Duration;

use plimsoll_deploy::spec::ServiceTime;
use plimsoll_domain::schedule::{ArrivalProcess, Profile};
use plimsoll_domain::{Class, Tally};
use plimsoll_simulate::{Deployment, Service};

use super::support::{Told, count, exponential, model, queue};

/// A service time of 10 ms on average.
const MEAN: f64 = 0.010;

/// A queue, and how far from its formula it may be.
struct Case {
    name: &'static str,
    requests: f64,
    mean_within: f64,
    p99_within: f64,
}

impl Case {
    fn check(&self, tally: &Tally, mean: f64, p99: Option<f64>) {
        let got = tally.response.mean().unwrap().as_secs_f64();
        let off = got / mean - 1.0;
        println!("{}: mean {got:.6} s, formula {mean:.6} s ({:+.2} %)", self.name, off * 1e2);
        assert!(off.abs() < self.mean_within, "{}: mean off by {:.2} %", self.name, off * 1e2);
        if let Some(p99) = p99 {
            let got = tally.response.quantile(0.99).unwrap().as_secs_f64();
            let off = got / p99 - 1.0;
            println!("{}: p99 {got:.6} s, formula {p99:.6} s ({:+.2} %)", self.name, off * 1e2);
            assert!(off.abs() < self.p99_within, "{}: p99 off by {:.2} %", self.name, off * 1e2);
        }
    }
}

fn poisson(rate: f64, requests: f64) -> Profile {
    Profile::hold(rate, Duration::from_secs_f64(requests / rate))
}

fn tally(slots: u32, rate: f64, requests: f64, service: Service) -> Tally {
    let told = Told::of(queue(&poisson(rate, requests), ArrivalProcess::Poisson, slots, service));
    let all = told.whole().all();
    assert_eq!(all.outcomes.ok(), all.offered);
    all
}

/// Erlang's B: the share that finds all servers busy where nobody waits.
fn erlang_b(servers: u32, load: f64) -> f64 {
    (1..=servers).fold(1.0, |b, n| load * b / (f64::from(n) + load * b))
}

/// Erlang's C: the share that waits.
fn erlang_c(servers: u32, load: f64) -> f64 {
    let (b, rho) = (erlang_b(servers, load), load / f64::from(servers));
    b / (1.0 - rho * (1.0 - b))
}

/// Where a falling function of time is 0.01.
fn at_one_percent(survival: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e3 * MEAN);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if survival(middle) > 0.01 { low = middle } else { high = middle }
    }
    low
}

fn mmc(case: &Case, servers: u32, rho: f64) {
    let (mu, lambda) = (1.0 / MEAN, rho * f64::from(servers) / MEAN);
    let waits = erlang_c(servers, lambda / mu);
    let theta = f64::from(servers) * mu - lambda;
    let survival = |t: f64| {
        if servers == 1 {
            return (-theta * t).exp();
        }
        let both = (theta * (-mu * t).exp() - mu * (-theta * t).exp()) / (theta - mu);
        (1.0 - waits) * (-mu * t).exp() + waits * both
    };
    let all = tally(servers, lambda, case.requests, exponential(MEAN * 1e3));
    case.check(&all, waits / theta + MEAN, Some(at_one_percent(survival)));
}

fn md1(case: &Case, rho: f64) {
    let lambda = rho / MEAN;
    let survival = |t: f64| {
        let term = |k: u32| {
            let x = lambda * (t - f64::from(k) * MEAN);
            let factorial: f64 = (1..=k).map(f64::from).product();
            x.exp() * (-x).powf(f64::from(k)) / factorial
        };
        1.0 - (1.0 - rho) * (0..=(t / MEAN) as u32).map(term).sum::<f64>()
    };
    let service = Service::given(&ServiceTime::Constant { ms: MEAN * 1e3 }).unwrap();
    let all = tally(1, lambda, case.requests, service);
    let wait = rho * MEAN / (2.0 * (1.0 - rho));
    // Beyond some thirty service times the sum's terms cancel; the 99th percentile lies before.
    let p99 = at_one_percent(|t| if t < 20.0 * MEAN { survival(t) } else { 0.0 });
    case.check(&all, wait + MEAN, Some(p99 + MEAN));
}

fn mg1(case: &Case, rho: f64) {
    // Log-normal: the second moment is the mean's square times exp σ².
    let (p50_ms, p99_ms) = (8.0f64, 40.0);
    let sigma = (p99_ms / p50_ms).ln() / 2.326_347_874;
    let mean = p50_ms / 1e3 * (sigma * sigma / 2.0).exp();
    let lambda = rho / mean;
    let second = mean * mean * (sigma * sigma).exp();
    let service = Service::given(&ServiceTime::LogNormal { p50_ms, p99_ms }).unwrap();
    let all = tally(1, lambda, case.requests, service);
    case.check(&all, lambda * second / (2.0 * (1.0 - rho)) + mean, None);
}

/// Instances of one slot each, as many requests again in the backlog: the share refused, and the
/// mean time of those that are not.
fn admission(case: &Case, instances: u32, load: f64) {
    let blue = Deployment {
        timeout: Duration::from_hours(1),
        ..Deployment::new("blue", count(instances), count(1), exponential(MEAN * 1e3))
    };
    let profile = poisson(load / MEAN, case.requests);
    let mut model = model(&profile, ArrivalProcess::Poisson, blue);
    model.interval = Duration::from_hours(100_000);
    let all = Told::of(model).whole().all();
    let states: Vec<f64> = (1..=2 * instances)
        .scan(1.0, |p, n| {
            *p *= load / f64::from(n.min(instances));
            Some(*p)
        })
        .collect();
    let sum = 1.0 + states.iter().sum::<f64>();
    let refused = states.last().unwrap() / sum;
    let inside: f64 = (1..).zip(&states).map(|(n, p)| f64::from(n) * p / sum).sum();
    let got = all.outcomes.of(Class::RefusedAdmission) as f64 / all.offered as f64;
    let off = got / refused - 1.0;
    println!("{}: refused {got:.5}, formula {refused:.5} ({:+.2} %)", case.name, off * 1e2);
    assert!(off.abs() < case.p99_within, "{}: refused off by {:.2} %", case.name, off * 1e2);
    case.check(&all, inside / (load / MEAN * (1.0 - refused)), None);
}

fn all(requests: f64, mean_within: f64, p99_within: f64) {
    let case = |name| Case { name, requests, mean_within, p99_within };
    mmc(&case("M/M/1 at 70 %"), 1, 0.7);
    mmc(&case("M/M/8 at 80 %"), 8, 0.8);
    md1(&case("M/D/1 at 80 %"), 0.8);
    mg1(&case("M/G/1 at 70 %"), 0.7);
    admission(&case("M/M/4/8 at 90 %"), 4, 3.6);
    admission(&case("M/M/4/8 at 150 %"), 4, 6.0);
}

#[test]
fn formulas_hold() {
    all(200_000.0, 0.04, 0.06);
}

#[test]
#[ignore = "ten million requests a queue: run by benches/queueing"]
fn formulas_hold_at_ten_million_requests() {
    all(1e7, 0.02, 0.03);
}

#[test]
fn erlangs_formulas_have_their_tables_values() {
    assert!((erlang_b(5, 3.0) - 0.110_05).abs() < 1e-4);
    assert!((erlang_c(5, 3.0) - 0.236_15).abs() < 1e-4);
}
