//! A local host that outlives the command that starts it: started once, found by every later
//! command, ended when the user says so.
//!
//! What is known of it is in a folder of the user's own: a record with its address and token, and
//! locks. The host holds one lock for as long as it lives, so that neither a process that has got
//! its number since nor a record that was left by a crash is taken for it. Another lock makes two
//! starts one.

mod folder;
mod record;
mod start;
mod stop;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use plimsoll_deploy::arm::{self, ArmDriver};
use plimsoll_deploy::workspace::Workspace;
use secrecy::SecretString;

use folder::Folder;
use record::Record;

pub(crate) use start::{Detached, Started, ensure, not_in_force, offers_state, serve, start};
pub(crate) use stop::stop;

/// Between two looks at what another process does.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What is wrong with the host that should stand, or with its folder.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// None runs.
    #[error(
        "no local host is running, so there are no endpoints; `plimsoll endpoint create` starts one"
    )]
    None,
    /// Nobody says where the user's folders are.
    #[error("nothing says where state is kept; set PLIMSOLL_STATE_DIR to a folder of yours")]
    Nowhere,
    /// The folder cannot be used.
    #[error("the folder of the local host, `{}`, cannot be used; set PLIMSOLL_STATE_DIR to another one", path.display())]
    Folder {
        /// It, or the file in it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else could put things there.
    #[error("the folder of the local host, `{}`, is another user's or no folder; set PLIMSOLL_STATE_DIR to one of yours", .0.display())]
    NotOurs(PathBuf),
    /// The record is not what this version writes.
    #[error("the local host is one of another version of plimsoll: `{}` cannot be read; end it with that version's `plimsoll host stop`", .0.display())]
    Record(PathBuf),
    /// It did not start.
    #[error("the local host did not start: {reason}")]
    Start {
        /// What happened, with the end of its log.
        reason: String,
        /// Its exit code, if it ended by itself.
        code: Option<i32>,
    },
    /// It cannot be ended.
    #[error("the local host (process {pid}) cannot be ended")]
    Stop {
        /// Its process.
        pid: u32,
        /// Why.
        source: io::Error,
    },
    /// Its address is none.
    #[error("the local host cannot be driven")]
    Driver(#[from] arm::Error),
}

/// A host that runs.
#[derive(Debug)]
pub(crate) struct Standing {
    /// Address of its control plane.
    pub(crate) url: String,
    /// Its process.
    pub(crate) pid: u32,
    /// Its own folder, with its instances.
    pub(crate) state_dir: PathBuf,
    /// What it and its instances complain of.
    pub(crate) log: PathBuf,
    token: SecretString,
}

impl Standing {
    /// A driver for it.
    ///
    /// # Errors
    /// Its address is none.
    pub(crate) fn driver(&self) -> Result<ArmDriver, Error> {
        Ok(ArmDriver::new(&self.url, Workspace::local(), &self.token)?)
    }

    fn of(folder: &Folder, record: Record) -> Self {
        let Record { url, pid, state_dir, token, .. } = record;
        Self { url, pid, state_dir, log: folder.log(), token: token.into() }
    }
}

/// The host that runs, if one does.
///
/// # Errors
/// The folder cannot be used, or the host is another version's.
pub(crate) fn find() -> Result<Option<Standing>, Error> {
    let Some(folder) = Folder::existing()? else { return Ok(None) };
    let record = record::living(&folder)?;
    Ok(record.map(|record| Standing::of(&folder, record)))
}

/// The host that runs.
///
/// # Errors
/// None runs, or what [`find`] says.
pub(crate) fn get() -> Result<Standing, Error> {
    find()?.ok_or(Error::None)
}

/// The last lines of the log of the host that runs or ran last.
///
/// # Errors
/// It cannot be read.
pub(crate) fn log(lines: usize) -> Result<String, Error> {
    let Some(folder) = Folder::existing()? else { return Ok(String::new()) };
    folder.log_tail(lines, 0)
}
