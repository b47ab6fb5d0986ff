//! Starting it: by a command that does not stay, and, in the new process, as the host that does.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use clap::CommandFactory;
use nix::unistd::setsid;
use plimsoll_domain::clock;
use plimsoll_host::runtime;
use plimsoll_host::standalone::Ready;

use super::folder::Folder;
use super::record::{self, Record};
use super::{Error, LOOK_EVERY, Standing};
use crate::view::View;

/// From its start until it serves.
const START_LIMIT: Duration = Duration::from_secs(15);
/// For others that only look whether it lives.
const LOCK_LIMIT: Duration = Duration::from_secs(2);
/// Lines of its log that tell why it did not start.
const LAST_LINES: usize = 10;

/// The flag of `plimsoll host` for the folder in which a host keeps its endpoints.
const WORKSPACE_FLAG: &str = "state";

/// What a start came to.
#[derive(Debug)]
pub(crate) enum Started {
    /// It runs now.
    New(Standing),
    /// It ran already.
    Already(Standing),
}

/// The host that runs; if none does, one is started, and said so.
///
/// # Errors
/// It cannot be found or started.
pub(crate) async fn ensure(view: &View) -> Result<Standing, Error> {
    match start(&[]).await? {
        Started::Already(standing) => Ok(standing),
        Started::New(standing) => {
            view.line(format!(
                "started the local host (process {}); it goes on until `plimsoll host stop`",
                standing.pid
            ));
            Ok(standing)
        }
    }
}

/// Starts a host with these flags of `plimsoll host`, unless one runs, and waits until it serves.
///
/// # Errors
/// The folder cannot be used, or the host does not start.
pub(crate) async fn start(flags: &[OsString]) -> Result<Started, Error> {
    let folder = Folder::create()?;
    let one_at_a_time = folder.starting_lock()?;
    locked(&one_at_a_time, &folder, START_LIMIT).await?;
    if let Some(record) = record::living(&folder)? {
        return Ok(Started::Already(Standing::of(&folder, record)));
    }
    let (mut child, log_before) = spawn(&folder, flags)?;
    let pid = child.id();
    let begun = clock::now();
    loop {
        if let Some(record) = record::living(&folder)?.filter(|record| record.pid == pid) {
            return Ok(Started::New(Standing::of(&folder, record)));
        }
        if let Ok(Some(status)) = child.try_wait() {
            let code = status.code();
            return Err(not_started(&folder, log_before, &ended(status), code));
        }
        if clock::now().since(begun) > START_LIMIT {
            let _ = child.kill().and_then(|()| child.wait());
            let slow = format!("it did not serve within {START_LIMIT:?}");
            return Err(not_started(&folder, log_before, &slow, None));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The process, and how long the log of those before it is.
fn spawn(folder: &Folder, flags: &[OsString]) -> Result<(Child, u64), Error> {
    let failed = |source| Error::Folder { path: folder.path().to_owned(), source };
    let log = folder.open_log()?;
    let log_before = log.metadata().map_err(failed)?.len();
    let executable = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(executable);
    command.arg("host").arg("--detached").arg(folder.path()).args(flags);
    let is_given = |name: &str| flags.iter().any(|flag| is_flag(flag, name));
    if !is_given("cache-dir") {
        let cache = std::path::absolute(runtime::cache_dir()).map_err(failed)?;
        command.arg("--cache-dir").arg(cache);
    }
    if offers_state() && !is_given(WORKSPACE_FLAG) {
        command.arg(format!("--{WORKSPACE_FLAG}")).arg(folder.workspace());
    }
    // It may outlive the folder that the user is in, and the terminal. A group of its own keeps
    // Ctrl-C away from it until it has a session of its own.
    command.current_dir("/").stdin(Stdio::null());
    command.stdout(log.try_clone().map_err(failed)?).stderr(log);
    Ok((command.spawn().map_err(failed)?, log_before))
}

/// Whether it is `--name=…`.
fn is_flag(flag: &OsStr, name: &str) -> bool {
    let flag =
        flag.as_bytes().strip_prefix(b"--").and_then(|flag| flag.strip_prefix(name.as_bytes()));
    flag.is_some_and(|value| value.starts_with(b"="))
}

/// Those flags that a host which runs was not started with.
pub(crate) fn not_in_force<'a>(standing: &Standing, flags: &'a [OsString]) -> Vec<&'a OsString> {
    // Without it nothing can be said of them.
    let Ok(line) = fs::read(format!("/proc/{}/cmdline", standing.pid)) else { return Vec::new() };
    let has = |flag: &&OsString| line.split(|byte| *byte == 0).any(|word| word == flag.as_bytes());
    flags.iter().filter(|flag| !has(flag)).collect()
}

/// Whether `plimsoll host` can keep its endpoints in a folder.
pub(crate) fn offers_state() -> bool {
    let cli = crate::cli::Cli::command();
    let host = cli.find_subcommand("host");
    host.is_some_and(|host| {
        host.get_arguments().any(|argument| argument.get_long() == Some(WORKSPACE_FLAG))
    })
}

async fn locked(lock: &File, folder: &Folder, limit: Duration) -> Result<(), Error> {
    let begun = clock::now();
    while let Err(error) = lock.try_lock() {
        if clock::now().since(begun) > limit {
            let source = error.into();
            return Err(Error::Folder { path: folder.path().to_owned(), source });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

fn ended(status: ExitStatus) -> String {
    format!("it ended ({status})")
}

/// What earlier hosts said is no reason.
fn not_started(folder: &Folder, log_before: u64, what: &str, code: Option<i32>) -> Error {
    let log = folder.log_tail(LAST_LINES, log_before).unwrap_or_default();
    let log = if log.is_empty() { " nothing".to_owned() } else { format!("\n{log}") };
    Error::Start { reason: format!("{what}; in {} it said:{log}", folder.log().display()), code }
}

/// The new process: leaves the terminal, and holds the lock until it ends.
#[derive(Debug)]
pub(crate) struct Detached {
    folder: Folder,
    _lock: File,
}

/// Makes this process the standing host of a folder.
///
/// # Errors
/// It cannot leave its session, or a host runs there already.
pub(crate) async fn serve(folder: &Path) -> Result<Detached, Error> {
    let folder = Folder::at(folder.to_owned())?;
    // Whoever leads a group already has left.
    let _ = setsid();
    let lock = folder.running_lock()?;
    locked(&lock, &folder, LOCK_LIMIT).await?;
    Ok(Detached { folder, _lock: lock })
}

impl Detached {
    /// Says where it serves, to commands that come later.
    ///
    /// # Errors
    /// The record cannot be written.
    pub(crate) fn announce(&self, ready: &Ready) -> Result<(), Error> {
        let pid = std::process::id();
        let file = ready.token_file.as_ref().expect("a host that is not supervised has one");
        let failed = |source| Error::Folder { path: file.clone(), source };
        let token = fs::read_to_string(file).map_err(failed)?.trim().to_owned();
        let state_dir: PathBuf = ready.line.state_dir.clone();
        let began = record::began(pid).unwrap_or_default();
        let record = Record { url: ready.line.url.clone(), pid, began, state_dir, token };
        let text = serde_json::to_string(&record).expect("it has string keys");
        self.folder.write_record(&text)
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.folder.record());
    }
}
