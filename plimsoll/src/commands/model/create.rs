//! `plimsoll model create`

use std::path::{Path, PathBuf};

use anyhow::Result;
use plimsoll_deploy::arm::AssetKind;
use plimsoll_deploy::files::read_model;

use crate::commands::azure::{self, Failure, Printed};
use crate::commands::check::folder;
use crate::commands::place::Place;
use crate::commands::registered;
use crate::exit::Exit;
use crate::shape;
use crate::view::View;

/// `plimsoll model create`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model file
    #[arg(short, long, value_name = "FILE", required_unless_present_all = ["name", "path"])]
    pub file: Option<PathBuf>,
    /// Name of the model, over the one in the file
    #[arg(short, long)]
    pub name: Option<String>,
    /// Version, over the one in the file [default: the one after the latest]
    #[arg(short, long)]
    pub version: Option<String>,
    /// File or folder of the model, over the one in the file
    #[arg(short, long, value_name = "PATH")]
    pub path: Option<String>,
    /// `custom_model`, `mlflow_model` or `triton_model`
    #[arg(short = 't', long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
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
    let path = registered::absolute(args.path.as_deref().map(Path::new))?;
    let flags = [
        ("--name", "name", args.name.as_deref()),
        ("--version", "version", args.version.as_deref()),
        ("--path", "path", path.as_deref()),
        ("--type", "type", args.kind.as_deref()),
    ];
    let document = registered::document(args.file.as_deref(), &args.set, flags)?;
    let base = args.file.as_deref().map_or(Path::new("."), folder);
    let mut model = azure::read(|problems| read_model(&document, base, problems))?;
    let name = model.name.clone().expect("a file without one is refused");
    registered::check(AssetKind::Model, &name, model.version.as_deref())?;
    let driver = args.place.ensured(view).await?;
    if model.version.is_none() {
        model.version = Some(registered::next_version(&driver, AssetKind::Model, &name).await?);
    }
    view.step(&format!("registering model {name}"), "");
    let created = driver.register_model(&model).await?;
    args.printed.print_at(&args.place, view, shape::asset(&name, &created))
}
