//! Starts the instances' processes from one thread that lives as long as the host.
//!
//! `PR_SET_PDEATHSIG` fires when the starting *thread* ends, so a worker thread of the runtime,
//! which may come and go, must not start an instance.

use std::io;
use std::sync::mpsc;
use std::thread;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

type Order = (Command, oneshot::Sender<io::Result<Child>>);

/// The thread, by the way to give it orders. It ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub(super) struct Spawner {
    orders: mpsc::SyncSender<Order>,
}

impl Spawner {
    /// Starts the thread.
    pub(super) fn start(runtime: Handle) -> io::Result<Self> {
        let (orders, inbox) = mpsc::sync_channel::<Order>(64);
        thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            let _inside = runtime.enter();
            for (mut command, answer) in inbox {
                // Nobody waiting means that the host is stopping: the child is killed on drop.
                let _ = answer.send(command.spawn());
            }
        })?;
        Ok(Self { orders })
    }

    /// Starts a process.
    pub(super) async fn spawn(&self, command: Command) -> io::Result<Child> {
        let (answer, started) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts instances has ended");
        self.orders.try_send((command, answer)).map_err(|_| {
            io::Error::other("more than 64 instances are being started at the same time")
        })?;
        started.await.map_err(|_| gone())?
    }
}
