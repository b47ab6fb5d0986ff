//! What the tests of the command share: the binary, a small HTTP server, and results that were written.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How the server answers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// With this status and a small JSON body.
    Status(u16),
    /// 200 if the request carries this `Authorization`, else 401.
    OnlyWith(&'static str),
    /// 500, with the request's head as body.
    Echo,
    /// Not at all.
    Never,
}

/// An HTTP server on loopback; a thread per connection, gone with the test process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || serve(&stream, answer));
            }
        });
        Self { address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/score", self.address)
    }
}

fn serve(stream: &TcpStream, answer: Answer) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let (mut length, mut authorization) = (0, String::new());
        let mut head = String::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            head += &line;
            let line = line.trim();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.trim().parse().ok()?,
                    "authorization" => value.trim().clone_into(&mut authorization),
                    _ => {}
                }
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let status = match answer {
            Answer::Status(status) => status,
            Answer::OnlyWith(wanted) if authorization == wanted => 200,
            Answer::OnlyWith(_) => 401,
            Answer::Echo => 500,
            Answer::Never => continue,
        };
        let text = if status == 500 { head } else { "{\"ok\": true}".to_owned() };
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        let mut stream = stream;
        stream.write_all(head.as_bytes()).ok()?;
    }
}

/// A port of loopback where nothing listens.
pub(crate) fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it is bound").port()
}

/// The command, with nothing of the caller's that could change what it does.
pub(crate) fn plimsoll() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OTEL_") {
            command.env_remove(name);
        }
    }
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("the package is in the repository").to_owned()
}

/// What a run of the command left.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) out: TempDir,
}

impl Ran {
    /// Runs the command with `--out` in a new folder.
    pub(crate) fn with_out(args: &[&str]) -> Self {
        let out = tempfile::tempdir().expect("a temporary folder");
        let folder = out.path().join("results");
        let output = plimsoll().args(args).arg("--out").arg(folder).output().expect("it starts");
        Self::new(&output, out)
    }

    pub(crate) fn new(output: &Output, out: TempDir) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            out,
        }
    }

    /// Everything it printed.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// The results folder.
    pub(crate) fn folder(&self) -> PathBuf {
        self.out.path().join("results")
    }

    /// `summary.json`.
    pub(crate) fn summary(&self) -> Value {
        summary(&self.folder())
    }

    /// Fails with everything it printed unless the exit code is the right one.
    pub(crate) fn must_exit(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.text());
        self
    }
}

/// The `summary.json` of a results folder.
pub(crate) fn summary(folder: &Path) -> Value {
    let path = folder.join("summary.json");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("summary.json is JSON")
}

/// A number in a summary, by its JSON pointer.
pub(crate) fn count(summary: &Value, pointer: &str) -> u64 {
    summary
        .pointer(pointer)
        .and_then(Value::as_u64)
        .unwrap_or_else(|| panic!("no {pointer} in {summary:#}"))
}

/// How many measured arrivals ended in this class; none if the summary does not name it.
pub(crate) fn class(summary: &Value, name: &str) -> u64 {
    let classes = summary["outcomes"]["classes"].as_object().expect("classes");
    classes.get(name).map_or(0, |count| count.as_u64().expect("a count"))
}

/// Fails unless the counts of a summary add up as the schema promises.
pub(crate) fn adds_up(summary: &Value) {
    let at = |pointer: &str| count(summary, pointer);
    let sum = |name: &str| {
        let counts = summary["outcomes"][name].as_object().expect("counts");
        counts.values().filter_map(Value::as_u64).sum::<u64>()
    };
    let (offered, sent, dropped) = (at("/load/offered"), at("/load/sent"), at("/load/dropped"));
    assert_eq!(offered, sent + dropped, "{summary:#}");
    let never_sent = ["dropped", "capped", "missed"].map(|name| class(summary, name));
    assert_eq!(dropped, never_sent.iter().sum::<u64>(), "{summary:#}");
    assert_eq!(offered, sum("classes"), "{summary:#}");
    assert_eq!(at("/load/completed"), sum("status"), "{summary:#}");
    assert_eq!(at("/outcomes/ok"), class(summary, "ok") + class(summary, "late"), "{summary:#}");
    let keys = summary["keys"].as_array().expect("keys").iter();
    let measured = keys.filter(|key| key["warmup"] == false);
    let of_keys: u64 = measured.map(|key| count(key, "/outcomes/ok")).sum();
    let complete = summary["run"]["complete"] == true;
    assert!(!complete || of_keys == at("/outcomes/ok"), "{summary:#}");
}

/// Waits until `done` gives something, for at most `limit`.
pub(crate) fn eventually<T>(limit: Duration, what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let start = plimsoll_domain::clock::now();
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(
            plimsoll_domain::clock::now().since(start) < limit,
            "{what} did not happen within {limit:?}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The validator that `scripts/real/schemas` installs, or one on the PATH.
pub(crate) fn validator() -> Option<PathBuf> {
    let installed = root().join(".cache/check-jsonschema/bin/check-jsonschema");
    let candidates = [installed, "check-jsonschema".into()];
    let works = |path: &PathBuf| {
        Command::new(path).arg("--version").output().is_ok_and(|output| output.status.success())
    };
    candidates.into_iter().find(works)
}
