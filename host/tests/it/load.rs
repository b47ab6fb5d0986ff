//! Callers that come at a rate, whatever becomes of those before them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use plimsoll_domain::clock::{self, Moment};
use tokio::task::{JoinHandle, JoinSet};

use super::harness::{Answer, Caller};

/// At most so many, should a test forget to stop it.
const MOST: usize = 20_000;

/// A load that goes on until it is stopped.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    calls: JoinHandle<Vec<(Moment, Answer)>>,
}

impl Load {
    /// So many calls a second, each on a connection of its own.
    pub(super) fn start(caller: &Caller, per_second: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (caller, stopped) = (caller.clone(), Arc::clone(&stop));
        let calls = tokio::spawn(async move {
            let mut calls = JoinSet::new();
            let mut due = tokio::time::interval(Duration::from_secs(1) / per_second);
            while !stopped.load(Ordering::Relaxed) && calls.len() < MOST {
                due.tick().await;
                let caller = caller.clone();
                calls.spawn(async move { (clock::now(), caller.score().await) });
            }
            calls.join_all().await
        });
        Self { stop, calls }
    }

    /// Begins no more, and returns all answers.
    pub(super) async fn stop(self) -> Vec<Answer> {
        self.stop_timed().await.into_iter().map(|(_, answer)| answer).collect()
    }

    /// The same, each with when it was begun to be asked for.
    pub(super) async fn stop_timed(self) -> Vec<(Moment, Answer)> {
        self.stop.store(true, Ordering::Relaxed);
        self.calls.await.unwrap()
    }
}
