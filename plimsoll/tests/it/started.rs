//! The command while it runs, in a group of its own as a shell would start it, and scenario folders
//! that a test may change.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::processes::Process;
use crate::support::{Ran, eventually, plimsoll, root};

/// For anything that should happen soon, on a machine that is busy with other tests.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A copy of a scenario folder.
pub(crate) struct Folder(TempDir);

impl Folder {
    /// A copy of `scenarios/<name>`.
    pub(crate) fn copy(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        copy(&root().join("scenarios").join(name), folder.path());
        Self(folder)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    /// Replaces every `from` in a file, in which it must be.
    pub(crate) fn replace(self, file: &str, from: &str, to: &str) -> Self {
        let path = self.0.path().join(file);
        let text = fs::read_to_string(&path).expect("the file is there");
        assert!(text.contains(from), "{file} has no {from:?}: {text}");
        self.write(file, &text.replace(from, to))
    }

    pub(crate) fn write(self, file: &str, text: &str) -> Self {
        fs::write(self.0.path().join(file), text).expect("it can be written");
        self
    }

    /// Gives the scenario this load, of equal gaps, and no other objectives and alerts than these.
    pub(crate) fn load(self, stages: &str, objectives: &[&str]) -> Self {
        let path = self.0.path().join("scenario.yml");
        let text = fs::read_to_string(&path).expect("the file is there");
        let (head, _) = text.split_once("load:").expect("a scenario has a load");
        let load = format!("load:\n  arrivals: constant\n  stages:\n{stages}\n");
        self.write(
            "scenario.yml",
            &format!("{head}{load}objectives:\n  - {}\n", objectives.join("\n  - ")),
        )
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, more: &[&str]) -> Ran {
        self.start(more).ended(Duration::from_mins(2))
    }

    pub(crate) fn start(&self, more: &[&str]) -> Started {
        self.start_with(|command| command.args(more))
    }

    pub(crate) fn start_with(&self, add: impl FnOnce(&mut Command) -> &mut Command) -> Started {
        Started::with(|command, out| {
            add(command.arg("run").arg(self.path()).arg("--out").arg(out.join("results")))
        })
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            fs::create_dir(&to).expect("a new folder");
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).expect("a new file");
        }
    }
}

/// The command while it runs. Its temporary files are in a folder of their own, so that nothing
/// that it leaves behind can be overlooked.
pub(crate) struct Started {
    child: Child,
    out: TempDir,
}

impl Started {
    /// `plimsoll ARGS --out …`
    pub(crate) fn new(args: &[&str]) -> Self {
        Self::with(|command, out| command.args(args).arg("--out").arg(out.join("results")))
    }

    /// The command that `add` completes; `out` is a new folder.
    pub(crate) fn with(
        add: impl for<'a> FnOnce(&'a mut Command, &Path) -> &'a mut Command,
    ) -> Self {
        let out = tempfile::tempdir().expect("a temporary folder");
        let temporary = out.path().join("tmp");
        fs::create_dir(&temporary).expect("a new folder");
        let file = |name: &str| File::create(out.path().join(name)).expect("a new file");
        let mut command = plimsoll();
        add(&mut command, out.path()).process_group(0).env("TMPDIR", temporary);
        // Files, because what is left behind would keep a pipe open.
        command.stdout(file("stdout")).stderr(file("stderr"));
        let child = command.spawn().expect("it starts");
        Self { child, out }
    }

    pub(crate) fn results(&self) -> PathBuf {
        self.out.path().join("results")
    }

    /// All that it has printed so far.
    pub(crate) fn printed(&self) -> String {
        ["stdout", "stderr"]
            .map(|name| fs::read_to_string(self.out.path().join(name)).unwrap_or_default())
            .concat()
    }

    /// Waits until it has printed `words`.
    pub(crate) fn until_printed(&mut self, words: &str) {
        self.until(words, |run| run.printed().contains(words).then_some(()));
    }

    /// Waits until the timeline has `count` rows.
    pub(crate) fn until_rows(&mut self, count: usize) {
        self.until("rows in the timeline", |run| {
            let text = fs::read_to_string(run.results().join("timeline.csv")).unwrap_or_default();
            (text.lines().count() > count).then_some(())
        });
    }

    /// Waits for something that happens while it runs.
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        mut happened: impl FnMut(&Self) -> Option<T>,
    ) -> T {
        eventually(SOON, what, || {
            let value = happened(self);
            let ended = self.child.try_wait().expect("it is a child");
            assert!(value.is_some() || ended.is_none(), "no {what}, but: {}", self.printed());
            value
        })
    }

    /// It and everything that it has started.
    pub(crate) fn family(&self) -> Vec<Process> {
        Process::with_environment(&mark(self.out.path()))
    }

    /// The local host, which it has started.
    pub(crate) fn host(&mut self) -> Process {
        self.until("local host", |run| {
            run.family().into_iter().find(|process| process.command.contains(" host "))
        })
    }

    /// The instances, as soon as there are `count`.
    pub(crate) fn instances(&mut self, count: usize) -> Vec<Process> {
        self.until("instances", |run| {
            let mut found = run.family();
            found.retain(Process::is_instance);
            (found.len() == count).then_some(found)
        })
    }

    /// What Ctrl-C on a terminal does: the whole group gets the signal.
    pub(crate) fn ctrl_c(&self) {
        killpg(self.id(), Signal::SIGINT).expect("it runs");
    }

    pub(crate) fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.id(), signal).expect("it runs");
    }

    fn id(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// `kill -9`, and its end; what it has started may end later.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is a child");
        self.child.wait().expect("it is a child");
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self, limit: Duration) -> Ran {
        let status: ExitStatus = eventually(limit, "the end of the command", || {
            self.child.try_wait().expect("it is a child")
        });
        let read = |name: &str| fs::read(self.out.path().join(name)).expect("it was created");
        let output = Output { status, stdout: read("stdout"), stderr: read("stderr") };
        let empty = tempfile::tempdir().expect("a temporary folder");
        Ran::new(&output, std::mem::replace(&mut self.out, empty))
    }

    /// Whether nothing of it is left: no process and no temporary file.
    pub(crate) fn is_gone(&self) -> bool {
        self.family().is_empty() && temporary(self.out.path()).is_empty()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // A test that ends well leaves nothing; one that fails should not either.
        for process in self.family() {
            process.signal(Signal::SIGKILL);
        }
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// What every process of a run has in its environment: the folder for temporary files.
fn mark(out: &Path) -> String {
    out.join("tmp").display().to_string()
}

fn temporary(out: &Path) -> Vec<String> {
    let entries = fs::read_dir(out.join("tmp")).expect("it was created").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Fails unless all processes of the run are gone now, and its temporary files with them.
pub(crate) fn nothing_is_left(ran: &Ran) {
    let alive = Process::with_environment(&mark(ran.out.path()));
    for process in &alive {
        process.signal(Signal::SIGKILL);
    }
    assert_eq!(alive, [], "still running after: {}", ran.text());
    assert_eq!(temporary(ran.out.path()), [""; 0], "left in the temporary folder");
}
