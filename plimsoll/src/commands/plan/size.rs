//! The plan: everything that is sized, in the order in which it is told.

use std::path::Path;

use plimsoll_deploy::quota::{Fit, Usages, Wanted, reserve};
use plimsoll_deploy::sku::Sku;
use plimsoll_domain::json_words;
use plimsoll_monitor::Verdict;
use plimsoll_study::plan::{Carried, Demand, Forecast};
use serde::Serialize;

use super::Args;
use super::forecast::Traced;
use super::limits::{self, Limit};
use super::prices::Prices;
use super::simulated::{self, Simulated};

/// The utilisation that Azure's documentation sizes for.
const AZURE: f64 = 0.7;
/// The safety factor that `SageMaker`'s documentation begins with.
const SAGEMAKER: f64 = 0.5;

/// A plan.
#[derive(Debug, Serialize)]
pub(crate) struct Plan {
    schema: &'static str,
    pub(crate) forecast: Forecast,
    /// The file of the trace that it is from.
    pub(crate) trace: Option<String>,
    /// The trace's rate in each minute.
    #[serde(skip)]
    pub(crate) rates: Vec<f64>,
    /// How long an instance takes until it is ready, seconds.
    pub(crate) provisioning_s: f64,
    pub(crate) demand: Demand,
    /// What is sized at the peak.
    pub(crate) peak: Carried,
    /// Instances that a capacity result asks for at the peak.
    pub(crate) by_capacity: Option<u64>,
    /// What the loss of one instance leaves.
    pub(crate) without_one: Option<Carried>,
    /// Instances for the ramp while others start.
    pub(crate) headroom: u32,
    /// For autoscale.
    pub(crate) minimum: u32,
    pub(crate) maximum: u32,
    pub(crate) azure: u64,
    pub(crate) sagemaker: u64,
    /// Instances at the peak if the rate or the service time were 20 % less or more.
    pub(crate) sensitivity: [(&'static str, Option<u32>); 4],
    pub(crate) limits: Vec<Limit>,
    pub(crate) sizes: Vec<Size>,
    pub(crate) simulated: Vec<Simulated>,
    /// Of all simulations together.
    pub(crate) verdict: Verdict,
}

/// The plan on one machine size.
#[derive(Debug, Serialize)]
pub(crate) struct Size {
    pub(crate) sku: &'static str,
    pub(crate) with_reserve: u64,
    pub(crate) cores: u64,
    pub(crate) fit: Option<Fit>,
    /// In an hour, of the minimum and of the maximum.
    pub(crate) cost: Option<(f64, f64)>,
}

/// What a capacity result tells a plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measured {
    /// The rate that an instance carries for sure, requests per second.
    pub(super) each_rps: f64,
    /// The mean time of the model itself at the lowest rate, seconds.
    pub(super) service_s: Option<f64>,
    /// Slots of an instance.
    pub(super) concurrency: Option<std::num::NonZeroU32>,
}

/// Reads a capacity result.
pub(super) fn measured(path: &Path) -> Result<Measured, String> {
    let wrong = |what: &str| format!("{}: {what}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error.to_string()))?;
    let value: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| wrong(&format!("it is no capacity.json: {}", json_words(&error))))?;
    let low = value["interval_rps"][0].as_f64();
    let instances = value["instances"].as_f64();
    match (value["schema"].as_str(), low, instances) {
        (Some(schema), ..) if !schema.contains("capacity/v1") => {
            Err(wrong("it is no capacity.json of `plimsoll capacity`"))
        }
        (Some(_), Some(low), Some(instances)) if instances > 0.0 => Ok(Measured {
            each_rps: low / instances,
            service_s: service_s(&value),
            concurrency: serde_json::from_value(value["concurrency"].clone()).ok(),
        }),
        (Some(_), None, _) => {
            Err(wrong("its search has found no interval, so that nothing can be planned from it"))
        }
        (Some(_), ..) => {
            Err(wrong("it does not know how many instances were loaded; give --service-time alone"))
        }
        (None, ..) => Err(wrong("it is no capacity.json of `plimsoll capacity`")),
    }
}

/// The mean of the model's own time at the lowest rate that was measured.
fn service_s(result: &serde_json::Value) -> Option<f64> {
    let steps = result["steps"].as_array()?.iter();
    let told = steps.filter_map(|step| {
        Some((step["rate_rps"].as_f64()?, step["point"]["model_mean_ms"].as_f64()? / 1e3))
    });
    told.filter(|(_, mean)| *mean > 0.0).min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, mean)| mean)
}

impl Plan {
    /// `None` if it takes more instances than can be sized.
    pub(super) fn new(
        args: &Args,
        (forecast, demand): (Forecast, Demand),
        traced: Option<&Traced>,
        measured: Option<Measured>,
        skus: &[&'static Sku],
        usages: Option<&Usages>,
        prices: &Prices,
    ) -> Option<Self> {
        // With a longer service time an instance carries so much less than was measured.
        let by_capacity = |of: Demand| {
            let rate = of.rate_rps * of.service_s / demand.service_s;
            measured.map(|measured| (rate / measured.each_rps).ceil().max(1.0) as u64)
        };
        let fewest = |demand: Demand| {
            let least = u32::try_from(by_capacity(demand).unwrap_or(1)).ok()?;
            demand.fewest().map(|carried| carried.instances.max(least))
        };
        let peak = demand.on(fewest(demand)?);
        let at = |rate: f64| fewest(Demand { rate_rps: rate, ..demand });
        let trough = at(forecast.trough_rps)?;
        // Few instances need more room each than many, so that the same rise takes the most of them here.
        let headroom = at(forecast.trough_rps + forecast.rise_rps)?.saturating_sub(trough);
        let maximum = peak.instances.checked_add(1)?;
        let minimum = (trough + headroom + 1).min(maximum);
        let without_one = (peak.instances > 1).then(|| demand.on(peak.instances - 1));
        let sizes = skus.iter().map(|sku| {
            let with_reserve = reserve(maximum, sku.reserve_exempt);
            let price = prices.get(sku.name.as_str());
            Size {
                sku: &sku.name,
                with_reserve,
                cores: with_reserve * u64::from(sku.vcpus),
                fit: usages.map(|usages| Fit::of(sku, Wanted::deployment(sku, maximum, 0), usages)),
                cost: price.map(|price| (price * f64::from(minimum), price * f64::from(maximum))),
            }
        });
        let simulated = simulated::run(&demand, peak.instances, traced, (args.requests, args.seed));
        Some(Self {
            schema: "plimsoll.plan/v1",
            forecast,
            trace: traced.map(|traced| traced.file.clone()),
            rates: traced.map(|traced| traced.rates.clone()).unwrap_or_default(),
            provisioning_s: args.provisioning.as_secs_f64(),
            demand,
            by_capacity: by_capacity(demand),
            without_one,
            headroom,
            minimum,
            maximum,
            azure: demand.azure(AZURE),
            sagemaker: demand.sagemaker(SAGEMAKER),
            sensitivity: [
                ("rate −20 %", fewest(demand.times(0.8, 1.0))),
                ("rate +20 %", fewest(demand.times(1.2, 1.0))),
                ("service time −20 %", fewest(demand.times(1.0, 0.8))),
                ("service time +20 %", fewest(demand.times(1.0, 1.2))),
            ],
            limits: limits::of(&demand, &peak, args.payload),
            sizes: sizes.collect(),
            verdict: Verdict::overall(simulated.iter().map(|one| one.verdict))
                .unwrap_or(Verdict::Inconclusive),
            simulated,
            peak,
        })
    }

    /// Whether no size fits what the subscription may use.
    pub(super) fn is_refused(&self) -> bool {
        let known = self.sizes.iter().filter_map(|size| size.fit.as_ref());
        known.clone().next().is_some() && known.clone().all(|fit| !fit.fits)
    }
}
