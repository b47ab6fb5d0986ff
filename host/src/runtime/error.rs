//! Why a deployment cannot run on this machine.

use std::io;
use std::path::PathBuf;

/// A deployment that cannot be chosen a runtime for, or be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something that only Azure, or another machine, has.
    #[error(
        "deployment `{deployment}`: the {kind} `{reference}` is not on this machine, and cannot be run here; {}",
        local(kind)
    )]
    Registered {
        /// The deployment.
        deployment: String,
        /// `model`, `code` or `environment`.
        kind: &'static str,
        /// As it is written.
        reference: String,
    },
    /// Neither code nor model nor synthetic settings.
    #[error(
        "deployment `{deployment}` has nothing to serve: give it a `model` (an .onnx file), or `code_configuration` with a scoring script"
    )]
    NothingToServe {
        /// The deployment.
        deployment: String,
    },
    /// A model without code that is not ONNX.
    #[error(
        "deployment `{deployment}`: `{path}` cannot be served without code: only an .onnx file can; add `code_configuration` with a scoring script that loads it"
    )]
    NotOnnx {
        /// The deployment.
        deployment: String,
        /// The model.
        path: PathBuf,
    },
    /// Code without a conda file.
    #[error(
        "deployment `{deployment}`: its scoring script needs an `environment` with a `conda_file` to run on this machine; containers are not run here"
    )]
    NoCondaFile {
        /// The deployment.
        deployment: String,
    },
    /// Synthetic settings that make no sense.
    #[error("deployment `{deployment}`: synthetic: {reason}")]
    Synthetic {
        /// The deployment.
        deployment: String,
        /// What is wrong.
        reason: String,
    },
    /// A file or folder that the deployment names is not there.
    #[error("deployment `{deployment}`: the {kind} `{path}` is not there")]
    Missing {
        /// The deployment.
        deployment: String,
        /// What it is.
        kind: &'static str,
        /// Where it should be.
        path: PathBuf,
    },
    /// The model cannot be scored.
    #[error("deployment `{deployment}`: {source}")]
    Model {
        /// The deployment.
        deployment: String,
        /// Why.
        source: super::instance::model::Error,
    },
    /// The Python environment cannot be built.
    #[error("deployment `{deployment}`: {source}")]
    Environment {
        /// The deployment.
        deployment: String,
        /// Why.
        source: super::python::Error,
    },
    /// A thread of ours stopped.
    #[error("deployment `{deployment}`: loading the model was cut short")]
    Interrupted {
        /// The deployment.
        deployment: String,
        /// Why.
        source: io::Error,
    },
}

/// How to describe it in the file instead.
fn local(kind: &str) -> &'static str {
    match kind {
        "model" => "give local files instead, with `model: {path: …}`",
        "code" => "give a local folder as `code` instead",
        _ => "describe it in the file instead, with `environment: {image: …, conda_file: …}`",
    }
}
