//! Which connections are used, against servers that are particular about them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use plimsoll_domain::Class;
use plimsoll_domain::schedule::{ArrivalProcess, Profile};
use plimsoll_loadgen::LoadPlan;

use crate::run::{Result, plan, run};
use crate::server::{Mode, Server};

const MILLI: Duration = Duration::from_millis(1);

fn opened(result: &Result) -> u64 {
    result.snapshots.iter().map(|snapshot| snapshot.generator.connections_opened).sum()
}

async fn loaded(
    server: &Server,
    rps: f64,
    seconds: u64,
    change: impl FnOnce(&mut LoadPlan),
) -> Result {
    let mut plan = plan(&server.url(), Profile::hold(rps, Duration::from_secs(seconds)));
    change(&mut plan);
    run(plan).await
}

#[tokio::test]
async fn one_connection_serves_what_one_can() {
    let server = Server::start(Mode::Answer(Duration::ZERO));
    // An arrival every 50 ms, and an answer after far less.
    let result = loaded(&server, 20.0, 2, |_| {}).await;
    assert_eq!(result.all.outcomes.ok(), 40);
    assert!(opened(&result) <= 3, "{} connections", opened(&result));
}

#[tokio::test]
async fn no_connection_is_opened_ahead_of_a_request_unless_the_plan_asks_for_it() {
    for (warm, expected) in [(0, 0), (3, 3)] {
        let server = Server::start(Mode::Answer(Duration::ZERO));
        let result = loaded(&server, 0.0, 1, |plan| plan.limits.warm_connections = warm).await;
        assert_eq!(result.all.offered, 0);
        assert_eq!(server.accepted.load(Ordering::Relaxed), expected);
        assert_eq!(result.snapshots[0].generator.connections, expected);
    }
}

#[tokio::test]
async fn a_server_that_keeps_one_connection_serves_the_others_when_the_first_gives_way() {
    // It would wait for the first client for an hour.
    let idle = Duration::from_hours(1);
    let server = Server::start(Mode::KeepOne { work: 5 * MILLI, idle });
    let result = loaded(&server, 40.0, 3, |plan| {
        plan.process = ArrivalProcess::Poisson;
        plan.limits.request_timeout = Duration::from_secs(20);
    })
    .await;
    // All are answered in time, though the server would wait far longer than that.
    let ends = &result.all.outcomes;
    assert_eq!(ends.ok(), result.all.offered, "{ends:?}");
}

#[tokio::test]
async fn a_server_that_keeps_one_connection_until_it_is_idle_is_no_trouble() {
    let server = Server::start(Mode::KeepOne { work: MILLI, idle: 50 * MILLI });
    let result = loaded(&server, 20.0, 3, |_| {}).await;
    let ends = &result.all.outcomes;
    // A request may reach it just as it closes; then it is `closed` at once, and never a timeout.
    assert!(ends.ok() + ends.of(Class::Closed) == 60 && ends.ok() >= 50, "{ends:?}");
}

#[tokio::test]
async fn an_arrival_never_waits_on_a_connection_that_its_server_has_closed() {
    let server = Server::start(Mode::CloseIdle(50 * MILLI));
    // Gaps of about 50 ms: the connection is closed before, after, and just as it is used again.
    let result = loaded(&server, 20.0, 5, |plan| plan.process = ArrivalProcess::Poisson).await;
    let ends = &result.all.outcomes;
    assert_eq!(ends.of(Class::ClientTimeout), 0, "{ends:?}");
    assert_eq!(ends.ok() + ends.of(Class::Closed), result.all.offered, "{ends:?}");
    assert!(ends.of(Class::Closed) <= 5, "{ends:?}");
}

#[tokio::test]
async fn a_server_that_closes_after_each_answer_gets_a_connection_for_each_request() {
    let server = Server::start(Mode::AnswerAndClose);
    let result = loaded(&server, 200.0, 1, |_| {}).await;
    assert_eq!(result.all.outcomes.ok(), 200, "{:?}", result.all.outcomes);
    let accepted = server.accepted.load(Ordering::Relaxed);
    assert!((200..=230).contains(&accepted), "{accepted}");
}
