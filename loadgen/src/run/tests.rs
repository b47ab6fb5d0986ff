//! What becomes of a run whose worker panics. The seed of the plan says where it does.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use plimsoll_domain::schedule::Profile;

use super::*;
use crate::worker::Panics;
use crate::{NamedRequest, Request, TlsOptions};

const BEFORE_READY: u64 = u64::MAX;
const AFTER_ONE: u64 = u64::MAX - 1;

/// Long enough for every machine, and far shorter than the runs.
const DEADLINE: Duration = Duration::from_mins(1);

/// Where a worker of a plan with this seed panics.
pub(super) fn panics(seed: u64, index: usize) -> Option<Panics> {
    match (seed, index) {
        (BEFORE_READY, 1) => Some(Panics::BeforeReady),
        (AFTER_ONE, 1) => Some(Panics::After(1)),
        _ => None,
    }
}

/// The URL of a server that answers everything.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let serve = |tcp| drop(thread::spawn(|| answer(tcp)));
    thread::spawn(move || listener.incoming().flatten().for_each(serve));
    url
}

fn answer(mut tcp: TcpStream) {
    let mut request = [0; 1024];
    while tcp.read(&mut request).is_ok_and(|count| count > 0) {
        if tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").is_err() {
            return;
        }
    }
}

async fn started(seed: u64) -> (Result<Running, Error>, mpsc::Receiver<Snapshot>) {
    let profile = Profile::hold(100.0, Duration::from_mins(10));
    let mut plan = LoadPlan::new(server(), NamedRequest::new("score", Request::get()), profile);
    (plan.seed, plan.workers) = (seed, NonZeroUsize::new(3));
    let target = Target::resolve(&plan.url, &TlsOptions::default()).await.unwrap();
    let (sender, snapshots) = mpsc::channel(100);
    let starting = plan.start(target, sender, CancellationToken::new());
    (tokio::time::timeout(DEADLINE, starting).await.expect("the start ends"), snapshots)
}

#[tokio::test]
async fn a_worker_that_panics_before_it_is_ready_fails_the_start() {
    let (running, mut snapshots) = started(BEFORE_READY).await;
    assert!(matches!(running, Err(Error::WorkerLost)));
    assert!(snapshots.recv().await.is_none());
}

#[tokio::test]
async fn a_worker_that_panics_in_mid_run_stops_it_and_the_rest_is_kept() {
    let (running, mut snapshots) = started(AFTER_ONE).await;
    let running = running.unwrap();
    let mut all = Vec::new();
    let read = async {
        while let Some(snapshot) = snapshots.recv().await {
            all.push(snapshot);
        }
    };
    tokio::time::timeout(DEADLINE, read).await.expect("the run stops");
    let finished = running.finished().await.unwrap();
    assert_eq!((finished.lost_workers, finished.stopped_early), (1, true));
    assert_eq!(all.iter().map(|s| s.generator.lost_workers).sum::<u32>(), 1);
    // The first second of all, or at least that of the others.
    let offered: u64 = all.iter().map(|s| s.all().offered).sum();
    assert!(offered >= 66, "{offered}");
    let last = all.last().unwrap();
    assert!(last.end < Duration::from_secs(30), "it stopped at once: {:?}", last.end);
    assert_eq!((last.generator.in_flight, last.generator.backlog), (0, 0));
}
