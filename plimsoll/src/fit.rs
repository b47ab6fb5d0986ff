//! How a deployment behaves, fitted from runs that were measured.
//!
//! | Fitted | From |
//! |---|---|
//! | service time | the model's own times: the gateway counts them from when a request has its slot, so they hold neither the wait for it nor the network |
//! | slowdown | how the mean of those times grows with the requests in an instance, second by second |
//! | overhead | what answers took beyond model time, in the quarter of the seconds with the least load: the median |
//! | errors | the share of answers that the model got wrong |
//! | start | what scale-outs waited for between a machine and the ready instance |
//!
//! **Slowdown.** A line through the seconds' means, each weighted with its requests, against the
//! requests in an instance by Little's law (arrivals per second and instance, times the mean over all
//! seconds: not the second's own, whose chance errors would be on both sides). If its slope is not above
//! zero beyond chance, there is none. If it is, the line is no estimate of the model's parameters yet,
//! since a request sees others than the average ones; so the runs are simulated, the same line is put
//! through the simulated seconds, and the parameters are moved until the lines agree (indirect inference:
//! Gourieroux, Monfort and Renault 1993).
//!
//! Slots, limits and probes are the scenario's: a folder does not hold them.

mod line;
mod measured;
mod predict;

use std::num::NonZeroU32;
use std::time::Duration;

use anyhow::{Result, bail};
use plimsoll_domain::Latencies;
use plimsoll_domain::latencies::SparseLatencies;
use plimsoll_simulate::Service;
use serde::Serialize;

use crate::session::{Behaviour, rehearse};
use line::{Line, Point};

pub(crate) use measured::Measured;
pub(crate) use predict::{Predicted, Wrong, predict};

/// Service times below which there are too few to draw from.
pub(crate) const LEAST_TIMES: u64 = 1000;
/// Starts of instances below which those of the scenario are more trustworthy.
const LEAST_STARTS: u64 = 3;
/// Simulations of the runs that move slowdown and scale.
const MOVES: usize = 3;

/// What was fitted.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Fit {
    /// How many service times there are.
    pub(crate) service_times: u64,
    /// Of a request that is alone in its instance, milliseconds: mean, median, 99th percentile.
    pub(crate) service_ms: [f64; 3],
    /// By what share each further request in the instance makes it longer.
    pub(crate) slowdown: f64,
    /// The interval of that share, at 95 %, as the line has it; `None` if the runs are of one load.
    pub(crate) slowdown_interval: Option<(f64, f64)>,
    /// In milliseconds.
    pub(crate) overhead_ms: f64,
    /// The share of answers that the model got wrong.
    pub(crate) error_rate: f64,
    /// Starts of instances, in seconds of the run.
    pub(crate) starts_s: Vec<f64>,
    /// Waits for machines, in seconds of rule time; the scenario's distribution stays.
    pub(crate) provisioning_s: Vec<f64>,
    /// Drains of instances, in seconds of rule time; they follow from the service times.
    pub(crate) drains_s: Vec<f64>,
    #[serde(skip)]
    times: Latencies,
}

impl Fit {
    /// Fits runs of one deployment.
    ///
    /// # Errors
    /// Too few service times, or a folder that cannot be read again.
    pub(crate) fn of(runs: &[&Measured]) -> Result<Self> {
        let points = || runs.iter().flat_map(|run| &run.points).copied();
        let service_times: u64 = points().map(|point| point.count).sum();
        if service_times < LEAST_TIMES {
            bail!(
                "{} {service_times} model times, and {LEAST_TIMES} are needed: without them the wait for a \
                 slot cannot be told from the work; measure longer, or at a higher rate",
                if runs.len() == 1 { "the run holds" } else { "the runs hold" },
            );
        }
        let mean_s = points().map(|point| point.count as f64 * point.mean_s).sum::<f64>()
            / service_times as f64;
        let line = Line::through(points(), mean_s);
        let slowdown = line.as_ref().map_or(0.0, Line::slowdown);
        let (ok, wrong) = runs
            .iter()
            .fold((0, 0), |(ok, wrong), run| (ok + run.answered_right, wrong + run.answered_wrong));
        let waits = |of: fn(&Measured) -> &[f64]| {
            runs.iter().flat_map(|run| of(run)).copied().collect::<Vec<_>>()
        };
        let mut fit = Self {
            service_times,
            service_ms: [0.0; 3],
            slowdown,
            slowdown_interval: line.as_ref().map(Line::interval),
            overhead_ms: overhead(runs)?.as_secs_f64() * 1e3,
            error_rate: wrong as f64 / (ok + wrong).max(1) as f64,
            starts_s: waits(|run| &run.starts_s),
            provisioning_s: waits(|run| &run.provisioning_s),
            drains_s: waits(|run| &run.drains_s),
            times: Latencies::new(),
        };
        fit.times = alone(runs, mean_s, slowdown)?;
        if let Some(line) = line.filter(|_| slowdown > 0.0) {
            fit.agree(runs, mean_s, &line)?;
        }
        let at =
            |quantile| fit.times.quantile(quantile).map_or(0.0, |time| time.as_secs_f64() * 1e3);
        let mean = fit.times.mean().map_or(0.0, |time| time.as_secs_f64() * 1e3);
        fit.service_ms = [mean, at(0.5), at(0.99)];
        Ok(fit)
    }

    /// Moves slowdown and service times until the line through the simulated runs is that of the
    /// measured ones.
    fn agree(&mut self, runs: &[&Measured], mean_s: f64, line: &Line) -> Result<()> {
        let mut scale = 1.0;
        for _ in 0..MOVES {
            let mut points = Vec::new();
            for run in runs {
                let mut behaviour = self.behaviour(run.scenario.seed, Wrong::NONE)?;
                behaviour.seed = behaviour.seed.wrapping_add(1 << 40);
                let simulated = rehearse(&run.scenario, &behaviour, &mut |snapshot, ready| {
                    let all = snapshot.all();
                    points.extend(Point::of(all.sent, ready, snapshot.length(), &all.model));
                });
                simulated.map_err(|reasons| anyhow::anyhow!(reasons.join("; ")))?;
            }
            let Some(got) = Line::through(points.into_iter(), mean_s) else { break };
            if got.slope <= 0.0 || got.intercept <= 0.0 {
                break;
            }
            let growth = |line: &Line| line.slope / line.intercept;
            self.slowdown *= growth(line) / growth(&got);
            scale *= line.intercept / got.intercept;
            self.times = scaled(&alone(runs, mean_s, self.slowdown)?, scale);
        }
        Ok(())
    }

    /// As a simulation takes it, or a wrong one of it.
    pub(crate) fn behaviour(&self, seed: u64, wrong: Wrong) -> Result<Behaviour> {
        let mut starts = Latencies::new();
        self.starts_s.iter().for_each(|s| starts.record(Duration::from_secs_f64(s.max(0.0))));
        let start = match starts.count() {
            LEAST_STARTS.. => Some(Service::measured(&starts)?),
            _ => None,
        };
        Ok(Behaviour {
            service: Service::measured(&scaled(&self.times, wrong.scale))?,
            slowdown: self.slowdown,
            overhead: Duration::from_secs_f64(self.overhead_ms / 1e3),
            error_rate: self.error_rate,
            start,
            slots: wrong.slots.and_then(NonZeroU32::new),
            seed,
        })
    }
}

/// Service times as they would be of requests that are alone in their instances.
fn alone(runs: &[&Measured], mean_s: f64, slowdown: f64) -> Result<Latencies> {
    let mut all = Latencies::new();
    for run in runs {
        run.each_second(measured::MODEL, &mut |point, times| {
            let others = point.rate * mean_s;
            all.merge_sparse(&by(times.buckets(), 1.0 / (1.0 + slowdown * others)));
        })?;
    }
    Ok(all)
}

fn scaled(times: &Latencies, factor: f64) -> Latencies {
    by(times.buckets().map(|(nanos, count)| (Duration::from_nanos(nanos), count)), factor).into()
}

fn by(buckets: impl Iterator<Item = (Duration, u64)>, factor: f64) -> SparseLatencies {
    SparseLatencies::from_buckets(
        buckets.map(|(time, count)| ((time.as_nanos() as f64 * factor) as u64, count)),
    )
}

/// The median of what answers took beyond model time, in the quarter of the seconds that had the least
/// load on an instance.
fn overhead(runs: &[&Measured]) -> Result<Duration> {
    let mut rates: Vec<f64> = runs.iter().flat_map(|run| &run.points).map(|p| p.rate).collect();
    rates.sort_by(f64::total_cmp);
    let most = rates.get(rates.len() / 4).copied().unwrap_or_default();
    let mut calm = Latencies::new();
    for run in runs {
        run.each_second(measured::OVERHEAD, &mut |point, times| {
            if point.rate <= most {
                calm.merge_sparse(times);
            }
        })?;
    }
    Ok(calm.quantile(0.5).unwrap_or_default())
}
