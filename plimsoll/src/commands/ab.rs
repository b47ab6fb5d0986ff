//! `plimsoll ab`: two deployments at once under one load, in turns, and whether the new one is
//! slower.

pub(super) mod folder;
mod git;
mod side;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use plimsoll_deploy::spec::DeploymentSpec;
use plimsoll_domain::units::parse_duration;
use plimsoll_study::compare::LEAST_PAIRS;
use plimsoll_study::interleave::{BLOCK, By, Interleaving, PAIRS, SETTLE, Side, Turns};

use super::compare::{Asked, compared, exit};
use super::outputs::StudyArgs;
use crate::exit::Exit;
use crate::report::comparison::{self, Compared};
use crate::results::recording::Recording;
use crate::scenario::{Deployed, Place, Scenario};
use crate::session::{Job, Printing};
use crate::{scenario, session, view};
use side::Sided;

/// `plimsoll ab`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A scenario file, or a folder with a `scenario.yml`; it brings its own endpoint up
    pub scenario: PathBuf,
    /// What it was: a deployment file, a folder with one or with a scoring script, a model, the name
    /// of one of the scenario's deployments, or any of these files as it was in git, `git:REV:PATH`
    /// [default: the scenario's only deployment]
    #[arg(long, value_name = "A")]
    pub base: Option<String>,
    /// What is to be: as `--base`
    #[arg(long, value_name = "B")]
    pub new: String,
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

/// How two sides take turns, as it is asked for.
#[derive(Debug, Clone, clap::Args)]
pub struct TurnArgs {
    /// What takes turns. By block each side gets the scenario's load whole, in pieces beside those of
    /// the other; by request each gets half of it, at once
    #[arg(long, value_enum, default_value = "block")]
    pub by: Split,
    /// How long a block is measured, about: long against the time in which a queue forgets (at a load
    /// of 0.8 some 90 service times), so that neighbouring blocks say things of their own [default:
    /// 10s]
    #[arg(long, value_name = "DURATION", value_parser = block)]
    pub block: Option<Duration>,
    /// How long a block is loaded before it is measured; longer than the other side's last requests
    /// take [default: 2s]
    #[arg(long, value_name = "DURATION", value_parser = block)]
    pub settle: Option<Duration>,
    /// The load is repeated until there are so many pairs of blocks, 8 to 1000
    #[arg(long, value_name = "COUNT", default_value_t = PAIRS, value_parser = pairs)]
    pub pairs: usize,
    /// Take this seed instead of the scenario's
    #[arg(long)]
    pub seed: Option<u64>,
}

/// What takes turns.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Split {
    /// Blocks of time.
    Block,
    /// Requests.
    Request,
}

fn block(text: &str) -> Result<Duration, String> {
    const WITHIN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(1);
    let length = parse_duration(text)?;
    let fits = WITHIN.contains(&length);
    fits.then_some(length).ok_or_else(|| "write from 1s to 1h".to_owned())
}

fn pairs(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (LEAST_PAIRS..=1_000).contains(count));
    count.ok_or_else(|| {
        format!("write from {LEAST_PAIRS}, below which nothing can be shown at 99 %, to 1000")
    })
}

impl TurnArgs {
    pub(super) fn turns(&self) -> Turns {
        Turns {
            by: match self.by {
                Split::Block => By::Block,
                Split::Request => By::Request,
            },
            block: self.block.unwrap_or(BLOCK),
            settle: self.settle.unwrap_or(SETTLE),
            pairs: self.pairs,
        }
    }
}

pub(crate) fn run(args: Args) -> Result<Exit> {
    let scenario = match read(&args.scenario, &args.turns) {
        Ok(scenario) => scenario,
        Err(exit) => return Ok(exit),
    };
    let sides = match Sides::find(&scenario, args.base.as_deref(), Some(&args.new)) {
        Ok(sides) => sides,
        Err(wrong) => {
            view::note(&format!("error: {wrong}"));
            return Ok(Exit::Usage);
        }
    };
    let printing = args.output.printing();
    let given =
        args.output.out.or_else(|| scenario.folder.as_deref().map(|folder| beside(folder, "-ab")));
    let folder = match folder::take(given, &format!("{}-ab", scenario.name)) {
        Ok(folder) => folder,
        Err(error) => {
            view::note(&format!("error: {error}"));
            return Ok(Exit::Usage);
        }
    };
    let trial = Trial { scenario: &scenario, sides: &sides, turns: args.turns.turns() };
    let ended = trial.run(scenario.seed, &folder, &args.asked, printing)?;
    let exit = ended.write(&scenario.name, &folder)?;
    ended.print(&scenario.name, &folder, printing.json)?;
    Ok(exit)
}

/// The scenario, with what the command line says instead.
pub(super) fn read(path: &Path, turns: &TurnArgs) -> Result<Scenario, Exit> {
    let mut scenario = scenario::read(path).map_err(|problems| {
        view::problems(&problems);
        Exit::Usage
    })?;
    if let Some(seed) = turns.seed {
        scenario.seed = seed;
    }
    Ok(scenario)
}

/// The scenario's folder holds runs of it alone.
pub(super) fn beside(folder: &Path, ending: &str) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    folder.with_file_name(name)
}

/// Both deployments, alike in all that is not compared.
#[derive(Debug)]
pub(super) struct Sides {
    deployed: Deployed,
    notes: Vec<String>,
    /// Kept until both are removed.
    _found: [Sided; 2],
}

impl Sides {
    /// Finds both.
    ///
    /// # Errors
    /// What cannot be brought up, and what would.
    pub(super) fn find(
        scenario: &Scenario,
        base: Option<&str>,
        new: Option<&str>,
    ) -> Result<Self, String> {
        let Place::Deployed(deployed) = &scenario.place else {
            return Err("two deployments can be compared in turns only where both are brought up \
                        for it: the scenario has a `target`; give it `endpoint` and `deployments` \
                        instead, or compare two runs with `plimsoll compare`"
                .to_owned());
        };
        alike(scenario)?;
        let found =
            [side::find(base, Side::Base, deployed)?, side::find(new, Side::New, deployed)?];
        let [base, new] = found.each_ref().map(|sided| &sided.spec);
        let mut notes: Vec<_> = Side::BOTH
            .into_iter()
            .zip(&found)
            .map(|(side, sided)| format!("{}: {}", side.name(), sided.told))
            .collect();
        let instances = base.instance_count;
        if new.instance_count != instances {
            notes.push(format!(
                "note: both sides get {instances} instances, as the base says; the new one says {}",
                new.instance_count
            ));
        }
        let named = |side: Side, spec: &DeploymentSpec| DeploymentSpec {
            name: side.name().to_owned(),
            endpoint_name: deployed.endpoint.name.clone(),
            instance_count: instances,
            ..spec.clone()
        };
        let deployments = vec![named(Side::Base, base), named(Side::New, new)];
        // Every request names its side; the weights decide nothing.
        let traffic = Side::BOTH.map(|side| (side.name().to_owned(), 50)).into();
        let deployed = Deployed { endpoint: deployed.endpoint.clone(), deployments, traffic };
        Ok(Self { deployed, notes, _found: found })
    }
}

/// Whether both sides can get the same.
fn alike(scenario: &Scenario) -> Result<(), String> {
    if scenario.autoscale.is_some() {
        return Err("two deployments are compared with the same instances all the while; leave \
                        `autoscale` out"
            .to_owned());
    }
    if scenario.load.trace.is_some() {
        return Err("the sides take turns under `stages`, and the scenario replays a `trace`: \
                        give it `stages` instead"
            .to_owned());
    }
    if !scenario.load.shift.is_empty() {
        return Err(
            "the scenario's stages shift the traffic, but here both sides get the same; leave \
                        `traffic` and `mirror_traffic` out of the stages"
                .to_owned(),
        );
    }
    if let Some(request) = scenario.requests.iter().find(|one| one.deployment.is_some()) {
        return Err(format!(
            "request `{}` names a `deployment`, but here each is sent to both sides; leave \
                 `deployment` out",
            request.name
        ));
    }
    let own = |name: &&String| name.eq_ignore_ascii_case("azureml-model-deployment");
    let chosen = |one: &scenario::Request| one.headers.iter().any(|(name, _)| own(&name));
    if scenario.requests.iter().any(chosen) {
        return Err("a request has the header `azureml-model-deployment`, which here sends each \
                        to its side; leave it out"
            .to_owned());
    }
    Ok(())
}

/// One job: two deployments, and how they take turns.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) sides: &'a Sides,
    pub(super) turns: Turns,
}

/// How a job ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// With a comparison.
    Compared(Box<Compared>),
    /// Both sides were loaded, and nothing can be said.
    Undecided(String),
    /// Without two folders to look at; it was told why.
    Failed(Exit),
}

impl Trial<'_> {
    /// Brings both up, loads them, removes them, and compares what they did.
    ///
    /// # Errors
    /// Something that should not happen.
    pub(super) fn run(
        &self,
        seed: u64,
        folder: &Path,
        asked: &Asked,
        printing: Printing,
    ) -> Result<Ended> {
        let profile = &self.scenario.load.profile;
        let interleaving = match Interleaving::new(profile, self.turns, seed) {
            Ok(interleaving) => interleaving,
            Err(problem) => {
                view::note(&format!("error: {problem}"));
                return Ok(Ended::Failed(Exit::Usage));
            }
        };
        if !printing.quiet {
            self.sides.notes.iter().for_each(view::note);
            view::note(&sentence(&interleaving, &self.sides.deployed));
        }
        let job = Job {
            scenario: Scenario { seed, folder: Some(folder.to_owned()), ..self.scenario.clone() },
            deployed: self.sides.deployed.clone(),
            interleaving,
        };
        let measured = session::interleaved(&job, printing)?;
        if measured != Exit::Success {
            return Ok(Ended::Failed(measured));
        }
        let read = |side: Side| Recording::read(&folder.join(side.name()));
        let compared = match (read(Side::Base), read(Side::New)) {
            (Ok(base), Ok(new)) => compared(vec![base], vec![new], asked.settings(true)),
            (base, new) => {
                let refused = [base.err(), new.err()].into_iter().flatten();
                Err(refused.map(|error| error.to_string()).collect::<Vec<_>>().join("; "))
            }
        };
        Ok(match compared {
            Ok(compared) => Ended::Compared(Box::new(compared)),
            Err(why) => Ended::Undecided(why),
        })
    }
}

/// How the sides take turns, in words.
fn sentence(interleaving: &Interleaving, deployed: &Deployed) -> String {
    let pairs = interleaving.pairs();
    let length = pairs[0][0].end.saturating_sub(pairs[0][0].start);
    let what = match interleaving.by() {
        By::Block => "in turns, each with the scenario's whole load",
        By::Request => "at once, each with half of the scenario's load",
    };
    format!(
        "turns: {} pairs of blocks of about {}, {what}; {} instances on each side",
        pairs.len(),
        plimsoll_domain::units::format_duration(length),
        deployed.deployments[0].instance_count
    )
}

impl Ended {
    /// Writes the comparison into the folder; how the command ends.
    pub(super) fn write(&self, scenario: &str, folder: &Path) -> Result<Exit> {
        match self {
            Self::Compared(compared) => {
                let page = comparison::page(compared).context("the page cannot be composed")?;
                let junit = comparison::junit(compared).context("no JUnit file")?;
                folder::write(folder, folder::PAGE, &page)?;
                folder::write(folder, folder::JUNIT, &junit)?;
                folder::write(folder, folder::MARKDOWN, &comparison::markdown(compared))?;
                folder::write_json(folder, folder::JSON, &compared.json())?;
                Ok(exit(compared.comparison.answer))
            }
            Self::Undecided(reason) => {
                let undecided = undecided(scenario, reason, Exit::Inconclusive);
                folder::write(folder, folder::JUNIT, &undecided.junit()?)?;
                folder::write(folder, folder::MARKDOWN, &undecided.markdown())?;
                folder::write_json(folder, folder::JSON, &undecided.json())?;
                Ok(Exit::Inconclusive)
            }
            Self::Failed(exit) => Ok(*exit),
        }
    }

    fn print(&self, scenario: &str, folder: &Path, json: bool) -> Result<()> {
        match self {
            Self::Compared(compared) if json => view::json(&compared.json())?,
            Self::Compared(compared) => {
                view::print(&comparison::text(compared));
                view::print(&format!("report: {}", folder.join(folder::PAGE).display()));
            }
            Self::Undecided(reason) if json => {
                view::json(&undecided(scenario, reason, Exit::Inconclusive).json())?;
            }
            Self::Undecided(reason) => {
                view::print(&format!("{scenario}: inconclusive: {reason}"));
            }
            Self::Failed(exit) if json && *exit != Exit::Usage => {
                let reason = "it could not be measured to its end; standard error says why";
                view::json(&undecided(scenario, reason, *exit).json())?;
            }
            Self::Failed(_) => {}
        }
        Ok(())
    }
}

fn undecided(scenario: &str, reason: &str, exit: Exit) -> comparison::Undecided {
    comparison::Undecided {
        scenario: scenario.to_owned(),
        reason: reason.to_owned(),
        exit_code: exit.code(),
    }
}
