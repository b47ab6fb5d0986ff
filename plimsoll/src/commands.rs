//! The commands, one file each: its `Args`, and `run`, which takes them and says how it ended.
//!
//! A command that has commands of its own is a folder of such files. The table of all of them is
//! in [`cli`](crate::cli); what several commands take is in `outputs`.

pub(crate) mod check;
pub(crate) mod compare;
mod given;
pub(crate) mod guard;
pub(crate) mod help;
pub(crate) mod host;
pub(crate) mod instance;
pub(crate) mod load;
mod outputs;
pub(crate) mod quota;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod schema;
