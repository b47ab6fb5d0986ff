//! Why the environment of a scoring script cannot be had.

use std::io;
use std::path::PathBuf;

use plimsoll_document::Problems;

/// What went wrong before the first instance could be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The scoring script is not there.
    #[error("the scoring script `{path}` is not there")]
    NoScript {
        /// Where it should be.
        path: PathBuf,
    },
    /// The model is not there.
    #[error("the model `{path}` is not there")]
    NoModel {
        /// Where it should be.
        path: PathBuf,
    },
    /// The conda file asks for what cannot be had.
    #[error("the conda file cannot be built on this machine:\n{0}")]
    Conda(Problems),
    /// No interpreter of the wanted version.
    #[error(
        "the conda file wants Python `{wanted}`; found: {found}. Install one that fits so that it is on the PATH, or `micromamba`, or change `python` in the conda file"
    )]
    NoPython {
        /// The constraint.
        wanted: String,
        /// The interpreters on the PATH, with what keeps each from being used.
        found: String,
    },
    /// A step of building failed.
    #[error("the Python environment cannot be built: `{step}` failed ({status}). It said:\n{tail}")]
    Step {
        /// The command, shortened.
        step: String,
        /// How it ended.
        status: String,
        /// Its last lines.
        tail: String,
    },
    /// A command could not be started.
    #[error("`{program}` cannot be run: {source}")]
    Run {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The cache cannot be used.
    #[error(
        "`{path}`: {source}. Environments are kept there; set PLIMSOLL_CACHE_DIR to keep them elsewhere"
    )]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
