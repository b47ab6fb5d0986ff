//! The commands, one file each: its `Args`, and `run`, which takes them and says how it ended.
//!
//! A command that has commands of its own is a folder of such files. The table of all of them is
//! in [`cli`](crate::cli); what several commands take is in `outputs`, `given` and `azure`.

pub(crate) mod aa;
pub(crate) mod ab;
pub(crate) mod autoscale;
mod azure;
pub(crate) mod capacity;
pub(crate) mod check;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod deployment;
pub(crate) mod endpoint;
pub(crate) mod environment;
pub(crate) mod environments;
mod given;
pub(crate) mod guard;
pub(crate) mod help;
pub(crate) mod history;
pub(crate) mod host;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod instance;
pub(crate) mod load;
pub(crate) mod model;
mod outputs;
mod place;
pub(crate) mod plan;
pub(crate) mod quota;
mod registered;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod schema;

pub(crate) use compare::alike::unlike;
