//! From a scenario to its simulation: what stands in for its endpoint, or why nothing can.

use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use plimsoll_deploy::spec::{DeploymentSpec, Probe};
use plimsoll_domain::Names;
use plimsoll_domain::schedule::Mix;
use plimsoll_simulate::{Client, Deployment, Model, Service, Simulation};

use super::autoscale;
use super::virtual_time::{Scaled, VirtualRun};
use crate::scenario::{Deployed, Place, Scenario};

/// How a deployment behaves as it was measured, in the place of what its file says.
#[derive(Debug, Clone)]
pub(crate) struct Behaviour {
    /// How long an instance that has nothing else to do works on a request.
    pub(crate) service: Service,
    /// By what share of that each further request in the instance makes it longer.
    pub(crate) slowdown: f64,
    /// What an answer takes beyond the work and the wait for a slot.
    pub(crate) overhead: Duration,
    /// The share of requests that the model answers wrong.
    pub(crate) error_rate: f64,
    /// From an instance's machine until it is ready; `None` for what the file lets expect.
    pub(crate) start: Option<Service>,
    /// Slots of an instance; `None` for those of the file.
    pub(crate) slots: Option<NonZeroU32>,
    /// Of everything random but the arrivals, which are those of the scenario's seed.
    pub(crate) seed: u64,
}

/// The length of a snapshot's interval, as in a live run.
const INTERVAL: Duration = Duration::from_secs(1);

/// What there is to do about a deployment whose times nobody knows.
const REMEDY: &str = "give its file `synthetic:` settings, for example `synthetic: {service_time: \
                      {log_normal: {p50_ms: 20, p99_ms: 80}}}` with the percentiles of a measured run";

fn exists(target: &str) -> String {
    format!(
        "--simulate: the scenario loads {target}, which exists already, and how it answers is not \
         known; describe it by `endpoint` and `deployments` with `synthetic:` settings instead of \
         `target`"
    )
}

/// When it is to autoscale rules whose scenario does not say when it begins: a Monday, and the same in
/// every run, so that a run repeats.
pub(super) const BEGINS: Timestamp = Timestamp::constant(1_767_571_200, 0);

/// A scenario in virtual time.
///
/// # Errors
/// Everything that cannot be simulated, a sentence each, with what would help.
pub(crate) fn simulation(scenario: &Scenario) -> Result<VirtualRun, Vec<String>> {
    let (model, deployed) = model(scenario, None)?;
    let scaled = scaled(scenario, deployed)?;
    let simulation = Simulation::new(model).map_err(|error| vec![error.to_string()])?;
    Ok(VirtualRun::new(simulation, scaled))
}

/// The same with a schedule in the place of its autoscale rules: so many instances of the deployment
/// that they scale from each of these times on, ready at once.
///
/// # Errors
/// As [`simulation`].
pub(super) fn scheduled(
    scenario: &Scenario,
    steps: &[(Duration, u32)],
) -> Result<VirtualRun, Vec<String>> {
    let (mut model, deployed) = model(scenario, None)?;
    let Some(scaled) = scaled(scenario, deployed)? else {
        return Err(vec![
            "there are no autoscale rules whose place a schedule could take".to_owned(),
        ]);
    };
    let own = &mut model.deployments[scaled.place()];
    own.provisioning = Service::constant(Duration::ZERO);
    own.instances =
        steps.first().and_then(|(_, count)| NonZeroU32::new(*count)).unwrap_or(own.instances);
    let simulation = Simulation::new(model).map_err(|error| vec![error.to_string()])?;
    let place = scaled.place();
    Ok(VirtualRun::scheduled(simulation, place, steps))
}

/// The same of deployments that behave as it was measured.
///
/// # Errors
/// As [`simulation`].
pub(super) fn measured(
    scenario: &Scenario,
    behaviour: &Behaviour,
) -> Result<VirtualRun, Vec<String>> {
    let (mut model, deployed) = model(scenario, Some(behaviour))?;
    model.seed = behaviour.seed;
    let scaled = scaled(scenario, deployed)?;
    let simulation = Simulation::new(model).map_err(|error| vec![error.to_string()])?;
    Ok(VirtualRun::new(simulation, scaled))
}

/// What stands in for a scenario's endpoint.
fn model<'a>(
    scenario: &'a Scenario,
    measured: Option<&Behaviour>,
) -> Result<(Model, &'a Deployed), Vec<String>> {
    let deployed = match &scenario.place {
        Place::Deployed(deployed) => deployed,
        Place::Existing(existing) => {
            return Err(vec![exists(&super::plan::without_query(&existing.url))]);
        }
        Place::Standing(name) => return Err(vec![exists(&format!("the endpoint `{name}`"))]),
    };
    if !scenario.load.shift.is_empty() {
        let message = "--simulate: traffic that changes in mid-run is not simulated; leave `traffic` and \
                       `mirror_traffic` out of the stages";
        return Err(vec![message.to_owned()]);
    }
    let mut problems = Vec::new();
    let deployments: Vec<_> = deployed
        .deployments
        .iter()
        .filter_map(|spec| {
            deployment(spec, deployed, measured).map_err(|why| problems.push(why)).ok()
        })
        .collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let load = &scenario.load;
    let weights: Vec<_> = scenario.requests.iter().map(|request| request.weight).collect();
    let mix =
        Mix::new(&weights).ok_or_else(|| vec!["no request has a weight above 0".to_owned()])?;
    let requests = scenario.requests.iter().map(|request| request.name.clone()).collect();
    let place = |name: &String| deployed.deployments.iter().position(|spec| spec.name == *name);
    let model = Model {
        arrivals: load.arrivals(&mix, scenario.seed),
        length: load.profile.duration(),
        names: Names::new(load.profile.names(), requests, []),
        counted: plimsoll_monitor::limits(&scenario.objectives, &scenario.alerts),
        routes: scenario
            .requests
            .iter()
            .map(|request| request.deployment.as_ref().and_then(place))
            .collect(),
        client: Client {
            max_connections: load.max_connections as usize,
            timeout: scenario.timeout,
            drain: load.drain,
            ceiling_rps: load.ceiling_rps.and_then(NonZeroU32::new),
        },
        deployments,
        interval: INTERVAL,
        seed: scenario.seed,
    };
    Ok((model, deployed))
}

/// What the scenario's autoscale rules scale, if it has any.
fn scaled(scenario: &Scenario, deployed: &Deployed) -> Result<Option<Scaled>, Vec<String>> {
    let begins = SystemTime::UNIX_EPOCH + Duration::from_secs(BEGINS.as_second().unsigned_abs());
    let Some(controller) = autoscale::controller(scenario, begins) else { return Ok(None) };
    let controller = controller.map_err(|wrong| vec![format!("--simulate: {wrong}")])?;
    if scenario.autoscale.as_ref().is_some_and(|of| of.rules.look_at_memory()) {
        let message = "--simulate: the autoscale rules look at memory, and how much of it simulated \
                       instances take is not known; leave these rules out";
        return Err(vec![message.to_owned()]);
    }
    let name = controller.deployment();
    let place = deployed.deployments.iter().position(|spec| spec.name == name);
    Ok(place.map(|place| Scaled::new(controller, place)))
}

/// How long an instance takes that answers after `start`: until its readiness probe has found it ready,
/// as the local host asks it.
fn ready_after(readiness: &Probe, start: Duration) -> Duration {
    let Probe { initial_delay, period, success_threshold, .. } = *readiness;
    let failed = start.saturating_sub(initial_delay).as_nanos().div_ceil(period.as_nanos().max(1));
    let probes = u32::try_from(failed)
        .unwrap_or(u32::MAX)
        .saturating_add(success_threshold.saturating_sub(1));
    initial_delay.saturating_add(period.saturating_mul(probes))
}

fn deployment(
    spec: &DeploymentSpec,
    deployed: &Deployed,
    measured: Option<&Behaviour>,
) -> Result<Deployment, String> {
    let name = &spec.name;
    let settings = &spec.request_settings;
    let with = |service: Service, start: Duration| Deployment {
        weight: deployed.traffic.get(name).copied().unwrap_or_default().into(),
        timeout: settings.request_timeout,
        provisioning: Service::constant(ready_after(&spec.readiness_probe, start)),
        ..Deployment::new(
            name.clone(),
            spec.instance_count,
            settings.max_concurrent_requests_per_instance,
            service,
        )
    };
    let wrong = |why: String| format!("deployment `{name}`: {why}");
    let start = |ms: f64| Duration::try_from_secs_f64(ms / 1e3).unwrap_or(Duration::MAX);
    if let Some(measured) = measured {
        let start_ms = spec.synthetic.as_ref().map_or(0.0, |synthetic| synthetic.start_ms);
        let given = with(measured.service.clone(), start(start_ms));
        return Ok(Deployment {
            max_concurrent: measured.slots.unwrap_or(given.max_concurrent),
            slowdown: measured.slowdown,
            overhead: measured.overhead,
            error_rate: measured.error_rate,
            provisioning: measured.start.clone().unwrap_or(given.provisioning),
            ..given
        });
    }
    let Some(synthetic) = &spec.synthetic else {
        let what = if spec.code.is_some() { "scoring script" } else { "model" };
        return Err(format!(
            "--simulate: how long the {what} of deployment `{name}` takes is not known; {REMEDY}"
        ));
    };
    synthetic.check().map_err(wrong)?;
    let service = Service::given(&synthetic.service_time);
    let service = service.map_err(|error| wrong(error.to_string()))?;
    let deployment = with(service, start(synthetic.start_ms));
    Ok(Deployment { error_rate: synthetic.error_rate, ..deployment })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_ready_with_the_first_probes_after_its_start() {
        let second = Duration::from_secs(1);
        let probe = Probe { initial_delay: 10 * second, period: 4 * second, ..Probe::default() };
        let twice = Probe { success_threshold: 2, ..probe.clone() };
        for (probe, start, ready) in
            [(&probe, 0, 10), (&probe, 10, 10), (&probe, 11, 14), (&twice, 0, 14)]
        {
            assert_eq!(ready_after(probe, start * second), ready * second, "{start}");
        }
        // A Monday, as the note says.
        assert_eq!(BEGINS.to_string(), "2026-01-05T00:00:00Z");
    }
}
