//! A control group (cgroup v2) per instance, where this machine allows it: all that an instance has started, wherever it
//! went, is ended at once by the kernel (`cgroup.kill`), and what it used is counted with what has ended already.
//!
//! The groups lie below the host's own group, so that it must be the host's to divide: for root it is, for others where
//! it was delegated to them (a systemd user session, `systemd-run --user --scope -p Delegate=yes`). No controller is
//! turned on, and no limit set.
//!
//! ```text
//! …/plimsoll-host-4711-0b5e…/       the host's, locked while it lives
//!     blue-0-1/                     one start of one instance
//! ```
//!
//! Who sees the end of an instance removes its group: its guard, else the host, else the guard of the last instance of
//! a host that is gone, else the next host that finds a group that nobody has locked. Without groups the guards are
//! *subreapers*, which is not as much: see there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use uuid::Uuid;

/// How the hosts' groups are called.
const PREFIX: &str = "plimsoll-host-";

/// Processes that were killed are gone soon, but not at once: tries to remove their group, and between two of them.
const TRIES: usize = 200;
const PAUSE: Duration = Duration::from_millis(5);

/// The host's group. It is removed, with all that is in it, when this is dropped.
#[derive(Debug)]
pub(super) struct Groups {
    path: PathBuf,
    starts: AtomicU64,
    /// Locked until this is dropped.
    _lock: File,
}

/// The group of one start of an instance. It is emptied and removed when this is dropped.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) path: PathBuf,
}

/// What the processes of a group use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Used {
    /// Processor time, of those that have ended too.
    pub(super) cpu: Duration,
    /// Resident memory in KiB.
    pub(super) memory_kib: u64,
}

impl Groups {
    /// Makes the host's group, after removing those that dead hosts have left.
    ///
    /// # Errors
    /// Why there can be no groups on this machine.
    pub(super) fn create() -> Result<Self, String> {
        let own = own_group()?;
        sweep(&own);
        let at = |path: &Path, error: &io::Error| format!("`{}`: {error}", path.display());
        let name = format!("{PREFIX}{}-{}", std::process::id(), Uuid::new_v4().simple());
        let path = own.join(name);
        fs::create_dir(&path).map_err(|error| at(&path, &error))?;
        // A host that sweeps may have been faster: then this one does without.
        let lock = File::open(&path).map_err(|error| at(&path, &error))?;
        lock.try_lock().map_err(|error| at(&path, &error.into()))?;
        let groups = Self { path, starts: AtomicU64::new(0), _lock: lock };
        for file in ["cgroup.kill", "cgroup.procs"] {
            let file = groups.path.join(file);
            File::options().write(true).open(&file).map_err(|error| at(&file, &error))?;
        }
        let kind = groups.path.join("cgroup.type");
        match fs::read_to_string(&kind).map_err(|error| at(&kind, &error))?.trim() {
            "domain" => Ok(groups),
            other => Err(format!("`{}` is `{other}`, not `domain`", kind.display())),
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Kills all that is in it, and removes it.
    pub(super) fn remove(&self) {
        if let Err(error) = remove(&self.path) {
            let group = self.path.display().to_string();
            tracing::warn!(group, %error, "the host's control group is left behind");
        }
    }

    /// A new group for a start of this instance.
    pub(super) fn group(&self, instance: &str) -> io::Result<Group> {
        let number = self.starts.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!("{}-{number}", instance.replace('/', "-")));
        fs::create_dir(&path)?;
        Ok(Group { path })
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        self.remove();
    }
}

impl Group {
    /// Kills all that is in it, and removes it.
    pub(super) fn remove(&self) {
        if let Err(error) = remove(&self.path) {
            let group = self.path.display().to_string();
            tracing::warn!(group, %error, "a control group is left behind");
        }
    }

    /// What is used in it now.
    pub(super) fn used(&self) -> io::Result<Used> {
        used(&self.path)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Brings the calling process, and all that it will start, into a group.
pub(super) fn join(group: &Path) -> io::Result<()> {
    fs::write(group.join("cgroup.procs"), "0")
}

/// Kills all that is in a group, and removes it with the groups in it. It need not be there.
pub(super) fn remove(group: &Path) -> io::Result<()> {
    let is_gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    // Whether this was to any purpose is seen below.
    let _ = fs::write(group.join("cgroup.kill"), "1");
    let inner = group.read_dir().into_iter().flatten().flatten();
    for entry in inner.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove(&entry.path())?;
    }
    for _ in 0..TRIES {
        match fs::remove_dir(group) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => thread::sleep(PAUSE),
            Err(error) if !is_gone(&error) => return Err(error),
            _ => return Ok(()),
        }
    }
    fs::remove_dir(group)
}

/// Removes a group if there is nothing in it.
pub(super) fn remove_if_empty(group: &Path) {
    let _ = fs::remove_dir(group);
}

fn used(group: &Path) -> io::Result<Used> {
    let stat = fs::read_to_string(group.join("cpu.stat"))?;
    let mut memory_kib = 0;
    for process in fs::read_to_string(group.join("cgroup.procs"))?.lines() {
        // One that ends meanwhile is left out.
        let status = fs::read_to_string(Path::new("/proc").join(process).join("status"));
        memory_kib += status.ok().and_then(|status| read_memory(&status)).unwrap_or(0);
    }
    let cpu = read_cpu(&stat).ok_or_else(|| io::Error::other("cpu.stat has no usage_usec"))?;
    Ok(Used { cpu, memory_kib })
}

fn read_cpu(stat: &str) -> Option<Duration> {
    let micros = stat.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
    micros.trim().parse().ok().map(Duration::from_micros)
}

/// Resident memory in `/proc/PID/status`, in KiB.
pub(super) fn read_memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The folder of this process's own group.
fn own_group() -> Result<PathBuf, String> {
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("`{path}`: {error}"));
    let mounts = read("/proc/self/mountinfo")?;
    let own = read("/proc/self/cgroup")?;
    find(&mounts, &own).ok_or_else(|| "there is no cgroup v2 on this machine".to_owned())
}

/// From the texts of `/proc/self/mountinfo` and `/proc/self/cgroup`.
fn find(mounts: &str, own: &str) -> Option<PathBuf> {
    let own = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ").then_some(())?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        // What is mounted may be only a part of all groups.
        let below = Path::new(own).strip_prefix(root).ok()?;
        Some(Path::new(point).join(below))
    })
}

/// Removes the groups of dead hosts. What cannot be removed is somebody else's.
fn sweep(parent: &Path) {
    for entry in parent.read_dir().into_iter().flatten().flatten() {
        if !entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        if File::open(entry.path()).is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = remove(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_wherever_it_is_mounted() {
        let own = "4:memory:/a\n0::/user.slice/mine.scope\n";
        let find =
            |mounts: &str, own: &str| find(mounts, own).map(|path| path.display().to_string());
        let whole = "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
        assert_eq!(find(whole, own).unwrap(), "/sys/fs/cgroup/user.slice/mine.scope");
        let hybrid = "31 25 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        assert_eq!(find(hybrid, "0::/\n").unwrap(), "/sys/fs/cgroup/unified/");
        let part = "30 25 0:26 /user.slice /cg rw - cgroup2 cgroup2 rw\n";
        assert_eq!(find(part, own).unwrap(), "/cg/mine.scope");
        assert_eq!(find(part, "0::/system.slice\n"), None, "it is not in the part that is there");
        assert_eq!(find("31 25 0:27 / /c rw - cgroup cgroup rw,cpu\n", own), None);
        assert_eq!(find(whole, "4:memory:/a\n"), None);
    }

    #[test]
    fn use_is_read_from_the_kernels_files() {
        assert_eq!(read_cpu("usage_usec 1500\nuser_usec 9\n"), Some(Duration::from_micros(1500)));
        assert_eq!(read_cpu("user_usec 9\n"), None);
        assert_eq!(read_memory("Name:\tx\nVmRSS:\t   1234 kB\nThreads:\t1"), Some(1234));
        assert_eq!(read_memory("Name:\tkthreadd\n"), None);
    }
}
