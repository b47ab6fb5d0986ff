//! Runs a plan to its end and adds up what it measured.

use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Bytes;
use plimsoll_domain::schedule::{ArrivalProcess, Profile};
use plimsoll_domain::{Class, Lags, Snapshot, Tally};
use plimsoll_loadgen::{Error, Finished, Limits, LoadPlan, NamedRequest, Request, Running, Target};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// No run of a test takes longer, however slow the machine.
const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) struct Result {
    pub(crate) finished: Finished,
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) all: Tally,
    pub(crate) lags: Lags,
}

pub(crate) fn plan(url: &str, profile: Profile) -> LoadPlan {
    let request = Request::post(vec![Bytes::from_static(b"{\"data\": [[1, 2]]}")]);
    LoadPlan {
        process: ArrivalProcess::Constant,
        seed: 1,
        limits: Limits {
            request_timeout: Duration::from_secs(5),
            drain: Duration::from_secs(10),
            ..Limits::default()
        },
        workers: NonZeroUsize::new(1),
        ..LoadPlan::new(url, NamedRequest::new("score", request), profile)
    }
}

/// Starts a plan.
pub(crate) async fn start(
    plan: LoadPlan,
    snapshots: mpsc::Sender<Snapshot>,
    stop: CancellationToken,
) -> std::result::Result<Running, Error> {
    let target = Target::resolve(&plan.url, &plan.tls).await?;
    plan.start(target, snapshots, stop).await
}

pub(crate) async fn run(plan: LoadPlan) -> Result {
    run_and(plan, |_, _| {}).await
}

/// Runs a plan and calls `each` with every snapshot.
pub(crate) async fn run_and(
    plan: LoadPlan,
    mut each: impl FnMut(&Running, &CancellationToken),
) -> Result {
    let (send, mut receive) = mpsc::channel(4);
    let stop = CancellationToken::new();
    let running = start(plan, send, stop.clone()).await.unwrap();
    let work = async {
        let (mut snapshots, mut all, mut lags) = (Vec::new(), Tally::default(), Lags::default());
        while let Some(snapshot) = receive.recv().await {
            each(&running, &stop);
            all.append(&snapshot.all());
            lags.merge(&snapshot.lags(|_| true));
            snapshots.push(snapshot);
        }
        let finished = running.finished().await.unwrap();
        Result { finished, snapshots, all, lags }
    };
    let result = tokio::time::timeout(DEADLINE, work).await.expect("the run ends");
    result.assert_conserved();
    result
}

impl Result {
    /// Nothing is lost and nothing is counted twice.
    pub(crate) fn assert_conserved(&self) {
        let (all, ends) = (&self.all, &self.all.outcomes);
        assert_eq!(all.offered, all.sent + ends.dropped(), "offered = sent + dropped: {ends:?}");
        let ended: u64 = Class::ALL.into_iter().filter(|c| c.is_sent()).map(|c| ends.of(c)).sum();
        assert_eq!(all.sent, ended, "sent is the sum of its endings: {ends:?}");
        assert_eq!(all.response.count() + all.failed.count(), all.sent);
        assert_eq!(self.lags.send.count(), all.sent);
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
