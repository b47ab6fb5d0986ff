//! `plimsoll endpoint create`

use std::path::PathBuf;

use anyhow::Result;
use plimsoll_deploy::files::{FileKind, read_endpoint};

use super::shown;
use crate::commands::azure::{self, Failure, Printed, Waiting};
use crate::commands::given::Given;
use crate::commands::place::Place;
use crate::exit::Exit;
use crate::files;
use crate::view::View;

/// `plimsoll endpoint create`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the endpoint, over the one in the file
    #[arg(short, long, required_unless_present = "file")]
    pub name: Option<String>,
    /// The endpoint file
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// How callers prove who they are: `key`, `aml_token` or `aad_token`
    #[arg(long, value_name = "MODE")]
    pub auth_mode: Option<String>,
    /// Set keys of the file, such as `tags.team=prices`
    #[arg(long, num_args = 1.., value_name = "KEY=VALUE")]
    pub set: Vec<String>,
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
    let given = Given { name: args.name.clone(), endpoint_name: None, set: args.set.clone() };
    let mut document = azure::document(args.file.as_deref(), FileKind::Endpoint, &given)?;
    if let Some(mode) = &args.auth_mode {
        document.set_text("--auth-mode", "auth_mode", mode);
    }
    let read = if args.place.is_azure() { read_endpoint } else { files::endpoint };
    let spec = azure::read(|problems| read(&document, problems))?;
    if spec.traffic.values().chain(spec.mirror_traffic.values()).any(|share| *share > 0) {
        return Err(Failure::Usage(format!(
            "endpoint `{0}` has no deployments yet that `traffic` could go to; create them, then \
             `plimsoll endpoint update -n {0} --traffic \"NAME=100\"`",
            spec.name
        )));
    }
    let driver = args.place.ensured(view).await?;
    driver.endpoint_is_new(&spec.name).await?;
    let what = format!("creating endpoint {}", spec.name);
    view.step(&what, "");
    let mut progress = |line: String| view.step(&what, &line);
    let created = driver.put_endpoint(&spec, args.waiting.until(), &mut progress).await?;
    args.printed.print_at(&args.place, view, shown(&driver, &created).await?)
}
