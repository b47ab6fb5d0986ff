//! `plimsoll deployment`: what `az ml online-deployment` does, on this machine.

mod create;
mod delete;
mod get_logs;
mod list;
mod show;
mod update;

use std::path::Path;

use anyhow::Result;
use clap::{Args, Subcommand};
use plimsoll_deploy::arm::{ArmDriver, Until};
use plimsoll_deploy::files::read_deployment;
use plimsoll_deploy::spec::DeploymentSpec;
use plimsoll_document::{Document, Problems};

use super::azure::{self, Failure};
use super::help;
use super::place::Place;
use crate::exit::Exit;
use crate::view::View;
use crate::{files, shape};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a deployment, and its endpoint if there is none
    #[command(after_help = help::DEPLOYMENT)]
    Create(create::Args),
    /// Show a deployment
    Show(show::Args),
    /// Show all deployments of an endpoint
    List(list::Args),
    /// Change a deployment: the number of its instances, its code, any key of its file
    #[command(after_help = help::DEPLOYMENT)]
    Update(update::Args),
    /// Delete a deployment, which no traffic may go to
    Delete(delete::Args),
    /// Print the last lines of the logs of its instances
    GetLogs(get_logs::Args),
}

pub(crate) fn run(command: Command) -> Result<Exit> {
    match command {
        Command::Create(args) => create::run(&args),
        Command::Show(args) => show::run(&args),
        Command::List(args) => list::run(&args),
        Command::Update(args) => update::run(&args),
        Command::Delete(args) => delete::run(&args),
        Command::GetLogs(args) => get_logs::run(&args),
    }
}

/// Which deployment.
#[derive(Debug, Args)]
pub struct Which {
    /// Name of the deployment
    #[arg(short, long, value_parser = azure::name)]
    pub name: String,
    /// Name of its endpoint
    #[arg(short, long, alias = "endpoint", value_name = "NAME", value_parser = azure::name)]
    pub endpoint_name: String,
    /// Where it is.
    #[command(flatten)]
    pub place: Place,
}

/// What is done to a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Creating,
    Updating,
}

/// Reads a deployment file, with what this machine has to say of it if it is to run here.
fn read(
    place: &Place,
    document: &Document,
    base: &Path,
    problems: &mut Problems,
) -> Option<DeploymentSpec> {
    if !place.is_azure() {
        return files::deployment_for_host(document, base, problems);
    }
    let spec = read_deployment(document, base, problems)?;
    if spec.synthetic.is_some() {
        let problem = document.problem_at_key("/synthetic", "Azure runs no synthetic deployments");
        problems.push(problem.hint("give it a model, or leave out --target azure".to_owned()));
    }
    Some(spec)
}

/// Makes a deployment what `spec` says, and tells what goes on meanwhile.
async fn put(
    driver: &ArmDriver,
    spec: &DeploymentSpec,
    doing: Doing,
    until: Until,
    view: &mut View,
) -> Result<serde_json::Value, Failure> {
    let DeploymentSpec { name, endpoint_name, instance_count, instance_type, .. } = spec;
    let word = format!("{doing:?}").to_lowercase();
    let what = format!("{word} deployment {name} ({instance_count} × {instance_type})");
    view.step(&what, "");
    let mut progress = |line: String| view.step(&what, &line);
    let put = match doing {
        Doing::Creating => driver.put_deployment(spec, until, &mut progress).await,
        Doing::Updating => driver.update_deployment(spec, until, &mut progress).await,
    };
    match put {
        Ok(resource) => Ok(shape::deployment(endpoint_name, &resource)),
        Err(error) => Err(azure::deployment_failed(driver, endpoint_name, name, error).await),
    }
}
