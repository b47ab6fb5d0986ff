//! `plimsoll aa`: a deployment against itself, several times: what this machine makes up.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use plimsoll_domain::clock;
use plimsoll_study::calibrate::{Calibration, is_alarm};
use plimsoll_study::compare::Comparison;
use serde::Serialize;

use super::ab::{Ended, Sides, Trial, TurnArgs, beside, folder, read};
use super::compare::Asked;
use super::outputs::StudyArgs;
use crate::exit::Exit;
use crate::report::calibration;
use crate::results::new_default_dir;
use crate::session::Printing;
use crate::view;

/// What `--json` prints.
const JSON: &str = "calibration.json";

/// `plimsoll aa`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A scenario file, or a folder with a `scenario.yml`; it brings its own endpoint up
    pub scenario: PathBuf,
    /// How often it is compared with itself, 1 to 1000
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 10,
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub runs: u16,
    /// What is compared with itself, as `plimsoll ab` takes it [default: the scenario's only
    /// deployment]
    #[arg(long, value_name = "A")]
    pub base: Option<String>,
    /// How they take turns.
    #[command(flatten)]
    pub turns: TurnArgs,
    /// What is judged, and how strictly.
    #[command(flatten)]
    pub asked: Asked,
    /// Where the results go.
    #[command(flatten)]
    pub output: StudyArgs,
}

/// What `--json` prints: stable within its version.
#[derive(Debug, Serialize)]
struct Json<'a> {
    schema: &'static str,
    scenario: &'a str,
    /// Runs that were asked for.
    asked: u16,
    /// Runs that could not be compared, each with the reason.
    undecided: &'a [String],
    /// `null` if no run counts.
    #[serde(flatten)]
    calibration: Option<&'a Calibration>,
    exit_code: u8,
}

pub(crate) fn run(args: &Args) -> Result<Exit> {
    let scenario = match read(&args.scenario, &args.turns) {
        Ok(scenario) => scenario,
        Err(exit) => return Ok(exit),
    };
    let sides = match Sides::find(&scenario, args.base.as_deref(), args.base.as_deref()) {
        Ok(sides) => sides,
        Err(wrong) => {
            view::note(&format!("error: {wrong}"));
            return Ok(Exit::Usage);
        }
    };
    let given = args
        .output
        .out
        .clone()
        .or_else(|| scenario.folder.as_deref().map(|folder| beside(folder, "-aa")));
    let folder = match take(given, &scenario.name) {
        Ok(folder) => folder,
        Err(error) => {
            view::note(&format!("error: {error:#}"));
            return Ok(Exit::Usage);
        }
    };
    let trial = Trial { scenario: &scenario, sides: &sides, turns: args.turns.turns() };
    let Told { comparisons, undecided, failed } = all(&trial, args, &folder)?;
    let calibration = Calibration::of(&comparisons);
    let exit = failed.unwrap_or(match &calibration {
        Some(calibration) if !calibration.is_too_often() => Exit::Success,
        _ => Exit::Inconclusive,
    });
    let json = Json {
        schema: "plimsoll.calibration/v1",
        scenario: &scenario.name,
        asked: args.runs,
        undecided: &undecided,
        calibration: calibration.as_ref(),
        exit_code: exit.code(),
    };
    folder::write_json(&folder, JSON, &json)?;
    if args.output.json {
        view::json(&json)?;
    } else {
        let told =
            calibration::text(&scenario.name, calibration.as_ref(), undecided.len(), &comparisons);
        view::print(&told);
    }
    Ok(exit)
}

/// What all runs told.
#[derive(Debug, Default)]
struct Told {
    comparisons: Vec<Comparison>,
    /// Why runs do not count.
    undecided: Vec<String>,
    /// What ended the last one before its time.
    failed: Option<Exit>,
}

fn all(trial: &Trial<'_>, args: &Args, folder: &Path) -> Result<Told> {
    let printing = Printing { quiet: true, ..args.output.printing() };
    let mut all = Told::default();
    for index in 0..args.runs {
        let own = folder.join(format!("{:03}", index + 1));
        std::fs::create_dir(&own).with_context(|| format!("cannot make `{}`", own.display()))?;
        // Other arrivals and another order each time.
        let seed = trial.scenario.seed.wrapping_add(index.into());
        let ended = trial.run(seed, &own, &args.asked, printing)?;
        ended.write(&trial.scenario.name, &own)?;
        let told = match ended {
            Ended::Compared(compared) => {
                let told = alarm(&compared.comparison);
                all.comparisons.push(compared.comparison);
                told
            }
            Ended::Undecided(why) => {
                let told = format!("does not count: {why}");
                all.undecided.push(why);
                told
            }
            Ended::Failed(exit) => {
                all.failed = Some(exit);
                break;
            }
        };
        if !args.output.quiet {
            view::note(&format!("run {} of {}: {told}", index + 1, args.runs));
        }
    }
    Ok(all)
}

/// A new folder, or the one that is asked for if nothing is in it.
fn take(given: Option<PathBuf>, scenario: &str) -> Result<PathBuf> {
    let Some(folder) = given else {
        return Ok(new_default_dir(
            Path::new("results"),
            &format!("{scenario}-aa"),
            clock::wall(),
        )?);
    };
    let shown = folder.display();
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder `{shown}`"))?;
    let mut entries =
        std::fs::read_dir(&folder).with_context(|| format!("cannot list the folder `{shown}`"))?;
    if entries.next().is_some() {
        bail!("`{shown}` is not empty; give `--out` an empty or new folder");
    }
    Ok(folder)
}

/// What a run said, in words.
fn alarm(comparison: &Comparison) -> String {
    let alarms: Vec<String> = comparison
        .findings
        .iter()
        .filter(|finding| is_alarm(finding))
        .map(|finding| format!("{} {}", finding.metric, finding.answer.name()))
        .collect();
    if alarms.is_empty() {
        "no alarm".to_owned()
    } else {
        format!("a false alarm: {}", alarms.join(", "))
    }
}
