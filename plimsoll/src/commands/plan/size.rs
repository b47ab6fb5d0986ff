//! The plan: everything that is sized, in the order in which it is told.

use std::fmt::Write;
use std::path::Path;

use plimsoll_deploy::quota::{Fit, Usages, reserve};
use plimsoll_deploy::sku::Sku;
use plimsoll_domain::json_words;
use plimsoll_domain::units::three_digits;
use plimsoll_study::plan::{Carried, Demand};
use serde::Serialize;

use super::Args;
use super::limits::{self, Limit};
use super::prices::Prices;
use super::simulated::{self, Simulated};

/// The utilisation that Azure's documentation sizes for.
const AZURE: f64 = 0.7;
/// The safety factor that `SageMaker`'s documentation begins with.
const SAGEMAKER: f64 = 0.5;

/// A plan.
#[derive(Debug, Serialize)]
pub(super) struct Plan {
    schema: &'static str,
    demand: Demand,
    /// What is sized at the peak.
    pub(super) peak: Carried,
    /// Instances that a capacity result asks for at the peak.
    by_capacity: Option<u64>,
    /// What the loss of one instance leaves.
    without_one: Option<Carried>,
    /// Instances for the ramp while others start.
    headroom: u32,
    /// For autoscale.
    minimum: u32,
    pub(super) maximum: u32,
    azure: u64,
    sagemaker: u64,
    /// Instances at the peak if the rate or the service time were 20 % less or more.
    sensitivity: [(&'static str, Option<u32>); 4],
    limits: Vec<Limit>,
    pub(super) sizes: Vec<Size>,
    pub(super) simulated: Simulated,
}

/// The plan on one machine size.
#[derive(Debug, Serialize)]
pub(super) struct Size {
    pub(super) sku: &'static str,
    pub(super) with_reserve: u64,
    pub(super) cores: u64,
    fit: Option<Fit>,
    /// In an hour, of the minimum and of the maximum.
    cost: Option<(f64, f64)>,
}

/// A capacity result: the rate that an instance carries for sure.
pub(super) fn measured(path: &Path) -> Result<f64, String> {
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
        (Some(_), Some(low), Some(instances)) if instances > 0.0 => Ok(low / instances),
        (Some(_), None, _) => {
            Err(wrong("its search has found no interval, so that nothing can be planned from it"))
        }
        (Some(_), ..) => {
            Err(wrong("it does not know how many instances were loaded; give --service-time alone"))
        }
        (None, ..) => Err(wrong("it is no capacity.json of `plimsoll capacity`")),
    }
}

impl Plan {
    /// `None` if it takes more instances than can be sized.
    pub(super) fn new(
        args: &Args,
        demand: Demand,
        measured: Option<f64>,
        skus: &[&'static Sku],
        usages: Option<&Usages>,
        prices: &Prices,
    ) -> Option<Self> {
        let by_capacity = measured.map(|each| (demand.rate_rps / each).ceil().max(1.0) as u64);
        let least = u32::try_from(by_capacity.unwrap_or(1)).ok()?;
        let fewest = |demand: Demand| demand.fewest().map(|carried| carried.instances);
        let peak = demand.on(fewest(demand)?.max(least));
        let at = |rate: f64| fewest(Demand { rate_rps: rate, ..demand });
        let rise = args.ramp.unwrap_or(0.0) / 60.0 * args.provisioning.as_secs_f64();
        let trough = args.trough.unwrap_or(demand.rate_rps);
        let headroom = at(trough + rise)?.saturating_sub(at(trough)?);
        let maximum = peak.instances.checked_add(1)?;
        let minimum = (at(trough)? + headroom + 1).min(maximum);
        let without_one = (peak.instances > 1).then(|| demand.on(peak.instances - 1));
        let sizes = skus.iter().map(|sku| {
            let with_reserve = reserve(maximum, sku.reserve_exempt);
            let price = prices.get(sku.name.as_str());
            Size {
                sku: &sku.name,
                with_reserve,
                cores: with_reserve * u64::from(sku.vcpus),
                fit: usages.map(|usages| Fit::of(sku, maximum, usages)),
                cost: price.map(|price| (price * f64::from(minimum), price * f64::from(maximum))),
            }
        });
        Some(Self {
            schema: "plimsoll.plan/v1",
            demand,
            by_capacity,
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
            limits: limits::of(&demand, args.payload),
            sizes: sizes.collect(),
            simulated: simulated::run(&demand, peak.instances, args.seed),
            peak,
        })
    }

    /// Whether no size fits what the subscription may use.
    pub(super) fn is_refused(&self) -> bool {
        let known = self.sizes.iter().filter_map(|size| size.fit.as_ref());
        known.clone().next().is_some() && known.clone().all(|fit| !fit.fits)
    }

    /// What a terminal shows.
    pub(super) fn text(&self) -> String {
        let percent = |share: f64| format!("{} %", three_digits(share * 100.0));
        let Demand { rate_rps, service_s, concurrency, refused, .. } = self.demand;
        let mut text = format!(
            "{} instances carry {}/s of {} s with {concurrency} at a time: {} at work, {} refused (of {} that may \
             be)\n",
            self.peak.instances,
            three_digits(rate_rps),
            three_digits(service_s),
            percent(self.peak.utilisation),
            percent(self.peak.refused),
            percent(refused)
        );
        let mut line = |words: String| {
            let _ = writeln!(text, "  {words}");
        };
        let simulated = &self.simulated;
        line(format!(
            "simulated: `{}` is {}; {} refused of {} requests, p99 {}",
            simulated.objective,
            simulated.verdict,
            percent(simulated.refused),
            simulated.requests,
            simulated.p99_ms.map_or("∞".to_owned(), |ms| format!("{} ms", three_digits(ms)))
        ));
        if let Some(count) = self.by_capacity {
            line(format!(
                "the measured capacity asks for {count}, as many times an instance's low end"
            ));
        }
        if let Some(left) = self.without_one {
            line(format!(
                "without one of them {} are refused; the maximum has one more",
                percent(left.refused)
            ));
        }
        line(format!(
            "autoscale from {} to {} ({} of them for the ramp while others start)",
            self.minimum, self.maximum, self.headroom
        ));
        line(format!(
            "Azure's formula: {} (a flat 70 % of all slots, whatever their number, though many slots need less room)",
            self.azure
        ));
        line(format!(
            "SageMaker's: {} (half of what an instance was measured to carry, as its safety factor)",
            self.sagemaker
        ));
        let sensitivity = self.sensitivity.iter().map(|(what, count)| {
            format!("{what}: {}", count.map_or("beyond all".to_owned(), |count| count.to_string()))
        });
        line(sensitivity.collect::<Vec<_>>().join(", "));
        self.limits_and_sizes(line);
        text
    }

    fn limits_and_sizes(&self, mut line: impl FnMut(String)) {
        for (index, limit) in self.limits.iter().enumerate() {
            let first =
                if index == 0 { "the endpoint's limit that binds first: " } else { "then " };
            let over = if limit.share() > 1.0 { "; have it raised before" } else { "" };
            line(format!(
                "{first}{} {} of {}{over}",
                three_digits(limit.needed),
                limit.name,
                three_digits(limit.at_most)
            ));
        }
        for size in &self.sizes {
            let cost = size.cost.map_or(String::new(), |(least, most)| {
                format!(", {least:.2} to {most:.2} in an hour")
            });
            line(format!(
                "{}: {} × with the reserve, {} vCPUs of quota{cost}",
                size.sku, size.with_reserve, size.cores
            ));
            if let Some(fit) = &size.fit {
                line(format!("  {fit}"));
            }
        }
    }
}
