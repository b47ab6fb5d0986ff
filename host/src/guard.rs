//! The guard: the parent of every instance, so that nothing of it outlives the host or the instance itself.
//!
//! Linux sends a process the signal that it chose (`PR_SET_PDEATHSIG`) when the thread that started it ends, also
//! after `kill -9`. The guard chooses SIGTERM, and what it starts chooses SIGKILL. A scoring script may start
//! processes that leave their group and session, and whose parents are gone: as the guard is a *subreaper*
//! (`PR_SET_CHILD_SUBREAPER`), these become its own children. When the instance has ended, by itself or asked,
//! the guard kills its children until it has none, and ends as the instance did.
//!
//! Only its own children are killed, and a child's process id belongs to it until the guard itself has
//! reaped it: no signal can hit somebody else's process.
//!
//! Where there are control groups ([`super::cgroup`]) the instance begins in one of its own, which the guard empties
//! and removes in the end, before it kills what may have left the group.
//!
//! Limits without control groups: who kills the guard itself with SIGKILL kills the instance too, but not what had left
//! it before; and a program that starts processes faster than the guard finds them is given up after [`SWEEP_LIMIT`]
//! rounds.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::process::{CommandExt, parent_id};
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill, killpg, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, alarm};

use super::cgroup;

/// In the place of the host's process id: the guard calls itself with this, in the instance's process.
const BECOME: &str = "become";

/// Before the path of a control group.
pub(super) const GROUP: &str = "--group";

/// The first line of an instance's output, before its process id: the host takes it out.
pub(super) const HELLO: &str = "plimsoll guard: process ";

/// Seconds from SIGTERM to SIGKILL, when the host asks and when it is gone.
pub(super) const GRACE: u32 = 5;
const GRACE_OF_ORPHANS: u32 = 2;

/// Rounds of killing what is left, and between two of them.
const SWEEP_LIMIT: usize = 200;
const SWEEP_PAUSE: Duration = Duration::from_millis(5);

/// What the guard waits for; blocked otherwise. A terminal's signals are for the host to decide about.
const WAITED: [Signal; 6] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGCHLD,
    Signal::SIGALRM,
];

/// What a guard is started with.
struct Order {
    /// The host's process id; in the instance's own process, the guard's.
    parent: u32,
    /// The control group of the instance.
    group: Option<PathBuf>,
    program: OsString,
    args: Vec<OsString>,
}

/// Guards the program of `args`, which are the host's process id, `--group` and the instance's control group if it has
/// one, the program and its arguments. The process ends as the program does; this returns only what went wrong.
pub fn guard(args: impl IntoIterator<Item = OsString>) -> io::Error {
    let mut args = args.into_iter().peekable();
    let inside = args.next_if(|first| first == BECOME).is_some();
    let Some(order) = read(args) else {
        let usage = "guard takes the host's process id, `--group` and a control group if there is one, a program and arguments";
        return io::Error::other(usage);
    };
    if inside {
        become_instance(&order)
    } else {
        let Err(error) = watch(&order);
        error
    }
}

fn read(args: impl Iterator<Item = OsString>) -> Option<Order> {
    let mut args = args.peekable();
    let parent = args.next()?.to_str()?.parse().ok()?;
    let is_grouped = args.next_if(|next| next == GROUP).is_some();
    let group = if is_grouped { Some(PathBuf::from(args.next()?)) } else { None };
    let program = args.next()?;
    Some(Order { parent, group, program, args: args.collect() })
}

/// In the instance's own process: it ends with the guard.
fn become_instance(order: &Order) -> io::Error {
    // Blocked by the guard, and a mask is inherited.
    let ready = SigSet::all().thread_unblock();
    let ready = ready.and_then(|()| prctl::set_pdeathsig(Signal::SIGKILL));
    if let Err(error) = ready {
        return error.into();
    }
    if parent_id() != order.parent {
        return io::Error::other("the guard is gone, so this instance is not started");
    }
    if let Some(group) = &order.group
        && let Err(error) = cgroup::join(group)
    {
        let group = group.display();
        return io::Error::new(error.kind(), format!("`{group}` cannot be joined: {error}"));
    }
    // Nobody listening is not the instance's concern.
    let _ = writeln!(io::stdout(), "{HELLO}{}", std::process::id());
    let error = Command::new(&order.program).args(&order.args).exec();
    let program = order.program.display();
    io::Error::new(error.kind(), format!("`{program}` cannot be started: {error}"))
}

/// In the guard: starts the instance, waits for its end or the host's, and leaves nothing behind.
fn watch(order: &Order) -> Result<std::convert::Infallible, io::Error> {
    let host = order.parent;
    let waited: SigSet = WAITED.into_iter().collect();
    waited.thread_block()?;
    prctl::set_pdeathsig(Signal::SIGTERM)?;
    if parent_id() != host {
        return Err(io::Error::other("the host is gone, so this instance is not started"));
    }
    prctl::set_child_subreaper(true)?;
    // Under this name it is there also when the file was replaced meanwhile.
    let mut instance = Command::new("/proc/self/exe");
    instance.args(["guard", BECOME, &std::process::id().to_string()]);
    instance.args(order.group.iter().flat_map(|group| [Path::new(GROUP), group]));
    instance.arg(&order.program).args(&order.args);
    let instance = instance.process_group(0).spawn()?;
    let instance = Pid::from_raw(instance.id().cast_signed());
    let mut asked = false;
    let end = loop {
        match waited.wait()? {
            Signal::SIGCHLD => {
                if let Some(end) = reap(Some(instance)) {
                    break end;
                }
            }
            // It is not reaped, so the id is its own.
            Signal::SIGALRM => kill(instance, Signal::SIGKILL)?,
            _ if asked => {}
            _ => {
                asked = true;
                // A group that is not made yet has no member to miss the signal.
                let _ =
                    killpg(instance, Signal::SIGTERM).or_else(|_| kill(instance, Signal::SIGTERM));
                alarm::set(if parent_id() == host { GRACE } else { GRACE_OF_ORPHANS });
            }
        }
    };
    if let Some(group) = &order.group {
        // What is left is the host's to tell of, or the next one's to remove.
        let _ = cgroup::remove(group);
        if parent_id() != host
            && let Some(of_host) = group.parent()
        {
            cgroup::remove_if_empty(of_host);
        }
    }
    sweep();
    end_like(end)
}

/// Reaps every child that has ended, and returns how `wanted` did.
fn reap(wanted: Option<Pid>) -> Option<WaitStatus> {
    let mut found = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return found,
            Ok(status) if status.pid() == wanted => found = Some(status),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return found,
        }
    }
}

/// Kills children until there are none: those of a killed child become the guard's own.
fn sweep() {
    for _ in 0..SWEEP_LIMIT {
        for child in children() {
            let _ = kill(child, Signal::SIGKILL);
        }
        reap(None);
        if waitpid(None, Some(WaitPidFlag::WNOHANG)) == Err(Errno::ECHILD) {
            return;
        }
        std::thread::sleep(SWEEP_PAUSE);
    }
}

fn children() -> Vec<Pid> {
    let me = std::process::id();
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| parent_of(*pid) == Some(me)).map(Pid::from_raw).collect()
}

/// The fourth field of `/proc/PID/stat`; the second, its name in brackets, may hold anything.
fn parent_of(pid: i32) -> Option<u32> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = String::from_utf8_lossy(&stat[end + 1..]);
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Ends with the same exit code or signal, so that the host sees what became of the instance.
fn end_like(end: WaitStatus) -> Result<std::convert::Infallible, io::Error> {
    match end {
        WaitStatus::Exited(_, code) => exit(code),
        WaitStatus::Signaled(_, signal, _) => {
            // What there is to dump is the instance's, not the guard's.
            setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
            SigSet::from(signal).thread_unblock()?;
            // The first SIGSEGV only takes away the handler that the standard library installs.
            raise(signal)?;
            raise(signal)?;
            exit(128 + signal as i32)
        }
        other => Err(io::Error::other(format!("the instance is lost: {other:?}"))),
    }
}
