//! `plimsoll capacity`: the highest rate at which the objectives hold, as an interval.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use plimsoll_domain::units::parse_duration;
use plimsoll_monitor::{Indicator, Objective, Part};
use plimsoll_study::capacity::{Ending, FIRST_LOOK_S, MOST_LOOKS, Settings};

use super::outputs::StudyArgs;
use crate::exit::Exit;
use crate::report::capacity::{Found, page, text};
use crate::scenario::{self, Scenario};
use crate::session::{self, Asked, Searched};
use crate::view;

/// `plimsoll capacity SCENARIO`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A scenario file, or a folder with a `scenario.yml`; its stages only say where to begin
    pub scenario: PathBuf,
    /// Search in virtual time: nothing is brought up, and no request is sent; the deployments need
    /// `synthetic:` settings
    #[arg(long)]
    pub simulate: bool,
    /// The first rate, requests per second [default: a quarter of the scenario's highest]
    #[arg(long, value_name = "RPS", value_parser = above_zero)]
    pub start: Option<f64>,
    /// Try no higher rate [default: the scenario's ceiling, else 64 times the first]
    #[arg(long, value_name = "RPS", value_parser = above_zero)]
    pub max_rate: Option<f64>,
    /// How wide the interval may be, of its low end
    #[arg(long, default_value = "10%", value_name = "PERCENT", value_parser = percent)]
    pub width: f64,
    /// One minus the chance that the interval does not hold the true rate
    #[arg(long, default_value = "0.95", value_name = "SHARE", value_parser = confidence)]
    pub confidence: f64,
    /// Begin no step after so much load; the confirmation comes on top
    #[arg(long, default_value = "60m", value_name = "DURATION", value_parser = parse_duration)]
    pub time: Duration,
    /// Measure a step for at most so long: 32s, doubled as often as you like up to 1024s
    #[arg(long, default_value = "1024s", value_name = "DURATION", value_parser = looks)]
    pub step_max: u32,
    /// What every step settles for before it is measured
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = parse_duration)]
    pub settle: Duration,
    /// Take this seed instead of the scenario's
    #[arg(long)]
    pub seed: Option<u64>,
    /// Where the results go.
    #[command(flatten)]
    pub output: StudyArgs,
}

fn above_zero(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| *rate > 0.0 && *rate <= 1e7);
    rate.ok_or_else(|| "write requests per second above 0, such as 50".to_owned())
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let share = number.map(|number| number / 100.0).filter(|share| (0.02..=1.0).contains(share));
    share.ok_or_else(|| "write a percentage from 2% to 100%, such as 10%".to_owned())
}

fn confidence(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.8..=0.999).contains(share));
    share.ok_or_else(|| "write a share from 0.8 to 0.999, such as 0.95".to_owned())
}

fn looks(text: &str) -> Result<u32, String> {
    let given = parse_duration(text)?;
    let looks = 1..=MOST_LOOKS;
    let found =
        looks.into_iter().find(|looks| given == Duration::from_secs(FIRST_LOOK_S << (looks - 1)));
    found.ok_or_else(|| {
        "a step is looked at after 32s, 64s, 128s, 256s, 512s and 1024s: write one of these"
            .to_owned()
    })
}

pub(crate) fn run(args: &Args) -> Result<Exit> {
    let mut scenario = match scenario::read(&args.scenario) {
        Ok(scenario) => scenario,
        Err(problems) => {
            view::problems(&problems);
            return Ok(Exit::Usage);
        }
    };
    scenario.seed = args.seed.unwrap_or(scenario.seed);
    scenario.folder = args.output.out.clone().or(scenario.folder.take());
    let (asked, notes) = match prepare(args, scenario) {
        Ok(prepared) => prepared,
        Err(wrong) => {
            view::note(&format!("error: {wrong}"));
            return Ok(Exit::Usage);
        }
    };
    if args.simulate
        && let Err(reasons) = session::simulation(&asked.scenario)
    {
        for reason in reasons {
            view::note(&format!("error: {reason}"));
        }
        return Ok(Exit::Usage);
    }
    if !args.output.quiet {
        for note in &notes {
            view::note(&format!("note: {note}"));
        }
    }
    std::fs::create_dir_all(&asked.folder)
        .with_context(|| format!("`{}` cannot be made", asked.folder.display()))?;
    let searched = session::search(&asked)?;
    let exit = exit(&searched);
    let found = Found::new(&asked, searched, notes, exit.code());
    let write = |name: &str, content: &str| {
        let path = asked.folder.join(name);
        let content = plimsoll_domain::plain::text(content);
        std::fs::write(&path, content.as_bytes())
            .with_context(|| format!("`{}` cannot be written", path.display()))
    };
    write("capacity.json", &serde_json::to_string_pretty(&found)?)?;
    write("capacity.html", &page(&found).context("the page cannot be composed")?)?;
    if args.output.json {
        view::json(&found)?;
    } else {
        view::print(&text(&found));
        view::print(&format!("report: {}", asked.folder.join("capacity.html").display()));
    }
    Ok(exit)
}

/// What is known of it: see `benches/capacity` and CONTRIBUTING.md.
const MEASURED: &str = "on nine simulated servers whose highest rate is known, intervals of 0.95 held it in 1476 of 1484 \
                        searches; what differs between two starts of one endpoint is not in them";

/// What is to be searched, and what the user is to know of it.
fn prepare(args: &Args, mut scenario: Scenario) -> Result<(Asked, Vec<String>), String> {
    let mut notes = vec![MEASURED.to_owned()];
    if let Some(key) = unlike_a_step(&scenario) {
        return Err(format!(
            "each step of a search is one rate on endpoints that stay as they are; leave `{key}` out"
        ));
    }
    scenario.objectives = objectives(&scenario, &mut notes)?;
    let stages = scenario.load.profile.stages.iter();
    let peak = stages.fold(0.0, |most: f64, stage| most.max(stage.from_rps).max(stage.to_rps));
    let start_rps = args.start.unwrap_or(peak / 4.0);
    let ceiling = scenario.load.ceiling_rps.map(f64::from);
    let ceiling_rps = args.max_rate.or(ceiling).unwrap_or(64.0 * start_rps);
    if ceiling.is_some_and(|ceiling| ceiling_rps > ceiling) {
        return Err(
            "--max-rate is above the scenario's `ceiling_rps`, which protects the endpoint".into(),
        );
    }
    if start_rps > ceiling_rps {
        return Err(format!("--start {start_rps} is above the highest rate to try, {ceiling_rps}"));
    }
    if args.settle < Duration::from_secs(1) {
        return Err("--settle must be at least 1s".to_owned());
    }
    // A load that fails is seen by the looks, and its alerts are not what is asked.
    scenario.load.give_up_after = None;
    scenario.alerts.clear();
    scenario.until_decided = false;
    let settings = Settings {
        start_rps,
        ceiling_rps,
        floor_rps: (start_rps / 64.0).min(1.0),
        confidence: args.confidence,
        width: args.width,
        load_s: args.time.as_secs_f64(),
        looks: args.step_max,
        objectives: scenario.objectives.len() as u32,
        recheck: !args.simulate,
        ..Settings::default()
    };
    let folder = session::capacity_folder(&scenario, args.simulate)
        .map_err(|_| "the results folder cannot be made".to_owned())?;
    let quiet = args.output.quiet || args.output.json;
    let (settle, simulate) = (args.settle, args.simulate);
    Ok((Asked { scenario, settings, settle, simulate, quiet, folder }, notes))
}

/// What of a scenario changes the endpoint or the rate in mid-run.
fn unlike_a_step(scenario: &Scenario) -> Option<&'static str> {
    let load = &scenario.load;
    let keys = [
        ("autoscale", scenario.autoscale.is_some()),
        ("load.trace", load.trace.is_some()),
        ("traffic` and `mirror_traffic", !load.shift.is_empty()),
    ];
    keys.into_iter().find_map(|(key, is_there)| is_there.then_some(key))
}

/// The objectives as a search asks them: over each step, and of everything that is due in it.
fn objectives(scenario: &Scenario, notes: &mut Vec<String>) -> Result<Vec<Objective>, String> {
    let mut asked: Vec<Objective> = Vec::new();
    for objective in &scenario.objectives {
        if let Indicator::Goodput { per_second: true, .. } = objective.indicator() {
            return Err(format!(
                "objective `{objective}` does not hold at low rates, and a search needs what ceases to hold at \
                 high ones; write goodput as a share, such as `goodput >= 99% within 200ms`"
            ));
        }
        let stages = &scenario.load.profile.stages;
        let of_stage = objective.selectors().iter().find(|selector| {
            selector.part == Some(Part::Stage)
                || selector.part.is_none() && stages.iter().any(|stage| stage.name == selector.name)
        });
        if let Some(selector) = of_stage {
            return Err(format!(
                "objective `{objective}` is about the stage `{}`, and a search has its own; leave `of {selector}` out",
                selector.name
            ));
        }
        let over = objective.over_the_run();
        if over != *objective {
            notes.push(format!("`{objective}` is asked as `{over}` over each step"));
        }
        if !asked.contains(&over) {
            asked.push(over);
        }
    }
    if asked.is_empty() {
        return Err("the scenario has no objectives, so that every rate would do; write what must hold, such as \
                    `p99 < 200ms`"
            .to_owned());
    }
    Ok(asked)
}

/// How the command ends.
fn exit(searched: &Searched) -> Exit {
    if let Some((_, exit)) = &searched.failed {
        return *exit;
    }
    match searched.answer.ending {
        Ending::Found | Ending::Ceiling { met: true } => Exit::Success,
        Ending::NeverHolds | Ending::Degraded { .. } => Exit::Breached,
        Ending::Interrupted => Exit::Interrupted,
        Ending::Ceiling { met: false }
        | Ending::Spent
        | Ending::Generator { .. }
        | Ending::NotConfirmed { .. } => Exit::Inconclusive,
    }
}
