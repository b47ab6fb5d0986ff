//! The local host as a child process: started for a run, driven through its control plane, and
//! gone with the run.
//!
//! It is a process of its own so that it never shares a runtime, or a crash, with the load
//! generator. It leads a process group, so that Ctrl-C on the terminal reaches only the parent, which
//! decides when the host ends. It gets its token on its standard input, where no other process
//! sees it, and it ends when that input ends: also when the parent is killed.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use plimsoll_deploy::arm::{self, ArmDriver};
use plimsoll_deploy::workspace::Workspace;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use uuid::Uuid;

/// From its start until it says that it is ready, and from the end of its input to its own.
const START_LIMIT: Duration = Duration::from_secs(10);
const STOP_LIMIT: Duration = Duration::from_secs(12);

/// What a host says on its standard output once it serves.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReadyLine {
    /// Address of the control plane.
    pub url: String,
    /// Folder of its instances; it is removed when the host ends.
    pub state_dir: PathBuf,
    /// Its address over HTTPS, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub https: Option<HttpsLine>,
}

/// Where the control plane is over HTTPS.
#[derive(Debug, Serialize, Deserialize)]
pub struct HttpsLine {
    /// Its address.
    pub url: String,
    /// The file that its callers trust.
    pub ca: PathBuf,
}

/// How a local host is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where environments are kept between runs; without it, the user's cache folder.
    pub cache_dir: Option<PathBuf>,
    /// Seed of the draws between deployments by traffic weight, and of synthetic service times.
    pub seed: u64,
}

/// What can go wrong with a local host.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be started.
    #[error("the local host `{}` cannot be started", executable.display())]
    Start {
        /// The program.
        executable: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It did not say that it is ready.
    #[error("the local host `{}` did not get ready: {reason}", executable.display())]
    NotReady {
        /// The program.
        executable: PathBuf,
        /// What it did instead.
        reason: String,
    },
    /// Its address cannot be used.
    #[error("the local host cannot be driven")]
    Driver(#[from] arm::Error),
}

/// A running local host. Dropping it ends it too, without waiting until it is gone.
#[derive(Debug)]
pub struct LocalHost {
    child: Child,
    stdin: Option<ChildStdin>,
    ready: ReadyLine,
    token: SecretString,
}

impl LocalHost {
    /// Starts `executable host --supervised` and waits until it serves. What it writes to
    /// standard error goes to the parent's.
    ///
    /// # Errors
    /// The program cannot be started, or it ends or stays silent instead of getting ready.
    pub async fn start(executable: &Path, options: &Options) -> Result<Self, Error> {
        let failed = |source| Error::Start { executable: executable.to_owned(), source };
        let mut command = Command::new(executable);
        command.args(["host", "--supervised", "--seed", &options.seed.to_string()]);
        if let Some(folder) = &options.cache_dir {
            command.arg("--cache-dir").arg(folder);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(failed)?;
        match Self::greet(executable, &mut child).await {
            Ok((stdin, ready, token)) => Ok(Self { child, stdin: Some(stdin), ready, token }),
            Err(error) => {
                let _ = child.kill().await;
                Err(error)
            }
        }
    }

    /// Tells the host its token and waits until it says where it serves.
    async fn greet(
        executable: &Path,
        child: &mut Child,
    ) -> Result<(ChildStdin, ReadyLine, SecretString), Error> {
        let failed = |source| Error::Start { executable: executable.to_owned(), source };
        let mut stdin = child.stdin.take().expect("it was asked for");
        let stdout = child.stdout.take().expect("it was asked for");
        let token: SecretString = Uuid::new_v4().simple().to_string().into();
        let hello = format!("{}\n", token.expose_secret());
        stdin.write_all(hello.as_bytes()).await.map_err(failed)?;
        let mut line = String::new();
        let mut stdout = BufReader::new(stdout);
        let read = tokio::time::timeout(START_LIMIT, stdout.read_line(&mut line)).await;
        let not_ready = |reason| Error::NotReady { executable: executable.to_owned(), reason };
        match read {
            Err(_) => return Err(not_ready(format!("it said nothing for {START_LIMIT:?}"))),
            Ok(Err(error)) => return Err(failed(error)),
            Ok(Ok(0)) => return Err(not_ready("it ended; its messages are above".to_owned())),
            Ok(Ok(_)) => {}
        }
        let ready = serde_json::from_str(&line)
            .map_err(|error| not_ready(format!("it said `{}` ({error})", line.trim())))?;
        Ok((stdin, ready, token))
    }

    /// A driver for it.
    ///
    /// # Errors
    /// The address that the host named is not one.
    pub fn driver(&self) -> Result<ArmDriver, Error> {
        Ok(ArmDriver::new(&self.ready.url, Workspace::local(), &self.token)?)
    }

    /// The address of its control plane.
    pub fn url(&self) -> &str {
        &self.ready.url
    }

    /// The folder of its instances, which is removed when it ends.
    pub fn state_dir(&self) -> &Path {
        &self.ready.state_dir
    }

    /// Its process.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until it ends, which it should not do by itself.
    ///
    /// # Errors
    /// The process cannot be waited for.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Ends it, and with it every instance; returns when it is gone.
    ///
    /// # Errors
    /// The process cannot be waited for.
    pub async fn stop(mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        if tokio::time::timeout(STOP_LIMIT, self.child.wait()).await.is_err() {
            self.child.start_kill()?;
        }
        let status = self.child.wait().await;
        // It removes its folder itself, unless it was killed.
        let _ = tokio::fs::remove_dir_all(&self.ready.state_dir).await;
        status
    }
}
