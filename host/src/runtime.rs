//! What runs the instances of a deployment on this machine.
//!
//! A deployment says what it is, not how it runs: with `code_configuration` it is a Python scoring
//! script, with an `.onnx` model alone it is a model that we score ourselves, and with `synthetic`
//! settings it is a server that only takes its time. [`Runtime::choose`] decides, [`Runtime::prepare`]
//! does the slow part once per deployment (loading the model to see that it can be, building the
//! Python environment), and [`Prepared::launch`] describes one process per instance. Nothing here
//! starts an instance: the local host does.

pub mod error;
pub mod instance;
pub mod launch;
pub mod prepared;
pub mod python;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use plimsoll_deploy::arm::Progress;
use plimsoll_deploy::spec::{Asset, DeploymentSpec, Environment, Location, Synthetic};

pub use error::Error;
pub use launch::{Launch, Program};
pub use prepared::Prepared;

/// How the instances of one deployment run.
#[derive(Debug, Clone, PartialEq)]
pub enum Runtime {
    /// Our own server with an ONNX model.
    Builtin {
        /// The `.onnx` file.
        model: PathBuf,
    },
    /// Our own server with drawn service times.
    Synthetic(Synthetic),
    /// The official inference server with the user's scoring script.
    Python {
        /// The scoring script, absolute.
        script: PathBuf,
        /// The text of the conda file.
        conda: String,
        /// The model's file or folder.
        model: Option<PathBuf>,
    },
}

impl Runtime {
    /// Chooses by what the deployment has: `synthetic`, else code, else an `.onnx` model.
    ///
    /// # Errors
    /// What cannot run on this machine, and what to do about it.
    pub fn choose(spec: &DeploymentSpec) -> Result<Self, Error> {
        if let Some(synthetic) = &spec.synthetic {
            synthetic
                .check()
                .map_err(|reason| Error::Synthetic { deployment: spec.name.clone(), reason })?;
            return Ok(Self::Synthetic(synthetic.clone()));
        }
        let model = model(spec)?;
        if let Some(code) = &spec.code {
            let script = here(&code.folder, "code", spec)?.join(&code.scoring_script);
            return Ok(Self::Python { script, conda: conda(spec)?, model });
        }
        let deployment = spec.name.clone();
        let Some(model) = model else {
            return Err(Error::NothingToServe { deployment });
        };
        if model.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx")) {
            return Ok(Self::Builtin { model });
        }
        Err(Error::NotOnnx { deployment, path: model })
    }

    /// Everything that [`Runtime::choose`] would refuse, not only the first.
    pub fn refusals(spec: &DeploymentSpec) -> Vec<Error> {
        let mut refusals: Vec<Error> = Vec::new();
        if spec.synthetic.is_none() {
            refusals.extend(model(spec).err());
            if let Some(code) = &spec.code {
                refusals.extend(here(&code.folder, "code", spec).err());
                refusals.extend(conda(spec).err());
            }
        }
        if refusals.is_empty() {
            refusals.extend(Self::choose(spec).err());
        }
        refusals
    }

    /// What is worth knowing before it runs, though nothing is wrong with it.
    pub fn notes(&self, spec: &DeploymentSpec) -> Vec<String> {
        match self {
            Self::Builtin { .. } | Self::Synthetic(_) => Vec::new(),
            Self::Python { conda, .. } => python::idle_slots(spec, conda).into_iter().collect(),
        }
    }

    /// How many requests an instance works on at a time, where it is a program of so many workers
    /// that each do one thing at a time; `None` where it is not.
    pub fn workers(&self, spec: &DeploymentSpec) -> Option<u32> {
        match self {
            Self::Builtin { .. } | Self::Synthetic(_) => None,
            Self::Python { conda, .. } => python::workers(spec, conda),
        }
    }

    /// As it is called in reports: `builtin`, `synthetic` or `python`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Builtin { .. } => "builtin",
            Self::Synthetic(_) => "synthetic",
            Self::Python { .. } => "python",
        }
    }

    /// Does what is slow, once per deployment. Environments are kept under `cache_dir`, see
    /// [`cache_dir`].
    ///
    /// # Errors
    /// The model cannot be loaded, or the environment cannot be built.
    pub async fn prepare(
        &self,
        spec: &DeploymentSpec,
        cache_dir: &Path,
        progress: Progress<'_>,
    ) -> Result<Prepared, Error> {
        let deployment = spec.name.clone();
        let env = spec.environment_variables.clone();
        let slots = spec.request_settings.max_concurrent_requests_per_instance;
        let serve = match self {
            Self::Builtin { model } => {
                let path = model.clone();
                let loaded = tokio::task::spawn_blocking(move || {
                    instance::model::Model::load(&path, NonZeroUsize::MIN)
                });
                let loaded = loaded.await.map_err(|error| Error::Interrupted {
                    deployment: deployment.clone(),
                    source: error.into(),
                })?;
                loaded.map_err(|source| Error::Model { deployment, source })?;
                instance::Serve::Model(model.clone())
            }
            Self::Synthetic(synthetic) => instance::Serve::Synthetic(synthetic.clone()),
            Self::Python { script, conda, model } => {
                let server =
                    python::prepare(script, conda, model.as_deref(), spec, cache_dir, progress)
                        .await
                        .map_err(|source| Error::Environment { deployment, source })?;
                return Ok(Prepared(prepared::Kind::Python(server)));
            }
        };
        Ok(Prepared(prepared::Kind::Own { options: instance::Options::new(serve, slots), env }))
    }
}

/// Where environments are kept: `PLIMSOLL_CACHE_DIR`, else `plimsoll` in the user's cache folder.
pub fn cache_dir() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = variable("PLIMSOLL_CACHE_DIR") {
        return folder.into();
    }
    let user = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let user = user.or_else(|| variable("HOME").map(|home| Path::new(&home).join(".cache")));
    user.unwrap_or_else(std::env::temp_dir).join("plimsoll")
}

/// The model's file or folder.
fn model(spec: &DeploymentSpec) -> Result<Option<PathBuf>, Error> {
    let model = local(spec.model.as_ref(), "model", spec)?;
    model.map(|model| here(&model.path, "model", spec)).transpose()
}

fn local<'a, T>(
    asset: Option<&'a Asset<T>>,
    kind: &'static str,
    spec: &DeploymentSpec,
) -> Result<Option<&'a T>, Error> {
    match asset {
        None => Ok(None),
        Some(Asset::Inline(value)) => Ok(Some(value)),
        Some(Asset::Reference(reference)) => Err(elsewhere(reference, kind, spec)),
    }
}

fn here(place: &Location, kind: &'static str, spec: &DeploymentSpec) -> Result<PathBuf, Error> {
    match place {
        Location::Here(path) => Ok(path.clone()),
        Location::Elsewhere(address) => Err(elsewhere(address, kind, spec)),
    }
}

fn elsewhere(reference: &str, kind: &'static str, spec: &DeploymentSpec) -> Error {
    Error::Registered { deployment: spec.name.clone(), kind, reference: reference.to_owned() }
}

fn conda(spec: &DeploymentSpec) -> Result<String, Error> {
    let environment: Option<&Environment> = local(spec.environment.as_ref(), "environment", spec)?;
    let conda = environment.and_then(|environment| environment.conda.clone());
    conda.ok_or_else(|| Error::NoCondaFile { deployment: spec.name.clone() })
}
