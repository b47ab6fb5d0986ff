//! The process of an instance: started through the guard, ended by the guard.
//!
//! The host speaks only to the guard, which sees to all that the instance has started. It never signals a
//! process that it has reaped. Where the instance has a control group the host empties it once more, as the guard may
//! have been killed.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use super::cgroup::Group;
use super::guard::{GRACE, HELLO};
use super::logs::Log;
use super::spawner::Spawner;

/// Beyond the grace, how long a guard may take to kill what is left; then it is killed itself.
const SWEEP: Duration = Duration::from_millis(1500);

/// For the last lines of a process that has ended.
const LAST_LINES: Duration = Duration::from_secs(1);

/// A guard and its instance. Dropping it asks the guard to end the instance.
#[derive(Debug)]
pub(super) struct Process {
    guard: Guard,
    id: Option<u32>,
    group: Option<Arc<Group>>,
    output: JoinSet<()>,
}

/// A guard that is asked to end when it is dropped.
#[derive(Debug)]
pub(super) struct Guard(pub(super) Child);

impl Guard {
    /// Asks it to end the instance, if it has not been reaped.
    fn ask(&self) {
        if let Some(id) = self.0.id() {
            let _ = kill(Pid::from_raw(id.cast_signed()), Signal::SIGTERM);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.ask();
    }
}

impl Process {
    /// Starts `command`, a guard of an instance in `group`; what the instance writes goes to `log`.
    pub(super) async fn start(
        spawner: &Spawner,
        mut command: Command,
        group: Option<Arc<Group>>,
        log: &Log,
    ) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0);
        let mut guard = spawner.spawn(command).await?;
        let mut output = JoinSet::new();
        if let Some(stderr) = guard.0.stderr.take() {
            output.spawn(log.clone().follow(stderr));
        }
        let mut process = Self { guard, id: None, group, output };
        if let Some(stdout) = process.guard.0.stdout.take() {
            let mut stdout = BufReader::new(stdout);
            let mut line = String::new();
            // A guard that fails says why on the other output, and ends.
            let _ = stdout.read_line(&mut line).await;
            process.id = line.strip_prefix(HELLO).and_then(|id| id.trim_end().parse().ok());
            process.output.spawn(log.clone().follow(stdout));
        }
        Ok(process)
    }

    /// The instance's process id, once it has one.
    pub(super) fn id(&self) -> Option<u32> {
        self.id
    }

    /// Waits until it ends by itself, and with it all that it has started. Its last lines are in the log when
    /// this returns.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        let status = self.guard.0.wait().await;
        if let Some(group) = self.group.clone() {
            let _ = tokio::task::spawn_blocking(move || group.remove()).await;
        }
        let last_lines = async { while self.output.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_LINES, last_lines).await;
        status
    }

    /// Asks it to end, and sees to it.
    pub(super) async fn stop(mut self) {
        self.guard.ask();
        let patience = Duration::from_secs(GRACE.into()) + SWEEP;
        if tokio::time::timeout(patience, self.guard.0.wait()).await.is_err() {
            let _ = self.guard.0.start_kill();
        }
        let _ = self.ended().await;
    }
}
