//! One process per instance, described as plain data.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::instance;
use super::python;

/// A deployment that is ready to be started any number of times.
#[derive(Debug, Clone)]
pub struct Prepared(pub(super) Kind);

/// What is started.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// Our own server.
    Own {
        /// What it serves, on how many slots; the port is filled in.
        options: instance::Options,
        /// Set for it.
        env: BTreeMap<String, String>,
    },
    /// The official inference server.
    Python(python::Server),
}

/// The process of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The executable.
    pub program: Program,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Set in its environment, over what it inherits.
    pub env: BTreeMap<OsString, OsString>,
    /// Its working folder.
    pub cwd: PathBuf,
}

/// The executable of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// The plimsoll executable itself.
    Plimsoll,
    /// Another one, absolute.
    Path(PathBuf),
}

impl Prepared {
    /// The process that serves on `port` of the loopback address. `instance_dir` is a folder of its
    /// own that exists and is removed with the instance; its name tells the instances of a
    /// deployment apart, and so does the random stream of a synthetic one.
    pub fn launch(&self, port: u16, instance_dir: &Path) -> Launch {
        match &self.0 {
            Kind::Own { options, env } => {
                let name = instance_dir.file_name().unwrap_or_default().to_string_lossy();
                let options = options.clone().on(port, &name);
                Launch {
                    program: Program::Plimsoll,
                    args: vec!["instance".into(), options.to_argument().into()],
                    env: env.iter().map(|(name, value)| (name.into(), value.into())).collect(),
                    cwd: instance_dir.to_owned(),
                }
            }
            Kind::Python(server) => server.launch(port, instance_dir),
        }
    }
}
