//! The local host: this machine in the place of an Azure ML workspace.
//!
//! It has a control plane (Azure Resource Manager's routes, so that one driver serves both), a
//! data plane per endpoint, and instances, which are processes of their own. It honours what the
//! official local mode ignores: instances, request settings, probes, traffic and authentication.
//! It plays one workspace.

mod blobs;
mod cgroup;
mod connection;
mod control;
mod fault;
mod gate;
mod gateway;
mod guard;
mod instance;
mod issuer;
mod keep;
pub mod local;
mod logs;
mod metrics;
mod operation;
mod pool;
mod ports;
mod probe;
mod process;
mod query;
mod registry;
mod rehearsal;
mod replicas;
mod routes;
pub mod runtime;
mod secrets;
mod server;
pub mod signals;
mod spawner;
mod stamp;
pub mod standalone;
mod state_dir;
mod store;
mod surroundings;
mod tls;
mod traceback;
mod upstream;
mod usage;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use nix::sys::resource::{Resource, getrlimit};
use plimsoll_deploy::limits::EndpointLimits;
use plimsoll_deploy::quota::Usages;
use plimsoll_deploy::workspace::Workspace;
use rustls::ServerConfig;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use blobs::Blobs;
use cgroup::Groups;
use gate::Gate;
use issuer::Issuer;
use spawner::Spawner;
use store::Store;
use tls::Tls;

pub use guard::guard;
pub use keep::Keep;
pub use rehearsal::Rehearsal;

/// The region that the local host says it is in.
const LOCATION: &str = "local";

/// Parts of the descriptors that a listener may take for callers. Each request at an endpoint takes another one
/// to an instance, and instances take some too.
const CONTROL_SHARE: u64 = 16;
const ENDPOINT_SHARE: u64 = 3;

/// Connections that a listener has at least and at most, whatever the limit on descriptors.
const FEWEST_PLACES: u64 = 8;
const MOST_PLACES: u64 = 16 * 1024;

/// After which a stop no longer waits for tasks: longer than an instance's own grace.
const STOP_LIMIT: Duration = Duration::from_secs(8);

/// What a host needs to know.
#[derive(Debug)]
pub struct HostConfig {
    /// The plimsoll executable: it is the guard, and the instances of the built-in runtimes.
    pub executable: PathBuf,
    /// Where environments are kept between runs.
    pub cache_dir: PathBuf,
    /// A folder of its own, which is created and, in the end, removed.
    pub state_dir: PathBuf,
    /// The workspace it plays.
    pub workspace: Workspace,
    /// What callers of the control plane must show.
    pub token: SecretString,
    /// Seed of the draws between deployments by traffic weight, and of synthetic service times.
    pub seed: u64,
    /// Where the control plane is served over HTTPS too, and what its callers trust.
    pub https: Option<Https>,
    /// What the subscription may use, and what others use of it; without it, no deployment is refused.
    pub limits: Option<Usages>,
    /// What is slow, or fails, as on Azure.
    pub rehearsal: Rehearsal,
    /// What outlives the process; without it, nothing does.
    pub keep: Option<Keep>,
}

/// HTTPS for the control plane.
#[derive(Debug)]
pub struct Https {
    listener: TcpListener,
    tls: Tls,
}

impl Https {
    /// On a listener, with the certificate that `folder` has or else gets: callers trust `ca.pem` in it.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn new(listener: TcpListener, folder: &Path) -> io::Result<Self> {
        Ok(Self { listener, tls: Tls::in_folder(folder)? })
    }

    /// The file that callers trust.
    pub fn ca(&self) -> &Path {
        &self.tls.ca
    }

    /// The address that callers take.
    ///
    /// # Errors
    /// The listener has none.
    pub fn url(&self) -> io::Result<String> {
        Ok(format!("https://{}", self.listener.local_addr()?))
    }
}

/// What keeps a host from serving.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its folder cannot be created.
    #[error("the local host cannot create its folder `{}`", path.display())]
    StateDir {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another host has the folder of what outlives it.
    #[error("another local host keeps its state in `{}`; stop it, or name another folder", path.display())]
    StateTaken {
        /// The folder.
        path: PathBuf,
    },
    /// Its address cannot be listened on.
    #[error("the local host cannot listen on {address}; give another address, or port 0")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Keys go over plain HTTP, so they must not leave the machine.
    #[error("the local host does not listen on {address}, only on an address such as 127.0.0.1")]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// The thread that starts instances, the signals, or the token.
    #[error("the local host cannot start")]
    Start(#[from] io::Error),
}

/// A running host.
#[derive(Debug)]
struct Host {
    executable: PathBuf,
    cache_dir: PathBuf,
    state_dir: PathBuf,
    workspace: Workspace,
    token: SecretString,
    seed: u64,
    /// Where uploads go: HTTPS if it is served.
    storage_authority: String,
    blobs: Blobs,
    keep: Option<Keep>,
    limits: Option<Usages>,
    rehearsal: Rehearsal,
    issuer: Arc<Issuer>,
    store: Mutex<Store>,
    spawner: Spawner,
    usage: usage::Watch,
    /// Nothing where control groups cannot be made.
    groups: Option<Arc<Groups>>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

/// Serves until `shutdown`, then stops every instance and removes the host's folder.
///
/// # Errors
/// The folder or the thread that starts instances cannot be created.
pub async fn serve(
    config: HostConfig,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let HostConfig {
        executable,
        cache_dir,
        state_dir,
        workspace,
        token,
        seed,
        https,
        keep,
        limits,
        rehearsal,
    } = config;
    let address = listener.local_addr()?;
    tokio::fs::create_dir_all(&state_dir)
        .await
        .map_err(|source| Error::StateDir { path: state_dir.clone(), source })?;
    let at = |source| Error::StateDir { path: state_dir.clone(), source };
    let blobs = match &keep {
        Some(keep) => keep.folder("blobs").map_err(at)?,
        None => state_dir.join("blobs"),
    };
    let is_standing = keep.is_some();
    let blobs = Blobs::new(blobs);
    blobs.create(blobs::DEFAULT).map_err(at)?;
    let storage = https.as_ref().map(|https| https.listener.local_addr()).transpose()?;
    let host = Arc::new(Host {
        executable,
        cache_dir,
        state_dir: state_dir.clone(),
        workspace,
        token,
        seed,
        storage_authority: storage.unwrap_or(address).to_string(),
        blobs,
        keep,
        limits,
        rehearsal,
        issuer: Arc::new(Issuer::new()?),
        store: Mutex::default(),
        spawner: Spawner::start(Handle::current())?,
        usage: usage::Watch::default(),
        groups: groups(is_standing),
        shutdown: shutdown.clone(),
        tasks: TaskTracker::new(),
    });
    host.restore()?;
    host.tasks.spawn(Arc::clone(&host).watch_usage());
    host.serve_control(listener, url(address), None);
    if let Some(https) = https {
        let url = https.url()?;
        host.serve_control(https.listener, url, Some(https.tls.config));
    }
    shutdown.cancelled().await;
    host.tasks.close();
    if tokio::time::timeout(STOP_LIMIT, host.tasks.wait()).await.is_err() {
        tracing::warn!("the local host stops although some of its tasks have not ended");
    }
    if let Some(groups) = host.groups.clone() {
        let _ = tokio::task::spawn_blocking(move || groups.remove()).await;
    }
    let _ = tokio::fs::remove_dir_all(&state_dir).await;
    Ok(())
}

/// What a host that outlives its command says of itself under this name, its log has without being asked for more.
const STANDING: &str = "plimsoll_host::standing";

/// Control groups for instances, if this machine has them; which it is, is said.
fn groups(is_standing: bool) -> Option<Arc<Groups>> {
    let (groups, said) = match Groups::create() {
        Ok(groups) => {
            let said = format!("a control group of its own in `{}`", groups.path().display());
            (Some(Arc::new(groups)), said)
        }
        Err(reason) => (None, format!("a subreaper, as there are no control groups: {reason}")),
    };
    if is_standing {
        tracing::info!(target: STANDING, "all that an instance starts ends with it by {said}");
    } else {
        tracing::info!("all that an instance starts ends with it by {said}");
    }
    groups
}

/// Connections that a listener may have at a time.
fn places(share: u64) -> usize {
    let descriptors = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft);
    (descriptors / share).clamp(FEWEST_PLACES, MOST_PLACES) as usize
}

/// The address that a driver takes.
pub fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

impl Host {
    /// Serves the control plane. `origin` is the address that callers take.
    fn serve_control(
        self: &Arc<Self>,
        listener: TcpListener,
        origin: String,
        tls: Option<Arc<ServerConfig>>,
    ) {
        let (host, origin) = (Arc::clone(self), Arc::from(origin));
        let answer =
            move |request| control::answer(Arc::clone(&host), Arc::clone(&origin), request);
        let gate = Arc::new(Gate::new(EndpointLimits::NONE));
        self.serve(listener, gate, tls, places(CONTROL_SHARE), self.shutdown.clone(), answer);
    }

    /// Serves a listener in the background.
    fn serve<A, F, B>(
        &self,
        listener: TcpListener,
        gate: Arc<Gate>,
        tls: Option<Arc<ServerConfig>>,
        places: usize,
        stop: CancellationToken,
        answer: A,
    ) where
        A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let tasks = self.tasks.clone();
        let tls = tls.map(TlsAcceptor::from);
        self.tasks.spawn(server::serve(listener, gate, tls, places, stop, tasks, answer));
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
