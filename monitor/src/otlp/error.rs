//! Why nothing can be exported. Each says what to do about it.

use std::io;

/// Why nothing can be exported.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A flag or a variable has a value that cannot be used.
    #[error("{name}: {problem}; {remedy}")]
    Setting {
        /// The flag or the variable.
        name: String,
        /// What is wrong.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// The file with the certificates to trust cannot be read.
    #[error("{name}: cannot read `{file}` ({source}); name a readable PEM file")]
    Certificate {
        /// The variable.
        name: String,
        /// The file that it names.
        file: String,
        /// Why not.
        source: io::Error,
    },
    /// No encrypted connection can be set up.
    #[error("cannot set up TLS for {endpoint}: {source}; check OTEL_EXPORTER_OTLP_CERTIFICATE")]
    Tls {
        /// The receiver.
        endpoint: String,
        /// Why not.
        source: io::Error,
    },
    /// The exporter's thread or its runtime cannot be started.
    #[error("cannot start the thread that exports: {0}; check the limits on threads and files")]
    Thread(#[source] io::Error),
}

impl Error {
    pub(super) fn setting(name: &str, problem: &str, remedy: &str) -> Self {
        let [name, problem, remedy] = [name, problem, remedy].map(str::to_owned);
        Self::Setting { name, problem, remedy }
    }
}
