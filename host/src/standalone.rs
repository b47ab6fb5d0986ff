//! The local host as a process: where its token comes from, what it says, when it ends.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use plimsoll_deploy::quota::Usages;
use plimsoll_deploy::workspace::Workspace;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::state_dir::StateDir;
use super::{Error, HostConfig, Https, Keep, Rehearsal, secrets, serve, url};
use crate::local::{HttpsLine, ReadyLine};
use crate::signals::{received, unless_ignored};

/// A longer first line of input is no token.
const TOKEN_BYTES: usize = 256;

/// What the command line says.
#[derive(Debug)]
pub struct Options {
    /// Where the control plane listens.
    pub listen: SocketAddr,
    /// Where the control plane is served over HTTPS too, with a certificate authority of its own.
    pub https: Option<SocketAddr>,
    /// A folder for what outlives the process: a host that is started with it again has the endpoints again.
    pub state: Option<PathBuf>,
    /// What the subscription may use, and what others use of it.
    pub limits: Option<Usages>,
    /// What is slow, or fails, as on Azure.
    pub rehearsal: Rehearsal,
    /// Where environments are kept between runs.
    pub cache_dir: PathBuf,
    /// Seed of the draws between deployments by traffic weight, and of synthetic service times.
    pub seed: u64,
    /// The token is the first line of standard input, and the end of the input is the end of the
    /// host. Otherwise the token is made up and written to a file, and a signal ends the host.
    pub supervised: bool,
}

/// Where to find a host that serves.
#[derive(Debug)]
pub struct Ready {
    /// For a program, as one line of JSON.
    pub line: ReadyLine,
    /// The file with the token, unless the caller knows it already.
    pub token_file: Option<PathBuf>,
}

/// Serves until the end of input, SIGTERM, SIGINT, or, by hand, SIGHUP. `ready` is called once, when it serves.
///
/// # Errors
/// The address is taken, the token cannot be read or written, or the host cannot start.
pub async fn run(options: Options, ready: impl FnOnce(&Ready)) -> Result<(), Error> {
    raise_descriptor_limit();
    let shutdown = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // A closed terminal ends a host that was started by hand, as SIGTERM does: what it runs ends in
    // order, and its folder goes. `nohup` wants it to go on.
    let mut hang_up = if options.supervised { None } else { unless_ignored(SignalKind::hangup())? };
    let keep = options.state.as_deref().map(Keep::open).transpose()?;
    let (token, kept_token) = match &keep {
        _ if options.supervised => (token_from_input(&shutdown)?, None),
        Some(keep) => keep.token(made_up_token).map(|(token, file)| (token, Some(file)))?,
        None => (made_up_token(), None),
    };
    let listener = listen(options.listen).await?;
    let secure = match options.https {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let address = listener.local_addr()?;
    let parent = std::env::temp_dir();
    let at = |source| Error::StateDir { path: parent.clone(), source };
    let folder = StateDir::create(&parent).map_err(at)?;
    let state_dir = folder.path.clone();
    let token_file = if options.supervised || kept_token.is_some() {
        kept_token
    } else {
        let file = state_dir.join("token");
        secrets::write(&file, &format!("{}\n", token.expose_secret())).map_err(at)?;
        Some(file)
    };
    let tls = match &keep {
        Some(keep) if secure.is_some() => keep.folder("tls")?,
        _ => state_dir.clone(),
    };
    let https = secure.map(|listener| Https::new(listener, &tls)).transpose().map_err(at)?;
    let told = |https: &Https| Ok(HttpsLine { url: https.url()?, ca: https.ca().to_owned() });
    let line = ReadyLine {
        url: url(address),
        state_dir: state_dir.clone(),
        https: https.as_ref().map(told).transpose().map_err(Error::Start)?,
    };
    let config = HostConfig {
        executable: std::env::current_exe()?,
        cache_dir: options.cache_dir,
        state_dir,
        workspace: Workspace::local(),
        token,
        seed: options.seed,
        https,
        keep,
        limits: options.limits,
        rehearsal: options.rehearsal,
    };
    ready(&Ready { line, token_file });
    let serving = serve(config, listener, shutdown.clone());
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended,
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = received(&mut hang_up) => {}
    }
    shutdown.cancel();
    serving.await
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    if !address.ip().is_loopback() {
        return Err(Error::NotLoopback { address });
    }
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

/// Every caller's connection takes a descriptor. With the usual limit of 1,024 an overload would
/// measure that limit, not the deployment. Instances inherit the new one.
fn raise_descriptor_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}

fn made_up_token() -> SecretString {
    Uuid::new_v4().simple().to_string().into()
}

/// Reads the token, and leaves a thread behind that waits for the end of the input: the one sign
/// of the parent's end that always comes.
fn token_from_input(shutdown: &CancellationToken) -> io::Result<SecretString> {
    let mut input = io::stdin();
    let mut line = Vec::new();
    let mut byte = [0];
    while input.read(&mut byte)? == 1 && byte != *b"\n" {
        line.extend(byte);
        if line.len() > TOKEN_BYTES {
            return Err(io::Error::other("the first line of input is too long for a token"));
        }
    }
    let token = String::from_utf8(line).map_err(io::Error::other)?;
    if token.is_empty() {
        return Err(io::Error::other("the first line of input must be the token"));
    }
    let shutdown = shutdown.clone();
    thread::Builder::new().name("end of input".to_owned()).spawn(move || {
        let _ = io::copy(&mut input, &mut io::sink());
        shutdown.cancel();
    })?;
    Ok(token.into())
}
