//! How a run ends before its time, and what is the same in every run.

use std::num::NonZeroUsize;
use std::time::Duration;

use plimsoll_domain::Class;
use plimsoll_domain::schedule::{ArrivalProcess, Profile};
use plimsoll_loadgen::{Error, NamedRequest};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::run::{plan, run, run_and, start};
use crate::server::{Mode, Server};

const LONG: Duration = Duration::from_mins(10);

#[tokio::test]
async fn an_early_stop_drains() {
    let server = Server::start(Mode::Answer(Duration::from_millis(100)));
    let plan = plan(&server.url(), Profile::hold(100.0, LONG));
    let result = run_and(plan, |_, stop| stop.cancel()).await;
    assert!(result.finished.stopped_early);
    assert!(result.all.offered >= 100 && result.all.offered < 6000, "{}", result.all.offered);
    assert_eq!(result.all.outcomes.ok(), result.all.offered);
}

#[tokio::test]
async fn what_outlasts_the_drain_is_aborted() {
    let server = Server::start(Mode::Silent);
    let mut plan = plan(&server.url(), Profile::hold(100.0, Duration::from_secs(1)));
    plan.limits.request_timeout = LONG;
    plan.limits.drain = Duration::from_millis(200);
    plan.limits.max_connections = Some(60);
    let result = run(plan).await;
    assert!(!result.finished.stopped_early);
    assert_eq!((result.all.outcomes.of(Class::Aborted), result.all.outcomes.dropped()), (60, 40));
}

#[tokio::test]
async fn an_abort_skips_the_drain() {
    let server = Server::start(Mode::Silent);
    let mut plan = plan(&server.url(), Profile::hold(100.0, LONG));
    plan.limits.request_timeout = LONG;
    plan.limits.drain = LONG;
    let result = run_and(plan, |running, _| running.abort()).await;
    assert!(result.finished.stopped_early);
    assert_eq!(result.all.outcomes.of(Class::Aborted), result.all.sent);
    assert!(result.all.sent >= 100);
}

#[tokio::test]
async fn the_seed_and_not_the_workers_decides_what_is_offered() {
    let server = Server::start(Mode::Answer(Duration::ZERO));
    let mut offered = Vec::new();
    for workers in [1, 1, 3] {
        let mut plan = plan(&server.url(), Profile::hold(300.0, Duration::from_secs(1)));
        plan.process = ArrivalProcess::Poisson;
        plan.workers = NonZeroUsize::new(workers);
        offered.push(run(plan).await.all.offered);
    }
    assert!(offered.windows(2).all(|two| two[0] == two[1]), "{offered:?}");
}

#[tokio::test]
async fn a_reader_that_does_not_read_loses_nothing() {
    let server = Server::start(Mode::Answer(Duration::ZERO));
    let plan = plan(&server.url(), Profile::hold(100.0, Duration::from_secs(3)));
    let (send, mut receive) = mpsc::channel(1);
    let running = start(plan, send, CancellationToken::new()).await.unwrap();
    let mut ended = tokio::spawn(running.finished());
    // The collector has put the first snapshot into the channel and holds the others: the run can
    // only end when they are read.
    let mut offered = 0;
    let mut snapshots = 0;
    let early = tokio::time::timeout(Duration::from_secs(4), &mut ended).await;
    assert!(early.is_err(), "the last snapshot waits for its reader");
    while let Some(snapshot) = receive.recv().await {
        offered += snapshot.measured().offered;
        snapshots += 1;
    }
    assert_eq!(offered, 300);
    assert!(snapshots <= 3, "{snapshots} snapshots, where four seconds were recorded");
    assert!(ended.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_plan_that_contradicts_itself_is_refused() {
    let server = Server::start(Mode::Answer(Duration::ZERO));
    let good = plan(&server.url(), Profile::hold(1.0, Duration::from_secs(1)));
    let no_stage = plimsoll_loadgen::LoadPlan { profile: Profile::default(), ..good.clone() };
    let mut no_number = good.clone();
    no_number.profile.stages[0].to_rps = f64::NAN;
    let mut no_path = good.clone();
    no_path.requests[0].request.path = Some("score".to_owned());
    let mut no_weight = good.clone();
    no_weight.requests[0].weight = 0.0;
    let mut twice = good.clone();
    twice.requests.push(NamedRequest::new("score", good.requests[0].request.clone()));
    let mut nothing = good.clone();
    nothing.requests.clear();
    for (plan, reason) in [
        (no_stage, "no stage"),
        (no_number, "`hold`"),
        (no_path, "`score`"),
        (no_weight, "weights"),
        (twice, "two requests have the name `score`"),
        (nothing, "needs a request"),
    ] {
        let (send, _receive) = mpsc::channel(1);
        let error = start(plan, send, CancellationToken::new()).await.unwrap_err();
        assert!(matches!(&error, Error::Plan(text) if text.contains(reason)), "{error}");
    }
}

#[tokio::test]
async fn a_run_that_is_stopped_before_it_begins_offers_nothing() {
    let server = Server::start(Mode::Answer(Duration::ZERO));
    let plan = plan(&server.url(), Profile::hold(100.0, LONG));
    let (send, mut receive) = mpsc::channel(1);
    let stop = CancellationToken::new();
    stop.cancel();
    let running = start(plan, send, stop).await.unwrap();
    let mut offered = 0;
    while let Some(snapshot) = receive.recv().await {
        offered += snapshot.all().offered;
    }
    let finished = running.finished().await.unwrap();
    assert!(finished.stopped_early);
    assert_eq!(offered, 0);
}
