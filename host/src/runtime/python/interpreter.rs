//! Which Python an environment is made of: one on the PATH that the conda file allows.
//!
//! `python3` comes first, as it is what the user gets too, then the newest. Each is asked for its
//! version instead of being trusted by name: a `python3.12` may be a version manager's stand-in
//! that only says that there is none.

use std::path::PathBuf;

use tokio::process::Command;

use super::constraint::Constraint;
use super::error::Error;

/// Names to look for. The inference server has no release for anything before 3.8.
const NAMES: [&str; 9] = [
    "python3",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "python3.9",
    "python3.8",
    "python",
];

/// Says its version, where it really is (behind stand-ins and virtual environments), and whether it can make environments.
const QUESTION: &str = "import importlib.util as u, sys
print(*sys.version_info[:3], sep='.')
print(getattr(sys, '_base_executable', sys.executable))
print(all(map(u.find_spec, ('venv', 'ensurepip'))))";

/// A Python that can make environments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interpreter {
    /// Absolute.
    pub(super) path: PathBuf,
    /// Such as `3.11.7`.
    pub(super) version: String,
}

/// The first that is allowed.
///
/// # Errors
/// None is; the error names those that were found.
pub(super) async fn find(wanted: &Constraint) -> Result<Interpreter, Error> {
    let mut found = Vec::new();
    for name in NAMES {
        let Some((interpreter, complete)) = ask(name).await else { continue };
        let release: Vec<u32> =
            interpreter.version.split('.').filter_map(|part| part.parse().ok()).collect();
        let fits = wanted.allows(&release);
        if fits && complete {
            return Ok(interpreter);
        }
        let lack = if fits { " (without venv; on Debian: install python3-venv)" } else { "" };
        found.push(format!("{name} {}{lack}", interpreter.version));
    }
    if found.is_empty() {
        found.push("none".to_owned());
    }
    let wanted = Some(wanted.to_string()).filter(|text| !text.is_empty());
    Err(Error::NoPython {
        wanted: wanted.unwrap_or_else(|| ">=3.8".to_owned()),
        found: found.join(", "),
    })
}

/// Something that builds a conda file as it is, if there is one on the PATH.
pub(super) async fn conda() -> Option<PathBuf> {
    for name in ["micromamba", "mamba", "conda"] {
        let mut command = Command::new(name);
        let answer = command.arg("--version").kill_on_drop(true).output().await;
        if answer.is_ok_and(|answer| answer.status.success()) {
            return Some(name.into());
        }
    }
    None
}

async fn ask(name: &str) -> Option<(Interpreter, bool)> {
    let mut command = Command::new(name);
    command.args(["-c", QUESTION]).env_remove("PYTHONHOME").env_remove("PYTHONPATH");
    let answer = command.kill_on_drop(true).output().await.ok()?;
    if !answer.status.success() {
        return None;
    }
    let answer = String::from_utf8(answer.stdout).ok()?;
    let mut lines = answer.lines();
    let version = lines.next()?.to_owned();
    let path = PathBuf::from(lines.next()?);
    Some((Interpreter { path, version }, lines.next()? == "True"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_version_that_is_not_there_is_refused_with_what_is() {
        let wanted = Constraint::parse("=1.0").unwrap();
        let error = find(&wanted).await.unwrap_err().to_string();
        assert!(error.contains("`==1.0.*`") && error.contains("found: "), "{error}");
        if let Ok(there) = find(&Constraint::default()).await {
            assert!(error.contains(&there.version), "{error}");
        }
    }
}
