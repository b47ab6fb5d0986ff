//! Two deployments behind one endpoint, loaded in turns: one job, and a results folder of each side
//! as a run of it alone would have written it.
//!
//! One generator sends the whole load; each interval is shared out to the sides by what was asked,
//! which also tells whose a request is that nobody answered. No objective is judged: windows would
//! lie across the other side's turns. What is compared is decided later, from the folders.

mod share;

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result};
use plimsoll_domain::with_causes;
use plimsoll_loadgen::{LoadPlan, Target};
use plimsoll_study::interleave::{By, Interleaving, Side};

use super::conclude::{self, Ended};
use super::measured::Measured;
use super::secrets::Secrets;
use super::sink::{Folder, Sink, config};
use super::site::Site;
use super::source::{Interrupt, LiveSource, Source};
use super::{Cut, Failure, Printing, Session, plan, run};
use crate::exit::Exit;
use crate::results::summary::Interleaved;
use crate::results::{Event, EventKind};
use crate::scenario::{Deployed, Place, Request, Scenario};
use crate::view::{self, View};
use share::Share;

/// Two deployments, and the load that they share.
#[derive(Debug)]
pub(crate) struct Job {
    /// Where name, seed, requests and limits come from; its folder is where both sides have theirs.
    pub(crate) scenario: Scenario,
    /// The endpoint, and its deployments `base` and `new` in this order.
    pub(crate) deployed: Deployed,
    /// What is asked when, and of whom.
    pub(crate) interleaving: Interleaving,
}

impl Job {
    /// What is brought up and loaded: every request once for each side.
    fn whole(&self) -> Scenario {
        let of = |side: Side| {
            self.scenario.requests.iter().map(move |request| Request {
                name: format!("{} of {}", request.name, side.name()),
                weight: match (self.interleaving.by(), side) {
                    // A draw is for both; whose turn it is decides.
                    (By::Block, Side::New) => 0.0,
                    _ => request.weight,
                },
                deployment: Some(side.name().to_owned()),
                ..request.clone()
            })
        };
        let mut whole = self.scenario.clone();
        whole.requests = Side::BOTH.into_iter().flat_map(of).collect();
        whole.place = Place::Deployed(Box::new(self.deployed.clone()));
        whole.load.profile = self.interleaving.profile();
        (whole.objectives, whole.alerts) = (Vec::new(), Vec::new());
        whole
    }

    /// What one side gets.
    fn of(&self, side: Side) -> Scenario {
        let mut own = self.scenario.clone();
        let mut deployed = self.deployed.clone();
        deployed.deployments.retain(|deployment| deployment.name == side.name());
        deployed.traffic = [(side.name().to_owned(), 100)].into();
        own.place = Place::Deployed(Box::new(deployed));
        own.load.profile = self.interleaving.of(side);
        // The job gives up, not one side of it.
        own.load.give_up_after = None;
        (own.objectives, own.alerts) = (Vec::new(), Vec::new());
        own.folder = self.scenario.folder.as_ref().map(|folder| folder.join(side.name()));
        own
    }

    fn plan(&self, whole: &Scenario, site: &Site) -> Result<LoadPlan> {
        let requests = self.scenario.requests.len() as u16;
        let turn = |side: Option<Side>| if side == Some(Side::New) { requests } else { 0 };
        Ok(LoadPlan {
            turns: self.interleaving.turns().map(turn).collect(),
            // What is late is so for both sides, as the scenario says.
            counted: plimsoll_monitor::limits(&self.scenario.objectives, &self.scenario.alerts),
            ..plan::load(whole, site)?
        })
    }
}

/// What is known of one side while the load goes on.
struct Part {
    session: Session,
    folder: Folder,
    share: Share,
}

impl Part {
    fn new(job: &Job, side: Side, id: &str) -> Result<Self, crate::results::Error> {
        let own = job.of(side);
        let mut summary = run::begun(&own);
        summary.deployments = plan::deployments(&own);
        let seconds = |pair: &[Range<Duration>; 2]| {
            let range = &pair[side as usize];
            [range.start.as_secs_f64(), range.end.as_secs_f64()]
        };
        summary.interleaved = Some(Interleaved {
            job: id.to_owned(),
            side,
            by: job.interleaving.by(),
            blocks_s: job.interleaving.pairs().iter().map(seconds).collect(),
        });
        let folder = Folder::create(&own, summary)?;
        Ok(Self { session: Session::new(&own), folder, share: Share::new(&own, side) })
    }
}

/// Brings both sides up, loads them in turns, writes a folder of each, and removes both.
///
/// # Errors
/// No runtime, or no signals.
pub(crate) fn interleaved(job: &Job, printing: Printing) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the session's runtime")?;
    let ended = runtime.block_on(session(job, printing));
    runtime.shutdown_background();
    ended
}

async fn session(job: &Job, printing: Printing) -> Result<Exit> {
    let interrupt = Interrupt::listen().context("cannot listen for signals")?;
    let id = uuid::Uuid::new_v4().to_string();
    let [base, new] = Side::BOTH.map(|side| Part::new(job, side, &id));
    let mut parts = match (base, new) {
        (Ok(base), Ok(new)) => [base, new],
        (base, new) => {
            for error in [base.err(), new.err()].into_iter().flatten() {
                view::note(&format!("error: {error}"));
            }
            return Ok(Exit::Usage);
        }
    };
    let whole = job.whole();
    if !printing.quiet {
        view::note(&plan::load_in_words(&whole));
        if matches!(config(job.scenario.otlp.as_deref()), Ok(Some(_))) {
            view::note(&"note: nothing is exported: two deployments in turns are no service");
        }
    }
    let mut view = View::new(printing.quiet);
    let ended = Box::pin(on_site(job, &whole, &interrupt, &mut parts, &mut view)).await;
    view.clear();
    let closed = match ended {
        Ok(()) => Side::BOTH
            .into_iter()
            .zip(parts)
            .map(|(side, part)| {
                let measured = measured(job, side, part.session);
                conclude::close(&Ok(measured), part.folder)
            })
            .collect::<Vec<_>>(),
        Err(failure) => {
            view::note(&format!("error: {}", with_causes(&failure)));
            let ended: Ended = Err(failure);
            parts.into_iter().map(|part| conclude::close(&ended, part.folder)).collect()
        }
    };
    for loss in closed.iter().flat_map(|(_, losses)| losses) {
        view::note(&format!("error: {loss}"));
    }
    let exit = exit(closed.iter().map(|(exit, _)| *exit));
    interrupt.decided(exit);
    Ok(exit)
}

/// What both sides came to: a success if both have folders that can be looked at.
fn exit(exits: impl Iterator<Item = Exit>) -> Exit {
    let ends = |exit: &Exit| !matches!(exit, Exit::Success | Exit::Inconclusive | Exit::Breached);
    exits.filter(ends).max_by_key(|exit| exit.code()).unwrap_or(Exit::Success)
}

/// What one side measured. Its time is that of its own blocks.
fn measured(job: &Job, side: Side, session: Session) -> Measured {
    let mut measured = session.finish();
    let end = measured.report.whole.end;
    let blocks = job.interleaving.pairs().iter().map(|pair| &pair[side as usize]);
    let length = |range: &Range<Duration>| range.end.min(end).saturating_sub(range.start);
    measured.report.measured_time = blocks.map(length).sum();
    measured
}

/// Brings both up, loads them, and removes them again, whatever happened.
async fn on_site(
    job: &Job,
    whole: &Scenario,
    interrupt: &Interrupt,
    parts: &mut [Part; 2],
    view: &mut View,
) -> Result<(), Failure> {
    let mut site = run::bring_up(whole, view, interrupt).await?;
    let shown = plan::without_query(&site.url);
    for part in &mut *parts {
        let target = Event::new(0.0, EventKind::Deployment, format!("the target is {shown}"));
        part.folder.results.event(&target);
        part.folder.summary.run.target = Some(shown.clone());
    }
    let ended = load(job, whole, &mut site, interrupt, parts, view).await;
    let instances = site.instances_at_the_end(whole).await;
    for (side, part) in Side::BOTH.into_iter().zip(&mut *parts) {
        let own = instances.iter().filter(|instance| instance.deployment == side.name());
        part.folder.summary.instances = own.cloned().collect();
    }
    let host_is_gone = matches!(parts[0].session.cut, Cut::Lost(_));
    run::remove(site, whole, host_is_gone, interrupt, view).await;
    ended
}

async fn load(
    job: &Job,
    whole: &Scenario,
    site: &mut Site,
    interrupt: &Interrupt,
    parts: &mut [Part; 2],
    view: &mut View,
) -> Result<(), Failure> {
    let plan = job.plan(whole, site).map_err(Failure::Plan)?;
    let secrets = Secrets::of(whole, site);
    let target = tokio::select! {
        target = Target::resolve(&plan.url, &plan.tls) => {
            target.map_err(|error| Failure::Plan(error.into()))?
        }
        () = interrupt.stop.cancelled() => return Err(Failure::Interrupted),
    };
    let source = LiveSource::start(plan, target, secrets, site, interrupt).await;
    let mut source = source.map_err(Failure::Generator)?;
    let mut session = Session::new(whole);
    loop {
        let event = source.next().await;
        let is_last = event.is_last();
        for Part { session, folder, share } in &mut *parts {
            for output in session.handle(share.of(&event)) {
                folder.take(&output)?;
            }
        }
        for output in session.handle(event) {
            view.take(&output)?;
        }
        if is_last {
            return Ok(());
        }
        if session.needs_no_more() {
            source.stop();
        }
    }
}
