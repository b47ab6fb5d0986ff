//! The process of an instance: started through the guard, stopped as a group.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use super::logs::Log;
use super::spawner::Spawner;

/// After which a group that was asked to end is killed.
const GRACE: Duration = Duration::from_secs(5);

/// A running process and its group. Dropping it kills the group.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    group: Pid,
    output: JoinSet<()>,
}

impl Process {
    /// Starts `command` in a group of its own; what it writes goes to `log`.
    pub(super) async fn start(
        spawner: &Spawner,
        mut command: Command,
        log: &Log,
    ) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        let mut child = spawner.spawn(command).await?;
        let id = child.id().ok_or_else(|| io::Error::other("the process has ended already"))?;
        let mut output = JoinSet::new();
        if let Some(stdout) = child.stdout.take() {
            output.spawn(log.clone().follow(stdout));
        }
        if let Some(stderr) = child.stderr.take() {
            output.spawn(log.clone().follow(stderr));
        }
        Ok(Self { child, group: Pid::from_raw(id.cast_signed()), output })
    }

    /// The process's id, which is its group's too.
    pub(super) fn id(&self) -> u32 {
        self.group.as_raw().cast_unsigned()
    }

    /// Waits until it ends by itself. What is left of its group is killed, and its last lines
    /// are in the log when this returns.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        let _ = self.signal(Signal::SIGKILL);
        let last_lines = async { while self.output.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_secs(1), last_lines).await;
        status
    }

    /// Asks the group to end, then makes it.
    pub(super) async fn stop(mut self) {
        if self.child.id().is_some() {
            let _ = self.signal(Signal::SIGTERM);
        }
        if tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
            let _ = self.signal(Signal::SIGKILL);
        }
        let _ = self.ended().await;
    }

    fn signal(&self, signal: Signal) -> Result<(), Errno> {
        killpg(self.group, signal)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A group without processes has no id to hit by mistake: the leader is not reaped before.
        if self.child.id().is_some() {
            let _ = self.signal(Signal::SIGKILL);
        }
    }
}
