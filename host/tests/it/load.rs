//! Callers that come at a rate, whatever becomes of those before them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use plimsoll_domain::clock::{self, Moment};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use super::harness::{Answer, Caller, until};

/// At most so many, should a test forget to stop it.
const MOST: usize = 20_000;

/// Under way at a time: a machine that is too slow gets fewer, as what it cannot answer would be refused.
const AT_A_TIME: usize = 100;

/// A load that goes on until it is stopped.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    calls: JoinHandle<Vec<(Moment, Answer)>>,
}

impl Load {
    /// So many calls a second, each on a connection of its own.
    pub(super) fn start(caller: &Caller, per_second: u32) -> Self {
        Self::start_with(caller, per_second, r#"{"data": [[1, 2]]}"#)
    }

    /// The same, with another request.
    pub(super) fn start_with(caller: &Caller, per_second: u32, request: &str) -> Self {
        let request: Arc<str> = request.into();
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let (caller, stopped, counted) = (caller.clone(), Arc::clone(&stop), Arc::clone(&answered));
        let calls = tokio::spawn(async move {
            let mut calls = JoinSet::new();
            let places = Arc::new(Semaphore::new(AT_A_TIME));
            let mut due = tokio::time::interval(Duration::from_secs(1) / per_second);
            while !stopped.load(Ordering::Relaxed) && calls.len() < MOST {
                due.tick().await;
                let place = Arc::clone(&places).acquire_owned().await.unwrap();
                let (caller, counted) = (caller.clone(), Arc::clone(&counted));
                let request = Arc::clone(&request);
                calls.spawn(async move {
                    let call = (clock::now(), caller.ask(&request).await);
                    drop(place);
                    counted.fetch_add(1, Ordering::Relaxed);
                    call
                });
            }
            calls.join_all().await
        });
        Self { stop, answered, calls }
    }

    /// Waits for so many answers more.
    pub(super) async fn goes_on_for(&self, answers: usize) {
        let answered = || self.answered.load(Ordering::Relaxed);
        let enough = answered() + answers;
        until("the load goes on", || async { answered() >= enough }).await;
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
