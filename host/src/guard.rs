//! The guard that every instance is started through, so that none outlives the host.
//!
//! Linux sends a process the signal that it chose (`PR_SET_PDEATHSIG`) when the thread that started
//! it ends, also after `kill -9`, and the choice survives `exec`. The guard makes the choice, checks
//! that its parent is not already gone, and becomes the instance.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt, parent_id};
use std::process::Command;

use nix::sys::prctl;
use nix::sys::signal::Signal;

/// Becomes the program of `args`, which are the host's process id, the program and its arguments.
/// It returns only what went wrong.
pub fn guard(args: impl IntoIterator<Item = OsString>) -> io::Error {
    match become_instance(args) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

fn become_instance(
    args: impl IntoIterator<Item = OsString>,
) -> Result<std::convert::Infallible, io::Error> {
    let usage = || io::Error::other("guard takes the host's process id, a program and arguments");
    let mut args = args.into_iter();
    let host = args.next().ok_or_else(usage)?;
    let host: u32 = host.to_str().and_then(|text| text.parse().ok()).ok_or_else(usage)?;
    let program = args.next().ok_or_else(usage)?;
    prctl::set_pdeathsig(Signal::SIGTERM)?;
    if parent_id() != host {
        return Err(io::Error::other("the host is gone, so this instance is not started"));
    }
    let error = Command::new(&program).args(args).exec();
    let program = program.display();
    Err(io::Error::new(error.kind(), format!("`{program}` cannot be started: {error}")))
}
