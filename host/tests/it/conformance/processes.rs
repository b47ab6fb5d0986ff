//! The processes of an instance, as the system sees them.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{is_alive, until};

/// A process and all that it has started, by who is whose parent.
pub(super) fn tree(root: u32) -> Vec<u32> {
    let all: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, parent(pid)?)))
        .collect();
    let mut tree = vec![root];
    let mut next = 0;
    while next < tree.len() {
        let parent = tree[next];
        tree.extend(all.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    tree
}

fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.split(' ').nth(1)?.parse().ok()
}

/// Stopped until it is dropped.
pub(super) struct Frozen(Vec<u32>);

pub(super) async fn freeze(root: u32) -> Frozen {
    let frozen = Frozen(tree(root));
    signal(&frozen.0, Signal::SIGSTOP);
    let stopped = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
    };
    until("all its processes are stopped", || async { frozen.0.iter().all(stopped) }).await;
    frozen
}

impl Drop for Frozen {
    fn drop(&mut self) {
        signal(&self.0, Signal::SIGCONT);
    }
}

fn signal(pids: &[u32], signal: Signal) {
    for pid in pids {
        let sent = kill(Pid::from_raw(pid.cast_signed()), signal);
        // What has ended meanwhile needs no more.
        assert!(matches!(sent, Ok(()) | Err(Errno::ESRCH)), "{sent:?}");
    }
}

/// Waits until none of them is left.
pub(super) async fn gone(what: &str, pids: &[u32]) {
    until(what, || async { !pids.iter().any(|pid| is_alive(*pid)) }).await;
}

/// Its arguments and its variables, as one text.
pub(super) fn words(pid: u32) -> String {
    let read = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let mut all = read("cmdline");
    all.push(b'\n');
    all.extend(read("environ"));
    String::from_utf8_lossy(&all).replace('\0', "\n")
}
