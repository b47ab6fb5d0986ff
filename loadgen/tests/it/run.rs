//! Runs a plan to its end and adds up what it measured.

use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Bytes;
use plimsoll_domain::schedule::{ArrivalProcess, Profile};
use plimsoll_domain::{Snapshot, Tally};
use plimsoll_loadgen::{Finished, Limits, LoadPlan, Request, Running, Target, TlsOptions};
use tokio::sync::{RwLock, mpsc};
use tokio_util::sync::CancellationToken;

/// Held alone by tests that measure times.
static MACHINE: RwLock<()> = RwLock::const_new(());

/// No run of a test takes longer, however slow the machine.
const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) struct Result {
    pub(crate) finished: Finished,
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) all: Tally,
}

pub(crate) async fn plan(url: &str, profile: Profile) -> LoadPlan {
    LoadPlan {
        target: Target::resolve(url, &TlsOptions::default()).await.unwrap(),
        request: Request::post(vec![Bytes::from_static(b"{\"data\": [[1, 2]]}")]),
        profile,
        process: ArrivalProcess::Constant,
        seed: 1,
        limits: Limits {
            request_timeout: Duration::from_secs(5),
            drain: Duration::from_secs(10),
            ..Limits::default()
        },
        workers: NonZeroUsize::new(1),
    }
}

pub(crate) async fn run(plan: LoadPlan) -> Result {
    run_and(plan, |_, _| {}).await
}

/// Runs a plan while no other test loads the machine.
pub(crate) async fn run_alone(plan: LoadPlan) -> Result {
    let _alone = MACHINE.write().await;
    load(plan, |_, _| {}).await
}

/// Runs a plan and calls `each` with every snapshot.
pub(crate) async fn run_and(
    plan: LoadPlan,
    each: impl FnMut(&Running, &CancellationToken),
) -> Result {
    let _shared = MACHINE.read().await;
    load(plan, each).await
}

async fn load(plan: LoadPlan, mut each: impl FnMut(&Running, &CancellationToken)) -> Result {
    let (send, mut receive) = mpsc::channel(4);
    let stop = CancellationToken::new();
    let running = plan.start(send, stop.clone()).await.unwrap();
    let work = async {
        let (mut snapshots, mut all) = (Vec::new(), Tally::default());
        while let Some(snapshot) = receive.recv().await {
            each(&running, &stop);
            all.merge(&snapshot.all());
            snapshots.push(snapshot);
        }
        let finished = running.finished().await.unwrap();
        Result { finished, snapshots, all }
    };
    let result = tokio::time::timeout(DEADLINE, work).await.expect("the run ends");
    result.assert_conserved();
    result
}

impl Result {
    /// Nothing is lost and nothing is counted twice.
    pub(crate) fn assert_conserved(&self) {
        let (all, ends) = (&self.all, &self.all.outcomes);
        assert_eq!(all.offered, all.sent + ends.dropped, "offered = sent + dropped: {ends:?}");
        let ended = ends.answered() + ends.timeout + ends.transport_total() + ends.aborted;
        assert_eq!(all.sent, ended, "sent = answered + timeout + transport + aborted: {ends:?}");
        assert_eq!(all.response.count() + all.failed.count(), all.sent);
        assert_eq!(all.send_lag.count(), all.sent);
        let mut at = Duration::ZERO;
        for (snapshot, index) in self.snapshots.iter().zip(0..) {
            assert_eq!(
                (snapshot.index, snapshot.start),
                (index, at),
                "intervals follow each other"
            );
            assert!(snapshot.end >= snapshot.start);
            at = snapshot.end;
        }
        let last = &self.snapshots.last().expect("at least one snapshot").generator;
        assert_eq!((last.in_flight, last.backlog), (0, 0));
    }
}
