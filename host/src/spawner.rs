//! Starts the guards of the instances from one thread that lives as long as the host.
//!
//! `PR_SET_PDEATHSIG` fires when the starting *thread* ends, so a worker thread of the runtime,
//! which may come and go, must not start an instance.

use std::io;
use std::thread;

use tokio::process::Command;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::process::Guard;

type Order = (Command, oneshot::Sender<io::Result<Guard>>);

/// Orders that wait for the thread; who finds no place waits too.
const ORDERS: usize = 64;

/// The thread, by the way to give it orders. It ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub(super) struct Spawner {
    orders: mpsc::Sender<Order>,
}

impl Spawner {
    /// Starts the thread.
    pub(super) fn start(runtime: Handle) -> io::Result<Self> {
        let (orders, mut inbox) = mpsc::channel::<Order>(ORDERS);
        thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            while let Some((mut command, answer)) = inbox.blocking_recv() {
                let _inside = runtime.enter();
                // Nobody waiting means that the host is stopping: the guard is asked to end on drop.
                let _ = answer.send(command.spawn().map(Guard));
            }
        })?;
        Ok(Self { orders })
    }

    /// Starts a process, in the order of the calls.
    pub(super) async fn spawn(&self, command: Command) -> io::Result<Guard> {
        let (answer, started) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts instances has ended");
        self.orders.send((command, answer)).await.map_err(|_| gone())?;
        started.await.map_err(|_| gone())?
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn more_starts_than_places_wait_for_each_other() {
        let spawner = Spawner::start(Handle::current()).unwrap();
        let mut starts = JoinSet::new();
        for _ in 0..2 * ORDERS {
            let spawner = spawner.clone();
            starts.spawn(async move { spawner.spawn(Command::new("/bin/true")).await });
        }
        for started in starts.join_all().await {
            assert!(started.unwrap().0.wait().await.unwrap().success());
        }
    }
}
