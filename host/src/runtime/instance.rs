//! One instance of the builtin runtime: a scoring server with the routes, headers and statuses of
//! the official inference server.
//!
//! `POST /score` takes `{"data": [[…], …]}` and answers one prediction for each row; `GET /`
//! answers `Healthy`, which is when the instance is ready. It works on as many requests at a time as
//! the deployment allows per instance; further ones wait in the order in which they came.

pub mod model;
mod server;
pub mod synthetic;
mod timer;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use plimsoll_deploy::spec::Synthetic;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};

use model::Model;
use synthetic::Slots;

/// What an instance is told to do: the argument of `plimsoll instance`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Options {
    serve: Serve,
    slots: NonZeroU32,
    port: u16,
    seed: u64,
    name: String,
}

/// What an instance serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Serve {
    /// An ONNX model.
    Model(PathBuf),
    /// Drawn service times.
    Synthetic(Synthetic),
}

/// Why an instance ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was started by hand, with something else than the local host writes.
    #[error(
        "`plimsoll instance` is started by the local host; its argument is not for people: {0}"
    )]
    Argument(#[from] serde_json::Error),
    /// The model cannot be scored.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// No port, no thread, no timer.
    #[error("the instance cannot serve: {0}")]
    Io(#[from] io::Error),
}

impl Options {
    /// What is the same for all instances of a deployment.
    pub fn new(serve: Serve, slots: NonZeroU32) -> Self {
        Self { serve, slots, port: 0, seed: 0, name: String::new() }
    }

    /// For the instance with this name, on this port, with the random stream of that name.
    #[must_use]
    pub fn on(self, port: u16, seed: u64, name: &str) -> Self {
        Self { port, seed, name: name.to_owned(), ..self }
    }

    /// The argument of `plimsoll instance`.
    pub fn to_argument(&self) -> String {
        serde_json::to_string(self).expect("the options have only string keys")
    }
}

/// What requests are answered with.
enum Scorer {
    Model(Box<Model>),
    Synthetic(synthetic::Service),
}

/// Serves until SIGTERM, then finishes what is in flight. Blocks.
///
/// # Errors
/// The argument, the model or the port cannot be used.
pub fn run(argument: &str) -> Result<(), Error> {
    let options: Options = serde_json::from_str(argument)?;
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = NonZeroUsize::try_from(options.slots).map_or(cores, |slots| cores.min(slots));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.get())
        .enable_all()
        .build()?;
    runtime.block_on(serve(options, threads))
}

/// A request that is scored keeps one of the threads: more of them than cores or slots have no work.
async fn serve(options: Options, threads: NonZeroUsize) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let scorer = match &options.serve {
        Serve::Model(path) => Scorer::Model(Box::new(Model::load(path, threads)?)),
        Serve::Synthetic(settings) => {
            let timer = timer::Timer::new()?;
            tokio::select! {
                _ = terminate.recv() => return Ok(()),
                started = timer.wait(synthetic::start(settings)) => started?,
            }
            Scorer::Synthetic(synthetic::Service::new(settings, options.seed, &options.name))
        }
    };
    let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port)))?;
    let slots = Slots::new(options.slots)?;
    server::serve(listener, scorer, slots, async move {
        terminate.recv().await;
    })
    .await;
    Ok(())
}

/// As the gateway listens: the usual backlog of 128 connections is less than an instance may work on.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(4096)
}
