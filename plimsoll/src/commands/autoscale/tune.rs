//! `plimsoll autoscale tune`: which values of rules hold the objectives for the fewest instance-hours.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use plimsoll_document::Problems;
use plimsoll_domain::{clock, plain};
use plimsoll_study::tune::Reason;

use crate::exit::Exit;
use crate::report::tune::{Found, page, text};
use crate::results::new_default_dir;
use crate::scenario::{self, Scenario};
use crate::tune::{Asked, Editable, bounds, tune};
use crate::{session, view};

/// `plimsoll autoscale tune SCENARIO --within BOUNDS.yml`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A scenario file, or a folder with a `scenario.yml`: its rules are tuned, in virtual time; the
    /// deployments need `synthetic:` settings
    pub scenario: PathBuf,
    /// What may be changed in the rules, and the loads to try it on (`plimsoll schema tune-bounds`)
    #[arg(long, value_name = "BOUNDS.yml")]
    pub within: PathBuf,
    /// Trials, each of one candidate on one load, that may be spent
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub budget: u32,
    /// Candidates of a generation: half of them are cut before they are tried on every load
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub generation: u32,
    /// Take this seed instead of the scenario's
    #[arg(long)]
    pub seed: Option<u64>,
    /// Folder for the results [default: results/<name>-tune-<time>]
    #[arg(short, long, value_name = "DIR", conflicts_with = "resume")]
    pub out: Option<PathBuf>,
    /// Go on with a search that was broken off, in its folder
    #[arg(long, value_name = "DIR")]
    pub resume: Option<PathBuf>,
    /// Print what tune.json says instead of text
    #[arg(long)]
    pub json: bool,
    /// Print no progress, only the answer
    #[arg(short, long)]
    pub quiet: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let asked = match prepare(args) {
        Ok(asked) => asked,
        Err(Wrong::Files(problems)) => {
            view::problems(&problems);
            return Ok(Exit::Usage);
        }
        Err(Wrong::Scenario(reasons)) => {
            for reason in &reasons {
                view::note(&format!("error: {reason}"));
            }
            return Ok(Exit::Usage);
        }
    };
    let tuned = session::interruptible(|stop, abort| tune(&asked, stop, abort))??;
    let Some(tuned) = tuned else {
        let folder = asked.folder.display();
        view::note(&format!("interrupted; `--resume {folder}` goes on"));
        return Ok(Exit::Interrupted);
    };
    // The choice was made on other arrivals than those that say whether it holds.
    let holds = tuned.choice.is_some_and(|choice| {
        let shown = tuned.front[choice.place].tried.held_out;
        shown.violation_s <= asked.bounds.allowed.as_secs_f64()
    });
    let exit = match tuned.choice.map(|choice| choice.reason) {
        _ if tuned.interrupted => Exit::Interrupted,
        Some(Reason::Cheapest) if holds => Exit::Success,
        Some(Reason::Cheapest | Reason::LeastViolation) => Exit::Breached,
        None => Exit::Inconclusive,
    };
    let found = Found::new(&asked, &tuned, exit.code());
    let write = |name: &str, content: &str| {
        let path = asked.folder.join(name);
        std::fs::write(&path, content.as_bytes())
            .with_context(|| format!("`{}` cannot be written", path.display()))
    };
    if let Some(rules) = &tuned.text {
        write(&rules_name(&asked), rules)?;
    }
    write("tune.json", &plain::text(&serde_json::to_string_pretty(&found)?))?;
    let page = page(&found, &tuned).context("the page cannot be composed")?;
    write("tune.html", &plain::text(&page))?;
    if args.json {
        view::json(&found)?;
        return Ok(exit);
    }
    view::print(&text(&found));
    if tuned.text.is_some() {
        view::print(&format!("rules: {}", asked.folder.join(rules_name(&asked)).display()));
    }
    view::print(&format!("report: {}", asked.folder.join("tune.html").display()));
    Ok(exit)
}

/// The chosen rules have the name of those that there are.
fn rules_name(asked: &Asked) -> String {
    let name = Path::new(asked.rules.file()).file_name();
    name.map_or_else(|| "rules".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// What is wrong.
enum Wrong {
    Files(Problems),
    Scenario(Vec<String>),
}

fn prepare(args: &Args) -> Result<Asked, Wrong> {
    let mut scenario = scenario::read(&args.scenario).map_err(Wrong::Files)?;
    let one = |what: &str| Wrong::Scenario(vec![what.to_owned()]);
    let Some(autoscale) = &scenario.autoscale else {
        return Err(one("the scenario has no `autoscale`, so that there are no rules to tune"));
    };
    let rules = Editable::open(&autoscale.file).map_err(Wrong::Files)?;
    only_windows(&mut scenario).map_err(|what| one(&what))?;
    session::simulation(&scenario).map_err(|reasons| {
        Wrong::Scenario(reasons.into_iter().map(|one| one.replace("--simulate: ", "")).collect())
    })?;
    let bounds = bounds::read(&args.within, &rules).map_err(Wrong::Files)?;
    for load in bounds.traces.iter().chain(&bounds.held_out) {
        if let Err(wrong) = scenario.clone().replay_as(&load.file, load.speed, load.scale) {
            let mut problems = Problems::new();
            problems.push(bounds.document.problem_at(&load.at, wrong));
            return Err(Wrong::Files(problems));
        }
    }
    let seed = args.seed.unwrap_or(scenario.seed);
    let cannot = |error: &dyn std::fmt::Display| one(&error.to_string());
    let folder = match (&args.resume, &args.out) {
        (Some(given), _) => given.clone(),
        (None, Some(given)) => {
            std::fs::create_dir_all(given)
                .map_err(|error| one(&format!("`{}` cannot be made: {error}", given.display())))?;
            given.clone()
        }
        (None, None) => {
            let name = format!("{}-tune", scenario.name);
            new_default_dir(Path::new("results"), &name, clock::wall())
                .map_err(|error| cannot(&error))?
        }
    };
    Ok(Asked {
        scenario,
        rules,
        bounds,
        seed,
        budget: args.budget as usize,
        generation: args.generation as usize,
        folder,
        resume: args.resume.is_some(),
        quiet: args.quiet || args.json,
    })
}

/// What violates is a window: objectives over the run and alerts are not asked, and nothing ends a load
/// before its time.
fn only_windows(scenario: &mut Scenario) -> Result<(), String> {
    scenario.objectives.retain(|objective| objective.window().is_some());
    if scenario.objectives.is_empty() {
        return Err(
            "there is nothing that rules could violate: the scenario needs an objective in \
                    windows, such as `p95 < 200ms in every 1m`"
                .to_owned(),
        );
    }
    scenario.alerts.clear();
    scenario.load.give_up_after = None;
    scenario.until_decided = false;
    Ok(())
}
