//! What models and environments have in common: they are registered in versions of a name, and shown.

use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;
use plimsoll_deploy::arm::{ArmDriver, AssetKind};
use plimsoll_document::{Document, Problems};

use super::azure::{self, Failure, Printed};
use super::place::Place;
use crate::exit::Exit;
use crate::shape;

/// Which version is shown, and how.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Its name
    #[arg(short, long, value_parser = part)]
    pub name: String,
    /// Its version
    #[arg(short, long, value_parser = part, required_unless_present = "label")]
    pub version: Option<String>,
    /// The version with this label: `latest`
    #[arg(short, long, conflicts_with = "version", value_parser = ["latest"])]
    pub label: Option<String>,
    /// Where it is.
    #[command(flatten)]
    pub place: Place,
    /// How it is printed.
    #[command(flatten)]
    pub printed: Printed,
}

/// What is listed, and how.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Show the versions of this name [default: show the names]
    #[arg(short, long, value_parser = part)]
    pub name: Option<String>,
    /// Where they are.
    #[command(flatten)]
    pub place: Place,
    /// How they are printed.
    #[command(flatten)]
    pub printed: Printed,
}

pub(super) fn show(kind: AssetKind, args: &ShowArgs) -> Result<Exit> {
    azure::drive_at(&args.place, async |view| {
        let (driver, name) = (args.place.driver().await?, &args.name);
        let version = match &args.version {
            Some(version) => version.clone(),
            None => driver.latest_version(kind, name).await?,
        };
        let asset = driver.asset(kind, name, &version).await?;
        args.printed.print_at(&args.place, view, shape::asset(name, &asset))
    })
}

pub(super) fn list(kind: AssetKind, args: &ListArgs) -> Result<Exit> {
    azure::drive_at(&args.place, async |view| {
        let name = args.name.as_deref();
        let all = args.place.driver().await?.assets(kind, name).await?;
        let all = all.iter().map(|each| shape::listed(name, each));
        args.printed.print_at(&args.place, view, all.collect())
    })
}

/// The document of a file, or an empty one, with the keys that are set: by `--set`, and by flags of
/// their own, each with its key and value.
pub(super) fn document(
    file: Option<&Path>,
    set: &[String],
    flags: [(&str, &str, Option<&str>); 4],
) -> Result<Document, Failure> {
    let document = match file {
        Some(file) => Document::open(file),
        None => Document::parse("the command line", "{}"),
    };
    let mut document = document.map_err(Failure::Problems)?;
    let mut problems = Problems::new();
    for assignment in set {
        let Some((path, value)) = assignment.split_once('=') else {
            let wrong = format!("--set takes KEY=VALUE, and `{assignment}` is none");
            return Err(Failure::Usage(wrong));
        };
        if let Err(problem) = document.set("--set", path, value) {
            problems.push(problem);
        }
    }
    let mut document = problems.or(Some(document)).map_err(Failure::Problems)?;
    for (flag, key, value) in flags {
        if let Some(value) = value {
            document.set_text(flag, key, value);
        }
    }
    Ok(document)
}

/// A path of the command line, which starts where the command does, and not where the file lies.
pub(super) fn absolute(path: Option<&Path>) -> Result<Option<String>, Failure> {
    let path = path.map(std::path::absolute).transpose();
    Ok(path.context("the path cannot be used")?.map(|path| path.display().to_string()))
}

/// A name or a version, which become parts of an id.
fn part(text: &str) -> Result<String, String> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match text.chars().find(|c| !known(*c)) {
        _ if text.is_empty() => Err("it is empty".to_owned()),
        Some(odd) => Err(format!("letters, digits, `.`, `_` and `-` are allowed, not `{odd}`")),
        None => Ok(text.to_owned()),
    }
}

/// The name and the version of a file, checked.
pub(super) fn check(kind: AssetKind, name: &str, version: Option<&str>) -> Result<(), Failure> {
    for part_of in [Some(name), version].into_iter().flatten() {
        part(part_of).map_err(|fault| {
            Failure::Usage(format!("`{part_of}` names no {} or version: {fault}", kind.word()))
        })?;
    }
    Ok(())
}

/// The version after the latest number that a name has.
pub(super) async fn next_version(
    driver: &ArmDriver,
    kind: AssetKind,
    name: &str,
) -> Result<String, Failure> {
    let versions = match driver.assets(kind, Some(name)).await {
        Ok(versions) => versions,
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let numbers = versions.iter().filter_map(|each| each.name.as_deref()?.parse::<u64>().ok());
    let mut next = numbers.max().unwrap_or_default() + 1;
    // A host that lists no versions still knows each of them.
    loop {
        match driver.asset(kind, name, &next.to_string()).await {
            Ok(_) => next += 1,
            Err(error) if error.is_not_found() => return Ok(next.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
}
