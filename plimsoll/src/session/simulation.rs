//! From a scenario to its simulation: what stands in for its endpoint, or why nothing can.

use std::num::NonZeroU32;
use std::time::Duration;

use plimsoll_deploy::spec::{DeploymentSpec, ServiceTime};
use plimsoll_domain::Names;
use plimsoll_domain::schedule::Mix;
use plimsoll_simulate::{Client, Deployment, Model, Service, Simulation};

use crate::scenario::{Deployed, Place, Scenario};

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

/// The simulation of a scenario.
///
/// # Errors
/// Everything that cannot be simulated, a sentence each, with what would help.
pub(crate) fn simulation(scenario: &Scenario) -> Result<Simulation, Vec<String>> {
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
        .filter_map(|spec| deployment(spec, deployed).map_err(|why| problems.push(why)).ok())
        .collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    if scenario.autoscale.is_some() {
        let message =
            "--simulate: `autoscale` is not simulated; run the scenario, or leave the key out";
        return Err(vec![message.to_owned()]);
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
    Simulation::new(model).map_err(|error| vec![error.to_string()])
}

fn deployment(spec: &DeploymentSpec, deployed: &Deployed) -> Result<Deployment, String> {
    let name = &spec.name;
    let Some(synthetic) = &spec.synthetic else {
        let what = if spec.code.is_some() { "scoring script" } else { "model" };
        return Err(format!(
            "--simulate: how long the {what} of deployment `{name}` takes is not known; {REMEDY}"
        ));
    };
    let wrong = |why: String| format!("deployment `{name}`: {why}");
    synthetic.check().map_err(wrong)?;
    let start = ServiceTime::Constant { ms: synthetic.start_ms };
    let service = |of: &ServiceTime| Service::given(of).map_err(|error| wrong(error.to_string()));
    let settings = &spec.request_settings;
    Ok(Deployment {
        weight: deployed.traffic.get(name).copied().unwrap_or_default().into(),
        timeout: settings.request_timeout,
        error_rate: synthetic.error_rate,
        provisioning: service(&start)?,
        ..Deployment::new(
            name.clone(),
            spec.instance_count,
            settings.max_concurrent_requests_per_instance,
            service(&synthetic.service_time)?,
        )
    })
}
