//! The test of coordinated omission: a server that stalls must not hide it.
//!
//! The server notes from when to when it stalled, by the clock that the run has too. What it reads in
//! that time it answers after its end, so the response time of an arrival due in the stall is at least
//! what was left of it. That holds however busy the machine is, for each arrival; and nothing makes a
//! response time longer than its send lag and its service time, of which it is the sum.

use std::time::Duration;

use plimsoll_domain::schedule::Profile;
use plimsoll_domain::{Latencies, Moment};
use plimsoll_loadgen::LoadPlan;

use crate::run::{Result, plan, run};
use crate::server::{Mode, Server};

const RPS: u32 = 200;
const ARRIVALS: u64 = 800;
const STALL: Duration = Duration::from_millis(500);

/// A run in whose middle the server stalls until so many requests wait; what was left of the stall
/// when each of the arrivals became due that fell into it.
async fn stalled(waiting: u64, change: impl FnOnce(&mut LoadPlan)) -> (Result, Vec<Duration>) {
    let server = Server::start(Mode::Stall { answered: 100, waiting, length: STALL });
    let profile = Profile::hold(f64::from(RPS), Duration::from_secs(4));
    let mut plan = plan(&server.url(), profile);
    // No limit of its own may end anything.
    plan.limits.request_timeout = Duration::from_mins(1);
    plan.limits.drain = Duration::from_mins(1);
    change(&mut plan);
    let result = run(plan).await;
    assert_eq!((result.all.offered, result.all.outcomes.ok()), (ARRIVALS, ARRIVALS));
    let (began, ended) = server.stalled();
    let due = |number| result.finished.t0 + Duration::from_secs(1) * number / RPS;
    let left = |due: Moment| (due >= began && due < ended).then(|| ended.since(due));
    let left: Vec<_> = (0..ARRIVALS as u32).map(due).filter_map(left).collect();
    assert!(left.len() > 60, "{} arrivals in a stall of {STALL:?}", left.len());
    let sum = result.lags.send.sum_ns() + result.all.service.sum_ns();
    assert_eq!(result.all.response.sum_ns(), sum, "response = send lag + service");
    (result, left)
}

/// Whether as many of these latencies are long as must be, but for `fewer` of them.
fn assert_shown(what: &str, latencies: &Latencies, left: &[Duration], fewer: u64) {
    for percent in (5..100).step_by(5) {
        let limit = STALL * percent / 100;
        let must = left.iter().filter(|left| **left > limit).count() as u64;
        let longer = latencies.count() - latencies.count_at_most(limit);
        assert!(longer + fewer >= must, "{longer} {what}s above {limit:?}, not {must}");
    }
}

#[tokio::test]
async fn a_stall_is_in_the_response_times() {
    let (result, left) = stalled(60, |_| {}).await;
    assert_shown("response time", &result.all.response, &left, 0);
    assert_eq!(result.all.model.count(), ARRIVALS);
    assert_eq!(result.all.model.max(), Some(Duration::from_micros(250)));
    assert!(result.snapshots.len() >= 3, "{}", result.snapshots.len());
    let opened: u64 = result.snapshots.iter().map(|s| s.generator.connections_opened).sum();
    assert!(opened >= 60, "each arrival in a stall gets a connection: {opened}");
}

#[tokio::test]
async fn a_stall_is_in_the_response_times_with_few_connections() {
    const CONNECTIONS: u64 = 5;
    let few = |plan: &mut LoadPlan| plan.limits.max_connections = Some(CONNECTIONS as usize);
    let (result, left) = stalled(CONNECTIONS, few).await;
    assert_shown("response time", &result.all.response, &left, 0);
    // Each connection had one request in the stall; all others waited to be sent.
    assert_shown("send lag", &result.lags.send, &left, CONNECTIONS);
    // The schedule did not: a worker is late only while it works, or waits for the processor.
    let busy = |s: &plimsoll_domain::Snapshot| {
        let cores = s.generator.cpu_cores.zip(s.generator.cpu_wait);
        s.length().mul_f64(cores.map_or(1.0, |(ran, waited)| ran + waited))
    };
    let busy: Duration = result.snapshots.iter().map(busy).sum();
    let release = result.lags.release.max().unwrap();
    let allowed = busy + Duration::from_millis(50);
    assert!(release < allowed, "the schedule waited: {release:?}, busy for {busy:?}");
    let connections = result.snapshots.iter().map(|s| s.generator.connections).max();
    assert!(connections <= Some(CONNECTIONS), "{connections:?}");
}
