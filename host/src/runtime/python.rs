//! The official inference server, running the user's scoring script.
//!
//! [`prepare`] makes the environment that the conda file describes, with pip where that is enough
//! and with conda where it is on the PATH and needed. [`Server::launch`] starts the server as Azure
//! does: `AZUREML_MODEL_DIR` is the folder that holds the model, `AML_APP_ROOT` and the working
//! folder are the script's, and the deployment's own variables come last: without a `WORKER_COUNT` among them the
//! server has one worker, whatever the deployment says of concurrency. What has to be different on this machine is in
//! `python/serve.py`, with the reasons.
//!
//! Limit: the script can see all that is beside the model, as with the official `--local` mode.

mod conda;
mod constraint;
mod environment;
mod error;
mod interpreter;
mod step;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use plimsoll_deploy::arm::Progress;
use plimsoll_deploy::spec::DeploymentSpec;

pub use error::Error;

use self::environment::Maker;
use super::launch::{Launch, Program};

const SERVE: &str = include_str!("python/serve.py");

/// A scoring script whose environment is ready.
#[derive(Debug, Clone)]
pub struct Server {
    /// Of the environment.
    python: PathBuf,
    /// Starts the server.
    serve: PathBuf,
    /// Absolute.
    script: PathBuf,
    /// All that no instance has for its own.
    env: BTreeMap<OsString, OsString>,
}

/// Makes the environment that the text `conda` describes, or finds it in the cache, and tells
/// `progress` what is being done, pip's own lines included.
///
/// # Errors
/// Script or model are not there, the conda file asks for what cannot be had, or building failed.
pub async fn prepare(
    script: &Path,
    conda: &str,
    model: Option<&Path>,
    spec: &DeploymentSpec,
    cache_dir: &Path,
    progress: Progress<'_>,
) -> Result<Server, Error> {
    let script = script.to_owned();
    if !script.is_file() {
        return Err(Error::NoScript { path: script });
    }
    if let Some(path) = model.filter(|path| !path.exists()) {
        return Err(Error::NoModel { path: path.to_owned() });
    }
    let recipe = conda::read(conda).map_err(Error::Conda)?;
    if recipe.server_added {
        progress(format!("the conda file does not ask for `{}`: added", conda::server()));
    }
    let maker = maker(&recipe, conda).await?;
    let folder = environment::get(&maker, &recipe, cache_dir, progress).await?;
    let serve = environment::put(&folder, "serve.py", SERVE)?;
    environment::put(&folder, "no-settings.json", "{}")?;
    let env = variables(&script, model, &spec.environment_variables, &recipe, &folder);
    Ok(Server { python: environment::python(&folder), serve, script, env })
}

impl Server {
    /// The process of an instance; `instance_dir` becomes its home.
    pub fn launch(&self, port: u16, instance_dir: &Path) -> Launch {
        let mut env = self.env.clone();
        // Servers with one home would share gunicorn's control socket.
        env.entry("HOME".into()).or_insert_with(|| instance_dir.into());
        let args: [OsString; 6] = [
            // Nothing is written beside the scoring script, and its output is seen at once.
            "-Bu".into(),
            self.serve.clone().into(),
            "--entry_script".into(),
            self.script.clone().into(),
            "--port".into(),
            port.to_string().into(),
        ];
        Launch {
            program: Program::Path(self.python.clone()),
            args: args.into(),
            env,
            cwd: root(&self.script).to_owned(),
        }
    }
}

/// Pip, unless a dependency or the version of Python needs conda and conda is there.
async fn maker(recipe: &conda::Recipe, file: &str) -> Result<Maker, Error> {
    let with_conda = |program| Maker::Conda { program, file: file.to_owned() };
    if !recipe.only_conda.is_empty() {
        let refused = || Error::Conda(recipe.only_conda.clone());
        return interpreter::conda().await.map(with_conda).ok_or_else(refused);
    }
    match interpreter::find(&recipe.python).await {
        Ok(interpreter) => Ok(Maker::Pip(interpreter)),
        Err(error) => interpreter::conda().await.map(with_conda).ok_or(error),
    }
}

fn variables(
    script: &Path,
    model: Option<&Path>,
    own: &BTreeMap<String, String>,
    recipe: &conda::Recipe,
    folder: &Path,
) -> BTreeMap<OsString, OsString> {
    let bin = folder.join("bin").into_os_string();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut env: BTreeMap<OsString, OsString> = [
        ("AML_APP_ROOT", root(script).into()),
        ("VIRTUAL_ENV", folder.into()),
        ("PATH", [bin, path].join(":".as_ref())),
        // Python takes an empty one for none: those of other environments must not reach in.
        ("PYTHONHOME", "".into()),
        ("PYTHONPATH", "".into()),
    ]
    .into_iter()
    .map(|(name, value): (&str, OsString)| (name.into(), value))
    .collect();
    if let Some(parent) = model.and_then(Path::parent) {
        env.insert("AZUREML_MODEL_DIR".into(), parent.into());
    }
    for (name, value) in recipe.variables.iter().chain(own) {
        env.insert(name.into(), value.into());
    }
    env
}

/// A sentence if more requests are let through to an instance than it has workers: the others wait in it, here as
/// on Azure.
pub(super) fn idle_slots(spec: &DeploymentSpec, conda: &str) -> Option<String> {
    let concurrent = spec.request_settings.max_concurrent_requests_per_instance.get();
    let given = worker_count(spec, conda);
    let workers = workers(spec, conda)?;
    (workers < concurrent).then(|| {
        let why = if given.is_some() { "" } else { ", as WORKER_COUNT is not set" };
        format!(
            "an instance has {workers} worker(s){why}, but max_concurrent_requests_per_instance is {concurrent}: \
             the other requests wait in it, as on Azure; set WORKER_COUNT in environment_variables"
        )
    })
}

/// How many workers an instance has; `None` if it does not say that in a number.
pub(super) fn workers(spec: &DeploymentSpec, conda: &str) -> Option<u32> {
    worker_count(spec, conda).map_or(Some(1), |count| count.parse().ok())
}

/// What `WORKER_COUNT` is set to, if it is.
fn worker_count(spec: &DeploymentSpec, conda: &str) -> Option<String> {
    const NAME: &str = "WORKER_COUNT";
    let of_recipe = || conda::read(conda).ok()?.variables.remove(NAME);
    spec.environment_variables.get(NAME).cloned().or_else(of_recipe)
}

/// The folder that holds the scoring script.
fn root(script: &Path) -> &Path {
    script.parent().expect("the script was joined to its folder")
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn launch(model: &str, own: &[(&str, &str)]) -> Launch {
        let mut spec = DeploymentSpec::new("blue", "e", "Standard_DS3_v2", NonZeroU32::MIN);
        let own = own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        spec.environment_variables = own.collect();
        let conda = "dependencies: [joblib]\nvariables: {FROM: conda, GREETING: conda}";
        let recipe = conda::read(conda).unwrap();
        let (script, folder) = (PathBuf::from("/code/score.py"), PathBuf::from("/envs/1"));
        let own = &spec.environment_variables;
        let env = variables(&script, Some(Path::new(model)), own, &recipe, &folder);
        let python = environment::python(&folder);
        Server { python, serve: "/envs/1/serve.py".into(), script, env }
            .launch(4711, Path::new("/run/blue-1"))
    }

    fn variable<'a>(launch: &'a Launch, name: &str) -> &'a str {
        launch.env[std::ffi::OsStr::new(name)].to_str().unwrap()
    }

    #[test]
    fn an_instance_has_what_azure_gives_it_and_a_home_of_its_own() {
        for model in ["/s/model", "/s/model/", "/s/model.pkl"] {
            assert_eq!(variable(&launch(model, &[]), "AZUREML_MODEL_DIR"), "/s", "{model}");
        }
        let launch = launch("/s/model", &[]);
        assert_eq!(launch.program, Program::Path("/envs/1/bin/python".into()));
        assert_eq!(launch.cwd, Path::new("/code"));
        assert!(launch.args.ends_with(&["--port".into(), "4711".into()]));
        let expected = [("AML_APP_ROOT", "/code"), ("HOME", "/run/blue-1")];
        for (name, value) in expected {
            assert_eq!(variable(&launch, name), value, "{name}");
        }
        assert!(variable(&launch, "PATH").starts_with("/envs/1/bin:"));
        assert!(
            !launch.env.contains_key(std::ffi::OsStr::new("WORKER_COUNT")),
            "the server's default is one"
        );
    }

    #[test]
    fn more_requests_than_workers_are_said() {
        let mut spec = DeploymentSpec::new("blue", "e", "Standard_DS3_v2", NonZeroU32::MIN);
        let conda = "dependencies: [joblib]\nvariables: {WORKER_COUNT: '3'}";
        assert_eq!(idle_slots(&spec, ""), None);
        spec.request_settings.max_concurrent_requests_per_instance = NonZeroU32::new(3).unwrap();
        let said = idle_slots(&spec, "").unwrap();
        assert!(said.contains("1 worker(s), as WORKER_COUNT is not set"), "{said}");
        assert_eq!(idle_slots(&spec, conda), None);
        spec.environment_variables.insert("WORKER_COUNT".into(), "2".into());
        assert!(idle_slots(&spec, conda).unwrap().contains("2 worker(s), but"));
    }
}
