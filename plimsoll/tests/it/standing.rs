//! The commands that mirror `az ml`, on a local host that outlives them, as somebody follows
//! Microsoft's tutorial.

mod failures;
mod host;
mod tutorial;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::processes::Process;
use crate::support::{Ran, plimsoll, root};

/// A user with a state folder of their own; everything of theirs is gone with it.
pub(crate) struct User {
    home: TempDir,
}

impl User {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(home.path().join("tmp")).expect("a new folder");
        Self { home }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// `plimsoll ARGS` in a folder, which has not run yet.
    pub(crate) fn command(&self, folder: &Path, args: &[&str]) -> Command {
        let cache = std::env::var_os("PLIMSOLL_CACHE_DIR").map(PathBuf::from);
        let cache = cache.unwrap_or_else(|| root().join(".cache/plimsoll"));
        let mut command = plimsoll();
        command.args(args).current_dir(folder).process_group(0);
        command.env("PLIMSOLL_STATE_DIR", self.state()).env("PLIMSOLL_CACHE_DIR", cache);
        command.env("TMPDIR", self.home.path().join("tmp"));
        command
    }

    /// What `plimsoll ARGS` came to.
    pub(crate) fn plimsoll(&self, folder: &Path, args: &[&str]) -> Ran {
        let output = self.command(folder, args).output().expect("it starts");
        Ran::new(&output, tempfile::tempdir().expect("a temporary folder"))
    }

    /// What it printed as JSON, as it must.
    pub(crate) fn json(&self, folder: &Path, args: &[&str]) -> Value {
        let ran = self.plimsoll(folder, args).must_exit(0);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("no JSON: {}", ran.text()))
    }

    /// All processes that have been started for the user and are still there.
    pub(crate) fn processes(&self) -> Vec<Process> {
        Process::with_environment(&self.state().display().to_string())
    }

    /// The local host.
    pub(crate) fn hosts(&self) -> Vec<Process> {
        let mut found = self.processes();
        found.retain(|process| process.command.contains("--detached"));
        found
    }

    /// What is left in the folder for temporary files.
    pub(crate) fn temporary(&self) -> usize {
        self.home.path().join("tmp").read_dir().expect("it was created").count()
    }

    /// All files of the state folder, with what is in them.
    pub(crate) fn kept(&self) -> Vec<(PathBuf, String)> {
        files(self.state())
    }
}

/// All files of a folder and of those in it, with what is in them.
pub(crate) fn files(folder: PathBuf) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read(&path).unwrap_or_default();
                found.push((path, String::from_utf8_lossy(&text).into_owned()));
            }
        }
    }
    found
}

impl Drop for User {
    fn drop(&mut self) {
        // A test that ends well leaves nothing; one that fails should not either.
        for process in self.processes() {
            process.signal(Signal::SIGKILL);
        }
    }
}

/// What any HTTP client does with a scoring address and a key: status and body.
pub(crate) fn post(url: &str, key: &str, body: &str) -> (u16, String) {
    let rest = url.strip_prefix("http://").expect("a plain address");
    let (authority, path) = rest.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(authority).expect("it listens");
    write!(
        stream,
        "POST /{path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers");
    let status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    let (_, body) = text.split_once("\r\n\r\n").expect("a head");
    (status, body.to_owned())
}
