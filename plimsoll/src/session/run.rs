//! One scenario from quota to exit code, on a real endpoint or in virtual time.
//!
//! One task owns it. Everything that it creates it removes, whatever happens in between, and what
//! was measured is written as it is measured.

use std::time::SystemTime;

use anyhow::{Context, Result};
use plimsoll_domain::clock;
use plimsoll_loadgen::Target;
use plimsoll_monitor::otlp::{Config, Run as OtlpRun};
use plimsoll_monitor::{Judgement, Verdict};

use super::conclude::{self, Ended};
use super::measured::{Cut, Measured};
use super::secrets::Secrets;
use super::shift::Shifter;
use super::sink::{Folder, Sink, Telemetry, config, switched_off};
use super::site::{self, Site};
use super::source::{Interrupt, LiveSource, SimulatedSource};
use super::{Failure, Session, VirtualRun, autoscale, drive, plan, reach, simulation};
use crate::exit::Exit;
use crate::report::annotations::Annotations;
use crate::results::summary::{Machine, ObjectiveResult, Run, ScenarioName, Summary};
use crate::results::{Event, EventKind};
use crate::scenario::{Place, Scenario};
use crate::view::{self, View};

/// What is printed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Printing {
    /// The summary as JSON instead of text.
    pub(crate) json: bool,
    /// No progress and no plan.
    pub(crate) quiet: bool,
    /// What breached or is open also as annotations of a CI server.
    pub(crate) annotations: Option<Annotations>,
}

/// Whether a scenario really happens.
pub(crate) enum How {
    /// Load on its endpoint.
    Live,
    /// In virtual time.
    Simulated(Box<VirtualRun>),
}

/// Runs a scenario and tells how it ended.
pub(crate) fn run(scenario: &Scenario, how: How, printing: Printing) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the session's runtime")?;
    let ended = runtime.block_on(session(scenario, how, printing));
    // A name lookup that hangs must not keep the process.
    runtime.shutdown_background();
    ended
}

async fn session(scenario: &Scenario, how: How, printing: Printing) -> Result<Exit> {
    let interrupt = Interrupt::listen().context("cannot listen for signals")?;
    let otlp = match config(scenario.otlp.as_deref()) {
        Ok(config) => config,
        Err(error) => return Ok(refuse(&error)),
    };
    let mut summary = begun(scenario);
    if let How::Simulated(_) = how {
        summary = summary.simulated();
    }
    let fits = quota(scenario, &mut summary, printing);
    let mut folder = match Folder::create(scenario, summary) {
        Ok(folder) => folder,
        Err(error) => return Ok(refuse(&error)),
    };
    if let Some(off) = switched_off(scenario.otlp.as_deref()) {
        view::note(&format!("note: {off}"));
        folder.results.event(&Event::new(0.0, EventKind::Warning, off));
    }
    if !printing.quiet {
        view::note(&plan::load_in_words(scenario));
        scenario.notes().iter().for_each(|note| view::note(&format!("note: {note}")));
    }
    let mut view = View::new(printing.quiet);
    let ended = match how {
        _ if !fits => Err(Failure::Quota),
        How::Live => Box::pin(on_site(scenario, otlp, &interrupt, &mut folder, &mut view)).await,
        How::Simulated(run) => {
            if let Some(receiver) = otlp {
                let note = format!(
                    "nothing is exported to {receiver}: a simulation's times are not those of a clock"
                );
                view.line(format!("note: {note}"));
                folder.results.event(&Event::new(0.0, EventKind::Warning, note));
            }
            let session = Session::new(scenario);
            note_begins(scenario, &mut folder, &mut view);
            let ran = in_virtual_time(session, *run, &interrupt, &mut folder, &mut view);
            ran.await.map(Session::finish)
        }
    };
    view.clear();
    Ok(conclude::conclude(&scenario.name, &ended, folder, printing, |exit| interrupt.decided(exit)))
}

/// The summary of a scenario that has not run.
pub(super) fn begun(scenario: &Scenario) -> Summary {
    let command: Vec<_> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let run = Run {
        id: uuid::Uuid::new_v4().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: plan::command(&command, scenario),
        machine: Machine::here(),
        ..Run::default()
    };
    let name = ScenarioName { name: scenario.name.clone(), seed: scenario.seed };
    let mut summary = Summary::begun(run, name);
    let pending = scenario.objectives.iter().map(Judgement::pending);
    summary.objectives = pending.map(|judgement| ObjectiveResult::new(&judgement)).collect();
    summary
}

/// Shows the quota plan, if the scenario asks for one; `false` if it does not fit.
fn quota(scenario: &Scenario, summary: &mut Summary, printing: Printing) -> bool {
    let Some(check) = plan::quota(scenario) else {
        return true;
    };
    if !check.fits || (scenario.quota.is_asked && !printing.quiet) {
        view::note(&check.table);
    }
    summary.quota = Some(check.result);
    summary.deployments = plan::deployments(scenario);
    check.fits
}

/// When it is to simulated rules, if their scenario does not say.
fn note_begins(scenario: &Scenario, folder: &mut Folder, view: &mut View) {
    if scenario.autoscale.as_ref().is_some_and(|autoscale| autoscale.begins.is_none()) {
        let note = format!(
            "to the autoscale rules the simulation begins at {}, a Monday; `begins` of `autoscale` says another",
            simulation::BEGINS
        );
        view.line(format!("note: {note}"));
        folder.results.event(&Event::new(0.0, EventKind::Deployment, note));
    }
}

/// Runs a simulation: nothing is brought up, and nothing is sent.
pub(super) async fn in_virtual_time(
    mut session: Session,
    run: VirtualRun,
    interrupt: &Interrupt,
    folder: &mut Folder,
    view: &mut View,
) -> Result<Session, Failure> {
    let nothing = "simulated: nothing is brought up, and no request is sent";
    view.line(nothing);
    folder.results.event(&Event::new(0.0, EventKind::Deployment, nothing));
    let mut source = SimulatedSource::new(run, clock::wall(), interrupt.stop.clone());
    let mut sinks: [&mut dyn Sink; 2] = [folder, view];
    drive(&mut source, &mut session, &mut sinks).await?;
    Ok(session)
}

/// Brings the site up, loads it, and removes it again, whatever happened.
async fn on_site(
    scenario: &Scenario,
    otlp: Option<Config>,
    interrupt: &Interrupt,
    folder: &mut Folder,
    view: &mut View,
) -> Ended {
    let mut site = bring_up(scenario, view, interrupt).await?;
    let shown = plan::without_query(&site.url);
    let target = Event::new(0.0, EventKind::Deployment, format!("the target is {shown}"));
    folder.results.event(&target);
    folder.summary.run.target = Some(shown);
    let session = Session::new(scenario);
    let ended = load(scenario, session, &mut site, otlp, interrupt, folder, view).await;
    let ended = match ended {
        Ok((session, shifter)) => shifted(session.finish(), shifter, view).await,
        Err(failure) => Err(failure),
    };
    folder.summary.instances = site.instances_at_the_end(scenario).await;
    let host_is_gone = ended.as_ref().is_ok_and(|measured| matches!(measured.cut, Cut::Lost(_)));
    remove(site, scenario, host_is_gone, interrupt, view).await;
    ended
}

/// Ends a shift of the traffic, if the load was one.
async fn shifted(measured: Measured, shifter: Option<Shifter>, view: &mut View) -> Ended {
    if let Some(shifter) = shifter {
        let is_met = measured.report.verdict == Some(Verdict::Met);
        let finished = shifter.finish(is_met).await?;
        for name in finished.retired {
            view.line(format!("deployment {name} has no traffic any more: deleted"));
        }
        if let Some(worse) = finished.held_up {
            return Ok(measured.held_up(format!("the traffic was not shifted: {worse}")));
        }
    }
    Ok(measured)
}

/// Removes what the run brought up, if it did.
pub(super) async fn remove(
    site: Site,
    scenario: &Scenario,
    host_is_gone: bool,
    interrupt: &Interrupt,
    view: &mut View,
) {
    if scenario.endpoint_name().is_some() {
        view.step("removing what the run created", "");
    }
    let endpoint = scenario.endpoint_name().filter(|_| !host_is_gone);
    if let Err(error) = site.remove(endpoint, interrupt).await {
        view.line(format!(
            "warning: the endpoint could not be deleted: {error}; its host is stopped all the same"
        ));
    }
}

pub(super) async fn bring_up(
    scenario: &Scenario,
    view: &mut View,
    interrupt: &Interrupt,
) -> Result<Site, Failure> {
    match &scenario.place {
        Place::Existing(existing) => Site::existing(existing).map_err(Failure::Target),
        Place::Standing(name) => tokio::select! {
            site = Site::standing(name) => site.map_err(Failure::Target),
            () = interrupt.stop.cancelled() => Err(Failure::Interrupted),
        },
        Place::Deployed(deployed) => {
            let site = Site::bring_up(scenario, deployed, view, interrupt).await;
            site.map_err(|error| match error {
                site::Error::Stopped => Failure::Interrupted,
                error => Failure::Deployment(error),
            })
        }
    }
}

pub(super) async fn load(
    scenario: &Scenario,
    mut session: Session,
    site: &mut Site,
    otlp: Option<Config>,
    interrupt: &Interrupt,
    folder: &mut Folder,
    view: &mut View,
) -> Result<(Session, Option<Shifter>), Failure> {
    let plan = plan::load(scenario, site).map_err(Failure::Plan)?;
    let secrets = Secrets::of(scenario, site);
    let checked = Target::check(&plan.url).map_err(|error| Failure::Plan(error.into()))?;
    let mut warn = |note: Option<String>| {
        let Some(note) = note else { return };
        view.line(format!("warning: {note}"));
        folder.results.event(&Event::new(0.0, EventKind::Warning, note));
    };
    // What the run brings up itself is on this machine.
    if matches!(scenario.place, Place::Existing(_)) {
        warn(site.key_note.take());
        warn(reach::insecure(&checked, &plan.tls));
        warn(reach::proxy(&checked, |name| std::env::var(name).ok()));
    }
    let target = tokio::select! {
        target = Target::resolve(&plan.url, &plan.tls) => {
            target.map_err(|error| Failure::Plan(error.into()))?
        }
        () = interrupt.stop.cancelled() => return Err(Failure::Interrupted),
    };
    warn(reach::addresses(&checked, target.addresses()));
    folder.summary.run.insecure = checked.secure && plan.tls.insecure;
    let run = otlp_run(scenario, &folder.summary.run, &target);
    let mut telemetry = Telemetry::new(otlp, run);
    let controller = autoscale::controller(scenario, clock::wall())
        .transpose()
        .map_err(|wrong| Failure::Plan(anyhow::anyhow!(wrong)))?;
    let mut shifter = site.shifter(scenario).map(|(shifter, comparisons)| {
        session.comparisons = Some(comparisons);
        shifter
    });
    let source = LiveSource::start(plan, target, secrets, site, controller, interrupt).await;
    let mut source = source.map_err(Failure::Generator)?;
    let mut sinks: Vec<&mut dyn Sink> = vec![folder, &mut telemetry, view];
    sinks.extend(shifter.as_mut().map(|shifter| shifter as &mut dyn Sink));
    let driven = drive(&mut source, &mut session, &mut sinks).await;
    drop(source);
    view.clear();
    if telemetry.is_exporting() {
        view.step("exporting what is left", "");
    }
    let finished = tokio::task::spawn_blocking(move || telemetry.finish()).await;
    folder.summary.otlp = finished.unwrap_or(None);
    driven.map(|()| (session, shifter))
}

/// The run as receivers are to know it; when it started, the source tells.
fn otlp_run(scenario: &Scenario, run: &Run, target: &Target) -> OtlpRun {
    OtlpRun {
        id: run.id.clone(),
        scenario: scenario.name.clone(),
        version: run.version.clone(),
        started: SystemTime::UNIX_EPOCH,
        // The convention has one method: where a mix has several, that of its first request.
        method: scenario.requests.first().map(|first| first.method.clone()).unwrap_or_default(),
        server_address: target.name().to_owned(),
        server_port: target.port(),
        extra: Vec::new(),
    }
}

pub(super) fn refuse(error: &dyn std::error::Error) -> Exit {
    view::note(&format!("error: {error}"));
    Exit::Usage
}
