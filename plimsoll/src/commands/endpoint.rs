//! `plimsoll endpoint`: what `az ml online-endpoint` does, on this machine.

mod create;
mod delete;
mod get_credentials;
mod invoke;
mod list;
mod regenerate_keys;
mod show;
mod update;

use anyhow::Result;
use clap::{Args, Subcommand};
use plimsoll_deploy::arm::wire::{EndpointProperties, Resource};
use plimsoll_deploy::arm::{ArmDriver, Error};
use serde_json::Value;

use super::azure;
use super::help;
use super::place::Place;
use crate::exit::Exit;
use crate::shape;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create an endpoint, and start the local host if none runs
    #[command(after_help = help::ENDPOINT)]
    Create(create::Args),
    /// Show an endpoint
    Show(show::Args),
    /// Show all endpoints
    List(list::Args),
    /// Change an endpoint: its traffic, its tags, any key of its file
    #[command(after_help = help::ENDPOINT)]
    Update(update::Args),
    /// Delete an endpoint with all its deployments
    Delete(delete::Args),
    /// Send a request to an endpoint, and print the answer
    Invoke(invoke::Args),
    /// Print the keys of an endpoint, or a token for it
    GetCredentials(get_credentials::Args),
    /// Make up another key in the place of one
    RegenerateKeys(regenerate_keys::Args),
}

pub(crate) fn run(command: Command) -> Result<Exit> {
    match command {
        Command::Create(args) => create::run(&args),
        Command::Show(args) => show::run(&args),
        Command::List(args) => list::run(&args),
        Command::Update(args) => update::run(&args),
        Command::Delete(args) => delete::run(&args),
        Command::Invoke(args) => invoke::run(&args),
        Command::GetCredentials(args) => get_credentials::run(&args),
        Command::RegenerateKeys(args) => regenerate_keys::run(&args),
    }
}

/// Which endpoint.
#[derive(Debug, Args)]
pub struct Which {
    /// Name of the endpoint
    #[arg(short, long, value_parser = azure::name)]
    pub name: String,
    /// Where it is.
    #[command(flatten)]
    pub place: Place,
}

/// An endpoint as it is shown, with its deployments.
async fn shown(
    driver: &ArmDriver,
    resource: &Resource<EndpointProperties>,
) -> Result<Value, Error> {
    let name = resource.name.as_deref().unwrap_or_default();
    let deployments = driver.deployments(name).await?;
    let names: Vec<String> = deployments.into_iter().filter_map(|each| each.name).collect();
    Ok(shape::endpoint(resource, &names))
}
