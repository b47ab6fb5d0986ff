//! What is asked, and who answers.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use plimsoll_domain::schedule::{ArrivalProcess, Profile, Stage};
use plimsoll_domain::{Latency, Limit, Limits, Tally};
use plimsoll_loadgen::{LoadPlan, NamedRequest, Request};

use crate::run::{Result, plan, run};
use crate::server::{Mode, Server};

const SECOND: Duration = Duration::from_secs(1);

/// The counts by stage, request and deployment.
fn by_name(result: &Result) -> BTreeMap<(String, String, String), Tally> {
    let mut tallies = BTreeMap::<_, Tally>::new();
    for snapshot in &result.snapshots {
        for (key, tally) in &snapshot.tallies {
            let (stage, request, deployment) = snapshot.names.of(*key);
            let key = (stage.to_owned(), request.to_owned(), deployment.to_owned());
            tallies.entry(key).or_default().append(tally);
        }
    }
    tallies
}

fn mixed(server: &Server, workers: usize) -> LoadPlan {
    let request = |name: &str, path: &str, weight| {
        let mut request = Request::post(vec![Bytes::from_static(b"{}")]);
        request.path = Some(path.to_owned());
        NamedRequest { name: name.to_owned(), weight, request }
    };
    let profile = Profile::new(vec![
        Stage::hold("warm-up", 100.0, SECOND).as_warmup(),
        Stage::hold("steady", 300.0, SECOND),
    ]);
    LoadPlan {
        requests: vec![request("big", "/big", 3.0), request("small", "/small", 1.0)],
        deployments: vec!["green".to_owned()],
        process: ArrivalProcess::Poisson,
        workers: std::num::NonZeroUsize::new(workers),
        ..plan(&server.url(), profile)
    }
}

#[tokio::test]
async fn each_request_deployment_and_stage_has_its_own_counts() {
    let server = Server::start(Mode::Deployments);
    let mut answered = Vec::new();
    for workers in [1, 3] {
        let result = run(mixed(&server, workers)).await;
        let tallies = by_name(&result);
        let ok = |stage: &str, request: &str, deployment: &str| {
            let key = (stage.to_owned(), request.to_owned(), deployment.to_owned());
            tallies.get(&key).map_or(0, |tally| tally.outcomes.ok())
        };
        let counts: Vec<_> = ["warm-up", "steady"]
            .into_iter()
            .flat_map(|stage| [ok(stage, "big", "blue"), ok(stage, "small", "green")])
            .collect();
        assert_eq!(counts.iter().sum::<u64>(), result.all.offered, "{tallies:?}");
        // Three of four arrivals, to within six standard deviations.
        let (big, all) = ((counts[0] + counts[2]) as f64, result.all.offered as f64);
        assert!((big - 0.75 * all).abs() < 6.0 * (0.1875 * all).sqrt(), "{counts:?}");
        let warm: u64 = result.snapshots.iter().map(|s| s.warmup().offered).sum();
        assert_eq!(warm, counts[0] + counts[1]);
        answered.push(counts);
    }
    assert_eq!(answered[0], answered[1], "the seed and not the workers decides what is asked");
}

#[tokio::test]
async fn what_is_due_and_not_answered_is_overdue_while_it_lasts() {
    let server = Server::start(Mode::Silent);
    let limit = Limit { of: Latency::Response, at: Duration::from_millis(200) };
    let mut plan = plan(&server.url(), Profile::hold(100.0, 2 * SECOND));
    plan.counted = Limits::new([limit], None);
    plan.limits.max_connections = Some(10);
    plan.limits.request_timeout = 4 * SECOND;
    plan.limits.drain = Duration::from_millis(10);
    let result = run(plan).await;
    let overdue = |index: usize| result.snapshots[index].all().limits[0].overdue;
    // After a second: all but those of the last 200 ms, in flight or not.
    assert!((75..=100).contains(&overdue(0)), "{}", overdue(0));
    assert!(overdue(1) > overdue(0));
    assert_eq!(result.all.limits.first().map_or(0, |counts| counts.overdue), 0, "all have ended");
}
