//! `plimsoll environment create`

use std::path::{Path, PathBuf};

use anyhow::Result;
use plimsoll_deploy::arm::AssetKind;
use plimsoll_deploy::files::read_environment;

use crate::commands::azure::{self, Failure, Printed};
use crate::commands::check::folder;
use crate::commands::place::Place;
use crate::commands::registered;
use crate::exit::Exit;
use crate::shape;
use crate::view::View;

/// `plimsoll environment create`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The environment file
    #[arg(short, long, value_name = "FILE", required_unless_present_all = ["name", "image"])]
    pub file: Option<PathBuf>,
    /// Name of the environment, over the one in the file
    #[arg(short, long)]
    pub name: Option<String>,
    /// Version, over the one in the file [default: the one after the latest]
    #[arg(short, long)]
    pub version: Option<String>,
    /// Container image, over the one in the file
    #[arg(short, long)]
    pub image: Option<String>,
    /// Conda file, over the one in the file
    #[arg(short, long, value_name = "FILE")]
    pub conda_file: Option<PathBuf>,
    /// Set keys of the file, such as `tags.team=prices`
    #[arg(long, num_args = 1.., value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Where it is.
    #[command(flatten)]
    pub place: Place,
    /// How it is printed.
    #[command(flatten)]
    pub printed: Printed,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    azure::drive_at(&args.place, async |view| create(args, view).await)
}

async fn create(args: &Args, view: &mut View) -> Result<(), Failure> {
    let conda = registered::absolute(args.conda_file.as_deref().map(Path::new))?;
    let flags = [
        ("--name", "name", args.name.as_deref()),
        ("--version", "version", args.version.as_deref()),
        ("--image", "image", args.image.as_deref()),
        ("--conda-file", "conda_file", conda.as_deref()),
    ];
    let document = registered::document(args.file.as_deref(), &args.set, flags)?;
    let base = args.file.as_deref().map_or(Path::new("."), folder);
    let mut environment = azure::read(|problems| read_environment(&document, base, problems))?;
    let name = environment.name.clone().expect("a file without one is refused");
    registered::check(AssetKind::Environment, &name, environment.version.as_deref())?;
    let driver = args.place.ensured(view).await?;
    if environment.version.is_none() {
        let next = registered::next_version(&driver, AssetKind::Environment, &name).await?;
        environment.version = Some(next);
    }
    view.step(&format!("registering environment {name}"), "");
    let created = driver.register_environment(&environment).await?;
    args.printed.print_at(&args.place, view, shape::asset(&name, &created))
}
