//! What can keep a run from starting, or from ending well.
//!
//! A request that fails is no error: it is counted. These are for what could not be done at all.

use std::path::PathBuf;

use thiserror::Error as ThisError;

/// What could not be done.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The target's URL cannot be used.
    #[error("`{url}` is not a URL to load: {reason}")]
    Url {
        /// As it was given.
        url: String,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// The target's name did not resolve.
    #[error(
        "cannot resolve `{host}`: {source}; check the name, and that this machine's DNS knows it"
    )]
    Dns {
        /// The name.
        host: String,
        /// What the resolver said.
        source: std::io::Error,
    },
    /// There is nothing to verify the server's certificate with.
    #[error(
        "no CA certificates found on this machine ({reason}), so `https` cannot be verified; \
         install the package `ca-certificates`, or name a file with the CA's certificate"
    )]
    NoCaBundle {
        /// What was found instead.
        reason: String,
    },
    /// The named CA file cannot be used.
    #[error("cannot use `{}` as CA file: {reason}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file with request bodies cannot be read.
    #[error("cannot read the request file `{}`: {source}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file with request bodies holds none.
    #[error("`{}` holds no request: {hint}", path.display())]
    NoBody {
        /// The file or folder.
        path: PathBuf,
        /// What would be right.
        hint: &'static str,
    },
    /// A file with request bodies has an encoding that JSON has not.
    #[error("`{}` is in UTF-16, and JSON is sent as UTF-8; save it as UTF-8", path.display())]
    Utf16 {
        /// The file.
        path: PathBuf,
    },
    /// A request body is not JSON.
    #[error(
        "{}:{line}:{column}: the request body is not JSON: {reason}; mend it, or set another \
         Content-Type",
        path.display()
    )]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What the parser expected.
        reason: String,
    },
    /// The method cannot be sent.
    #[error("`{method}` is no HTTP method; write for example `POST`")]
    Method {
        /// As it was given.
        method: String,
    },
    /// A header's name or value cannot be sent.
    #[error("the header `{name}` cannot be sent: {reason}")]
    Header {
        /// Its name.
        name: String,
        /// What is wrong. Never the value: it may be a secret.
        reason: &'static str,
    },
    /// The plan contradicts itself.
    #[error("the load cannot be generated: {0}")]
    Plan(String),
    /// A worker could not be started.
    #[error("cannot start a worker of the load generator: {step}: {source}")]
    Worker {
        /// What it was doing.
        step: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A worker ended before its share of the run did: a bug.
    #[error("a worker of the load generator ended early; this is a bug, its log says more")]
    WorkerLost,
}
