//! Every way in which a request can end, each counted, none lost.

use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use plimsoll_domain::Class;
use plimsoll_domain::schedule::{Profile, Stage};
use plimsoll_loadgen::LoadPlan;

use crate::run::{Result, plan, run};
use crate::server::{Mode, Server, refused};

/// 200 arrivals in a second.
async fn short(url: &str, change: impl FnOnce(&mut LoadPlan)) -> Result {
    let mut plan = plan(url, Profile::hold(200.0, Duration::from_secs(1)));
    change(&mut plan);
    let result = run(plan).await;
    assert_eq!(result.all.offered, 200);
    result
}

fn example(result: &Result, kind: Class) -> String {
    let examples =
        |snapshot: &plimsoll_domain::Snapshot| snapshot.generator.examples.get(&kind).cloned();
    result.snapshots.iter().find_map(examples).unwrap_or_default()
}

#[tokio::test]
async fn a_healthy_server_answers_everything() {
    let server = Server::start(Mode::Answer(Duration::ZERO));
    let result = short(&server.url(), |_| {}).await;
    assert_eq!(result.all.outcomes.ok(), 200);
    assert_eq!(server.requests.load(Ordering::Relaxed), 200);
    assert!(!result.finished.stopped_early);
    let generator = &result.snapshots[0].generator;
    assert!(generator.cpu_cores.is_some_and(|cores| cores > 0.0), "{generator:?}");
}

#[tokio::test]
async fn a_status_is_an_answer() {
    let server = Server::start(Mode::Status("424 Failed Dependency"));
    let result = short(&server.url(), |_| {}).await;
    assert_eq!(result.all.outcomes.of(Class::ModelError), 200);
    assert_eq!((result.all.infinite(), result.all.service.count()), (200, 200));
}

#[tokio::test]
async fn a_refused_port_fails_each_arrival_once() {
    let mut plan = plan(&refused(), Profile::hold(1000.0, Duration::from_secs(2)));
    plan.limits.max_connections = Some(50);
    // None is given up before it is tried.
    plan.limits.request_timeout = Duration::from_secs(30);
    let result = run(plan).await;
    assert_eq!(result.all.offered, 2000);
    assert_eq!(result.all.outcomes.of(Class::Connect), 2000);
    let message = example(&result, Class::Connect);
    assert!(message.contains("refused"), "{message}");
}

#[tokio::test]
async fn tls_to_a_plain_port_is_a_tls_failure() {
    let server = Server::start(Mode::Garbage);
    let url = server.url().replace("http://", "https://");
    let result = short(&url, |plan| plan.limits.request_timeout = Duration::from_secs(30)).await;
    assert_eq!(result.all.outcomes.of(Class::Tls), 200, "{:?}", result.all.outcomes);
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_a_tls_failure() {
    let server = Server::start(Mode::Silent);
    let url = server.url().replace("http://", "https://");
    // One arrival, whose attempt begins well within the first half of the timeout.
    let mut plan = plan(&url, Profile::hold(1.0, Duration::from_secs(1)));
    plan.limits.request_timeout = Duration::from_secs(5);
    let result = run(plan).await;
    assert_eq!((result.all.offered, result.all.outcomes.of(Class::Tls)), (1, 1));
    let message = example(&result, Class::Tls);
    assert!(message.contains("no TLS handshake within 5s"), "{message}");
}

#[tokio::test]
async fn a_server_that_closes_after_each_answer_is_no_error() {
    let server = Server::start(Mode::AnswerAndClose);
    let result = short(&server.url(), |_| {}).await;
    assert_eq!(result.all.outcomes.ok(), 200, "{:?}", result.all.outcomes);
    assert!(server.accepted.load(Ordering::Relaxed) >= 200);
    let opened: u64 = result.snapshots.iter().map(|s| s.generator.connections_opened).sum();
    assert!(opened >= 190, "{opened}");
}

#[tokio::test]
async fn a_server_that_serves_one_connection_at_a_time_is_not_blocked_by_idle_ones() {
    let server = Server::start(Mode::OneAtATime);
    // It would wait for ever for an idle connection's request.
    let result =
        short(&server.url(), |plan| plan.limits.request_timeout = Duration::from_secs(20)).await;
    assert_eq!(result.all.outcomes.ok(), 200, "{:?}", result.all.outcomes);
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_is_replaced() {
    let server = Server::start(Mode::CloseSilently);
    let result = short(&server.url(), |_| {}).await;
    let ends = &result.all.outcomes;
    // On a busy machine a request may have gone out between a server's answer and its close. Such
    // a one has failed at once, as the server may have read it; none waits.
    let closed = ends.of(Class::Closed);
    assert_eq!(ends.ok() + closed, 200, "{ends:?}");
    assert!(closed <= 10, "{ends:?}");
}

#[tokio::test]
async fn a_connection_lost_after_the_request_is_a_failure() {
    for mode in [Mode::Close, Mode::CloseAtOnce, Mode::Reset, Mode::CutOff] {
        let server = Server::start(mode);
        let result = short(&server.url(), |_| {}).await;
        assert_eq!(
            result.all.outcomes.of(Class::Closed),
            200,
            "{mode:?} {:?}",
            result.all.outcomes
        );
        assert_eq!(result.all.failed.count(), 200, "failures keep their latency");
        let accepted = server.accepted.load(Ordering::Relaxed);
        assert!(accepted <= 450, "{mode:?}: {accepted} connections for 200 arrivals");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_a_protocol_failure() {
    let server = Server::start(Mode::Garbage);
    let result = short(&server.url(), |_| {}).await;
    assert_eq!(result.all.outcomes.of(Class::Protocol), 200, "{:?}", result.all.outcomes);
    assert!(!example(&result, Class::Protocol).is_empty());
}

#[tokio::test]
async fn silence_is_a_timeout() {
    let server = Server::start(Mode::Silent);
    // Long enough that none is given up before it is sent.
    let timeout = Duration::from_secs(3);
    let result = short(&server.url(), |plan| plan.limits.request_timeout = timeout).await;
    assert_eq!(result.all.outcomes.of(Class::ClientTimeout), 200, "{:?}", result.all.outcomes);
    assert!(result.all.failed.min() >= Some(timeout), "{:?}", result.all.failed.min());
}

#[tokio::test]
async fn too_few_connections_drop_arrivals() {
    let server = Server::start(Mode::Answer(Duration::from_millis(50)));
    let result = short(&server.url(), |plan| {
        plan.limits.max_connections = Some(1);
        plan.limits.request_timeout = Duration::from_millis(200);
    })
    .await;
    let ends = &result.all.outcomes;
    assert!(ends.ok() >= 5 && ends.dropped() >= 150, "{ends:?}");
    assert_eq!(result.all.infinite(), 200 - ends.ok());
}

#[tokio::test]
async fn a_silent_server_and_one_connection_do_not_hang() {
    let server = Server::start(Mode::Silent);
    let result = short(&server.url(), |plan| {
        plan.limits.max_connections = Some(1);
        plan.limits.request_timeout = Duration::from_millis(200);
    })
    .await;
    let ends = &result.all.outcomes;
    let timeouts = ends.of(Class::ClientTimeout);
    assert!(timeouts >= 2 && timeouts + ends.dropped() == 200, "{ends:?}");
}

#[tokio::test]
async fn the_ceiling_caps_and_says_so() {
    let server = Server::start(Mode::Answer(Duration::ZERO));
    let result = short(&server.url(), |plan| plan.limits.max_rps = NonZeroU32::new(100)).await;
    let ends = &result.all.outcomes;
    assert_eq!(ends.of(Class::Capped), ends.dropped(), "{ends:?}");
    // 100 in each second, and the tenth of a second's worth that may go at once. Fewer where the
    // machine lets several be due together.
    let took = result.snapshots.last().map_or(0.0, |last| last.end.as_secs_f64());
    let most = (100.0 * took) as u64 + 12;
    assert!((10..=most).contains(&result.all.sent), "{} in {took} s", result.all.sent);
}

#[tokio::test]
async fn a_warm_up_is_told_apart_and_a_pause_is_silent() {
    let server = Server::start(Mode::Answer(Duration::ZERO));
    let second = Duration::from_secs(1);
    let profile = Profile::new(vec![
        Stage::hold("warm-up", 50.0, second).as_warmup(),
        Stage::hold("pause", 0.0, second),
        Stage::hold("steady", 100.0, second),
    ]);
    let result = run(plan(&server.url(), profile)).await;
    let offered = |pick: fn(&plimsoll_domain::Snapshot) -> u64| -> Vec<u64> {
        result.snapshots.iter().take(3).map(pick).collect()
    };
    let warm = offered(|s| s.warmup().offered);
    assert_eq!(warm.iter().sum::<u64>(), 50, "{warm:?}");
    let measured: u64 = result.snapshots.iter().map(|s| s.measured().offered).sum();
    assert_eq!(measured, 100);
    assert_eq!(result.snapshots[1].all().offered, 0, "nothing is offered in a pause");
}
