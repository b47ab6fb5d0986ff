//! Ending it.

use std::io;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use plimsoll_domain::clock;

use super::folder::Folder;
use super::record::{self, began};
use super::{Error, LOOK_EVERY};

/// Longer than a host takes that ends its instances.
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// For the kernel to end a process that was killed.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// Ends the host that runs, with all its instances, and tells which process it was. `None` if none
/// runs.
///
/// # Errors
/// It cannot be ended.
pub(crate) async fn stop() -> Result<Option<u32>, Error> {
    let Some(folder) = Folder::existing()? else { return Ok(None) };
    let Some(record) = record::living(&folder)? else { return Ok(None) };
    let pid = record.pid;
    for (signal, limit) in [(Signal::SIGTERM, STOP_LIMIT), (Signal::SIGKILL, KILL_LIMIT)] {
        // The number may be another process's by now: the host may have ended by itself.
        if began(pid) == Some(record.began) {
            let process = Pid::from_raw(pid.cast_signed());
            kill(process, signal).map_err(|error| Error::Stop { pid, source: error.into() })?;
        }
        let begun = clock::now();
        while clock::now().since(begun) < limit {
            if !record::lives(&folder)? {
                let _ = record::living(&folder)?;
                return Ok(Some(pid));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    let source = io::Error::other("it holds its lock though it was killed");
    Err(Error::Stop { pid, source })
}
