//! The cache with a stand-in for conda, which makes what [`complete`] and the last check want.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;
use tokio::sync::Notify;

use super::*;

/// Leaves a line in `calls`, takes a moment, and makes an environment whose Python does nothing.
const MAKES: &str = "echo made >> \"$(dirname \"$0\")/calls\"; sleep 0.2
mkdir -p \"$4/bin\"; printf '#!/bin/sh\\n' > \"$4/bin/python\"; chmod +x \"$4/bin/python\"";

struct Bench {
    folder: TempDir,
    maker: Maker,
    recipe: Recipe,
}

impl Bench {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("micromamba");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let file = "dependencies: [cudatoolkit]".to_owned();
        let recipe = conda::read(&file).unwrap();
        Self { folder, maker: Maker::Conda { program, file }, recipe }
    }

    async fn get(&self) -> Result<PathBuf, Error> {
        get(&self.maker, &self.recipe, &self.folder.path().join("cache"), &mut |_| ()).await
    }

    fn calls(&self) -> usize {
        fs::read_to_string(self.folder.path().join("calls")).unwrap().lines().count()
    }
}

#[tokio::test]
async fn it_is_built_once_however_many_want_it() {
    let bench = Bench::new(MAKES);
    let (one, two) = tokio::join!(bench.get(), bench.get());
    assert_eq!(one.unwrap(), two.unwrap());
    bench.get().await.unwrap();
    assert_eq!(bench.calls(), 1);
}

#[tokio::test]
async fn what_a_killed_build_left_is_built_anew() {
    let bench = Bench::new(MAKES);
    let folder = bench.get().await.unwrap();
    fs::remove_file(folder.join(COMPLETE)).unwrap();
    fs::write(folder.join("half-made"), "").unwrap();
    assert_eq!(bench.get().await.unwrap(), folder);
    assert!(!folder.join("half-made").exists());
    assert_eq!(bench.calls(), 2);
}

#[tokio::test]
async fn a_failed_build_leaves_nothing_and_its_last_words() {
    let bench = Bench::new("mkdir -p \"$4\"; echo no cudatoolkit for you >&2; exit 7");
    let error = bench.get().await.unwrap_err().to_string();
    assert!(error.contains("no cudatoolkit for you") && error.contains('7'), "{error}");
    let envs = fs::read_dir(bench.folder.path().join("cache/envs")).unwrap();
    assert!(envs.flatten().all(|entry| !entry.path().is_dir()));
}

impl Bench {
    /// Begins a build, gives it up once it said `started`, and returns the lock's file.
    async fn give_up(&self) -> File {
        let started = Notify::new();
        let cache = self.folder.path().join("cache");
        let mut progress = |line: String| {
            if line == "started" {
                started.notify_one();
            }
        };
        tokio::select! {
            built = get(&self.maker, &self.recipe, &cache, &mut progress) => panic!("{built:?}"),
            () = started.notified() => {}
        }
        let name = name(&self.maker, &self.recipe);
        File::open(cache.join("envs").join(name).with_extension("lock")).unwrap()
    }
}

/// The lock is the builder's standard input: what it has left running, out of our reach, holds it.
/// (A shell gives what it puts in the background another standard input, but descriptor 3 as it is.)
#[tokio::test]
async fn nobody_builds_beside_what_a_killed_builder_left_running() {
    let bench = Bench::new(
        "here=$(dirname \"$0\"); test -e \"$here/go\" && exit 7; exec 3<&0
         setsid sh -c 'echo started
         for i in $(seq 600); do test -e \"$0/go\" && break; sleep 0.05; done' \"$here\" & wait",
    );
    let locked = bench.give_up().await.try_lock();
    assert!(matches!(locked, Err(TryLockError::WouldBlock)));
    fs::write(bench.folder.path().join("go"), "").unwrap();
    assert!(matches!(bench.get().await, Err(Error::Step { .. })), "it waited, then built");
}

#[tokio::test]
async fn a_build_that_is_given_up_takes_what_it_has_started_along() {
    let bench = Bench::new("exec 3<&0; sleep 60 & echo started; wait");
    let lock = bench.give_up().await;
    let freed = async {
        while lock.try_lock().is_err() {
            tokio::time::sleep(POLL / 10).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), freed).await.unwrap();
}

#[test]
fn another_conda_file_is_another_environment() {
    let bench = Bench::new(MAKES);
    let other = Maker::Conda { program: "conda".into(), file: "dependencies: [r-base]".into() };
    assert_ne!(name(&bench.maker, &bench.recipe), name(&other, &bench.recipe));
    let python = |version: &str| {
        Maker::Pip(Interpreter { path: "/usr/bin/python3".into(), version: version.into() })
    };
    assert_ne!(name(&python("3.11.7"), &bench.recipe), name(&python("3.12.1"), &bench.recipe));
    assert_eq!(name(&python("3.11.7"), &bench.recipe), name(&python("3.11.7"), &bench.recipe));
}
