//! `plimsoll deployment update`
//!
//! The whole deployment is sent again: with a file what the file says, without one the deployment as
//! it is with what `--set` changes.

use std::path::{Path, PathBuf};

use anyhow::Result;
use plimsoll_deploy::files::{FileKind, read_deployment};

use super::{Doing, put, read};
use crate::commands::azure::{self, Failure, Printed, Waiting};
use crate::commands::check::{folder, script};
use crate::commands::given::Given;
use crate::commands::place::Place;
use crate::exit::Exit;
use crate::shape;
use crate::view::View;

/// `plimsoll deployment update`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The deployment file
    #[arg(short, long, value_name = "FILE", required_unless_present_all = ["name", "endpoint_name"])]
    pub file: Option<PathBuf>,
    /// Names and keys over those in the file, or over those of the deployment as it is.
    #[command(flatten)]
    pub given: Given,
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
    azure::drive_at(&args.place, async |view| update(args, view).await)
}

/// A name that the command line requires where there is no file.
fn named(name: Option<&String>) -> Result<String, Failure> {
    let name = name.expect("the command line requires it");
    azure::name(name).map_err(|fault| Failure::Usage(format!("`{name}` is no name: {fault}")))
}

async fn update(args: &Args, view: &mut View) -> Result<(), Failure> {
    let given = &args.given;
    let (driver, spec) = if let Some(file) = &args.file {
        let document = azure::document(Some(file), FileKind::Deployment, given)?;
        let spec = azure::read(|problems| {
            let spec = read(&args.place, &document, folder(file), problems)?;
            script::check(&spec, problems);
            Some(spec)
        })?;
        let driver = args.place.driver().await?;
        driver.deployment(&spec.endpoint_name, &spec.name).await?;
        (driver, spec)
    } else {
        if given.set.is_empty() {
            let wrong = "nothing says what to change; give --set or --file";
            return Err(Failure::Usage(wrong.to_owned()));
        }
        let (name, endpoint) = (named(given.name.as_ref())?, named(given.endpoint_name.as_ref())?);
        let driver = args.place.driver().await?;
        let current = driver.deployment(&endpoint, &name).await?;
        let shape = shape::deployment_file(&endpoint, &current);
        let what = format!("deployment `{name}`");
        let document = azure::as_it_is(&what, &shape, FileKind::Deployment, given)?;
        let spec = azure::read(|problems| read_deployment(&document, Path::new("."), problems))?;
        (driver, spec)
    };
    let updated = put(&driver, &spec, Doing::Updating, args.waiting.until(), view).await?;
    args.printed.print_at(&args.place, view, updated)
}
