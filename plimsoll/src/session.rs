//! A session: one scenario from quota to verdict.
//!
//! One task owns it. Everything that it creates it removes, whatever happens in between, and
//! what was measured is written as it is measured.

mod conclude;
mod interrupt;
mod measure;
mod outcome;
mod plan;
mod site;
mod telemetry;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use plimsoll_domain::clock;
use plimsoll_monitor::Judgement;
use plimsoll_monitor::otlp::{Config, Run as OtlpRun};

use crate::exit::Exit;
use crate::results::summary::{ObjectiveResult, Run, ScenarioName, Summary};
use crate::results::{self, Event, EventKind, Header, Results, new_default_dir};
use crate::scenario::{Place, Scenario};
use crate::view::{self, View};
use conclude::Cut;
use interrupt::Interrupt;
use measure::{Measured, Session};
use outcome::Failure;
use site::Site;
use telemetry::Telemetry;

/// Runs a scenario and tells how it ended.
pub(crate) fn run(scenario: &Scenario) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the session's runtime")?;
    let ended = runtime.block_on(session(scenario));
    // A name lookup that hangs must not keep the process.
    runtime.shutdown_background();
    ended
}

async fn session(scenario: &Scenario) -> Result<Exit> {
    let interrupt = Interrupt::listen().context("cannot listen for signals")?;
    let otlp = match telemetry::config(scenario.otlp.as_deref()) {
        Ok(config) => config,
        Err(error) => return Ok(refuse(&error, Exit::Usage)),
    };
    let mut summary = Summary::begun(identity(scenario), name(scenario));
    summary.objectives = scenario
        .objectives
        .iter()
        .map(|objective| ObjectiveResult::new(&Judgement::pending(objective)))
        .collect();
    if !quota(scenario, &mut summary) {
        return Ok(Exit::Deployment);
    }
    let folder = match folder(scenario) {
        Ok(folder) => folder,
        Err(error) => return Ok(refuse(&error, Exit::Usage)),
    };
    let header =
        Header { run: summary.run.clone(), scenario: name(scenario), started: clock::wall() };
    let mut results = match Results::create(&folder, header) {
        Ok(results) => results,
        Err(error) => return Ok(refuse(&error, Exit::Usage)),
    };
    summary.run.started = crate::results::utc(clock::wall());
    let mut view = View::new();
    let ended =
        Box::pin(drive(scenario, otlp.as_ref(), &interrupt, &mut results, &mut view, &mut summary))
            .await;
    view.clear();
    Ok(outcome::conclude(scenario, ended, summary, results))
}

/// Brings the site up, loads it, and removes it again, whatever happened.
async fn drive(
    scenario: &Scenario,
    otlp: Option<&Config>,
    interrupt: &Interrupt,
    results: &mut Results,
    view: &mut View,
    summary: &mut Summary,
) -> Result<Measured, Failure> {
    let mut site = bring_up(scenario, view, interrupt).await?;
    let shown = plan::without_query(&site.url);
    results.event(&Event::new(0.0, EventKind::Deployment, format!("the target is {shown}")));
    summary.run.target = Some(shown);
    let measured = load(scenario, &mut site, otlp, interrupt, results, view, summary).await;
    if scenario.endpoint_name().is_some() {
        view.step("removing what the run created", "");
    }
    let host_is_gone = measured.as_ref().is_ok_and(|measured| matches!(measured.cut, Cut::Lost(_)));
    let endpoint = scenario.endpoint_name().filter(|_| !host_is_gone);
    if let Err(error) = site.remove(endpoint).await {
        view.line(format!(
            "warning: the endpoint could not be deleted: {error}; its host is stopped all the same"
        ));
    }
    measured
}

async fn bring_up(
    scenario: &Scenario,
    view: &mut View,
    interrupt: &Interrupt,
) -> Result<Site, Failure> {
    match &scenario.place {
        Place::Existing(existing) => Site::existing(existing).map_err(Failure::Target),
        Place::Deployed(deployed) => {
            let site = Site::bring_up(scenario, deployed, view, &interrupt.stop).await;
            site.map_err(|error| match error {
                site::Error::Stopped => Failure::Interrupted,
                error => Failure::Deployment(error),
            })
        }
    }
}

async fn load(
    scenario: &Scenario,
    site: &mut Site,
    otlp: Option<&Config>,
    interrupt: &Interrupt,
    results: &mut Results,
    view: &mut View,
    summary: &mut Summary,
) -> Result<Measured, Failure> {
    let plan = tokio::select! {
        plan = plan::load(scenario, site) => plan.map_err(Failure::Plan)?,
        () = interrupt.stop.cancelled() => return Err(Failure::Interrupted),
    };
    let (server_address, server_port) = (plan.target.name().to_owned(), plan.target.port());
    let run = OtlpRun {
        id: summary.run.id.clone(),
        scenario: scenario.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: clock::wall(),
        method: scenario.request.method.clone(),
        server_address,
        server_port,
        extra: Vec::new(),
    };
    let deployments: Vec<_> = summary.deployments.iter().map(|d| d.name.as_str()).collect();
    let telemetry =
        Telemetry::start(otlp, run, deployments.join(",")).map_err(Failure::Telemetry)?;
    let session = Session::new(scenario, results, &telemetry, view, summary);
    let measured = session.run(plan, site, interrupt).await;
    if otlp.is_some() {
        view.step("exporting what is left", "");
    }
    summary.otlp = tokio::task::spawn_blocking(move || telemetry.finish()).await.unwrap_or(None);
    measured.map_err(Failure::Generator)
}

/// Shows the quota plan; `false` if it does not fit.
fn quota(scenario: &Scenario, summary: &mut Summary) -> bool {
    let Some(check) = plan::quota(scenario) else {
        return true;
    };
    view::note(&check.table);
    summary.quota = Some(check.result);
    summary.deployments = plan::deployments(scenario);
    if !check.fits {
        view::note(&"error: the quota does not allow these deployments; nothing was created");
    }
    check.fits
}

fn folder(scenario: &Scenario) -> Result<PathBuf, results::Error> {
    match &scenario.folder {
        Some(given) => Ok(given.clone()),
        None => new_default_dir(Path::new("results"), &scenario.name, clock::wall()),
    }
}

fn name(scenario: &Scenario) -> ScenarioName {
    ScenarioName { name: scenario.name.clone(), seed: scenario.seed }
}

fn identity(scenario: &Scenario) -> Run {
    let command: Vec<_> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    Run {
        id: uuid::Uuid::new_v4().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: plan::command(&command, scenario),
        ..Run::default()
    }
}

fn refuse(error: &dyn std::error::Error, exit: Exit) -> Exit {
    view::note(&format!("error: {error}"));
    exit
}
