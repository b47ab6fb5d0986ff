//! `plimsoll environments`: the Python environments that are kept between runs, how large and old
//! they are, and the removal of those that nobody uses.
//!
//! An environment is in use while a process runs from it or somebody builds it. Whoever removes one
//! holds its lock, so that nobody builds it meanwhile, and takes the marker of its completeness
//! away first: a removal that is cut short leaves one that is built again.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use clap::Subcommand;
use plimsoll_domain::clock;
use plimsoll_domain::units::{parse_duration, three_digits};
use plimsoll_host::runtime;

use crate::exit::Exit;
use crate::view;

/// What makes an environment complete; the host writes it last.
const COMPLETE: &str = "plimsoll-complete";

/// `plimsoll environments`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// Where environments are kept [default: `PLIMSOLL_CACHE_DIR`, else the user's cache folder]
    #[arg(long, value_name = "FOLDER", global = true)]
    cache_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show each with its size, its age, and whether it is in use
    List,
    /// Remove those that are not in use; the next run that needs one builds it again
    Prune {
        /// Only those that were made longer ago, for example 30d
        #[arg(long, value_name = "AGE", value_parser = age)]
        older_than: Option<Duration>,
        /// Say what would be removed, and remove nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// An age, of which people think in days.
fn age(text: &str) -> Result<Duration, String> {
    const DAY: u64 = 24 * 60 * 60;
    match text.strip_suffix('d').map(str::parse::<u32>) {
        Some(Ok(days)) => Ok(Duration::from_secs(u64::from(days) * DAY)),
        Some(Err(_)) => Err(format!("`{text}` is no number of days, such as 30d")),
        None => parse_duration(text).map_err(|wrong| format!("{wrong}, or in days: 30d")),
    }
}

/// One that is kept.
#[derive(Debug)]
struct Environment {
    folder: PathBuf,
    bytes: u64,
    /// Since it was made.
    age: Duration,
    state: State,
    /// What was asked to be in it, in a few words.
    holds: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody uses it.
    Idle,
    /// A process runs from it.
    InUse,
    /// Somebody builds it.
    Building,
    /// Its build was cut short: the next one begins again.
    Incomplete,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Idle => "not in use",
            Self::InUse => "in use",
            Self::Building => "being built",
            Self::Incomplete => "incomplete",
        }
    }
}

pub(crate) fn run(args: Args) -> Result<Exit> {
    let envs = args.cache_dir.unwrap_or_else(runtime::cache_dir).join("envs");
    // The paths of processes have no links in them.
    let envs = envs.canonicalize().unwrap_or(envs);
    let all = read(&envs, clock::wall(), &running()).with_context(|| unreadable(&envs))?;
    match args.command {
        Command::List => view::print(&table(&envs, &all)),
        Command::Prune { older_than, dry_run } => prune(&all, older_than, dry_run)?,
    }
    Ok(Exit::Success)
}

fn unreadable(envs: &Path) -> String {
    format!("cannot read {}; give another folder with --cache-dir", envs.display())
}

/// All that are kept in a folder, the largest first.
fn read(envs: &Path, now: SystemTime, running: &[String]) -> std::io::Result<Vec<Environment>> {
    let entries = match fs::read_dir(envs) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let folders = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        entry.file_type().is_ok_and(|kind| kind.is_dir()).then(|| entry.path())
    });
    let mut all: Vec<Environment> =
        folders.map(|folder| environment(folder, now, running)).collect();
    all.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.folder.cmp(&b.folder)));
    Ok(all)
}

fn environment(folder: PathBuf, now: SystemTime, running: &[String]) -> Environment {
    let marker = folder.join(COMPLETE);
    let made = fs::metadata(&marker).or_else(|_| fs::metadata(&folder));
    let made = made.and_then(|metadata| metadata.modified()).unwrap_or(now);
    let inside = format!("{}/", folder.display());
    let state = if running.iter().any(|command| command.contains(&inside)) {
        State::InUse
    } else if lock(&folder).is_ok_and(|lock| lock.is_none()) {
        State::Building
    } else if marker.is_file() {
        State::Idle
    } else {
        State::Incomplete
    };
    Environment {
        bytes: size(&folder),
        age: now.duration_since(made).unwrap_or_default(),
        state,
        holds: holds(&folder),
        folder,
    }
}

/// The first things that were asked to be in it.
fn holds(folder: &Path) -> String {
    const SHOWN: usize = 3;
    let text = fs::read_to_string(folder.join("requirements.txt")).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| is_package(line)).collect();
    let more = lines.len().saturating_sub(SHOWN);
    let mut words = lines[..lines.len().min(SHOWN)].join(", ");
    if more > 0 {
        words = format!("{words} and {more} more");
    }
    words
}

/// Options may name a package index, and with it a password.
fn is_package(line: &str) -> bool {
    line.starts_with(|c: char| c.is_ascii_alphanumeric()) && !line.contains("://")
}

/// The bytes that a folder takes on the disk.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let each = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    });
    each.sum()
}

/// The lock of an environment; `None` while somebody else builds it.
fn lock(folder: &Path) -> std::io::Result<Option<File>> {
    let file = File::options().append(true).create(true).open(folder.with_extension("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The command lines of all processes, and what each has loaded as far as this user may know: a
/// Python runs from its environment by its path, and loads what lies in it.
fn running() -> Vec<String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = processes
        .filter(|entry| entry.file_name().to_string_lossy().chars().all(|c| c.is_ascii_digit()));
    let text = |path: PathBuf| {
        fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    };
    let each = processes.map(|entry| {
        let maps = text(entry.path().join("maps"));
        format!("{}\n{maps}", text(entry.path().join("cmdline")).replace('\0', " "))
    });
    each.collect()
}

fn table(envs: &Path, all: &[Environment]) -> String {
    if all.is_empty() {
        return format!("no environments are kept in {}", envs.display());
    }
    let lines = all.iter().map(line);
    let bytes = all.iter().map(|each| each.bytes).sum();
    let total = format!("{}  in {} of {}", megabytes(bytes), all.len(), envs.display());
    lines.chain([total]).collect::<Vec<_>>().join("\n")
}

fn line(environment: &Environment) -> String {
    let Environment { folder, bytes, age, state, holds } = environment;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let (size, age) = (megabytes(*bytes), in_words(*age));
    format!("{size:>8}  {age:>9} old  {:<11}  {name}  {holds}", state.word()).trim_end().to_owned()
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", three_digits(bytes as f64 / 1e6))
}

fn in_words(age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    match minutes {
        0..120 => format!("{minutes} min"),
        120..2880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 60 / 24),
    }
}

fn prune(all: &[Environment], older_than: Option<Duration>, dry_run: bool) -> Result<()> {
    let is_old = |each: &&Environment| older_than.is_none_or(|least| each.age > least);
    let is_free = |each: &Environment| matches!(each.state, State::Idle | State::Incomplete);
    let (mut removed, mut bytes) = (0, 0);
    for each in all.iter().filter(is_old) {
        if !is_free(each) || (!dry_run && !remove(&each.folder)?) {
            view::print(&format!("kept ({}): {}", each.state.word(), line(each).trim_start()));
            continue;
        }
        let word = if dry_run { "would remove" } else { "removed" };
        view::print(&format!("{word}: {}", line(each).trim_start()));
        (removed, bytes) = (removed + 1, bytes + each.bytes);
    }
    let verb = if dry_run { "would be freed" } else { "freed" };
    view::print(&format!("{} {verb}: {removed} of {} environments", megabytes(bytes), all.len()));
    Ok(())
}

/// Removes an environment, unless somebody has begun to build it meanwhile.
fn remove(folder: &Path) -> Result<bool> {
    let what = || format!("cannot remove {}", folder.display());
    // The lock's file stays: somebody may wait for it.
    let Some(_lock) = lock(folder).with_context(what)? else { return Ok(false) };
    let _ = fs::remove_file(folder.join(COMPLETE));
    fs::remove_dir_all(folder).with_context(what)?;
    // Beside it lies the file that conda made it from.
    let _ = fs::remove_file(folder.with_extension("yml"));
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache with these environments: the name, and whether it is complete.
    fn cache(all: &[(&str, bool)]) -> tempfile::TempDir {
        let cache = tempfile::tempdir().unwrap();
        for (name, complete) in all {
            let folder = cache.path().join(name);
            fs::create_dir_all(folder.join("lib")).unwrap();
            fs::write(folder.join("lib/big.so"), vec![1; 100_000]).unwrap();
            let lines =
                "--index-url https://u:s3cret@h\nnumpy==1\nscipy\na @ https://s3cret\nb\nc\n";
            fs::write(folder.join("requirements.txt"), lines).unwrap();
            if *complete {
                fs::write(folder.join(COMPLETE), "").unwrap();
            }
        }
        cache
    }

    fn names(cache: &Path) -> Vec<String> {
        let entries = fs::read_dir(cache).unwrap().flatten().filter(|entry| entry.path().is_dir());
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_used_or_built_is_kept_and_the_rest_goes() {
        let cache = cache(&[("free", true), ("used", true), ("building", false), ("cut", false)]);
        let _building = lock(&cache.path().join("building")).unwrap().unwrap();
        let running = [format!("{}/used/bin/python -m x", cache.path().display())];
        let all = read(cache.path(), clock::wall(), &running).unwrap();
        prune(&all, None, true).unwrap();
        assert_eq!(names(cache.path()).len(), 4, "a dry run removes nothing");
        prune(&all, Some(Duration::from_hours(1)), false).unwrap();
        assert_eq!(names(cache.path()).len(), 4, "they are new");
        prune(&all, None, false).unwrap();
        assert_eq!(names(cache.path()), ["building", "used"]);
    }

    #[test]
    fn each_says_what_it_is_and_no_secret() {
        let cache = cache(&[("free", true), ("cut", false)]);
        let later = clock::wall() + Duration::from_hours(72);
        let all = read(cache.path(), later, &[]).unwrap();
        let text = table(cache.path(), &all);
        assert!(text.contains("3 days old") && text.contains("incomplete"), "{text}");
        assert!(text.contains("numpy==1, scipy, b and 1 more"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
        assert!(all.iter().all(|each| each.bytes >= 100_000), "{text}");
        assert!(table(cache.path(), &[]).contains("no environments"));
        assert!(read(&cache.path().join("none"), later, &[]).unwrap().is_empty());
    }

    #[test]
    fn ages_are_given_in_days() {
        assert_eq!(age("2d"), Ok(Duration::from_hours(48)));
        assert_eq!(age("90m"), Ok(Duration::from_mins(90)));
        assert!(age("xd").is_err() && age("soon").is_err());
    }

    #[test]
    fn a_process_is_seen_by_where_it_runs_from() {
        let own = std::env::current_exe().unwrap();
        assert!(running().iter().any(|command| command.contains(&*own.to_string_lossy())));
    }
}
