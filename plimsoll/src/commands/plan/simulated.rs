//! The plan checks itself: its instances under the forecast, in virtual time.

use std::num::NonZeroU32;
use std::time::Duration;

use plimsoll_deploy::spec::ServiceTime;
use plimsoll_domain::schedule::{ArrivalProcess, Arrivals, Mix, Profile, Stage, Trace};
use plimsoll_domain::{Class, Names};
use plimsoll_monitor::{DEFAULT_CONFIDENCE, Monitor, MonitorConfig, Objective, Verdict};
use plimsoll_simulate::{Client, Deployment, Happening, Model, Service, Simulation};
use plimsoll_study::plan::Demand;
use serde::Serialize;

use super::forecast::{SPAN, Traced};

/// Seconds that are simulated at most at one rate: where few requests come, more of them take longer.
const LONGEST_S: f64 = 24.0 * 3600.0;

/// What a simulation said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Simulated {
    /// Under which load.
    pub(crate) load: String,
    pub(crate) verdict: Verdict,
    /// What was asked.
    pub(crate) objective: String,
    pub(crate) requests: u64,
    /// The share refused.
    pub(crate) refused: f64,
    /// Of response time; `None` where infinite.
    pub(crate) p99_ms: Option<f64>,
}

/// A load to simulate.
struct Load {
    name: String,
    profile: Profile,
    /// Replayed as it was recorded; else Poisson arrivals.
    trace: Option<Trace>,
}

/// Exponential service times on so many instances: whether as few are refused as may be, at the peak
/// for long, and over the trace, with `most` requests at most.
pub(super) fn run(
    demand: &Demand,
    instances: u32,
    traced: Option<&Traced>,
    (most, seed): (u32, u64),
) -> Vec<Simulated> {
    let loads = [Some(peak(demand, most.into())), traced.map(|traced| over(traced, most.into()))];
    loads.into_iter().flatten().map(|load| under(load, demand, instances, seed)).collect()
}

/// The peak, for so long that its share of refusals is known.
fn peak(demand: &Demand, most: f64) -> Load {
    let span = (most / demand.rate_rps).min(LONGEST_S).max(1_000.0 * demand.service_s);
    let settle = (20.0 * demand.service_s).max(10.0);
    let profile = Profile::new(vec![
        Stage::hold("settle", demand.rate_rps, Duration::from_secs_f64(settle)).as_warmup(),
        Stage::hold("peak", demand.rate_rps, Duration::from_secs_f64(span)),
    ]);
    Load { name: "the peak for long, Poisson arrivals".to_owned(), profile, trace: None }
}

/// The whole trace, or as many minutes around its busiest one as can be simulated.
fn over(traced: &Traced, most: f64) -> Load {
    let Traced { file, trace, rates } = traced;
    let profile = trace.profile(Duration::ZERO);
    if profile.total() <= most {
        let name = format!("{file} as it was recorded");
        return Load { name, profile, trace: Some(trace.clone()) };
    }
    let minutes = around(rates, most / SPAN.as_secs_f64());
    let hold = |rate: &f64| Stage::hold("trace", *rate, SPAN);
    let profile = Profile::new(rates[minutes.clone()].iter().map(hold).collect());
    let name = format!(
        "minutes {} to {} of {file}, Poisson arrivals of each minute's rate",
        minutes.start + 1,
        minutes.end
    );
    Load { name, profile, trace: None }
}

/// As many neighbours of the highest rate as together are not above `most`, and it itself; the higher
/// neighbour first.
fn around(rates: &[f64], most: f64) -> std::ops::Range<usize> {
    let highest = (0..rates.len()).max_by(|a, b| rates[*a].total_cmp(&rates[*b])).unwrap_or(0);
    let (mut range, mut sum) = (highest..highest + 1, rates[highest]);
    loop {
        let before = range.start.checked_sub(1).map(|at| (rates[at], at..range.end));
        let after = rates.get(range.end).map(|rate| (*rate, range.start..range.end + 1));
        let next = before.into_iter().chain(after).max_by(|a, b| a.0.total_cmp(&b.0));
        match next {
            Some((rate, wider)) if sum + rate <= most => (range, sum) = (wider, sum + rate),
            _ => return range,
        }
    }
}

fn under(load: Load, demand: &Demand, instances: u32, seed: u64) -> Simulated {
    let Load { name, profile, trace } = load;
    let objective: Objective = format!("error rate < {:.6}%", demand.refused * 100.0)
        .parse()
        .expect("the share is above 0 and below 1");
    let service = Service::given(&ServiceTime::Exponential { mean_ms: demand.service_s * 1e3 })
        .expect("the service time is above 0");
    let instances = NonZeroU32::new(instances).unwrap_or(NonZeroU32::MIN);
    let never = Duration::from_hours(24);
    let deployment = Deployment {
        timeout: never,
        ..Deployment::new("plan", instances, demand.concurrency, service)
    };
    let (process, mix) = (ArrivalProcess::Poisson, Mix::default());
    let arrivals = match &trace {
        Some(trace) => Arrivals::replay(trace, &profile, process, &mix, seed),
        None => Arrivals::new(&profile, process, &mix, seed),
    };
    let model = Model {
        arrivals,
        length: profile.duration(),
        names: Names::new(profile.names(), vec!["score".to_owned()], []),
        counted: plimsoll_monitor::limits([&objective], []),
        routes: vec![None],
        client: Client {
            max_connections: usize::MAX,
            timeout: never,
            drain: never,
            ceiling_rps: None,
        },
        deployments: vec![deployment],
        interval: Duration::from_secs(1),
        seed,
    };
    let mut simulation = Simulation::new(model).expect("what is sized can be simulated");
    let mut monitor = Monitor::new(MonitorConfig {
        objectives: vec![objective.clone()],
        alerts: Vec::new(),
        confidence: DEFAULT_CONFIDENCE,
        profile,
    });
    loop {
        match simulation.advance() {
            Happening::Interval(snapshot) => drop(monitor.observe(&snapshot)),
            Happening::Instances { .. } => {}
            Happening::Ended => break,
        }
    }
    let report = monitor.finish();
    let totals = &report.totals;
    let p99 = totals.response_quantile(0.99).and_then(plimsoll_domain::Quantile::finite);
    Simulated {
        load: name,
        verdict: report.verdict.unwrap_or(Verdict::Inconclusive),
        objective: objective.to_string(),
        requests: totals.ended(),
        refused: totals.outcomes.of(Class::RefusedAdmission) as f64 / totals.ended().max(1) as f64,
        p99_ms: p99.map(|p99| p99.as_secs_f64() * 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_of_a_trace_as_can_be_simulated_is_around_its_peak() {
        let rates = [1.0, 5.0, 2.0, 9.0, 4.0, 3.0];
        assert_eq!(around(&rates, 100.0), 0..6);
        assert_eq!(around(&rates, 16.0), 3..6, "9, then 4, then 3");
        assert_eq!(around(&rates, 1.0), 3..4, "the peak in any case");
    }
}
