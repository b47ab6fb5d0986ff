//! What is brought up for one side: found by what the command line says of it.

use std::path::{Path, PathBuf};

use plimsoll_deploy::files::{FileKind, kind_of};
use plimsoll_deploy::spec::{Asset, DeploymentSpec, Location, Model};
use plimsoll_document::{Document, Problems};
use plimsoll_domain::with_causes;
use plimsoll_host::runtime::Runtime;
use plimsoll_study::interleave::Side;
use tempfile::TempDir;

use super::git;
use crate::files;
use crate::scenario::Deployed;

/// One side.
#[derive(Debug)]
pub(super) struct Sided {
    pub(super) spec: DeploymentSpec,
    /// What it is, in words.
    pub(super) told: String,
    /// Files as they were in git; they are read for as long as it runs.
    _export: Option<TempDir>,
}

/// Finds the deployment of one side; the scenario's only one if nothing is said.
///
/// # Errors
/// What is wrong, and what would be right.
pub(super) fn find(given: Option<&str>, side: Side, deployed: &Deployed) -> Result<Sided, String> {
    let wrong = |why: String| format!("--{}: {why}", side.name());
    let (spec, told, export) = match given {
        None => {
            let spec = only(deployed).map_err(wrong)?.clone();
            let told = format!("deployment {} of the scenario", spec.name);
            (spec, told, None)
        }
        Some(text) => {
            if let Some(place) = text.strip_prefix("git:") {
                let exported = git::export(place).map_err(wrong)?;
                let spec = at(&exported.path, deployed).map_err(|why| {
                    wrong(format!("{why}; of git, {} was looked at alone", exported.what))
                })?;
                (spec, format!("{text} ({})", exported.commit), Some(exported.folder))
            } else {
                let own = deployed.deployments.iter().find(|spec| spec.name == text);
                let spec = match own {
                    Some(spec) => spec.clone(),
                    None => at(Path::new(text), deployed).map_err(wrong)?,
                };
                (spec, text.to_owned(), None)
            }
        }
    };
    let refusals = Runtime::refusals(&spec);
    if !refusals.is_empty() {
        let all: Vec<_> = refusals.iter().map(|error| with_causes(error)).collect();
        return Err(wrong(all.join("; ")));
    }
    Ok(Sided { spec, told, _export: export })
}

/// The scenario's deployment, which stands for all that a folder or a model does not say.
fn only(deployed: &Deployed) -> Result<&DeploymentSpec, String> {
    match deployed.deployments.as_slice() {
        [only] => Ok(only),
        several => {
            let names: Vec<_> = several.iter().map(|spec| spec.name.as_str()).collect();
            Err(format!(
                "the scenario has {} deployments; name one ({}), or give a deployment file",
                names.len(),
                names.join(", ")
            ))
        }
    }
}

/// The deployment that a file or folder makes.
fn at(path: &Path, deployed: &Deployed) -> Result<DeploymentSpec, String> {
    let shown = path.display();
    // A deployment is told absolute paths.
    let path = path.canonicalize().map_err(|error| {
        let names: Vec<_> = deployed.deployments.iter().map(|spec| spec.name.as_str()).collect();
        format!(
            "`{shown}` cannot be read ({error}); give a deployment file, a folder, a model, \
             git:REV:PATH, or a deployment of the scenario ({})",
            names.join(", ")
        )
    })?;
    if path.is_dir() {
        return folder(&path, deployed);
    }
    let is_yaml = path.extension().is_some_and(|end| end == "yml" || end == "yaml");
    if is_yaml { file(&path, deployed) } else { model(&path, deployed) }
}

fn file(path: &Path, deployed: &Deployed) -> Result<DeploymentSpec, String> {
    let mut document = Document::open(path).map_err(|problems| problems.to_string())?;
    if let Some(other) = files::other_kind(&document, FileKind::Deployment) {
        return Err(other);
    }
    document.supply("endpoint_name", &deployed.endpoint.name);
    let mut problems = Problems::new();
    let base = path.parent().unwrap_or(Path::new("."));
    let spec = files::deployment(&document, base, &mut problems);
    problems.or(spec).map_err(|problems| format!("\n{problems}"))
}

/// A folder with a deployment file, with the scoring script, or with the model.
fn folder(path: &Path, deployed: &Deployed) -> Result<DeploymentSpec, String> {
    let found = deployment_files(path);
    match found.as_slice() {
        [one] => return file(one, deployed),
        [] => {}
        several => {
            let names: Vec<_> = several.iter().map(|file| file.display().to_string()).collect();
            return Err(format!(
                "there are several deployment files; give one: {}",
                names.join(", ")
            ));
        }
    }
    let mut spec = only(deployed)?.clone();
    match &mut spec.code {
        Some(code) if path.join(&code.scoring_script).is_file() => {
            code.folder = Location::Here(path.to_owned());
            Ok(spec)
        }
        Some(code) => Err(format!(
            "`{}` has neither a deployment file nor the scoring script `{}` of deployment `{}`",
            path.display(),
            code.scoring_script.display(),
            spec.name
        )),
        None => model(path, deployed),
    }
}

fn deployment_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "yml" || end == "yaml"))
        .filter(|path| {
            Document::open(path).is_ok_and(|file| kind_of(&file) == FileKind::Deployment)
        })
        .collect();
    found.sort();
    found
}

/// The scenario's deployment with another model: a file, or a folder with one.
fn model(path: &Path, deployed: &Deployed) -> Result<DeploymentSpec, String> {
    let mut spec = only(deployed)?.clone();
    let mut path = path.to_owned();
    if spec.code.is_none() && path.is_dir() {
        path = only_onnx(&path)?;
    }
    let kept = match spec.model.take() {
        Some(Asset::Inline(model)) => model,
        Some(Asset::Reference(_)) => Model::default(),
        None => {
            return Err(format!(
                "deployment `{}` of the scenario has no model in whose place `{}` could stand; give \
                 a deployment file",
                spec.name,
                path.display()
            ));
        }
    };
    spec.model = Some(Asset::Inline(Model { path: Location::Here(path), ..kept }));
    Ok(spec)
}

fn only_onnx(folder: &Path) -> Result<PathBuf, String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("onnx")))
        .collect();
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(format!(
            "`{}` has neither a deployment file nor an `.onnx` model",
            folder.display()
        )),
        (Some(_), false) => {
            Err(format!("`{}` has several `.onnx` models; give one", folder.display()))
        }
    }
}
