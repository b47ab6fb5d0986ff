//! One process per instance, described as plain data.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// The process of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The executable.
    pub program: Program,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Set in its environment, over the little that it inherits.
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
