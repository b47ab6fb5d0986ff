//! `plimsoll plan`: instances, quota and cost for a forecast, checked by a simulation.

mod forecast;
mod limits;
mod prices;
mod simulated;
mod size;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use plimsoll_deploy::quota::Usages;
use plimsoll_deploy::sku::Sku;
use plimsoll_document::read_text;
use plimsoll_domain::units::parse_duration;
use plimsoll_monitor::Verdict;
use plimsoll_study::plan::Demand;

use size::Measured;

use crate::exit::Exit;
use crate::report::plan as report;
use crate::view;
pub(crate) use limits::Limit;
pub(crate) use simulated::Simulated;
pub(crate) use size::{Plan, Size};

/// `plimsoll plan`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The forecast's highest rate, requests per second
    #[arg(short, long, value_name = "RPS", value_parser = above_zero, required_unless_present = "trace")]
    pub rate: Option<f64>,
    /// The forecast's lowest rate, for the minimum of autoscale [default: the highest]
    #[arg(long, value_name = "RPS", value_parser = above_zero, conflicts_with = "trace")]
    pub trough: Option<f64>,
    /// How fast the rate grows at most, requests per second in a minute
    #[arg(long, value_name = "RPS", value_parser = above_zero, conflicts_with = "trace")]
    pub ramp: Option<f64>,
    /// A trace as the forecast, CSV or CSV.GZ, as a scenario's `load.trace` takes it: highest and lowest rate
    /// are those of its minutes, and the ramp is its steepest
    #[arg(long, value_name = "FILE", conflicts_with = "rate")]
    pub trace: Option<PathBuf>,
    /// Times the arrivals of the trace, such as 1.5 for half as many again
    #[arg(long, value_name = "FACTOR", value_parser = above_zero, requires = "trace")]
    pub scale: Option<f64>,
    /// How long a slot works on a request, on average [default: the model's own time in the capacity result]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, required_unless_present = "capacity")]
    pub service_time: Option<Duration>,
    /// Requests that an instance works on at a time [default: those of the capacity result, else 1]
    #[arg(long, value_name = "COUNT")]
    pub concurrency: Option<NonZeroU32>,
    /// A `capacity.json` of the same model: its low end per instance is a second bound
    #[arg(long, value_name = "FILE")]
    pub capacity: Option<PathBuf>,
    /// Bytes of a request and its answer together, for the limit on bandwidth
    #[arg(long, value_name = "BYTES", value_parser = above_zero)]
    pub payload: Option<f64>,
    /// The share of requests that may be refused with 429
    #[arg(long, default_value = "0.1%", value_name = "PERCENT", value_parser = percent)]
    pub refused: f64,
    /// How long one in a hundred of those admitted may wait for a slot
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub wait: Option<Duration>,
    /// How long an instance takes until it is ready
    #[arg(long, default_value = "10m", value_name = "DURATION", value_parser = parse_duration)]
    pub provisioning: Duration,
    /// Machine sizes to plan for; may be repeated
    #[arg(long = "sku", default_value = "Standard_DS3_v2", value_name = "SKU")]
    pub skus: Vec<String>,
    /// What the subscription uses and may use: the JSON that Azure's usages call answers
    #[arg(long, value_name = "FILE")]
    pub limits: Option<PathBuf>,
    /// Prices per hour: a CSV file with the columns `sku` and `per_hour`
    #[arg(long, value_name = "FILE")]
    pub prices: Option<PathBuf>,
    /// Requests of each simulation at most: more of them decide a smaller share of refusals
    #[arg(long, default_value = "1000000", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1000..))]
    pub requests: u32,
    /// The seed of the simulation
    #[arg(long, default_value = "1")]
    pub seed: u64,
    /// Write a page with the plan to this file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

fn above_zero(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| *number > 0.0 && *number <= 1e9);
    number.ok_or_else(|| "write a number above 0".to_owned())
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let share = number.map(|number| number / 100.0).filter(|share| *share > 0.0 && *share < 1.0);
    share.ok_or_else(|| "write a percentage above 0% and below 100%, such as 0.1%".to_owned())
}

pub(crate) fn run(args: &Args) -> Result<Exit> {
    let refuse = |wrong: &str| {
        view::note(&format!("error: {wrong}"));
        Ok(Exit::Usage)
    };
    let mut skus: Vec<&'static Sku> = Vec::new();
    for name in &args.skus {
        let Some(sku) = Sku::find(name) else {
            let near = Sku::nearest(name)
                .map_or(String::new(), |sku| format!("; did you mean {}?", sku.name));
            return refuse(&format!("--sku: managed online endpoints have no size `{name}`{near}"));
        };
        skus.push(sku);
    }
    let prices = match args.prices.as_deref().map(prices::read).transpose() {
        Ok(prices) => prices.unwrap_or_default(),
        Err(wrong) => return refuse(&wrong),
    };
    let usages = match args.limits.as_deref().map(usages).transpose() {
        Ok(usages) => usages,
        Err(error) => {
            view::error(&error);
            return Ok(Exit::Usage);
        }
    };
    let measured = match args.capacity.as_deref().map(size::measured).transpose() {
        Ok(measured) => measured,
        Err(wrong) => return refuse(&wrong),
    };
    let (forecast, traced) = match forecast::read(args) {
        Ok(forecast) => forecast,
        Err(wrong) => return refuse(&wrong),
    };
    let demand = match demand(args, forecast.peak_rps, measured) {
        Ok(demand) => demand,
        Err(wrong) => return refuse(wrong),
    };
    let (of, trace, usages) = ((forecast, demand), traced.as_ref(), usages.as_ref());
    let Some(plan) = Plan::new(args, of, trace, measured, &skus, usages, &prices) else {
        return refuse(&format!(
            "the forecast needs more than {} instances: it is above every limit; split it over endpoints, or make \
             requests cheaper",
            plimsoll_study::plan::MOST_INSTANCES
        ));
    };
    let exit = exit(&plan);
    if args.json {
        view::json(&plan)?;
    } else {
        view::print(&report::text(&plan));
    }
    if let Some(path) = &args.html {
        let page = report::page(&plan, exit.code()).context("the page cannot be composed")?;
        super::compare::write(path, &page)?;
    }
    Ok(exit)
}

/// What is to be carried at the peak. What is not given is what the capacity result tells.
fn demand(args: &Args, rate_rps: f64, measured: Option<Measured>) -> Result<Demand, &'static str> {
    let given = args.service_time.map(|time| time.as_secs_f64());
    let service_s = given.or(measured.and_then(|measured| measured.service_s)).ok_or(
        "the capacity result does not tell how long the model works on a request; give --service-time",
    )?;
    if service_s <= 0.0 {
        return Err("--service-time must be longer than 0");
    }
    let told = measured.and_then(|measured| measured.concurrency);
    Ok(Demand {
        rate_rps,
        service_s,
        concurrency: args.concurrency.or(told).unwrap_or(NonZeroU32::MIN),
        refused: args.refused,
        wait_s: args.wait.map(|wait| wait.as_secs_f64()),
    })
}

/// How the command ends.
fn exit(plan: &Plan) -> Exit {
    match plan.verdict {
        _ if plan.is_refused() => Exit::Deployment,
        Verdict::Breached => Exit::Breached,
        Verdict::Inconclusive => Exit::Inconclusive,
        Verdict::Met => Exit::Success,
    }
}

fn usages(path: &std::path::Path) -> Result<Usages> {
    let text = read_text(path).map_err(|problem| {
        anyhow::anyhow!("{} cannot be used as limits: {}", path.display(), problem.message())
    })?;
    Usages::read(&text).with_context(|| format!("{} cannot be used as limits", path.display()))
}

#[cfg(test)]
mod tests;
