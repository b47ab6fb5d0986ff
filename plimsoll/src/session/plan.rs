//! From a scenario to what the parts need: the quota plan and the load plan.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use anyhow::Result;
use plimsoll_deploy::quota::{QuotaPlan, Usages};
use plimsoll_deploy::spec::DeploymentSpec;
use plimsoll_domain::schedule::trace::Kind;
use plimsoll_domain::schedule::{ArrivalProcess, Trace};
use plimsoll_domain::units::{format_duration, three_digits};
use plimsoll_host::runtime::Runtime;
use plimsoll_loadgen::{Limits, LoadPlan, NamedRequest, Request};
use secrecy::{ExposeSecret, SecretString};

use super::site::Site;
use crate::results::summary as file;
use crate::scenario::{self, Place, Scenario};

/// The subscription that messages name where the scenario knows none.
pub(super) const LOCAL_SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";

/// The quota that a scenario's deployments take, beside what the subscription has left.
pub(super) struct QuotaCheck {
    /// As a table, with the reasons why it does not fit.
    pub(super) table: String,
    /// As results have it.
    pub(super) result: file::Quota,
    /// Whether it fits, as far as that is known.
    pub(super) fits: bool,
}

/// Sizes the quota of what a scenario deploys; `None` if it deploys nothing.
pub(super) fn quota(scenario: &Scenario) -> Option<QuotaCheck> {
    let Place::Deployed(deployed) = &scenario.place else {
        return None;
    };
    let plan = QuotaPlan::for_deployments(&deployed.deployments, &scenario.quota.region);
    let Some(usages) = &scenario.quota.limits else {
        let result = quota_result(&plan, None, None);
        return Some(QuotaCheck { table: plan.to_string(), result, fits: true });
    };
    let assessed = plan.assess(usages, LOCAL_SUBSCRIPTION);
    let result = quota_result(&assessed.plan, Some(usages), Some(assessed.fits));
    Some(QuotaCheck { table: assessed.to_string(), result, fits: assessed.fits })
}

/// The load that a scenario puts on a site.
pub(super) fn load(scenario: &Scenario, site: &Site) -> Result<LoadPlan> {
    let load = &scenario.load;
    let key = site.key.as_ref();
    let requests: Result<Vec<_>> =
        scenario.requests.iter().map(|asked| request(asked, key)).collect();
    Ok(LoadPlan {
        url: site.url.clone(),
        tls: site.tls.clone(),
        requests: requests?,
        profile: load.profile.clone(),
        trace: load.trace.clone(),
        process: load.arrivals,
        seed: scenario.seed,
        limits: Limits {
            max_connections: Some(load.max_connections as usize),
            request_timeout: scenario.timeout,
            drain: load.drain,
            max_rps: load.ceiling_rps.and_then(NonZeroU32::new),
            ..Limits::default()
        },
        workers: load.workers.and_then(|workers| NonZeroUsize::new(workers as usize)),
        counted: plimsoll_monitor::limits(&scenario.objectives, &scenario.alerts),
        deployments: match &scenario.place {
            Place::Deployed(deployed) => {
                deployed.deployments.iter().map(|spec| spec.name.clone()).collect()
            }
            Place::Existing(_) | Place::Standing(_) => Vec::new(),
        },
        turns: Vec::new(),
    })
}

/// The load in a sentence: how arrivals are spread, how many, and how long.
pub(super) fn load_in_words(scenario: &Scenario) -> String {
    let (load, profile) = (&scenario.load, &scenario.load.profile);
    let replayed = load.trace.as_ref().map(words_of_trace);
    let spread = match load.arrivals {
        ArrivalProcess::Poisson => {
            "Poisson arrivals (independent users: as many as the rate on average, never just as many)"
                .to_owned()
        }
        ArrivalProcess::Constant => "constant arrivals (equal gaps)".to_owned(),
        ArrivalProcess::Gamma { dispersion } => format!(
            "arrivals in bursts (gamma gaps; the variance of counts is {} times their mean)",
            three_digits(dispersion)
        ),
    };
    let rates = profile.stages.iter().map(|stage| {
        stage.from_rps.max(stage.to_rps) + stage.wave.map_or(0.0, |wave| wave.amplitude_rps)
    });
    let most = if scenario.until_decided { "at most " } else { "" };
    format!(
        "load: {}, up to {}/s, about {} requests in {most}{}, seed {}",
        replayed.unwrap_or(spread),
        three_digits(rates.fold(0.0, f64::max)),
        profile.offered_by(profile.duration()).round(),
        format_duration(profile.duration()),
        scenario.seed
    )
}

/// What is replayed, in words. Its rates are means.
fn words_of_trace(trace: &Trace) -> String {
    let pass = trace.pass();
    let rows = match trace.kind() {
        Kind::Offsets => "arrivals",
        Kind::Rates => "windows",
    };
    let span = |seconds| format_duration(Duration::from_secs_f64(seconds));
    format!(
        "a trace of {} {rows} in {} (the longest silence {}), on average",
        pass.rows,
        span(pass.length_s),
        span(pass.silence_s)
    )
}

fn request(asked: &scenario::Request, key: Option<&SecretString>) -> Result<NamedRequest> {
    let request = asked.bodies.clone().map_or_else(Request::get, Request::post);
    let mut request = request.with_method(&asked.method)?;
    request.path = asked.path.as_deref().map(ToOwned::to_owned);
    if let Some(key) = key {
        let bearer = SecretString::from(format!("Bearer {}", key.expose_secret()));
        request = request.with_secret("authorization", &bearer)?;
    }
    if let Some(deployment) = &asked.deployment {
        request = request.with_header("azureml-model-deployment", deployment)?;
    }
    for (name, value) in asked.headers.iter() {
        request = request.with_secret(name, &SecretString::from(value.clone()))?;
    }
    Ok(NamedRequest { name: asked.name.clone(), weight: asked.weight, request })
}

fn quota_result(plan: &QuotaPlan, limits: Option<&Usages>, fits: Option<bool>) -> file::Quota {
    let mut families: Vec<file::QuotaFamily> = Vec::new();
    for demand in &plan.deployments {
        let known = families.iter().position(|family| family.family == demand.family);
        let index = known.unwrap_or_else(|| {
            let usage = limits.and_then(|limits| limits.find(demand.pool()));
            families.push(file::QuotaFamily {
                family: demand.family.clone(),
                used: usage.map(|usage| usage.used),
                limit: usage.and_then(|usage| usage.limit),
                ..file::QuotaFamily::default()
            });
            families.len() - 1
        });
        let family = &mut families[index];
        family.instances += demand.instances;
        family.reserved_instances += demand.instances_with_reserve as u32;
        family.vcpus += demand.cores;
    }
    file::Quota { region: plan.region.clone(), fits, families }
}

/// What the load is sent to, in results.
pub(super) fn deployments(scenario: &Scenario) -> Vec<file::Deployment> {
    let Place::Deployed(deployed) = &scenario.place else { return Vec::new() };
    let result = |spec: &DeploymentSpec| file::Deployment {
        name: spec.name.clone(),
        instance_type: spec.instance_type.clone(),
        instance_count: spec.instance_count.get(),
        runtime: Runtime::choose(spec).map_or("unknown", |runtime| runtime.name()).to_owned(),
        traffic_percent: deployed.traffic.get(&spec.name).copied(),
    };
    deployed.deployments.iter().map(result).collect()
}

/// The command that repeats a run: the one that was given, with a seed that is not left to chance
/// and without the values of headers, which may be secrets.
pub(super) fn command(arguments: &[String], scenario: &Scenario) -> String {
    let mut words = vec!["plimsoll".to_owned()];
    let mut is_header = false;
    for word in arguments.iter().skip(1) {
        let header = header_at(word);
        words.push(match header {
            Some(at) if at < word.len() => format!("{}{}", &word[..at], without_value(&word[at..])),
            _ if is_header => without_value(word),
            _ => without_query(word),
        });
        is_header = !is_header && header == Some(word.len());
    }
    if !words.iter().any(|word| word.starts_with("--seed")) {
        words.extend(["--seed".to_owned(), scenario.seed.to_string()]);
    }
    let quoted = words.iter().map(|word| quote(word));
    quoted.collect::<Vec<_>>().join(" ")
}

/// A URL without its query, which may hold a key; any other word as it is.
pub(super) fn without_query(word: &str) -> String {
    match word.split_once('?') {
        Some((address, _)) if address.contains("://") => format!("{address}?…"),
        _ => word.to_owned(),
    }
}

/// Where in a word the header begins that it gives: at its end, if the next word is the header.
fn header_at(word: &str) -> Option<usize> {
    const LONG: &str = "--header";
    match word.strip_prefix(LONG) {
        Some("") => return Some(word.len()),
        Some(rest) if rest.starts_with('=') => return Some(LONG.len() + 1),
        Some(_) => return None,
        None => {}
    }
    let flags = word.strip_prefix('-').filter(|flags| !flags.starts_with('-'))?;
    // Of flags in one word the first that takes a value takes the rest.
    let takes_value = flags.find(|flag| "Hrdbo".contains(flag))?;
    flags[takes_value..].starts_with('H').then_some(takes_value + 2)
}

fn without_value(header: &str) -> String {
    format!("{}: …", header.split(':').next().unwrap_or_default().trim())
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,%@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}
