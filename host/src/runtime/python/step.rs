//! One command of a build: its lines are told as they come, and the last of them are in the error.

use std::collections::VecDeque;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use plimsoll_deploy::arm::Progress;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::process::Command;

use super::error::Error;

/// Lines of output that an error shows.
const TAIL: usize = 20;

/// The command with all that it has started, such as pip's compilers. Dropping it kills them.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

/// Runs `program` to its end. The `lock` becomes its standard input: an empty file to read, and
/// held until the command itself has ended, even when plimsoll is killed meanwhile.
///
/// # Errors
/// It cannot be started, or ends in failure.
pub(super) async fn run(
    program: &Path,
    args: &[&str],
    lock: &File,
    progress: Progress<'_>,
) -> Result<(), Error> {
    let failed = |source| Error::Run { program: program.to_owned(), source };
    let (output, input) = std::io::pipe().map_err(failed)?;
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::from(lock.try_clone().map_err(failed)?));
    command.stdout(input.try_clone().map_err(failed)?).stderr(input);
    // What a shell may have set for other environments must not reach into this one.
    command.env_remove("PYTHONHOME").env_remove("PYTHONPATH").env("PIP_USER", "0");
    let mut child = command.process_group(0).kill_on_drop(true).spawn().map_err(failed)?;
    let mut group = Group(child.id().map(|id| Pid::from_raw(id.cast_signed())));
    // The command holds the writing end too, and the pipe ends only when all are closed.
    drop(command);
    let output = pipe::Receiver::from_owned_fd(output.into()).map_err(failed)?;
    let mut lines = BufReader::new(output).split(b'\n');
    let mut tail = VecDeque::with_capacity(TAIL);
    while let Some(line) = lines.next_segment().await.map_err(failed)? {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if line.is_empty() {
            continue;
        }
        if tail.len() == TAIL {
            tail.pop_front();
        }
        // Which requirement asked for a package is for the error, not for the progress.
        progress(line.split(" (from ").next().unwrap_or(&line).trim().to_owned());
        tail.push_back(line);
    }
    let status = child.wait().await.map_err(failed)?;
    group.0 = None;
    if status.success() {
        return Ok(());
    }
    let program = program.file_name().unwrap_or_default().to_string_lossy();
    let shown: Vec<&str> = args.iter().take(3).copied().collect();
    Err(Error::Step {
        step: format!("{program} {}", shown.join(" ")),
        status: status.to_string(),
        tail: Vec::from(tail).join("\n"),
    })
}
