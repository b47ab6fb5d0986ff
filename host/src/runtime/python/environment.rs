//! Environments, made once and kept.
//!
//! An environment is a folder `envs/<hash>` in the cache. The hash is of all that it is made from,
//! so a changed conda file makes another one. Beside it lies a lock file; its holder may build. An
//! environment is complete when it holds the marker file, which is written last: a build that was
//! killed leaves a folder without it, which the next builder removes. It is built where it stays,
//! as both `venv` and conda write absolute paths into what they make.
//!
//! Limits: a requirement without a version gets what pip finds on the day it is built. Nothing is
//! ever removed from the cache; a folder in it may be removed by hand.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll_deploy::arm::Progress;
use sha2::{Digest, Sha256};

use super::conda::{self, Recipe};
use super::error::Error;
use super::interpreter::Interpreter;
use super::step;

/// Changes when environments are built in another way.
const LAYOUT: &str = "1";
/// Written last.
const COMPLETE: &str = "plimsoll-complete";
/// Between two looks at a lock that another builder holds.
const POLL: Duration = Duration::from_millis(200);

/// The server can be loaded here, and has what `serve.py` takes from it.
const CHECK: &str = "import sys
try:
    from azureml_inference_server_http import amlserver, constants, log_config
except ImportError as error:
    sys.exit(f'azureml-inference-server-http 1.0 or later is needed: {error}')";

/// What makes an environment.
#[derive(Debug)]
pub(super) enum Maker {
    /// `venv` and pip.
    Pip(Interpreter),
    /// `micromamba`, `mamba` or `conda`, with the conda file as it is.
    Conda {
        /// The executable.
        program: PathBuf,
        /// The text of the conda file.
        file: String,
    },
}

/// The environment's folder, which is built if it is not there.
///
/// # Errors
/// It cannot be built, or the cache cannot be used.
pub(super) async fn get(
    maker: &Maker,
    recipe: &Recipe,
    cache_dir: &Path,
    progress: Progress<'_>,
) -> Result<PathBuf, Error> {
    let envs = std::path::absolute(cache_dir).map_err(cache(cache_dir))?.join("envs");
    // A requirement may hold the password of a package index.
    let private = DirBuilder::new().recursive(true).mode(0o700).create(&envs);
    private.map_err(cache(&envs))?;
    let name = name(maker, recipe);
    let folder = envs.join(&name);
    if complete(&folder) {
        return Ok(folder);
    }
    let lock = lock(&envs.join(format!("{name}.lock")), progress).await?;
    if complete(&folder) {
        return Ok(folder);
    }
    remove(&folder)?;
    progress(format!("building the Python environment {}", folder.display()));
    let ended = Build { recipe, folder: &folder, lock: &lock, progress }.run(maker).await;
    if ended.is_err() {
        remove(&folder)?;
    }
    ended.map(|()| folder)
}

/// The Python of an environment.
pub(super) fn python(folder: &Path) -> PathBuf {
    folder.join("bin/python")
}

/// Writes a file of ours into an environment, whole or not at all: instances may be starting from
/// it.
pub(super) fn put(folder: &Path, name: &str, text: &str) -> Result<PathBuf, Error> {
    let ours = folder.join("plimsoll");
    let path = ours.join(name);
    if std::fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(path);
    }
    let new = ours.join(format!("{name}.{}", std::process::id()));
    std::fs::create_dir_all(&ours)
        .and_then(|()| std::fs::write(&new, text))
        .and_then(|()| std::fs::rename(&new, &path))
        .map_err(cache(&path))?;
    Ok(path)
}

/// Its Python may be gone: it is a link to the one that it was made with.
fn complete(folder: &Path) -> bool {
    folder.join(COMPLETE).is_file() && python(folder).is_file()
}

/// One build: what its steps share.
struct Build<'a> {
    recipe: &'a Recipe,
    folder: &'a Path,
    lock: &'a File,
    progress: Progress<'a>,
}

impl Build<'_> {
    async fn run(mut self, maker: &Maker) -> Result<(), Error> {
        match maker {
            Maker::Pip(interpreter) => self.with_pip(&interpreter.path).await?,
            Maker::Conda { program, file } => self.with_conda(program, file).await?,
        }
        self.step(&python(self.folder), &["-c", CHECK]).await?;
        let path = self.folder.join(COMPLETE);
        File::create(&path).map(drop).map_err(cache(&path))
    }

    async fn with_pip(&mut self, interpreter: &Path) -> Result<(), Error> {
        let path = self.folder.to_string_lossy();
        self.step(interpreter, &["-m", "venv", &path]).await?;
        let requirements = self.folder.join("requirements.txt");
        let lines = self.recipe.requirements.join("\n") + "\n";
        std::fs::write(&requirements, lines).map_err(cache(&requirements))?;
        self.install(&["-r", &requirements.to_string_lossy()]).await
    }

    async fn with_conda(&mut self, program: &Path, text: &str) -> Result<(), Error> {
        // Beside the folder: conda makes the folder itself.
        let file = self.folder.with_extension("yml");
        std::fs::write(&file, text).map_err(cache(&file))?;
        let micromamba = program.file_stem().is_some_and(|stem| stem == "micromamba");
        let create: &[&str] = if micromamba { &["create"] } else { &["env", "create"] };
        let (path, file) = (self.folder.to_string_lossy(), file.to_string_lossy());
        let args = [create, &["--yes", "-p", &path, "-f", &file]].concat();
        self.step(program, &args).await?;
        if self.recipe.server_added {
            self.install(&[conda::server()]).await?;
        }
        Ok(())
    }

    async fn install(&mut self, what: &[&str]) -> Result<(), Error> {
        let quiet = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"];
        let args = [&["-m", "pip", "install"], &quiet[..], what].concat();
        self.step(&python(self.folder), &args).await
    }

    async fn step(&mut self, program: &Path, args: &[&str]) -> Result<(), Error> {
        step::run(program, args, self.lock, self.progress).await
    }
}

fn name(maker: &Maker, recipe: &Recipe) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    add(LAYOUT);
    match maker {
        Maker::Pip(Interpreter { path, version }) => {
            add("pip");
            add(&path.to_string_lossy());
            add(version);
            recipe.requirements.iter().for_each(|line| add(line));
        }
        Maker::Conda { file, .. } => {
            add("conda");
            add(file);
        }
    }
    let mut digest = format!("{:x}", hash.finalize());
    digest.truncate(20);
    digest
}

/// Waits until nobody else builds. Freed by the system when the holder and its pip have ended.
async fn lock(path: &Path, progress: Progress<'_>) -> Result<File, Error> {
    let file = File::options().read(true).append(true).create(true).open(path);
    let file = file.map_err(cache(path))?;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(cache(path)(source)),
            Err(TryLockError::WouldBlock) => {}
        }
        if !told {
            progress("waiting: another process builds the same environment".to_owned());
            told = true;
        }
        tokio::time::sleep(POLL).await;
    }
}

fn remove(folder: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(folder) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(cache(folder)(source)),
        _ => Ok(()),
    }
}

fn cache(path: &Path) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::Cache { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
