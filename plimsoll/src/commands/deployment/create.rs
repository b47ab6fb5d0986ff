//! `plimsoll deployment create`

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use plimsoll_deploy::arm::{ArmDriver, Error, Until};
use plimsoll_deploy::files::{FileKind, read_endpoint};

use super::{Doing, put, read};
use crate::commands::azure::{self, Failure, Printed, Waiting};
use crate::commands::check::{folder, script};
use crate::commands::given::Given;
use crate::commands::place::Place;
use crate::exit::Exit;
use crate::view::View;

/// `plimsoll deployment create`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The deployment file
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
    /// Names and keys over those in the file.
    #[command(flatten)]
    pub given: Given,
    /// Send all requests of the endpoint to it, once it is there
    #[arg(long, conflicts_with = "no_wait")]
    pub all_traffic: bool,
    /// Where it is.
    #[command(flatten)]
    pub place: Place,
    /// Whether its end is waited for.
    #[command(flatten)]
    pub waiting: Waiting,
    /// How it is printed.
    #[command(flatten)]
    pub printed: Printed,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    azure::drive_at(&args.place, async |view| create(args, view).await)
}

async fn create(args: &Args, view: &mut View) -> Result<(), Failure> {
    let document = azure::document(Some(&args.file), FileKind::Deployment, &args.given)?;
    let spec = azure::read(|problems| {
        let spec = read(&args.place, &document, folder(&args.file), problems)?;
        script::check(&spec, problems);
        Some(spec)
    })?;
    let driver = args.place.ensured(view).await?;
    let endpoint = &spec.endpoint_name;
    if !args.place.is_azure() {
        ensure_endpoint(&driver, endpoint, view).await?;
    }
    driver.deployment_is_new(endpoint, &spec.name).await?;
    let created = put(&driver, &spec, Doing::Creating, args.waiting.until(), view).await?;
    if args.all_traffic {
        view.step(&format!("sending all traffic to {}", spec.name), "");
        driver.set_traffic(endpoint, &BTreeMap::from([(spec.name.clone(), 100)])).await?;
    }
    args.printed.print_at(&args.place, view, created)
}

/// An endpoint with nothing but its name, unless there is one.
async fn ensure_endpoint(driver: &ArmDriver, name: &str, view: &View) -> Result<(), Failure> {
    match driver.endpoint(name).await {
        Ok(_) => return Ok(()),
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
    }
    let given = Given { name: Some(name.to_owned()), ..Given::default() };
    let document = azure::document(None, FileKind::Endpoint, &given)?;
    let spec = azure::read(|problems| read_endpoint(&document, problems))?;
    match driver.put_endpoint(&spec, Until::Done, &mut |line| view.line(line)).await {
        Ok(_) => {}
        // Somebody else was faster.
        Err(Error::Exists { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    view.line(format!("endpoint {name} was not there; created it, with keys"));
    Ok(())
}
