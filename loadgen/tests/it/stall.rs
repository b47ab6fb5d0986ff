//! The test of coordinated omission: a server that stalls must not hide it.
//!
//! In a share f of all time the server is silent for S. Seen from the due times, the latency of an
//! arrival during a stall is what is left of it, so q(p) = S · (1 − (1 − p) / f), which is 450 ms
//! for p99 with 500 ms in every 5 s.

use std::time::Duration;

use plimsoll_domain::Quantile;
use plimsoll_domain::schedule::Profile;
use plimsoll_loadgen::LoadPlan;

use crate::run::{Result, plan, run_alone};
use crate::server::{Mode, Server};

const STALL: Mode =
    Mode::Stall { stall: Duration::from_millis(500), period: Duration::from_secs(5) };

/// Two whole periods, so that it does not matter where in a period the run begins.
async fn stalled(change: impl FnOnce(&mut LoadPlan)) -> Result {
    let server = Server::start(STALL);
    let profile = Profile::hold(1000.0, Duration::from_secs(10));
    let mut plan = plan(&server.url(), profile);
    change(&mut plan);
    run_alone(plan).await
}

/// The run, when its p99 is within 5 % of 450 ms. A busy machine can only add to a latency: what the
/// run itself says that it was late is allowed for, and it is given three chances. What is too low
/// is wrong at once.
async fn honest(change: impl Fn(&mut LoadPlan)) -> Result {
    let mut seen = Vec::new();
    for _ in 0..3 {
        let result = stalled(&change).await;
        assert_eq!((result.all.offered, result.all.outcomes.ok()), (10_000, 10_000));
        let p99 = result.all.response_quantile(0.99).and_then(Quantile::finite).unwrap();
        let p99 = p99.as_secs_f64() * 1e3;
        assert!(p99 >= 427.5, "p99 of response time is {p99} ms, not 450: the stall is hidden");
        let late = result.lags.release.quantile(0.99).unwrap().as_secs_f64() * 1e3;
        if p99 <= 472.5 + late {
            return result;
        }
        seen.push((p99, late));
    }
    panic!("p99 of response time is {seen:?} ms (and so much late), not 450");
}

#[tokio::test]
async fn a_stall_is_in_the_response_times() {
    let result = honest(|_| {}).await;
    assert_eq!(result.all.model.count(), 10_000);
    assert_eq!(result.all.model.max(), Some(Duration::from_micros(250)));
    assert!(result.snapshots.len() >= 10, "{}", result.snapshots.len());
    let connections = result.snapshots.iter().map(|s| s.generator.connections).max();
    assert!(connections > Some(300), "each arrival in a stall gets a connection: {connections:?}");
}

#[tokio::test]
async fn a_stall_is_in_the_response_times_with_few_connections() {
    let result = honest(|plan| plan.limits.max_connections = Some(20)).await;
    let service = result.all.service.quantile(0.99).unwrap();
    assert!(service < Duration::from_millis(100), "p99 of service time is {service:?}");
    let lag = result.lags.send.quantile(0.99).unwrap();
    assert!(lag > Duration::from_millis(300), "the wait is in the send lag: {lag:?}");
    let release = result.lags.release.quantile(0.9).unwrap();
    // Where others take the processor, lateness says nothing of the schedule.
    let starved = result.snapshots.iter().any(|s| s.generator.cpu_wait > Some(0.1));
    assert!(starved || release < Duration::from_millis(50), "the schedule waited: {release:?}");
    let connections = result.snapshots.iter().map(|s| s.generator.connections).max();
    assert!(connections <= Some(20), "{connections:?}");
}
