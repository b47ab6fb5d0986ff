//! Processes as `/proc` shows them: what a run started, and whether it is gone.

use std::fs;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::eventually;

/// One process. It is known by its start too, because numbers are given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) command: String,
    started: u64,
}

impl Process {
    /// All processes that have `text` in their environment: a process inherits it from the one
    /// that started it, so it finds those too whose parent is gone.
    pub(crate) fn with_environment(text: &str) -> Vec<Self> {
        let entries = fs::read_dir("/proc").expect("Linux has it").flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let marked = |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            String::from_utf8_lossy(&environment).contains(text)
        };
        numbers.filter(marked).filter_map(Self::find).collect()
    }

    /// The process with this number; `None` if there is none, or only its exit status is left.
    fn find(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in brackets, may hold anything; the state comes after it.
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        if matches!(*fields.first()?, "Z" | "X") {
            return None;
        }
        let started = fields.get(19)?.parse().ok()?;
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        Some(Self { pid, command, started })
    }

    pub(crate) fn is_alive(&self) -> bool {
        Self::find(self.pid).is_some_and(|now| now.started == self.started)
    }

    /// An instance of the builtin runtime, past the guard that it was started through.
    pub(crate) fn is_instance(&self) -> bool {
        self.command.contains(" instance ") && !self.command.contains(" guard ")
    }

    /// Sends a signal; a process that has just ended does not need it.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.pid), signal);
    }
}

#[test]
fn a_process_is_found_by_its_environment_and_gone_when_it_is_killed() {
    let mark = format!("of-test-{}", std::process::id());
    assert_eq!(Process::with_environment(&mark), []);
    let mut sleep = std::process::Command::new("sleep");
    let mut child = sleep.arg("60").env("MARK", &mark).spawn().expect("it starts");
    // A process that is just becoming another program has no environment for a moment.
    let found = eventually(Duration::from_secs(10), "the process", || {
        Some(Process::with_environment(&mark)).filter(|found| !found.is_empty())
    });
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].pid, child.id().cast_signed());
    found[0].signal(Signal::SIGKILL);
    child.wait().expect("it ends");
    assert!(!found[0].is_alive());
    assert_eq!(Process::with_environment(&mark), []);
}
