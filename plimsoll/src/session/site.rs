//! Where the load goes: an endpoint that exists, or one that the run brings up and removes.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::key;
use super::secrets::Secrets;
use super::shift::{Comparison, Shifter};
use super::source::{Instances, Interrupt, Scaling};
use super::used::Meter;
use crate::results::summary::InstanceResult;
use crate::scenario::{Deployed, Existing, Place, Scenario};
use crate::standing;
use crate::view::View;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use plimsoll_autoscale::controller::Controller;
use plimsoll_deploy::arm::{ArmDriver, Deployment, Error as DeployError};
use plimsoll_deploy::spec::AuthMode;
use plimsoll_host::local::{LocalHost, Options};
use plimsoll_host::runtime::Runtime;
use plimsoll_loadgen::TlsOptions;
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often the instances are counted.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Lines of an instance's log that are kept when something was wrong.
const LOG_LINES: usize = 20;
/// Characters of such a line that are kept.
const LOG_WIDTH: usize = 400;

/// For a question to the control plane whether it is still there.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// For the deletion of the endpoint. Longer than instances take to end; the end of the host, which
/// comes next, removes everything all the same.
const REMOVE_LIMIT: Duration = Duration::from_secs(30);
/// The same once the user wants the run to end. A host that has not ended by then is killed, and
/// everything that it runs dies with it.
const HURRIED_LIMIT: Duration = Duration::from_secs(5);

/// The address to load, and what must be removed afterwards.
pub(super) struct Site {
    /// The scoring URL.
    pub(super) url: String,
    /// The endpoint's key or token.
    pub(super) key: Option<SecretString>,
    /// What was left out of it, if anything.
    pub(super) key_note: Option<String>,
    /// Whom to trust.
    pub(super) tls: TlsOptions,
    /// What the run brought up.
    own: Option<Own>,
}

struct Own {
    host: LocalHost,
    endpoint: String,
    driver: Arc<ArmDriver>,
    counter: JoinHandle<()>,
    instances: watch::Receiver<Vec<Instances>>,
}

/// Why there is nothing to load.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The local host did not start.
    #[error("the local host did not start")]
    Host(#[from] plimsoll_host::local::Error),
    /// The endpoint or a deployment could not be created.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// The variable that should hold the key does not.
    #[error(transparent)]
    NoKey(#[from] key::Error),
    /// There is no host on which the endpoint could be.
    #[error(transparent)]
    Standing(#[from] standing::Error),
    /// Every request would be answered with 404.
    #[error(
        "no requests of endpoint `{0}` go to a deployment; `plimsoll endpoint update -n {0} --traffic \"NAME=100\"` sends them there"
    )]
    NoTraffic(String),
    /// The user stopped it.
    #[error("interrupted before the load began; what was created is removed")]
    Stopped,
    /// Its deletion hangs, and a user who stops a run cannot be kept waiting for ever.
    #[error("it was still there after {} s", .0.as_secs())]
    StillThere(Duration),
    /// This program's own file cannot be found.
    #[error("cannot find this program's own file, to start the local host from it")]
    Executable(#[source] std::io::Error),
}

impl Site {
    /// An endpoint that exists.
    pub(super) fn existing(existing: &Existing) -> Result<Self, Error> {
        let Existing { url, key_env, ca_file, insecure } = existing;
        let (mut key, mut key_note) = (None, None);
        if let Some(name) = key_env {
            let (found, note) = key::read(name, std::env::var_os(name))?;
            (key, key_note) = (Some(found), note);
        }
        let tls = TlsOptions { ca_file: ca_file.clone(), insecure: *insecure };
        Ok(Self { url: url.to_string(), key, key_note, tls, own: None })
    }

    /// An endpoint of the local host that outlives its commands.
    pub(super) async fn standing(name: &str) -> Result<Self, Error> {
        let driver = standing::get()?.driver()?;
        let endpoint = driver.show_endpoint(name).await?;
        if endpoint.traffic.values().all(|share| *share == 0) {
            return Err(Error::NoTraffic(name.to_owned()));
        }
        let key = match endpoint.auth_mode {
            AuthMode::Key => driver.credentials(name).await?.primary,
            AuthMode::AmlToken | AuthMode::AadToken => {
                driver.token(name).await?.access_token.into()
            }
        };
        let (url, tls) = (endpoint.scoring_uri, TlsOptions::default());
        Ok(Self { url, key: Some(key), key_note: None, tls, own: None })
    }

    /// Brings up a local host, and on it the endpoint and its deployments, until they are ready.
    /// When this fails or is stopped, the host goes, and everything with it.
    pub(super) async fn bring_up(
        scenario: &Scenario,
        deployed: &Deployed,
        view: &mut View,
        interrupt: &Interrupt,
    ) -> Result<Self, Error> {
        view.step("starting the local host", "");
        let executable = std::env::current_exe().map_err(Error::Executable)?;
        let options = Options { seed: scenario.seed, cache_dir: None };
        let mut starting = pin!(LocalHost::start(&executable, &options));
        let stop = &interrupt.stop;
        let host = tokio::select! {
            host = &mut starting => host?,
            () = stop.cancelled() => {
                // One that has begun to start is ended in order; one that hangs ends with its input.
                if let Ok(Ok(host)) = tokio::time::timeout(HURRIED_LIMIT, starting).await {
                    end(host, hurried(interrupt)).await;
                }
                return Err(Error::Stopped);
            }
        };
        let driver = Arc::new(host.driver()?);
        let created = tokio::select! {
            created = create(&driver, deployed, view) => created.map_err(Error::from),
            () = stop.cancelled() => Err(Error::Stopped),
        };
        match created {
            Ok((url, key)) => {
                let (sender, instances) = watch::channel(Vec::new());
                let names: Vec<_> = deployed.deployments.iter().map(|d| d.name.clone()).collect();
                let counter = tokio::spawn(count(
                    Arc::clone(&driver),
                    deployed.endpoint.name.clone(),
                    names,
                    sender,
                ));
                Ok(Self {
                    url,
                    key: Some(key),
                    key_note: None,
                    tls: TlsOptions::default(),
                    own: Some(Own {
                        host,
                        endpoint: deployed.endpoint.name.clone(),
                        driver,
                        counter,
                        instances,
                    }),
                })
            }
            Err(error) => {
                end(host, hurried(interrupt)).await;
                Err(error)
            }
        }
    }

    /// The instances of every deployment whenever they change; `None` for an endpoint that is not
    /// ours.
    pub(super) fn instances(&self) -> Option<watch::Receiver<Vec<Instances>>> {
        self.own.as_ref().map(|own| own.instances.clone())
    }

    /// Autoscale rules at work on a deployment that the run brought up.
    pub(super) fn scaling(&self, controller: Controller) -> Option<Scaling> {
        let Own { driver, endpoint, .. } = self.own.as_ref()?;
        let deployment = controller.deployment().to_owned();
        Some(Scaling::new(controller, driver, endpoint, &deployment))
    }

    /// What looks at what the endpoint's instances use, if the run brought them up.
    pub(super) fn meter(&self, scenario: &Scenario) -> Option<Meter> {
        let Own { driver, endpoint, .. } = self.own.as_ref()?;
        let Place::Deployed(deployed) = &scenario.place else { return None };
        Some(Meter::start(driver, endpoint, &deployed.deployments))
    }

    /// What shifts the traffic of the endpoint that the run brought up, if the scenario says so.
    pub(super) fn shifter(
        &self,
        scenario: &Scenario,
    ) -> Option<(Shifter, mpsc::Receiver<Comparison>)> {
        let (own, endpoint) = (self.own.as_ref()?, scenario.endpoint_name()?);
        let shift = Some(scenario.load.shift.clone()).filter(|shift| !shift.is_empty())?;
        Some(Shifter::start(shift, Arc::clone(&own.driver), endpoint))
    }

    /// Returns when what the run brought up is gone, though it should not be.
    pub(super) async fn lost(&mut self) -> String {
        match &mut self.own {
            Some(own) => match own.host.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            },
            None => std::future::pending().await,
        }
    }

    /// Why what the run brought up is gone, if it is, though nobody has noticed: the end of a
    /// process closes its connections, and with them the load may end, before it can be waited for.
    pub(super) async fn gone(&mut self) -> Option<String> {
        let Own { driver, .. } = self.own.as_ref()?;
        let driver = Arc::clone(driver);
        let asked = async move {
            let answer = tokio::time::timeout(ANSWER_LIMIT, driver.list_endpoints()).await;
            if answer.is_ok_and(|answer| answer.is_err()) {
                tokio::time::sleep(ANSWER_LIMIT).await;
            }
        };
        tokio::select! {
            why = self.lost() => Some(why),
            () = asked => None,
        }
    }

    /// The instances as they are now, with the last lines of the log where something was wrong. A
    /// host that does not answer at once is not waited for.
    pub(super) async fn instances_at_the_end(&self, scenario: &Scenario) -> Vec<InstanceResult> {
        let Some(endpoint) = scenario.endpoint_name() else { return Vec::new() };
        let Some(own) = &self.own else { return Vec::new() };
        let asked = tokio::time::timeout(ANSWER_LIMIT, last_look(&own.driver, endpoint)).await;
        let mut instances = asked.unwrap_or_default();
        let secrets = Secrets::of(scenario, self);
        for instance in &mut instances {
            let words = instance.exception.iter_mut().chain(&mut instance.log);
            words.for_each(|text| secrets.hide(text));
        }
        instances
    }

    /// Removes what the run created.
    pub(super) async fn remove(
        self,
        endpoint: Option<&str>,
        interrupt: &Interrupt,
    ) -> Result<(), Error> {
        let Some(own) = self.own else { return Ok(()) };
        own.counter.abort();
        let removed = match endpoint {
            Some(endpoint) => {
                let deleting = own.driver.delete_endpoint(endpoint);
                tokio::select! {
                    deleted = tokio::time::timeout(REMOVE_LIMIT, deleting) => match deleted {
                        Ok(deleted) => deleted.map_err(Error::from),
                        Err(_) => Err(Error::StillThere(REMOVE_LIMIT)),
                    },
                    () = hurried(interrupt) => {
                        end(own.host, std::future::ready(())).await;
                        return Err(Error::StillThere(HURRIED_LIMIT));
                    }
                }
            }
            None => Ok(()),
        };
        end(own.host, hurried(interrupt)).await;
        removed
    }
}

/// Ends the host, and kills it if that takes longer than `patience`.
async fn end(host: LocalHost, patience: impl Future<Output = ()>) {
    let process = host.pid().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let mut stopping = pin!(host.stop());
    tokio::select! {
        _ = &mut stopping => {}
        () = patience => {
            // It has not been waited for, so that the id is still its own.
            let _ = process.map(|process| kill(process, Signal::SIGKILL));
            let _ = stopping.await;
        }
    }
}

/// Returns when the user who has stopped the run should not be kept waiting any longer.
async fn hurried(interrupt: &Interrupt) {
    interrupt.stop.cancelled().await;
    tokio::time::sleep(HURRIED_LIMIT).await;
}

async fn create(
    driver: &ArmDriver,
    deployed: &Deployed,
    view: &mut View,
) -> Result<(String, SecretString), DeployError> {
    let name = &deployed.endpoint.name;
    let mut keys = deployed.endpoint.only_azure();
    let live = |traffic: &BTreeMap<String, u8>| -> BTreeMap<String, u8> {
        traffic
            .iter()
            .filter(|(_, share)| **share > 0)
            .map(|(n, share)| (n.clone(), *share))
            .collect()
    };
    let given = live(&deployed.endpoint.traffic);
    if !given.is_empty() && given != live(&deployed.traffic) {
        keys.push("traffic (the scenario decides)");
    }
    without_effect(&format!("endpoint {name}"), &keys, view);
    view.step(&format!("creating endpoint {name}"), "");
    let endpoint = driver.create_endpoint(&deployed.endpoint).await?;
    for deployment in &deployed.deployments {
        let chosen = Runtime::choose(deployment).ok();
        let runtime = chosen.as_ref().map_or("?", Runtime::name);
        let what = format!(
            "creating deployment {} ({} × {}, {runtime})",
            deployment.name, deployment.instance_count, deployment.instance_type
        );
        without_effect(&format!("deployment {}", deployment.name), &deployment.only_azure(), view);
        for note in chosen.iter().flat_map(|runtime| runtime.notes(deployment)) {
            view.line(format!("note: deployment {}: {note}", deployment.name));
        }
        view.step(&what, "");
        driver.create_deployment(deployment, &mut |line| view.step(&what, &line)).await?;
        view.line(format!(
            "deployment {} is ready: {} × {}, {runtime}",
            deployment.name, deployment.instance_count, deployment.instance_type
        ));
    }
    let traffic: BTreeMap<String, u8> = deployed.traffic.clone();
    driver.set_traffic(name, &traffic).await?;
    let credentials = driver.credentials(name).await?;
    Ok((endpoint.scoring_uri, credentials.primary))
}

/// What every instance is like at the end, and what the first one of a deployment in trouble wrote:
/// a host keeps the log of that one.
async fn last_look(driver: &ArmDriver, endpoint: &str) -> Vec<InstanceResult> {
    let deployments = driver.list_deployments(endpoint).await.unwrap_or_default();
    let mut all = Vec::new();
    for Deployment { name, instances, .. } in &deployments {
        let mut results: Vec<_> =
            instances.iter().map(|status| InstanceResult::new(name, status)).collect();
        if results.iter().any(InstanceResult::is_in_trouble) {
            let log = driver.logs(endpoint, name, LOG_LINES).await.unwrap_or_default();
            if let Some(first) = results.first_mut() {
                first.log =
                    log.lines().map(|line| line.chars().take(LOG_WIDTH).collect()).collect();
            }
        }
        all.extend(results);
    }
    all
}

/// Says which settings only Azure honours, so that nobody takes their effect as measured.
fn without_effect(what: &str, keys: &[&str], view: &View) {
    if !keys.is_empty() {
        view.line(format!("note: {what}: no effect on this machine: {}", keys.join(", ")));
    }
}

/// Counts the instances of all deployments, once a second, until nobody wants to know.
async fn count(
    driver: Arc<ArmDriver>,
    endpoint: String,
    deployments: Vec<String>,
    counts: watch::Sender<Vec<Instances>>,
) {
    while !counts.is_closed() {
        let mut all = Vec::new();
        for deployment in &deployments {
            let shown = driver.show_deployment(&endpoint, deployment).await;
            all.extend(shown.ok().map(|shown| instances(deployment, &shown)));
        }
        // Without one of them the sum would read as instances that are gone.
        if all.len() == deployments.len() {
            counts.send_if_modified(|known| {
                let changed = *known != all;
                *known = all;
                changed
            });
        }
        tokio::time::sleep(COUNT_EVERY).await;
    }
}

fn instances(deployment: &str, shown: &Deployment) -> Instances {
    let starting = shown.instances.iter().filter(|each| !each.ready && each.pid.is_some());
    Instances {
        deployment: deployment.to_owned(),
        ready: shown.ready() as u32,
        wanted: shown.desired,
        starting: starting.count() as u32,
    }
}
