//! A search for the highest rate: its steps are sessions, each with its folder, on one site that stays
//! up, or in virtual time.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use plimsoll_domain::clock;
use plimsoll_domain::schedule::{Profile, Stage};
use plimsoll_domain::units::{format_duration, three_digits};
use plimsoll_monitor::ValidityState;
use plimsoll_study::capacity::{Answer, Load, Purpose, Search, Seen, Settings, State, Watch};

use super::measured::{Cut, Measured};
use super::run::{begun, bring_up, in_virtual_time, load, refuse, remove};
use super::sink::Folder;
use super::site::Site;
use super::source::Interrupt;
use super::{Failure, Session, conclude, plan};
use crate::exit::Exit;
use crate::scenario::Scenario;
use crate::view::View;

/// What is searched, and how.
pub(crate) struct Asked {
    /// What each step loads, but for its rate and length.
    pub(crate) scenario: Scenario,
    pub(crate) settings: Settings,
    /// What every step settles for before it is measured.
    pub(crate) settle: Duration,
    pub(crate) simulate: bool,
    pub(crate) quiet: bool,
    /// Where the steps' folders are.
    pub(crate) folder: PathBuf,
}

/// What came of a search.
#[derive(Debug)]
pub(crate) struct Searched {
    pub(crate) answer: Answer,
    /// The folder of each step.
    pub(crate) folders: Vec<String>,
    /// Why nothing more could be loaded, if it was that, and how that ends.
    pub(crate) failed: Option<(String, Exit)>,
}

/// Searches, and tells what is known at the end, whatever ended it.
pub(crate) fn search(asked: &Asked) -> Result<Searched> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the session's runtime")?;
    let searched = runtime.block_on(steps(asked));
    runtime.shutdown_background();
    searched
}

async fn steps(asked: &Asked) -> Result<Searched> {
    let interrupt = Interrupt::listen().context("cannot listen for signals")?;
    let mut view = View::new(asked.quiet);
    let mut run =
        Run { asked, search: Search::new(asked.settings), folders: Vec::new(), cut: None };
    let mut site = None;
    let brought = if asked.simulate {
        Ok(())
    } else {
        let brought = Box::pin(bring_up(&asked.scenario, &mut view, &interrupt)).await;
        brought.map(|brought| site = Some(brought))
    };
    let ended = match brought {
        Ok(()) => Box::pin(run.all(&mut site, &interrupt, &mut view)).await,
        Err(failure) => Err(failure),
    };
    if let Some(site) = site {
        let is_lost = matches!(run.cut, Some(Cut::Lost(_)));
        remove(site, &asked.scenario, is_lost, &interrupt, &mut view).await;
    }
    view.clear();
    let Run { mut search, folders, cut, .. } = run;
    if search.next().is_some() {
        search.interrupt();
    }
    let failed = match (ended, cut) {
        (Err(failure), _) => {
            let why = plimsoll_domain::with_causes(&failure);
            Some((why, conclude::exit(&Err(failure), &[])))
        }
        (Ok(()), Some(Cut::Lost(why))) => {
            Some((format!("the local host went away: {why}"), Exit::Deployment))
        }
        (Ok(()), Some(Cut::Failed(why))) => Some((why, Exit::Inconclusive)),
        (Ok(()), _) => None,
    };
    Ok(Searched { answer: search.answer(), folders, failed })
}

/// A search that goes on.
struct Run<'a> {
    asked: &'a Asked,
    search: Search,
    folders: Vec<String>,
    cut: Option<Cut>,
}

impl Run<'_> {
    async fn all(
        &mut self,
        site: &mut Option<Site>,
        interrupt: &Interrupt,
        view: &mut View,
    ) -> Result<(), Failure> {
        while let Some(load) = self.search.next() {
            self.tell(&load, view);
            let seen = Box::pin(self.step(&load, site, interrupt, view)).await?;
            if !self.asked.quiet {
                view.line(told(self.search.steps().len() + 1, &load, &seen));
            }
            self.search.observe(seen);
            if interrupt.stop.is_cancelled() {
                self.search.interrupt();
            }
        }
        Ok(())
    }

    /// What comes, and how long the search may still take.
    fn tell(&self, load: &Load, view: &mut View) {
        let left = (self.asked.settings.load_s - self.search.load_s()).max(0.0);
        let left = format_duration(Duration::from_secs(left as u64));
        let what = match load.purpose {
            Purpose::Search => format!("at most {left} of load are left"),
            Purpose::Recheck => "again, as an overload may have left something behind".to_owned(),
            Purpose::Confirm => "to confirm the low end".to_owned(),
        };
        let step = self.search.steps().len() + 1;
        view.step(&format!("step {step}: {}/s", three_digits(load.rate_rps)), &what);
    }

    async fn step(
        &mut self,
        load_of: &Load,
        site: &mut Option<Site>,
        interrupt: &Interrupt,
        view: &mut View,
    ) -> Result<Seen, Failure> {
        let scenario = self.scenario(load_of);
        let mut summary = begun(&scenario);
        if site.is_none() {
            summary = summary.simulated();
        }
        summary.deployments = plan::deployments(&scenario);
        let mut folder = Folder::create(&scenario, summary)
            .map_err(|error| Failure::Plan(anyhow::Error::new(error)))?;
        self.folders.push(folder.results.dir().display().to_string());
        let session = Session::watched(&scenario, Watch::new(&self.search));
        let mut meter = None;
        let ended = match site {
            Some(site) => {
                meter = site.meter(&scenario);
                let loading = load(&scenario, session, site, None, interrupt, &mut folder, view);
                Box::pin(loading).await.map(|(session, _)| session)
            }
            None => match super::simulation(&scenario) {
                Ok(run) => in_virtual_time(session, run, interrupt, &mut folder, view).await,
                Err(reasons) => Err(Failure::Plan(anyhow::anyhow!(reasons.join("; ")))),
            },
        };
        let session = ended?;
        let (measured, mut seen) = session.finish_watched();
        limit(&mut seen, &measured);
        seen.used = meter.and_then(|meter| meter.finish(load_of.rate_rps));
        if measured.cut != Cut::None {
            self.cut = Some(measured.cut.clone());
        }
        conclude::keep(&Ok(measured), folder);
        Ok(seen)
    }

    /// The scenario of a step: its own rate, length, seed and folder.
    fn scenario(&self, load: &Load) -> Scenario {
        let mut scenario = self.asked.scenario.clone();
        let step = self.search.steps().len() + 1;
        // The last interval shows that the one before is whole.
        let length = Duration::from_secs(load.longest_s + 1);
        scenario.load.profile = Profile::new(vec![
            Stage::hold("settle", load.rate_rps, self.asked.settle).as_warmup(),
            Stage::hold("hold", load.rate_rps, length),
        ]);
        // Nothing is judged twice by the same arrivals.
        scenario.seed = scenario.seed.wrapping_add((step as u64) << 32);
        let name = format!("step-{step:02}-{}rps", three_digits(load.rate_rps));
        scenario.folder = Some(self.asked.folder.join(name));
        scenario
    }
}

/// A step of which the generator could not do what was asked says nothing of the endpoint.
fn limit(seen: &mut Seen, measured: &Measured) {
    let validity = &measured.report.validity;
    if measured.cut == Cut::None && validity.state == ValidityState::Invalid {
        seen.state = State::Limited(validity.reasons.join("; "));
    }
}

fn told(number: usize, load: &Load, seen: &Seen) -> String {
    let step = plimsoll_study::capacity::Step {
        purpose: load.purpose,
        rate_rps: load.rate_rps,
        seen: seen.clone(),
    };
    let what = match &seen.state {
        State::Judged => step.verdict().name().to_owned(),
        State::Overloaded => "breached: the backlog only grows".to_owned(),
        State::Limited(why) => format!("says nothing: {why}"),
        State::Cut => "cut".to_owned(),
    };
    let ms = |value: Option<f64>| {
        value.map_or("∞".to_owned(), |ms| format!("{} ms", three_digits(ms)))
    };
    format!(
        "step {number}: {}/s {what} after {} s (p50 {}, p99 {}, 429 {} %)",
        three_digits(load.rate_rps),
        seen.measured_s,
        ms(seen.point.p50_ms),
        ms(seen.point.p99_ms),
        three_digits(seen.point.refused() * 100.0),
    )
}

/// A folder for a search, beside those of runs.
pub(crate) fn folder(scenario: &Scenario, simulate: bool) -> Result<PathBuf, Exit> {
    if let Some(given) = &scenario.folder {
        return Ok(given.clone());
    }
    let kind = if simulate { "-simulated" } else { "" };
    let name = format!("{}-capacity{kind}", scenario.name);
    crate::results::new_default_dir(std::path::Path::new("results"), &name, clock::wall())
        .map_err(|error| refuse(&error))
}
